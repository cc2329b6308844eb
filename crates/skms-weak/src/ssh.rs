//! The public keys of OpenSSH (RFC 4253, section 6.6, RFC 5656, RFC 8709).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dashu_int::UBig;

use crate::error::{Error, Result};
use crate::key::PublicKey;

/// Longer lines are nobody's key.
const LONGEST: usize = 1 << 16;

pub(crate) fn read(line: &str) -> Result<PublicKey> {
    let bad = || Error::Key("not the line of an OpenSSH public key");
    if line.len() > LONGEST {
        return Err(bad());
    }
    let mut words = line.split_ascii_whitespace();
    let (name, blob) = words.next().zip(words.next()).ok_or_else(bad)?;
    let blob = STANDARD.decode(blob).map_err(|_| bad())?;
    let mut rest = &blob[..];
    if field(&mut rest) != Some(name.as_bytes()) {
        return Err(bad());
    }
    key(name, &mut rest)
        .filter(|_| rest.is_empty())
        .ok_or_else(bad)
}

fn key(name: &str, rest: &mut &[u8]) -> Option<PublicKey> {
    match name {
        "ssh-rsa" => {
            let e = number(rest)?;
            Some(PublicKey::rsa(number(rest)?, e))
        }
        "ssh-dss" => {
            let p = number(rest)?;
            let (_, _, y) = (number(rest)?, number(rest)?, number(rest)?);
            Some(PublicKey::dsa(p, y))
        }
        "ssh-ed25519" => Some(PublicKey::ed25519(field(rest)?)),
        "sk-ssh-ed25519@openssh.com" => {
            let found = PublicKey::ed25519(field(rest)?);
            field(rest)?;
            Some(found)
        }
        _ => {
            let curve: &[u8] = match name {
                "ecdsa-sha2-nistp256" | "sk-ecdsa-sha2-nistp256@openssh.com" => {
                    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]
                }
                "ecdsa-sha2-nistp384" => &[0x2b, 0x81, 0x04, 0x00, 0x22],
                "ecdsa-sha2-nistp521" => &[0x2b, 0x81, 0x04, 0x00, 0x23],
                _ => return None,
            };
            field(rest)?;
            let found = PublicKey::ec(curve, field(rest)?);
            if name.starts_with("sk-") {
                field(rest)?;
            }
            Some(found)
        }
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let (found, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(found)
}

fn number(rest: &mut &[u8]) -> Option<UBig> {
    let bytes = field(rest)?;
    match bytes.first() {
        Some(first) if first & 0x80 != 0 => None,
        _ => Some(UBig::from_be_bytes(bytes)),
    }
}
