//! Sealing to a public key: X-Wing (draft-connolly-cfrg-xwing-kem), then
//! HKDF-SHA-256, then AES-256-GCM-SIV. Seals wrap the root key with this, so
//! that it rotates without anyone's private half.
//!
//! The only module that sees the `x-wing` crate.

use std::fmt;

use x_wing::{Decapsulator, KeyExport, TryDecapsulate};

use crate::error::{Error, Result};
use crate::rest::RecordKey;
use crate::secret::{SecretArray, SecretBytes};

/// Length of a private key (the seed), in bytes.
pub const PRIVATE_KEY_LEN: usize = x_wing::DECAPSULATION_KEY_SIZE;
/// Length of a public key, in bytes.
pub const PUBLIC_KEY_LEN: usize = x_wing::ENCAPSULATION_KEY_SIZE;
/// Length of the encapsulation in front of a wrapped secret, in bytes.
pub const ENCAPSULATION_LEN: usize = x_wing::CIPHERTEXT_SIZE;

const SALT: &[u8] = b"skms seal v1";

/// Opens what was wrapped to its public half.
pub struct SealPrivateKey(SecretArray<PRIVATE_KEY_LEN>);

/// Wraps secrets for the holder of the private half.
#[derive(Clone)]
pub struct SealPublicKey(x_wing::EncapsulationKey);

impl SealPrivateKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`Error::Library`] when the system gives no randomness.
    pub fn generate() -> Result<Self> {
        Ok(Self(SecretArray::random()?))
    }

    /// From its 32-byte seed.
    ///
    /// # Errors
    /// [`Error::InvalidLength`].
    pub fn from_bytes(seed: &[u8]) -> Result<Self> {
        Ok(Self(SecretArray::from_slice(seed)?))
    }

    /// Its 32-byte seed.
    #[must_use]
    pub fn expose(&self) -> &[u8; PRIVATE_KEY_LEN] {
        self.0.expose()
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> SealPublicKey {
        SealPublicKey(self.expand().encapsulation_key().clone())
    }

    /// Opens what [`SealPublicKey::wrap`] made for this key and place.
    ///
    /// # Errors
    /// [`Error::Unwrap`] for another key, another place or altered bytes.
    pub fn unwrap(&self, wrapped: &[u8], aad_parts: &[&[u8]]) -> Result<SecretBytes> {
        let (encapsulation, sealed) = wrapped
            .split_first_chunk::<ENCAPSULATION_LEN>()
            .ok_or(Error::Unwrap)?;
        let private = self.expand();
        let public = private.encapsulation_key().to_bytes();
        let mut shared = private
            .try_decapsulate(encapsulation.into())
            .map_err(|_| Error::Unwrap)?;
        let key = seal_key(&shared, encapsulation, &public);
        zeroize::Zeroize::zeroize(shared.as_mut_slice());
        key?.open_with_counter(0, aad_parts, sealed)
            .map_err(|_| Error::Unwrap)
    }

    fn expand(&self) -> x_wing::DecapsulationKeyRejectNonContrib {
        x_wing::KeyInit::new(self.0.expose().into())
    }
}

impl fmt::Debug for SealPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealPrivateKey(<redacted>)")
    }
}

impl SealPublicKey {
    /// From its 1216 bytes.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for another length or an ML-KEM key out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        x_wing::EncapsulationKey::try_from(bytes)
            .map(Self)
            .map_err(|_| Error::InvalidKey("X-Wing public key"))
    }

    /// Its 1216 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes().to_vec()
    }

    /// Wraps a secret, bound to its place: encapsulation (1120 bytes) ‖
    /// ciphertext ‖ tag (16).
    ///
    /// # Errors
    /// [`Error::Library`] when the system gives no randomness.
    pub fn wrap(&self, secret: &[u8], aad_parts: &[&[u8]]) -> Result<Vec<u8>> {
        let randomness = SecretArray::<{ x_wing::ENCAPSULATION_RANDOMNESS_SIZE }>::random()?;
        let (encapsulation, mut shared) =
            self.0.encapsulate_deterministic(randomness.expose().into());
        let key = seal_key(&shared, &encapsulation, &self.0.to_bytes());
        zeroize::Zeroize::zeroize(shared.as_mut_slice());
        let mut wrapped = encapsulation.to_vec();
        // Each encapsulation gives a key of its own, so one nonce suffices.
        wrapped.extend(key?.seal_with_counter(0, aad_parts, secret)?);
        Ok(wrapped)
    }
}

impl fmt::Debug for SealPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealPublicKey(..)")
    }
}

fn seal_key(shared: &[u8], encapsulation: &[u8], public: &[u8]) -> Result<RecordKey> {
    RecordKey::derive(shared, SALT, &[encapsulation, public])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_for_its_own_key_and_place_only() {
        let private = SealPrivateKey::generate().unwrap();
        let public = SealPublicKey::from_bytes(&private.public_key().to_bytes()).unwrap();
        let wrapped = public.wrap(b"root key", &[b"install", b"1"]).unwrap();
        let again = SealPrivateKey::from_bytes(private.expose()).unwrap();
        assert_eq!(
            again
                .unwrap(&wrapped, &[b"install", b"1"])
                .unwrap()
                .expose(),
            b"root key"
        );
        assert!(matches!(
            again.unwrap(&wrapped, &[b"install1"]),
            Err(Error::Unwrap)
        ));
        let other = SealPrivateKey::generate().unwrap();
        assert!(matches!(
            other.unwrap(&wrapped, &[b"install", b"1"]),
            Err(Error::Unwrap)
        ));
    }

    #[test]
    fn altered_and_truncated_bytes_are_refused() {
        let private = SealPrivateKey::generate().unwrap();
        let wrapped = private.public_key().wrap(b"root key", &[]).unwrap();
        for index in [0, 1087, 1088, 1119, 1120, wrapped.len() - 1] {
            let mut bad = wrapped.clone();
            bad[index] ^= 1;
            assert!(private.unwrap(&bad, &[]).is_err(), "byte {index}");
            assert!(private.unwrap(&wrapped[..index], &[]).is_err());
        }
        // An X25519 share of low order gives no secret of its own.
        let mut bad = wrapped;
        bad[1088..1120].fill(0);
        assert!(private.unwrap(&bad, &[]).is_err());
    }

    #[test]
    fn malformed_keys_are_refused() {
        assert!(SealPrivateKey::from_bytes(&[0; 31]).is_err());
        assert!(SealPublicKey::from_bytes(&[0; 1215]).is_err());
        // Coefficients past the modulus (FIPS 203, section 7.2).
        assert!(SealPublicKey::from_bytes(&[0xff; 1216]).is_err());
    }
}
