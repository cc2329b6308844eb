//! SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).

use der::Decode;
use der::asn1::UintRef;
use spki::SubjectPublicKeyInfoRef;

use crate::algorithm::{Algorithm, Family};
use crate::asymmetric::rsa;
use crate::awslc::pkey::PKey;
use crate::error::{Error, Result};
use crate::public::PublicKey;

use super::der::{SEQUENCE, bit_string, integer, tlv};
use super::oids::{self, Kind};

/// Writes the structure around a raw public key.
pub(crate) fn encode(algorithm: Algorithm, raw: &[u8]) -> Result<Vec<u8>> {
    let identifier = oids::identifier(algorithm)?;
    let key = match algorithm.family() {
        Family::FiniteField => bit_string(&integer(raw)),
        _ => bit_string(raw),
    };
    Ok(tlv(SEQUENCE, &[&identifier, &key]).to_vec())
}

/// Reads and checks a key.
pub(super) fn decode(der: &[u8]) -> Result<PublicKey> {
    let malformed = || Error::Malformed("SubjectPublicKeyInfo");
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| malformed())?;
    let bytes = info.subject_public_key.as_bytes().ok_or_else(malformed)?;
    match oids::identify(&info.algorithm)? {
        Kind::Rsa => rsa_public(bytes),
        Kind::Of(algorithm) if algorithm.family() == Family::FiniteField => {
            let y = UintRef::from_der(bytes).map_err(|_| malformed())?;
            PublicKey::from_raw(algorithm, y.as_bytes())
        }
        Kind::Of(algorithm) => PublicKey::from_raw(algorithm, bytes),
    }
}

/// Takes a structure apart: the algorithm (`None` for RSA, whose size is in the
/// key) and the key's bytes, not yet checked.
pub(crate) fn parts(der: &[u8]) -> Result<(Option<Algorithm>, &[u8])> {
    let malformed = || Error::Malformed("SubjectPublicKeyInfo");
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| malformed())?;
    let bytes = info.subject_public_key.as_bytes().ok_or_else(malformed)?;
    match oids::identify(&info.algorithm)? {
        Kind::Rsa => Ok((None, bytes)),
        Kind::Of(algorithm) => Ok((Some(algorithm), bytes)),
    }
}

/// A DER `RSAPublicKey`.
pub(super) fn rsa_public(pkcs1: &[u8]) -> Result<PublicKey> {
    let key = PKey::rsa_public(pkcs1).ok_or(Error::Malformed("RSAPublicKey"))?;
    PublicKey::from_raw(rsa::check_public(&key)?, pkcs1)
}
