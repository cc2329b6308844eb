//! Known-answer entry points: operations whose randomness, nonce or encoding
//! the caller gives. They exist so that published vectors can be reproduced
//! exactly, are compiled only with the feature `known-answers`, and must
//! never be reached by a product: a signature or ciphertext made with
//! randomness of someone else's choice protects nothing.

pub mod hpke;
pub mod rsa;

use crate::algorithm::{Algorithm, Family};
use crate::asymmetric::{Private, Public};
use crate::asymmetric::{mldsa, slhdsa, xwing};
#[cfg(not(feature = "fips"))]
use crate::awslc::known;
use crate::awslc::pkey::{PKey, Padding};
use crate::error::{Error, Result};
use crate::material::KeyMaterial;
use crate::public::PublicKey;
use crate::secret::SecretBytes;

fn held(private: &Private) -> Result<&PKey> {
    private
        .as_held()
        .ok_or(Error::InvalidKey("not a key of AWS-LC's"))
}

fn held_public(key: &PublicKey) -> Result<&PKey> {
    key.key()
        .as_held()
        .ok_or(Error::InvalidKey("not a key of AWS-LC's"))
}

/// The expanded private key of ML-KEM (FIPS 203, algorithm 16) or ML-DSA
/// (FIPS 204, algorithm 24), from whatever form the key came in.
///
/// # Errors
/// [`Error::InvalidKey`] for a key of another algorithm.
pub fn expanded_private_key(material: &KeyMaterial) -> Result<SecretBytes> {
    if !matches!(material.algorithm().family(), Family::Kem | Family::MlDsa) {
        return Err(Error::InvalidKey("not an ML-KEM or ML-DSA key"));
    }
    held(&material.private()?)?
        .raw_private()
        .ok_or(Error::InvalidKey("no expanded private key"))
}

/// Encapsulates with given randomness: 32 bytes for ML-KEM (FIPS 203,
/// algorithm 17), 64 for X-Wing. Gives ciphertext and shared secret.
///
/// # Errors
/// [`Error::InvalidLength`] for other randomness, [`Error::InvalidKey`] for a
/// key of another algorithm.
pub fn encapsulate(key: &PublicKey, randomness: &[u8]) -> Result<(Vec<u8>, SecretBytes)> {
    if let Public::XWing(key) = key.key() {
        let randomness = randomness.try_into().map_err(|_| Error::InvalidLength {
            what: "randomness",
            expected: 64,
            found: randomness.len(),
        })?;
        return Ok(xwing::encapsulate_with(key, randomness));
    }
    if randomness.len() != 32 {
        return Err(Error::InvalidLength {
            what: "randomness",
            expected: 32,
            found: randomness.len(),
        });
    }
    held_public(key)?
        .encapsulate(Some(randomness))
        .ok_or(Error::InvalidKey("ML-KEM public key"))
}

/// ML-DSA.Sign_internal (FIPS 204, algorithm 7) over an M' that is already
/// encoded, with 32 bytes of randomness (zeros: the deterministic variant).
///
/// # Errors
/// [`Error::InvalidKey`] for a key of another algorithm,
/// [`Error::InvalidLength`] for other randomness.
pub fn mldsa_sign_internal(
    material: &KeyMaterial,
    encoded: &[u8],
    randomness: &[u8],
) -> Result<Vec<u8>> {
    let private = material.private()?;
    let mu = mldsa::mu(&private.public_raw()?, encoded)?;
    mldsa_sign_mu(material, &mu, randomness)
}

/// As [`mldsa_sign_internal`], over a 64-byte mu.
///
/// # Errors
/// As [`mldsa_sign_internal`].
#[cfg(not(feature = "fips"))]
pub fn mldsa_sign_mu(material: &KeyMaterial, mu: &[u8], randomness: &[u8]) -> Result<Vec<u8>> {
    let expanded = expanded_private_key(material)?;
    known::mldsa_sign_mu(material.algorithm(), expanded.expose(), mu, randomness)
}

/// There is no ML-DSA in the validated module.
///
/// # Errors
/// [`Error::OutsideModule`].
#[cfg(feature = "fips")]
pub fn mldsa_sign_mu(material: &KeyMaterial, _mu: &[u8], _randomness: &[u8]) -> Result<Vec<u8>> {
    Err(Error::OutsideModule {
        algorithm: material.algorithm(),
        what: "the algorithm",
    })
}

/// ML-DSA.Verify_internal (FIPS 204, algorithm 8) over an encoded M'.
///
/// # Errors
/// [`Error::InvalidKey`] for a key of another algorithm.
pub fn mldsa_verify_internal(key: &PublicKey, encoded: &[u8], signature: &[u8]) -> Result<bool> {
    let mu = mldsa::mu(&key.to_raw()?, encoded)?;
    mldsa_verify_mu(key, &mu, signature)
}

/// As [`mldsa_verify_internal`], over a 64-byte mu.
///
/// # Errors
/// As [`mldsa_verify_internal`].
pub fn mldsa_verify_mu(key: &PublicKey, mu: &[u8], signature: &[u8]) -> Result<bool> {
    if key.algorithm().family() != Family::MlDsa {
        return Err(Error::InvalidKey("not an ML-DSA key"));
    }
    Ok(held_public(key)?.verify_digest(mu, signature, Padding::None))
}

/// slh_keygen_internal (FIPS 205, algorithm 18): the private key from its
/// three seeds.
///
/// # Errors
/// [`Error::InvalidKey`] for seeds of another length or another algorithm.
pub fn slhdsa_keygen(
    algorithm: Algorithm,
    sk_seed: &[u8],
    sk_prf: &[u8],
    pk_seed: &[u8],
) -> Result<SecretBytes> {
    slhdsa::from_seeds(algorithm, sk_seed, sk_prf, pk_seed)
}

/// slh_sign_internal (FIPS 205, algorithm 19); without `randomness` (n bytes)
/// the deterministic variant.
///
/// # Errors
/// [`Error::InvalidKey`] for a key of another length or another algorithm,
/// [`Error::InvalidOption`] for other randomness.
pub fn slhdsa_sign_internal(
    algorithm: Algorithm,
    private: &[u8],
    encoded: &[u8],
    randomness: Option<&[u8]>,
) -> Result<Vec<u8>> {
    slhdsa::sign_internal(algorithm, private, &[encoded], randomness)
}

/// slh_verify_internal (FIPS 205, algorithm 20).
///
/// # Errors
/// [`Error::InvalidKey`] for a key of another length or another algorithm.
pub fn slhdsa_verify_internal(
    algorithm: Algorithm,
    public: &[u8],
    encoded: &[u8],
    signature: &[u8],
) -> Result<bool> {
    slhdsa::verify_internal(algorithm, public, &[encoded], signature)
}
