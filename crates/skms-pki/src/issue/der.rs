//! Writing DER (X.690, section 10): values are made inside out, as bytes.

use crate::certificate::KeyUsage;
use crate::oid::Oid;
use crate::parse::cursor::tag;
use crate::time::{Civil, Moment, YEAR_2050};

use super::error::IssueError;

/// Appends tag and length of a value whose contents are `length` bytes long.
pub(crate) fn header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    if let (true, Ok(short)) = (length < 128, u8::try_from(length)) {
        out.push(short);
        return;
    }
    let bytes = length.to_be_bytes();
    let skip = length.leading_zeros() as usize / 8;
    let body = bytes.get(skip..).unwrap_or(&bytes);
    // At most eight bytes.
    out.push(0x80 | body.len() as u8);
    out.extend_from_slice(body);
}

/// How many bytes tag and length of such a value take.
pub(crate) fn header_length(length: usize) -> usize {
    if length < 128 {
        2
    } else {
        2 + size_of::<usize>() - length.leading_zeros() as usize / 8
    }
}

/// A value with its tag.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(header_length(length) + length);
    header(&mut out, tag, length);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag::SEQUENCE, parts)
}

/// A SEQUENCE of as many values as there are.
pub(crate) fn sequence_of(values: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let all: Vec<u8> = values.into_iter().flatten().collect();
    sequence(&[&all])
}

/// `[number]` around whole values (explicit, or implicit over their SEQUENCE).
pub(crate) fn constructed(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag::constructed(number), parts)
}

pub(crate) fn oid(oid: Oid<'_>) -> Vec<u8> {
    tlv(tag::OID, &[oid.as_bytes()])
}

pub(crate) fn octets(value: &[u8]) -> Vec<u8> {
    tlv(tag::OCTET_STRING, &[value])
}

/// A BIT STRING of whole bytes.
pub(crate) fn bit_string(value: &[u8]) -> Vec<u8> {
    tlv(tag::BIT_STRING, &[&[0], value])
}

/// The minimal contents of a non-negative INTEGER.
pub(crate) fn unsigned(mut bytes: &[u8]) -> Vec<u8> {
    while let [0, rest @ ..] = bytes {
        bytes = rest;
    }
    match bytes.first() {
        Some(top) if top & 0x80 == 0 => bytes.to_vec(),
        _ => [&[0], bytes].concat(),
    }
}

/// A non-negative number with this tag.
pub(crate) fn number(tag: u8, value: u64) -> Vec<u8> {
    tlv(tag, &[&unsigned(&value.to_be_bytes())])
}

pub(crate) fn integer(value: u64) -> Vec<u8> {
    number(tag::INTEGER, value)
}

/// A named-bit list (X.690, section 11.2.2: no trailing zero bits). Bit 0 of
/// the standard is the lowest bit here.
pub(crate) fn named_bits(tag: u8, bits: u16) -> Vec<u8> {
    let [low, high] = bits.to_le_bytes().map(u8::reverse_bits);
    match (low, high) {
        (0, 0) => tlv(tag, &[&[0]]),
        (low, 0) => tlv(tag, &[&[low.trailing_zeros() as u8, low]]),
        (low, high) => tlv(tag, &[&[high.trailing_zeros() as u8, low, high]]),
    }
}

pub(crate) fn key_usage(usage: KeyUsage) -> Vec<u8> {
    named_bits(tag::BIT_STRING, usage.0)
}

/// `BOOLEAN DEFAULT FALSE` of an implicit tag.
pub(crate) fn flag(tag: u8, set: bool) -> Vec<u8> {
    if set {
        tlv(tag, &[&[0xff]])
    } else {
        Vec::new()
    }
}

/// A SET OF, its values in DER's order (X.690, section 11.6).
pub(crate) fn set_of(mut values: Vec<Vec<u8>>) -> Vec<u8> {
    values.sort_unstable();
    let all: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    tlv(tag::SET, &all)
}

/// An Extension (RFC 5280, section 4.1) around its value's DER.
pub(crate) fn extension(id: Oid<'_>, critical: bool, value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(id), &flag(tag::BOOLEAN, critical), &octets(value)])
}

/// The last moment that a GeneralizedTime can say: 9999-12-31T23:59:59Z, which
/// also means that there is no end (RFC 5280, section 4.1.2.5).
pub const LAST_MOMENT: Moment = Moment(253_402_300_799);

/// 1950-01-01T00:00:00Z: what is before has no UTCTime.
const YEAR_1950: Moment = Moment(-631_152_000);

fn digits(out: &mut Vec<u8>, value: i64, places: u32) {
    for place in (0..places).rev() {
        let digit = value / 10i64.pow(place) % 10;
        out.push(b'0' + digit as u8);
    }
}

fn written(out: &mut Vec<u8>, tag: u8, moment: Moment, year_digits: u32) {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = moment.civil();
    header(out, tag, 11 + year_digits as usize);
    digits(out, year % 10i64.pow(year_digits), year_digits);
    for part in [month, day, hour, minute, second] {
        digits(out, part, 2);
    }
    out.push(b'Z');
}

