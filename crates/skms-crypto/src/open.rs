//! Opened keys: schedules expanded and numbers parsed once, used many times.

use crate::algorithm::Algorithm;
use crate::asymmetric::Private;
use crate::error::{Error, Result};
use crate::fips;
use crate::material::KeyMaterial;
use crate::public::PublicKey;
use crate::secret::SecretBytes;
use crate::selftest;
use crate::symmetric::SymmetricKey;
use crate::uses::Use;

pub use crate::options::{
    EcdsaEncoding, EncryptOptions, Message, SignOptions, SignatureScheme, WrapMode,
};

/// A key ready for use, by as many threads as like.
pub struct OpenKey {
    algorithm: Algorithm,
    secret: Secret,
    public: Option<PublicKey>,
}

enum Secret {
    Symmetric(Box<SymmetricKey>),
    Private(Private),
    /// Only the public half is here.
    None,
}

impl core::fmt::Debug for OpenKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "OpenKey({}, <redacted>)", self.algorithm)
    }
}

impl OpenKey {
    /// Opens a key.
    ///
    /// # Errors
    /// [`Error::Library`], [`Error::SelfTest`].
    pub fn open(material: &KeyMaterial) -> Result<Self> {
        let algorithm = material.algorithm();
        fips::ensure_offered(algorithm)?;
        if algorithm.is_symmetric() {
            let key = SymmetricKey::new(algorithm, material.record().expose())?;
            return Ok(Self {
                algorithm,
                secret: Secret::Symmetric(Box::new(key)),
                public: None,
            });
        }
        selftest::ensure_slow(algorithm)?;
        let private = material.private()?;
        let public = PublicKey::from_raw(algorithm, &private.public_raw()?)?;
        Ok(Self {
            algorithm,
            secret: Secret::Private(private),
            public: Some(public),
        })
    }

    pub(crate) fn from_public(public: PublicKey) -> Self {
        Self {
            algorithm: public.algorithm(),
            secret: Secret::None,
            public: Some(public),
        }
    }

