//! Hex, PEM, DER and JSON, as far as vector files need them. A file that
//! does not parse is reported, never a panic.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// The bytes of a hex string, spaces and case ignored.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => digits.push(u8::try_from(char::from(byte).to_digit(16)?).ok()?),
        }
    }
    if digits.len() % 2 != 0 {
        return None;
    }
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

/// The hex string of bytes.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A big-endian integer of exactly `len` bytes, from one that may be shorter
/// or have leading zeros.
pub fn fixed(integer: &[u8], len: usize) -> Option<Vec<u8>> {
    let start = integer.iter().position(|&byte| byte != 0);
    let digits = &integer[start.unwrap_or(integer.len())..];
    let zeros = len.checked_sub(digits.len())?;
    let mut out = vec![0; zeros];
    out.extend_from_slice(digits);
    Some(out)
}

/// Base64url without padding, as JOSE has it.
pub fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The PEM blocks in a text: label and decoded body (`None` when the body is
/// not base64, as in encrypted PKCS#1, whose headers precede it).
pub fn pem_blocks(text: &str) -> Vec<(String, Option<Vec<u8>>)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(label) = line
            .trim()
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"))
        else {
            continue;
        };
        let body: String = lines
            .by_ref()
            .map(str::trim)
            .take_while(|line| !line.starts_with("-----END "))
            .collect();
        blocks.push((label.to_owned(), STANDARD.decode(body).ok()));
    }
    blocks
}

/// One DER element: tag, contents, and what follows it.
pub struct Der<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// The whole element, identifier and length included.
    pub whole: &'a [u8],
    /// The contents octets.
    pub body: &'a [u8],
    /// The bytes after the element.
    pub rest: &'a [u8],
}

/// Reads the first DER element.
pub fn der(input: &[u8]) -> Option<Der<'_>> {
    let (&tag, after) = input.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = if first < 0x80 {
        (usize::from(first), after)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 || count > after.len() {
            return None;
        }
        let (digits, after) = after.split_at(count);
        let length = digits
            .iter()
            .fold(0_usize, |length, &digit| length << 8 | usize::from(digit));
        (length, after)
    };
    if length > after.len() {
        return None;
    }
    let (body, rest) = after.split_at(length);
    Some(Der {
        tag,
        whole: &input[..input.len() - rest.len()],
        body,
        rest,
    })
}

/// The DER elements that fill `input`.
pub fn der_sequence(mut input: &[u8]) -> Option<Vec<Der<'_>>> {
    let mut elements = Vec::new();
    while !input.is_empty() {
        let element = der(input)?;
        input = element.rest;
        elements.push(element);
    }
    Some(elements)
}

/// A DER element made of a tag and contents.
pub fn der_wrap(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        short @ 0..0x80 => out.push(short as u8),
        long => {
            let digits = long.to_be_bytes();
            let start = digits.iter().position(|&digit| digit != 0).unwrap_or(0);
            out.push(0x80 | (digits.len() - start) as u8);
            out.extend_from_slice(&digits[start..]);
        }
    }
    out.extend_from_slice(body);
    out
}

/// A DER INTEGER that is not negative.
pub fn der_integer(digits: &[u8]) -> Vec<u8> {
    let start = digits.iter().position(|&digit| digit != 0);
    let digits = &digits[start.unwrap_or(digits.len().saturating_sub(1))..];
    let mut body = Vec::new();
    if digits.first().is_none_or(|&first| first >= 0x80) {
        body.push(0);
    }
    body.extend_from_slice(digits);
    der_wrap(0x02, &body)
}

/// The text of a JSON field.
pub fn string<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str()
}

/// The bytes of a hex field in JSON.
pub fn bytes(value: &Value, field: &str) -> Option<Vec<u8>> {
    hex(string(value, field)?)
}

/// The number in a JSON field.
pub fn number(value: &Value, field: &str) -> Option<usize> {
    usize::try_from(value.get(field)?.as_u64()?).ok()
}

/// The entries of a JSON list; none when it is absent.
pub fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
