//! PEM armour (RFC 7468): labels, base64 and nothing between them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Longest PEM text that is looked at, in bytes.
const LIMIT: usize = 1 << 20;

/// One block.
pub(super) struct Block {
    /// The words between the dashes, "PRIVATE KEY" for instance.
    pub(super) label: String,
    /// What the base64 says.
    pub(super) der: Zeroizing<Vec<u8>>,
}

fn malformed() -> Error {
    Error::Malformed("PEM")
}

/// Whether there is a block in the text at all.
pub(super) fn looks_like(text: &[u8]) -> bool {
    text.windows(11).any(|window| window == b"-----BEGIN ")
}

/// The one key in the text. Text outside the blocks is allowed (RFC 7468,
/// section 2), and so are `EC PARAMETERS` and certificates beside the key; two
/// keys are not, because nobody could tell which was meant.
pub(super) fn decode(text: &[u8]) -> Result<Block> {
    if text.len() > LIMIT {
        return Err(Error::TooLong {
            what: "PEM text",
            limit: LIMIT as u64,
        });
    }
    let text = core::str::from_utf8(text).map_err(|_| malformed())?;
    let mut found: Option<Block> = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(label) = fence(line, "BEGIN ") else {
            continue;
        };
        let block = body(label, &mut lines)?;
        if matches!(
            label,
            "EC PARAMETERS" | "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE"
        ) {
            continue;
        }
        if found.replace(block).is_some() {
            return Err(Error::Malformed("PEM: more than one key"));
        }
    }
    found.ok_or_else(malformed)
}

fn fence<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.trim_end()
        .strip_prefix("-----")?
        .strip_prefix(word)?
        .strip_suffix("-----")
}

fn body<'a>(label: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<Block> {
    let mut text = Zeroizing::new(Vec::with_capacity(4096));
    for line in lines {
        if let Some(end) = fence(line, "END ") {
            if end != label {
                return Err(malformed());
            }
            let der = STANDARD.decode(&*text).map_err(|_| malformed())?;
            return Ok(Block {
                label: label.to_owned(),
                der: Zeroizing::new(der),
            });
        }
        if line.contains(':') {
            // RFC 1421 headers: OpenSSL's old encryption, MD5 and one round of it.
            return Err(Error::RefusedByPolicy(
                "PEM headers and their old encryption; use encrypted PKCS#8",
            ));
        }
        text.extend(line.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    }
    Err(malformed())
}

/// Armours DER, 64 characters a line.
pub(super) fn encode(label: &str, der: &[u8]) -> Zeroizing<Vec<u8>> {
    let encoded = Zeroizing::new(STANDARD.encode(der));
    let mut out = Zeroizing::new(Vec::with_capacity(
        encoded.len() + encoded.len() / 64 + 2 * label.len() + 40,
    ));
    out.extend_from_slice(format!("-----BEGIN {label}-----\n").as_bytes());
    for line in encoded.as_bytes().chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour_comes_off_as_it_went_on() {
        let der: Vec<u8> = (0..200u8).collect();
        let text = encode("PRIVATE KEY", &der);
        let block = decode(&text).unwrap();
        assert_eq!(block.label, "PRIVATE KEY");
        assert_eq!(*block.der, der);
        assert!(
            text.split(|&byte| byte == b'\n')
                .all(|line| line.len() <= 64)
        );
    }

    #[test]
    fn broken_armour_is_refused() {
        for bad in [
            "",
            "-----BEGIN A-----\nAAAA\n",
            "-----BEGIN A-----\nAAAA\n-----END B-----\n",
            "-----BEGIN A-----\nA*AA\n-----END A-----\n",
            "-----BEGIN A-----\nAAA\n-----END A-----\n",
            "-----BEGIN A-----\nAAAA\n-----END A-----\n-----BEGIN B-----\nAAAA\n-----END B-----\n",
            "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END A-----\n",
        ] {
            assert!(decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
