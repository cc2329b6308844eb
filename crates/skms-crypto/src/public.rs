//! Public keys: parsed and checked once, then used or handed out.

use std::sync::Arc;

use crate::algorithm::Algorithm;
use crate::asymmetric::Public;
use crate::error::{Error, Result};
use crate::fips;
use crate::formats::{self, Format};
use crate::hash;
use crate::open::{EncryptOptions, Message, OpenKey, SignOptions};
use crate::secret::SecretBytes;
use crate::uses::Use;

/// A public key that has passed every check of its kind: sizes, curve
/// membership, order, ranges. Cloning shares it.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    algorithm: Algorithm,
    spki: Vec<u8>,
    key: Public,
}

impl core::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("PublicKey").field(&self.0.algorithm).finish()
    }
}

impl PartialEq for PublicKey {
    /// Equal when their SubjectPublicKeyInfo is.
    fn eq(&self, other: &Self) -> bool {
        self.0.spki == other.0.spki
    }
}

impl Eq for PublicKey {}

impl PublicKey {
    /// From the raw encoding of [`Public::from_raw`].
    pub(crate) fn from_raw(algorithm: Algorithm, bytes: &[u8]) -> Result<Self> {
        let key = Public::from_raw(algorithm, bytes)?;
        let spki = formats::spki::encode(algorithm, &key.to_raw(algorithm)?)?;
        Ok(Self(Arc::new(Inner {
            algorithm,
            spki,
            key,
        })))
    }

    /// Reads a public key: SPKI or PKCS#1 (DER or PEM), JWK, or raw (then
    /// `expect` says which algorithm). [`Format::Auto`] finds out which. A
    /// private key is refused here: it belongs in
    /// [`crate::material::KeyMaterial::import`].
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::InvalidKey`], [`Error::WeakKey`],
    /// [`Error::UnknownAlgorithm`]; [`Error::WrongAlgorithm`] when the key is
    /// not one for `expect`.
    pub fn import(bytes: &[u8], format: Format, expect: Option<Algorithm>) -> Result<Self> {
        let key = formats::import_public(bytes, format, expect)?;
        match expect {
            Some(expected) if expected != key.algorithm() => Err(Error::WrongAlgorithm {
                expected,
                found: key.algorithm(),
            }),
            _ => Ok(key),
        }
    }

    /// Writes the key: SPKI (DER or PEM), PKCS#1 for RSA, JWK, or raw.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a format the algorithm does not have.
    pub fn export(&self, format: Format) -> Result<Vec<u8>> {
        formats::export_public(self, format)
    }

    /// The key's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        hash::sha256(&[&self.0.spki])
    }

    /// The raw encoding: a SEC 1 uncompressed point, the 32 bytes of Ed25519
    /// and X25519, ffdhe's y padded to the prime's length, the encodings of
    /// FIPS 203, 204 and 205; for RSA the DER `RSAPublicKey`.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn to_raw(&self) -> Result<Vec<u8>> {
        self.0.key.to_raw(self.0.algorithm)
    }

    pub(crate) fn key(&self) -> &Public {
        &self.0.key
    }

    /// Verifies a signature: `Ok(false)` for any signature that is not this
    /// key's over this message, well-formed or not.
    ///
    /// # Errors
    /// [`Error::Unsupported`] or [`Error::InvalidOption`] for a question this
    /// key cannot be asked.
    pub fn verify(
        &self,
        message: Message<'_>,
        signature: &[u8],
        options: &SignOptions,
    ) -> Result<bool> {
        let Inner { algorithm, key, .. } = &*self.0;
        fips::ensure_offered(*algorithm)?;
        fips::approved_check(*algorithm, "this signature", || {
            key.verify(*algorithm, message, signature, options)
        })
    }

    /// RSA-OAEP encryption with `label` as associated data.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for other algorithms; [`Error::TooLong`] over
    /// k - 2·hLen - 2 bytes.
    pub fn encrypt(
        &self,
        plaintext: &[u8],
        label: &[u8],
        options: &EncryptOptions,
    ) -> Result<Vec<u8>> {
        fips::ensure_use(self.0.algorithm, Use::Encrypt)?;
        self.0
            .key
            .encrypt(self.0.algorithm, plaintext, label, options)
    }

    /// Wraps another key: RSA-OAEP, or with [`crate::options::WrapMode::RsaAesKwp`]
    /// RSA-OAEP and AES-KWP.
    ///
    /// # Errors
    /// As [`PublicKey::encrypt`].
    pub fn wrap(&self, key: &[u8], options: &EncryptOptions) -> Result<Vec<u8>> {
        fips::ensure_use(self.0.algorithm, Use::Wrap)?;
        crate::byok::rsa_wrap(self, key, options)
    }

    /// KEM encapsulation: a ciphertext for the key's owner, and the shared secret.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for anything but ML-KEM and X-Wing.
    pub fn encapsulate(&self) -> Result<(Vec<u8>, SecretBytes)> {
        let Inner { algorithm, key, .. } = &*self.0;
        fips::ensure_offered(*algorithm)?;
        fips::approved(*algorithm, "this encapsulation", || {
            key.encapsulate(*algorithm)
        })
    }

    /// A key that can only do what a public half can: verify, encrypt, wrap, encapsulate.
    ///
    /// # Errors
    /// [`Error::SelfTest`].
    pub fn open(&self) -> Result<OpenKey> {
        fips::ensure_offered(self.0.algorithm)?;
        crate::selftest::ensure_slow(self.0.algorithm)?;
        Ok(OpenKey::from_public(self.clone()))
    }
}
