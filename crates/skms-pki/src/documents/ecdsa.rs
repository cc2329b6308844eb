//! ECDSA signatures as JOSE and COSE have them (RFC 7518, section 3.4; RFC
//! 9053, section 2.1): two numbers of fixed length, where X.509 has a SEQUENCE.

use skms_crypto::Algorithm;

use crate::error::{In, Parse};
use crate::issue::der;
use crate::parse::cursor::{Cursor, tag};

use super::error::DocumentError;

/// Bytes of a coordinate; `None` for what is not ECDSA.
fn coordinate(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::EcP256 => Some(32),
        Algorithm::EcP384 => Some(48),
        Algorithm::EcP521 => Some(66),
        _ => None,
    }
}

/// A signature in the fixed form; one that is not ECDSA stays as it is.
pub(crate) fn to_fixed(algorithm: Algorithm, signature: &[u8]) -> Result<Vec<u8>, DocumentError> {
    match coordinate(algorithm) {
        None => Ok(signature.to_vec()),
        Some(length) => Ok(fixed(signature, length).within("signature")?),
    }
}

/// A signature from the fixed form, in DER; one that is not ECDSA stays as it
/// is.
pub(crate) fn from_fixed(algorithm: Algorithm, signature: &[u8]) -> Result<Vec<u8>, DocumentError> {
    match coordinate(algorithm) {
        None => Ok(signature.to_vec()),
        Some(length) if signature.len() == 2 * length => {
            let (r, s) = signature.split_at(length);
            let number = |bytes| der::tlv(tag::INTEGER, &[&der::unsigned(bytes)]);
            Ok(der::sequence(&[&number(r), &number(s)]))
        }
        Some(_) => Err(DocumentError::Signature("of another length")),
    }
}

fn fixed(signature: &[u8], length: usize) -> Parse<Vec<u8>> {
    let mut body = Cursor::only(signature, tag::SEQUENCE)?;
    let mut out = Vec::with_capacity(2 * length);
    for _ in 0..2 {
        let number = body.integer()?;
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        let pad = length.checked_sub(number.len()).ok_or("a long number")?;
        out.resize(out.len() + pad, 0);
        out.extend_from_slice(number);
    }
    body.end()?;
    Ok(out)
}
