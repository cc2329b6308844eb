//! RSA with every hash AWS-LC has, SHA-1 and the 224-bit ones included, and
//! with any modulus: what the registry's policy refuses, for vectors only.

use crate::awslc::oaep::Oaep;
use crate::awslc::pkey::{PKey, Padding};
use crate::error::{Error, Result};
use crate::secret::SecretBytes;

pub use crate::awslc::md::Digest;

/// An RSA key that no policy has looked at.
pub struct Rsa(PKey);

impl Rsa {
    /// From a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_spki(der: &[u8]) -> Result<Self> {
        PKey::from_spki(der)
            .filter(|key| key.rsa_bits().is_some())
            .map(Self)
            .ok_or(Error::Malformed("SubjectPublicKeyInfo"))
    }

    /// From modulus and exponent, big-endian.
    ///
    /// # Errors
    /// [`Error::InvalidKey`].
    pub fn from_numbers(n: &[u8], e: &[u8]) -> Result<Self> {
        PKey::rsa_public_numbers(n, e)
            .map(Self)
            .ok_or(Error::InvalidKey("RSA numbers"))
    }

    /// From a DER PrivateKeyInfo.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        PKey::from_pkcs8(der)
            .filter(|key| key.rsa_bits().is_some())
            .map(Self)
            .ok_or(Error::Malformed("PrivateKeyInfo"))
    }

    /// From a DER RSAPrivateKey.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_pkcs1(der: &[u8]) -> Result<Self> {
        PKey::rsa_private(der)
            .map(Self)
            .ok_or(Error::Malformed("RSAPrivateKey"))
    }

    /// Bits of the modulus.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.0.rsa_bits().unwrap_or(0)
    }

    /// RSASSA-PKCS1-v1_5 verification.
    #[must_use]
    pub fn verify_pkcs1(&self, digest: Digest, message: &[u8], signature: &[u8]) -> bool {
        self.0
            .verify_digest(&digest.hash(message), signature, Padding::Pkcs1(digest))
    }

    /// RSASSA-PSS verification; `hashes` are the message's and MGF1's.
    #[must_use]
    pub fn verify_pss(
        &self,
        hashes: (Digest, Digest),
        salt_length: usize,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let padding = Padding::Pss {
            digest: hashes.0,
            mgf: hashes.1,
            salt_length,
        };
        self.0
            .verify_digest(&hashes.0.hash(message), signature, padding)
    }

    /// RSAES-OAEP decryption; `hashes` are the label's and MGF1's.
    ///
    /// # Errors
    /// [`Error::Decrypt`].
    pub fn decrypt_oaep(
        &self,
        hashes: (Digest, Digest),
        label: &[u8],
        ciphertext: &[u8],
    ) -> Result<SecretBytes> {
        let oaep = Oaep {
            digest: hashes.0,
            mgf: hashes.1,
            label,
        };
        self.0.oaep_decrypt(&oaep, ciphertext)
    }
}

/// ECDH on any of our curves, secp256k1 included, which the registry offers
/// for signatures only.
///
/// # Errors
/// [`Error::InvalidKey`], [`Error::WrongAlgorithm`].
pub fn ecdh(
    own: &crate::material::KeyMaterial,
    peer: &crate::public::PublicKey,
) -> Result<SecretBytes> {
    own.private()?.agree(peer.algorithm(), peer.key())
}
