//! Files as they come: DER, or PEM with any number of blocks (RFC 7468).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};

/// What a file of certificates calls its blocks.
pub const CERTIFICATES: &[&str] = &["CERTIFICATE", "X509 CERTIFICATE"];

/// What a file of revocation lists calls its blocks.
pub const LISTS: &[&str] = &["X509 CRL", "CRL"];

/// What a file of OCSP responses calls its blocks.
pub const RESPONSES: &[&str] = &["OCSP RESPONSE"];

/// The structures in a file, as DER. Bytes without a block are taken for DER;
/// text around blocks and blocks with other labels are passed over.
///
/// # Errors
/// [`Error::Malformed`] for PEM that breaks off or is no base64, and for PEM
/// without a block of these labels.
pub fn blocks<'f>(file: &'f [u8], labels: &[&str]) -> Result<Vec<Cow<'f, [u8]>>> {
    let malformed = |why| Error::Malformed { what: "PEM", why };
    if !file.windows(11).any(|window| window == b"-----BEGIN ") {
        return Ok(vec![Cow::Borrowed(file)]);
    }
    let text = std::str::from_utf8(file).map_err(|_| malformed("not a text"))?;
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(label) = fence(line, "-----BEGIN ") else {
            continue;
        };
        let mut body = String::new();
        loop {
            let line = lines.next().ok_or(malformed("a block without an end"))?;
            match fence(line, "-----END ") {
                Some(end) if end == label => break,
                Some(_) => return Err(malformed("a block with the end of another")),
                None => body.push_str(line.trim()),
            }
        }
        if labels.contains(&label) {
            let der = STANDARD
                .decode(body)
                .map_err(|_| malformed("a block that is no base64"))?;
            found.push(Cow::Owned(der));
        }
    }
    if found.is_empty() {
        return Err(malformed("no block of the kind that is wanted"));
    }
    Ok(found)
}

fn fence<'l>(line: &'l str, beginning: &str) -> Option<&'l str> {
    line.trim_end()
        .strip_prefix(beginning)?
        .strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_and_der() {
        let read = |text: &[u8]| blocks(text, CERTIFICATES).map(|all| all.concat());
        assert_eq!(read(b"\x30\x00").unwrap(), b"\x30\x00");
        let text =
            b"me\r\n-----BEGIN CERTIFICATE-----\r\nMA\r\nA=\r\n-----END CERTIFICATE-----\r\n\
            -----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n\
            -----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----";
        assert_eq!(read(text).unwrap(), b"\x30\x00\x30\x00");
        for bad in [
            &b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----"[..],
            b"-----BEGIN CERTIFICATE-----\nMAA=\n",
            b"-----BEGIN CERTIFICATE-----\nM*A=\n-----END CERTIFICATE-----",
            b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END X509 CRL-----",
            b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\xff",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