/// Appends a Time: UTCTime through 2049, then GeneralizedTime.
///
/// # Errors
/// [`IssueError::Input`] before 1950 and after 9999.
pub(crate) fn push_time(out: &mut Vec<u8>, moment: Moment) -> Result<(), IssueError> {
    if !(YEAR_1950..=LAST_MOMENT).contains(&moment) {
        return Err(IssueError::Input("a time before 1950 or after 9999"));
    }
    //= https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5
    //# CAs conforming to this profile MUST always encode certificate
    //# validity dates through the year 2049 as UTCTime; certificate validity
    //# dates in 2050 or later MUST be encoded as GeneralizedTime.
    if moment < YEAR_2050 {
        written(out, tag::UTC_TIME, moment, 2);
    } else {
        written(out, tag::GENERALIZED_TIME, moment, 4);
    }
    Ok(())
}

/// As [`push_time`], alone.
pub(crate) fn time(moment: Moment) -> Result<Vec<u8>, IssueError> {
    let mut out = Vec::with_capacity(17);
    push_time(&mut out, moment)?;
    Ok(out)
}

/// Appends a GeneralizedTime without fractions.
///
/// # Errors
/// [`IssueError::Input`] before 1950 and after 9999.
pub(crate) fn push_generalized(out: &mut Vec<u8>, moment: Moment) -> Result<(), IssueError> {
    if !(YEAR_1950..=LAST_MOMENT).contains(&moment) {
        return Err(IssueError::Input("a time before 1950 or after 9999"));
    }
    written(out, tag::GENERALIZED_TIME, moment, 4);
    Ok(())
}

/// As [`push_generalized`], alone.
pub(crate) fn generalized(moment: Moment) -> Result<Vec<u8>, IssueError> {
    let mut out = Vec::with_capacity(17);
    push_generalized(&mut out, moment)?;
    Ok(out)
}

/// As [`generalized`], with thousandths of a second where there are any (X.690,
/// section 11.7: without zeros at the end).
pub(crate) fn generalized_milliseconds(
    moment: Moment,
    milliseconds: u16,
) -> Result<Vec<u8>, IssueError> {
    if milliseconds > 999 {
        return Err(IssueError::Input("a thousandth of a second beyond 999"));
    }
    let whole = generalized(moment)?;
    let value = whole.get(2..).and_then(|value| value.strip_suffix(b"Z"));
    let (Some(value), 1..) = (value, milliseconds) else {
        return Ok(whole);
    };
    let digits = format!("{milliseconds:03}");
    let digits = digits.trim_end_matches('0').as_bytes();
    Ok(tlv(tag::GENERALIZED_TIME, &[value, b".", digits, b"Z"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::cursor::{Cursor, named_bits as read_bits, small};
    use crate::time;

    #[test]
    fn thousandths_are_written_without_zeros_at_the_end() {
        let at = Moment(784_111_777);
        for (milliseconds, text) in [
            (0, "19941106084937Z"),
            (1, "19941106084937.001Z"),
            (20, "19941106084937.02Z"),
            (500, "19941106084937.5Z"),
            (999, "19941106084937.999Z"),
        ] {
            let der = generalized_milliseconds(at, milliseconds).unwrap();
            assert_eq!(der[2..], *text.as_bytes());
            let read = time::read_fractional(&mut Cursor::new(&der)).unwrap();
            assert_eq!(read, at);
        }
        assert!(generalized_milliseconds(at, 1_000).is_err());
    }

    #[test]
    fn lengths_are_the_shortest() {
        for (length, head) in [
            (0, vec![0x30, 0]),
            (127, vec![0x30, 127]),
            (128, vec![0x30, 0x81, 128]),
            (255, vec![0x30, 0x81, 255]),
            (256, vec![0x30, 0x82, 1, 0]),
            (70_000, vec![0x30, 0x83, 1, 0x11, 0x70]),
        ] {
            let mut out = Vec::new();
            header(&mut out, 0x30, length);
            assert_eq!(out, head);
            assert_eq!(header_length(length), head.len());
        }
    }

    #[test]
    fn numbers_and_bits_are_read_back() {
        for value in [0u64, 1, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff_ffff] {
            let der = integer(value);
            let found = Cursor::new(&der).integer().unwrap();
            assert_eq!(u64::from(small(found).unwrap()), value);
        }
        for bits in [0u16, 1, 0b10, 0b110_0000, 1 << 7, 1 << 8, 0x1ff] {
            let der = named_bits(3, bits);
            let value = Cursor::new(&der).take(3).unwrap().value;
            assert_eq!(read_bits(value), Ok(bits), "{bits:b}");
        }
    }

    #[test]
    fn times_are_read_back_and_written_in_the_right_form() {
        for moment in [0, -631_152_000, 951_782_399, 2_524_607_999, 2_524_608_000] {
            let der = time(Moment(moment)).unwrap();
            let found = time::read(&mut Cursor::new(&der)).unwrap();
            assert_eq!(found.moment, Moment(moment));
            assert!(found.conforms);
        }
        assert_eq!(
            generalized(LAST_MOMENT).unwrap(),
            b"\x18\x0f99991231235959Z"
        );
        assert!(time(Moment(LAST_MOMENT.0 + 1)).is_err());
        assert!(time(Moment(-631_152_001)).is_err());
    }

    #[test]
    fn sets_are_in_order() {
        let set = set_of(vec![vec![0x13, 1, b'b'], vec![0x0c, 1, b'a']]);
        assert_eq!(set, b"\x31\x06\x0c\x01a\x13\x01b");
    }
}
