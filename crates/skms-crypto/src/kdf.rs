//! Key derivation after an agreement (NIST SP 800-56C rev. 2, section 5).

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::secret::SecretBytes;
use crate::symmetric::hkdf::expand_into;

/// HKDF (RFC 5869) of a shared secret: extract with `salt`, expand with
/// `info` to `length` bytes.
///
/// # Errors
/// [`Error::InvalidOption`] for a hash other than SHA-256, SHA-384 or
/// SHA-512, or no output; [`Error::TooLong`] past 255 hashes of output.
pub fn hkdf(
    hash: Hash,
    shared: &[u8],
    salt: &[u8],
    info: &[u8],
    length: usize,
) -> Result<SecretBytes> {
    let algorithm = match hash {
        Hash::Sha256 => aws_lc_rs::hkdf::HKDF_SHA256,
        Hash::Sha384 => aws_lc_rs::hkdf::HKDF_SHA384,
        Hash::Sha512 => aws_lc_rs::hkdf::HKDF_SHA512,
        _ => {
            return Err(Error::InvalidOption(
                "HKDF takes SHA-256, SHA-384 or SHA-512",
            ));
        }
    };
    if length == 0 {
        return Err(Error::InvalidOption("derive at least one byte"));
    }
    if length > 255 * 64 {
        return Err(Error::TooLong {
            what: "derived key",
            limit: 255 * 64,
        });
    }
    SecretBytes::try_with_len(length, |out| {
        expand_into(algorithm, shared, salt, info, out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_rfc_5869_case_1() {
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let out = hkdf(Hash::Sha256, &[0x0b; 22], &salt, &info, 42).unwrap();
        assert_eq!(out.expose().first_chunk(), Some(&[0x3c, 0xb2, 0x5f, 0x25]));
        assert_eq!(out.expose().last_chunk(), Some(&[0x58, 0x65]));
        assert!(hkdf(Hash::Sha3_256, &[1], b"", b"", 32).is_err());
        assert!(hkdf(Hash::Sha256, &[1], b"", b"", 0).is_err());
        assert!(hkdf(Hash::Sha256, &[1], b"", b"", 255 * 32 + 1).is_err());
    }
}
