//! ML-DSA (FIPS 204): hedged signatures, context strings, HashML-DSA.

use core::ffi::c_int;

use crate::algorithm::Algorithm;
use crate::awslc::md::shake256;
use crate::awslc::pkey::{PKey, Padding};
use crate::awslc::pqdsa::{self, NID_MLDSA44, NID_MLDSA65, NID_MLDSA87};
use crate::error::{Error, Result};
use crate::open::{Message, SignOptions, SignatureScheme};
use crate::secret::SecretBytes;

use super::prehash::{Input, input};

/// Bytes of the seed xi (FIPS 204, algorithm 1).
pub(crate) const SEED_BYTES: usize = 32;

fn nid(algorithm: Algorithm) -> Result<c_int> {
    // The validated module has none of it: say so, rather than that a key is bad.
    crate::fips::ensure_offered(algorithm)?;
    match algorithm {
        Algorithm::MlDsa44 => Ok(NID_MLDSA44),
        Algorithm::MlDsa65 => Ok(NID_MLDSA65),
        Algorithm::MlDsa87 => Ok(NID_MLDSA87),
        _ => Err(Error::InvalidKey("not an ML-DSA algorithm")),
    }
}

/// Bytes of the expanded private key (FIPS 204, table 2).
pub(crate) fn expanded_bytes(algorithm: Algorithm) -> Result<usize> {
    match algorithm {
        Algorithm::MlDsa44 => Ok(2560),
        Algorithm::MlDsa65 => Ok(4032),
        Algorithm::MlDsa87 => Ok(4896),
        _ => Err(Error::InvalidKey("not an ML-DSA algorithm")),
    }
}

/// A fresh key, its seed kept.
pub(crate) fn generate(algorithm: Algorithm) -> Result<PKey> {
    from_seed(algorithm, crate::rand::secret(SEED_BYTES)?.expose())
}

/// From the 32-byte seed.
pub(crate) fn from_seed(algorithm: Algorithm, seed: &[u8]) -> Result<PKey> {
    if seed.len() != SEED_BYTES {
        return Err(Error::InvalidKey("ML-DSA seed of 32 bytes"));
    }
    pqdsa::private(nid(algorithm)?, seed).ok_or(Error::InvalidKey("ML-DSA seed"))
}

/// From the expanded key. Its public key is recomputed, and its parts must
/// agree: s1 and s2 in range, t0 and tr as computed.
pub(crate) fn from_expanded(algorithm: Algorithm, expanded: &[u8]) -> Result<PKey> {
    if expanded.len() != expanded_bytes(algorithm)? {
        return Err(Error::InvalidKey("ML-DSA private key of the wrong length"));
    }
    let key = pqdsa::private(nid(algorithm)?, expanded)
        .ok_or(Error::InvalidKey("ML-DSA private key is inconsistent"))?;
    // FIPS 204, algorithm 24: sk = rho ‖ K ‖ tr ‖ ..., pk = rho ‖ t1, tr = H(pk).
    let public = key
        .raw_public()
        .ok_or(Error::Library("ML-DSA public key"))?;
    let tr = shake256(&[&public], 64)?;
    if expanded.get(..32) != public.get(..32) || expanded.get(64..128) != Some(&tr[..]) {
        return Err(Error::InvalidKey("ML-DSA private key is inconsistent"));
    }
    Ok(key)
}

/// From both forms, which must be the same key (RFC 9881, section 8.2).
pub(crate) fn from_both(algorithm: Algorithm, seed: &[u8], expanded: &[u8]) -> Result<PKey> {
    let key = from_seed(algorithm, seed)?;
    let agree = key
        .raw_private()
        .is_some_and(|computed| computed.ct_eq(expanded));
    if agree {
        Ok(key)
    } else {
        Err(Error::InvalidKey("ML-DSA seed and expanded key disagree"))
    }
}

/// A public key, from its FIPS 204 encoding.
pub(crate) fn public(algorithm: Algorithm, bytes: &[u8]) -> Result<PKey> {
    pqdsa::public(nid(algorithm)?, bytes)
        .ok_or(Error::InvalidKey("ML-DSA public key of the wrong length"))
}

/// What the record holds: the seed when it is known, else the expanded key.
pub(crate) fn record(key: &PKey) -> Result<SecretBytes> {
    key.private_seed()
        .or_else(|| key.raw_private())
        .ok_or(Error::Library("ML-DSA private key"))
}

/// mu = H(H(pk) ‖ M') (FIPS 204, algorithm 7), 64 bytes, for an M' already encoded.
pub(crate) fn mu(public: &[u8], encoded: &[u8]) -> Result<Vec<u8>> {
    let tr = shake256(&[public], 64)?;
    shake256(&[&tr, encoded], 64)
}

fn external_mu(key: &PKey, encoded: &[u8]) -> Result<Vec<u8>> {
    let public = key
        .raw_public()
        .ok_or(Error::Library("ML-DSA public key"))?;
    mu(&public, encoded)
}

/// Signs.
pub(crate) fn sign(
    key: &PKey,
    algorithm: Algorithm,
    message: Message<'_>,
    options: &SignOptions,
) -> Result<Vec<u8>> {
    match input(algorithm, SignatureScheme::MlDsa, message, options)? {
        Input::Whole(bytes) => key.sign_message(bytes, &options.context),
        Input::Prehashed(encoded) => key.sign_digest(&external_mu(key, &encoded)?, Padding::None),
    }
}

/// Verifies.
pub(crate) fn verify(
    key: &PKey,
    algorithm: Algorithm,
    message: Message<'_>,
    signature: &[u8],
    options: &SignOptions,
) -> Result<bool> {
    Ok(
        match input(algorithm, SignatureScheme::MlDsa, message, options)? {
            Input::Whole(bytes) => key.verify_message(bytes, signature, &options.context),
            Input::Prehashed(encoded) => {
                key.verify_digest(&external_mu(key, &encoded)?, signature, Padding::None)
            }
        },
    )
}
