//! X-Wing (draft-connolly-cfrg-xwing-kem): X25519 and ML-KEM-768 in one KEM.

use x_wing::{
    CIPHERTEXT_SIZE, DECAPSULATION_KEY_SIZE, Decapsulate, DecapsulationKey, Decapsulator,
    ENCAPSULATION_RANDOMNESS_SIZE, EncapsulationKey, KeyExport,
};

use crate::error::{Error, Result};
use crate::secret::{SecretArray, SecretBytes};

/// Bytes of the private seed.
pub(crate) const SEED_BYTES: usize = DECAPSULATION_KEY_SIZE;

/// From the 32-byte seed.
pub(crate) fn private(seed: &[u8]) -> Result<DecapsulationKey> {
    let seed = SecretArray::<SEED_BYTES>::from_slice(seed)
        .map_err(|_| Error::InvalidKey("X-Wing seed of 32 bytes"))?;
    Ok(DecapsulationKey::from(*seed.expose()))
}

/// A fresh key.
pub(crate) fn generate() -> Result<DecapsulationKey> {
    private(crate::rand::secret(SEED_BYTES)?.expose())
}

/// The 1,216-byte public key of a private one.
pub(crate) fn public_of(key: &DecapsulationKey) -> Vec<u8> {
    key.encapsulation_key().to_bytes().to_vec()
}

/// From 1,216 bytes; ML-KEM's coefficients are checked.
pub(crate) fn public(bytes: &[u8]) -> Result<EncapsulationKey> {
    EncapsulationKey::try_from(bytes).map_err(|_| Error::InvalidKey("X-Wing public key"))
}

/// Encapsulates with the given 64 bytes of randomness.
pub(crate) fn encapsulate_with(
    key: &EncapsulationKey,
    randomness: &[u8; ENCAPSULATION_RANDOMNESS_SIZE],
) -> (Vec<u8>, SecretBytes) {
    let (ciphertext, secret) = key.encapsulate_deterministic(randomness.into());
    (ciphertext.to_vec(), SecretBytes::new(secret.to_vec()))
}

/// Ciphertext (1,120 bytes) and 32-byte shared secret.
pub(crate) fn encapsulate(key: &EncapsulationKey) -> Result<(Vec<u8>, SecretBytes)> {
    let randomness = SecretArray::<ENCAPSULATION_RANDOMNESS_SIZE>::random()?;
    Ok(encapsulate_with(key, randomness.expose()))
}

/// The 32-byte shared secret; implicit rejection as in ML-KEM.
pub(crate) fn decapsulate(key: &DecapsulationKey, ciphertext: &[u8]) -> Result<SecretBytes> {
    let array = x_wing::Ciphertext::try_from(ciphertext).map_err(|_| Error::InvalidLength {
        what: "X-Wing ciphertext",
        expected: CIPHERTEXT_SIZE,
        found: ciphertext.len(),
    })?;
    Ok(SecretBytes::new(key.decapsulate(&array).to_vec()))
}
