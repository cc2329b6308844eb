//! PEM armour (RFC 7468) around what this room reads and makes: certificates,
//! requests, lists. Private keys are not for here.

use der::pem::{LineEnding, decode_vec, encode_string};

use crate::error::{Error, Result};

/// The label of certificates.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The label of certification requests.
pub const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";
/// The label of revocation lists.
pub const X509_CRL: &str = "X509 CRL";

/// The longest text that is looked at, in bytes.
const LONGEST: usize = 64 << 20;

/// Writes one block.
///
/// # Errors
/// [`Error::Malformed`] for a label that is none.
pub fn encode(label: &str, der: &[u8]) -> Result<String> {
    encode_string(label, LineEnding::LF, der).map_err(|_| malformed("not a label"))
}

/// The DER of every block with this label, in order. Text between blocks, and
/// blocks with other labels, are passed over (RFC 7468, section 2).
///
/// # Errors
/// [`Error::Malformed`] for a block that does not end, or is no base64, and for
/// a text without any block of this label.
pub fn decode(label: &str, text: &str) -> Result<Vec<Vec<u8>>> {
    if text.len() > LONGEST {
        return Err(malformed("too long"));
    }
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(&begin) {
        let block = rest.get(start..).unwrap_or_default();
        let length = block
            .find(&end)
            .ok_or(malformed("a block without an end"))?;
        let (block, after) = block
            .split_at_checked(length + end.len())
            .ok_or(malformed("a block without an end"))?;
        let (_, der) = decode_vec(block.as_bytes()).map_err(|_| malformed("not base64"))?;
        found.push(der);
        rest = after;
    }
    match found.is_empty() {
        true => Err(malformed("no block of this label")),
        false => Ok(found),
    }
}

fn malformed(why: &'static str) -> Error {
    Error::Malformed { what: "PEM", why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_go_both_ways() {
        let (one, two) = (vec![7; 100], vec![8; 3]);
        let text = format!(
            "text\n{}between\n{}{}",
            encode(CERTIFICATE, &one).unwrap(),
            encode(X509_CRL, &[9]).unwrap(),
            encode(CERTIFICATE, &two).unwrap()
        );
        assert_eq!(decode(CERTIFICATE, &text), Ok(vec![one, two]));
        assert_eq!(decode(X509_CRL, &text), Ok(vec![vec![9]]));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for bad in [
            "",
            "text",
            "-----BEGIN CERTIFICATE-----\nAA==\n",
            "-----BEGIN CERTIFICATE-----\nA~==\n-----END CERTIFICATE-----\n",
            "-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n",
        ] {
            assert!(decode(CERTIFICATE, bad).is_err(), "{bad:?}");
        }
        assert!(encode("a\nb", &[1]).is_err());
    }
}
