//! RSAPrivateKey and RSAPublicKey (RFC 8017, appendix A.1).

use der::Decode;
use zeroize::Zeroizing;

use crate::asymmetric::{Private, rsa};
use crate::awslc::pkey::PKey;
use crate::error::{Error, Result};

/// Writes the private key.
pub(super) fn encode(key: &Private) -> Result<Zeroizing<Vec<u8>>> {
    key.as_held()
        .ok_or(Error::Unsupported {
            algorithm: key.algorithm(),
            what: "PKCS#1",
        })?
        .rsa_to_pkcs1()
}

/// Whether the bytes have the shape of an RSAPrivateKey.
pub(super) fn looks_like(der: &[u8]) -> bool {
    ::pkcs1::RsaPrivateKeyRef::from_der(der).is_ok()
}

/// Reads a private key. `check` tests primality and sizes too; the CRT values
/// are always checked.
pub(super) fn decode(der: &[u8], check: bool) -> Result<Private> {
    let parsed =
        ::pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|_| Error::Malformed("RSAPrivateKey"))?;
    if parsed.other_prime_infos.is_some() {
        return Err(Error::InvalidKey("RSA keys of more than two primes"));
    }
    // Sizes come first, so that an oversized key costs no arithmetic.
    rsa::algorithm_for(significant_bits(parsed.modulus.as_bytes()))?;
    let held = PKey::rsa_private(der).ok_or(Error::InvalidKey("RSA numbers disagree"))?;
    let algorithm = if check {
        rsa::check_private(&held)?
    } else {
        rsa::check_public(&held)?
    };
    Ok(Private::held(algorithm, held))
}

fn significant_bits(bytes: &[u8]) -> usize {
    match bytes.first() {
        None => 0,
        Some(top) => bytes.len() * 8 - top.leading_zeros() as usize,
    }
}
