//! Certificates in headers: COSE_X509 and COSE_CertHash (RFC 9360, section 2).

use coset::cbor::Value;
use coset::iana;
use skms_crypto::Hash;

use crate::certificate::Certificate;

use super::DocumentError;

/// The most certificates of an x5chain.
const MAX_CERTIFICATES: usize = 64;

/// A chain, as it is written.
pub(super) fn write(chain: &[Vec<u8>]) -> Value {
    //= https://www.rfc-editor.org/rfc/rfc9360#section-2
    //# If a single certificate is conveyed, it is placed in a CBOR byte
    //# string.
    match chain {
        [one] => Value::Bytes(one.clone()),
        all => Value::Array(all.iter().cloned().map(Value::Bytes).collect()),
    }
}

/// The chain of an x5chain; never empty.
pub(super) fn chain(value: &Value) -> Result<Vec<Vec<u8>>, DocumentError> {
    let malformed = DocumentError::Attribute("an x5chain that is none");
    let chain = match value {
        Value::Bytes(one) => vec![one.clone()],
        Value::Array(all) => all
            .iter()
            .map(|one| one.as_bytes().cloned())
            .collect::<Option<_>>()
            .ok_or(malformed.clone())?,
        _ => return Err(malformed),
    };
    match chain.len() {
        0 => Err(malformed),
        1..=MAX_CERTIFICATES => Ok(chain),
        _ => Err(DocumentError::Attribute("too many certificates")),
    }
}

/// The hash of a certificate.
#[derive(Clone, Debug)]
pub(super) struct Thumbprint {
    hash: Hash,
    value: Vec<u8>,
}

impl Thumbprint {
    /// Reads an x5t: by SHA-256, SHA-384 or SHA-512 in full.
    pub(super) fn read(value: &Value) -> Result<Self, DocumentError> {
        let malformed = DocumentError::Attribute("an x5t that is none");
        let Some([hash, value]) = value.as_array().map(Vec::as_slice) else {
            return Err(malformed);
        };
        let number = hash.as_integer().and_then(|hash| i64::try_from(hash).ok());
        let is = |name: iana::Algorithm| number == Some(name as i64);
        let hash = match () {
            () if is(iana::Algorithm::SHA_256) => Hash::Sha256,
            () if is(iana::Algorithm::SHA_384) => Hash::Sha384,
            () if is(iana::Algorithm::SHA_512) => Hash::Sha512,
            () => return Err(DocumentError::Algorithm("x5t by a weak or unknown hash")),
        };
        match value.as_bytes() {
            Some(value) if value.len() == hash.output_len() => Ok(Self {
                hash,
                value: value.clone(),
            }),
            _ => Err(malformed),
        }
    }

    /// Whether it is this certificate's.
    pub(super) fn is_of(&self, certificate: &Certificate<'_>) -> bool {
        self.hash.digest(certificate.as_der()) == self.value
    }
}
