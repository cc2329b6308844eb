//! PEM (RFC 7468), there and back.

use x509_cert::der::pem::{self, LineEnding};

use super::error::Failure;

/// The most documents of one text.
const DOCUMENTS: usize = 64;

/// DER as a PEM document with this label.
pub fn encode(label: &str, der: &[u8]) -> Result<String, Failure> {
    pem::encode_string(label, LineEnding::LF, der)
        .map_err(|_| Failure::internal("a document does not encode as PEM"))
}

/// A certificate as PEM.
pub fn certificate(der: &[u8]) -> Result<String, Failure> {
    encode("CERTIFICATE", der)
}

/// The DER of every document of a text; all must have one of the labels.
pub fn decode_all(text: &str, labels: &[&str]) -> Result<Vec<Vec<u8>>, Failure> {
    let bad = || {
        let labels = labels.join(" or ");
        Failure::invalid(format!("expected PEM with the label {labels}"))
    };
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let (label, body) = begun.split_once("-----").ok_or_else(bad)?;
        let end = format!("-----END {label}-----");
        let (body, after) = body.split_once(&end).ok_or_else(bad)?;
        if !labels.contains(&label) || found.len() == DOCUMENTS {
            return Err(bad());
        }
        let document = format!("-----BEGIN {label}-----{body}{end}\n");
        let (_, der) = pem::decode_vec(document.as_bytes()).map_err(|_| bad())?;
        found.push(der);
        rest = after;
    }
    if found.is_empty() {
        return Err(bad());
    }
    Ok(found)
}

/// The DER of the one document of a text.
pub fn decode(text: &str, labels: &[&str]) -> Result<Vec<u8>, Failure> {
    let mut all = decode_all(text, labels)?;
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Failure::invalid("expected one PEM document, not several")),
    }
}

/// The labels of a certification request.
pub const REQUEST: &[&str] = &["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_taken_apart() {
        let one = certificate(&[0x30, 0]).unwrap();
        let two = certificate(&[0x30, 3, 2, 1, 5]).unwrap();
        let text = format!("subject=CN=a\n{one}\n# note\n{two}");
        let all = decode_all(&text, &["CERTIFICATE"]).unwrap();
        assert_eq!(all, [vec![0x30, 0], vec![0x30, 3, 2, 1, 5]]);
        assert_eq!(decode(&one, &["CERTIFICATE"]).unwrap(), [0x30, 0]);
        assert!(decode(&text, &["CERTIFICATE"]).is_err());
        assert!(decode(&one, REQUEST).is_err());
        assert!(decode_all("", &["CERTIFICATE"]).is_err());
        assert!(decode_all(one.trim_end().trim_end_matches('-'), &["CERTIFICATE"]).is_err());
        assert!(decode_all(&one.replace("MAA=", "M*A="), &["CERTIFICATE"]).is_err());
    }
}