    /// The key's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half; `None` for symmetric keys.
    #[must_use]
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.public.as_ref()
    }

    fn unsupported(&self, what: &'static str) -> Error {
        Error::Unsupported {
            algorithm: self.algorithm,
            what,
        }
    }

    fn symmetric(&self, what: &'static str) -> Result<&SymmetricKey> {
        match &self.secret {
            Secret::Symmetric(key) => Ok(key),
            _ => Err(self.unsupported(what)),
        }
    }

    pub(crate) fn private(&self, what: &'static str) -> Result<&Private> {
        match &self.secret {
            Secret::Private(key) => Ok(key),
            _ => Err(self.unsupported(what)),
        }
    }

    fn public(&self, what: &'static str) -> Result<&PublicKey> {
        self.public.as_ref().ok_or_else(|| self.unsupported(what))
    }

    /// Encrypts. AEADs give nonce ‖ ciphertext ‖ tag, the nonce chosen here;
    /// RSA gives OAEP with `aad` as its label.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::TooLong`], [`Error::InvalidOption`].
    pub fn encrypt(
        &self,
        plaintext: &[u8],
        aad: &[u8],
        options: &EncryptOptions,
    ) -> Result<Vec<u8>> {
        if let Secret::Symmetric(key) = &self.secret {
            options.refuse_rsa_options()?;
            return fips::approved(self.algorithm, "this encryption", || {
                key.encrypt(plaintext, aad)
            });
        }
        self.public("encryption")?.encrypt(plaintext, aad, options)
    }

    /// Encrypts with an AEAD, appending to `out`.
    ///
    /// # Errors
    /// As [`OpenKey::encrypt`].
    pub fn encrypt_into(&self, plaintext: &[u8], aad: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let key = self.symmetric("encryption in place")?;
        let start = out.len();
        let sealed = fips::approved(self.algorithm, "this encryption", || {
            key.encrypt_into(plaintext, aad, out)
        });
        if sealed.is_err() {
            out.truncate(start);
        }
        sealed
    }

    /// Decrypts what [`OpenKey::encrypt`] gave.
    ///
    /// # Errors
    /// [`Error::Decrypt`] for a wrong key, other associated data or altered bytes.
    pub fn decrypt(
        &self,
        ciphertext: &[u8],
        aad: &[u8],
        options: &EncryptOptions,
    ) -> Result<SecretBytes> {
        if let Secret::Symmetric(key) = &self.secret {
            options.refuse_rsa_options()?;
            return fips::approved(self.algorithm, "this decryption", || {
                key.decrypt(ciphertext, aad)
            });
        }
        fips::ensure_use(self.algorithm, Use::Decrypt)?;
        self.private("decryption")?
            .decrypt(ciphertext, aad, options)
    }

    /// Wraps another key: AES-KW, AES-KWP, RSA-OAEP, or RSA-OAEP with AES-KWP.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::TooLong`], [`Error::InvalidLength`].
    pub fn wrap(&self, key: &[u8], options: &EncryptOptions) -> Result<Vec<u8>> {
        if let Secret::Symmetric(own) = &self.secret {
            options.refuse_rsa_options()?;
            return fips::approved(self.algorithm, "this wrapping", || own.wrap(key));
        }
        self.public("wrapping")?.wrap(key, options)
    }

    /// Unwraps what [`OpenKey::wrap`] gave.
    ///
    /// # Errors
    /// [`Error::Unwrap`] for a wrong key or altered bytes.
    pub fn unwrap(&self, wrapped: &[u8], options: &EncryptOptions) -> Result<SecretBytes> {
        if let Secret::Symmetric(own) = &self.secret {
            options.refuse_rsa_options()?;
            return fips::approved(self.algorithm, "this unwrapping", || own.unwrap(wrapped));
        }
        fips::ensure_use(self.algorithm, Use::Unwrap)?;
        crate::byok::rsa_unwrap(self.private("unwrapping")?, wrapped, options)
    }

    /// Signs.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::InvalidOption`], [`Error::InvalidLength`]
    /// for a digest of the wrong length.
    pub fn sign(&self, message: Message<'_>, options: &SignOptions) -> Result<Vec<u8>> {
        let key = self.private("signing")?;
        fips::approved(self.algorithm, "this signature", || {
            key.sign(message, options)
        })
    }

    /// Verifies a signature: `Ok(false)` for any that is not this key's.
    ///
    /// # Errors
    /// As [`OpenKey::sign`].
    pub fn verify(
        &self,
        message: Message<'_>,
        signature: &[u8],
        options: &SignOptions,
    ) -> Result<bool> {
        self.public("verification")?
            .verify(message, signature, options)
    }

    /// A message authentication code, at its full length.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn mac(&self, data: &[u8]) -> Result<Vec<u8>> {
        let key = self.symmetric("MAC")?;
        fips::approved(self.algorithm, "this MAC", || key.mac(data))
    }

    /// Verifies a message authentication code in constant time.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn mac_verify(&self, data: &[u8], tag: &[u8]) -> Result<bool> {
        let key = self.symmetric("MAC")?;
        fips::approved(self.algorithm, "this MAC", || key.mac_verify(data, tag))
    }

    /// Derives `length` bytes with HKDF.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::TooLong`].
    pub fn derive(&self, salt: &[u8], info: &[u8], length: usize) -> Result<SecretBytes> {
        let key = self.symmetric("derivation")?;
        fips::approved(self.algorithm, "this derivation", || {
            key.derive(salt, info, length)
        })
    }

    /// The raw shared secret with `peer`, at its fixed length. It is not
    /// uniform: put it through a key derivation before using it as a key.
    ///
    /// # Errors
    /// [`Error::WrongAlgorithm`] for a peer of another algorithm or group;
    /// [`Error::InvalidKey`] when there is no shared secret (low order).
    pub fn agree(&self, peer: &PublicKey) -> Result<SecretBytes> {
        if !self.algorithm.row().uses.contains(Use::Agree) {
            return Err(self.unsupported("key agreement"));
        }
        let key = self.private("key agreement")?;
        fips::approved(self.algorithm, "this agreement", || {
            key.agree(peer.algorithm(), peer.key())
        })
    }

    /// KEM encapsulation to this key's own public half.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn encapsulate(&self) -> Result<(Vec<u8>, SecretBytes)> {
        self.public("encapsulation")?.encapsulate()
    }

    /// KEM decapsulation. An altered ciphertext gives another secret, not an
    /// error (implicit rejection).
    ///
    /// # Errors
    /// [`Error::InvalidLength`] for a ciphertext of the wrong length.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes> {
        let key = self.private("decapsulation")?;
        fips::approved(self.algorithm, "this decapsulation", || {
            key.decapsulate(ciphertext)
        })
    }
}
