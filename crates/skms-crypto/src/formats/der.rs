//! The little DER writing that key files need, into buffers that are erased.

use zeroize::Zeroizing;

/// SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;
/// INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// OCTET STRING.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// BIT STRING.
pub(crate) const BIT_STRING: u8 = 0x03;
/// OBJECT IDENTIFIER.
pub(crate) const OID: u8 = 0x06;
/// NULL.
pub(crate) const NULL: u8 = 0x05;

/// One tag, length and value; the value is the concatenation of `parts`. The
/// buffer is sized before it is written, so that growing leaves no copy behind.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(length + 10));
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = length.leading_zeros() as usize / 8;
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend_from_slice(bytes.get(skip..).unwrap_or_default());
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// A non-negative INTEGER from big-endian bytes, minimal.
pub(crate) fn integer(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let start = bytes
        .iter()
        .position(|&byte| byte != 0)
        .unwrap_or(bytes.len());
    let value = bytes.get(start..).unwrap_or_default();
    match value.first() {
        None => tlv(INTEGER, &[&[0]]),
        Some(top) if top & 0x80 != 0 => tlv(INTEGER, &[&[0], value]),
        Some(_) => tlv(INTEGER, &[value]),
    }
}

/// A BIT STRING of whole bytes.
pub(crate) fn bit_string(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    tlv(BIT_STRING, &[&[0], bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_integers_are_minimal() {
        assert_eq!(*tlv(NULL, &[]), [5, 0]);
        assert_eq!(tlv(4, &[&[0; 127]])[..2], [4, 127]);
        assert_eq!(tlv(4, &[&[0; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(tlv(4, &[&[0; 200], &[0; 100]])[..4], [4, 0x82, 1, 44]);
        assert_eq!(*integer(&[0, 0]), [2, 1, 0]);
        assert_eq!(*integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(*integer(&[0, 0x7f]), [2, 1, 0x7f]);
    }
}
