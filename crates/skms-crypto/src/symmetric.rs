//! Symmetric keys, opened: schedules expanded once, then used from any
//! thread.

mod aead;
mod cbc_hmac;
pub(crate) mod hkdf;
mod nonce;
mod xaes;

use std::fmt;

use aws_lc_rs::{cmac, hkdf as kdf, hmac};

use crate::algorithm::{Algorithm, Family};
use crate::awslc::aes::{Decryptor, Encryptor};
use crate::error::{Error, Result};
use crate::secret::{SecretBytes, ct_eq};

use aead::Aead;

/// Shortest MAC or derivation key let in, in bytes: 112 bits (SP 800-131A).
pub const KEY_MIN: usize = 14;
/// Longest MAC or derivation key let in, in bytes.
pub const KEY_MAX: usize = 1024;

/// A symmetric key with its schedule.
pub struct SymmetricKey {
    algorithm: Algorithm,
    inner: Inner,
}

enum Inner {
    Aead(Aead),
    KeyWrap {
        encryptor: Encryptor,
        decryptor: Decryptor,
        padded: bool,
    },
    Hmac(Box<hmac::Key>),
    Cmac(cmac::Key),
    Hkdf {
        algorithm: kdf::Algorithm,
        key: SecretBytes,
    },
}

/// Whether a key of `len` bytes may be brought in for `algorithm`: its exact
/// length for ciphers and CMAC, [`KEY_MIN`] to [`KEY_MAX`] for HMAC and HKDF.
///
/// # Errors
/// [`Error::InvalidLength`], [`Error::WeakKey`], [`Error::TooLong`];
/// [`Error::Unsupported`] for an asymmetric algorithm.
pub fn check_length(algorithm: Algorithm, len: usize) -> Result<()> {
    let expected = algorithm.row().key_bytes.ok_or(Error::Unsupported {
        algorithm,
        what: "a symmetric key",
    })?;
    let any_length = matches!(
        algorithm,
        Algorithm::HmacSha256
            | Algorithm::HmacSha384
            | Algorithm::HmacSha512
            | Algorithm::HkdfSha256
            | Algorithm::HkdfSha384
            | Algorithm::HkdfSha512
    );
    match any_length {
        true if len < KEY_MIN => Err(Error::WeakKey("under 112 bits")),
        true if len > KEY_MAX => Err(Error::TooLong {
            what: "key",
            limit: KEY_MAX as u64,
        }),
        false if len != expected => Err(Error::InvalidLength {
            what: "key",
            expected,
            found: len,
        }),
        _ => Ok(()),
    }
}

/// A fresh key of the algorithm's own length.
///
/// # Errors
/// [`Error::Unsupported`] for an asymmetric algorithm; [`Error::Library`]
/// without randomness.
pub fn generate(algorithm: Algorithm) -> Result<SecretBytes> {
    let len = algorithm.row().key_bytes.ok_or(Error::Unsupported {
        algorithm,
        what: "a symmetric key",
    })?;
    crate::rand::secret(len)
}

impl SymmetricKey {
    /// Expands the schedule. HMAC and HKDF keys may have any length here:
    /// what may come in from outside is [`check_length`]'s to decide.
    ///
    /// # Errors
    /// [`Error::InvalidLength`] for a cipher or CMAC key of another length;
    /// [`Error::Unsupported`] for an asymmetric algorithm.
    pub fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self> {
        let row = algorithm.row();
        let inner = match algorithm {
            Algorithm::HmacSha256 => Inner::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, key))),
            Algorithm::HmacSha384 => Inner::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA384, key))),
            Algorithm::HmacSha512 => Inner::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA512, key))),
            Algorithm::HkdfSha256 => hkdf_key(kdf::HKDF_SHA256, key),
            Algorithm::HkdfSha384 => hkdf_key(kdf::HKDF_SHA384, key),
            Algorithm::HkdfSha512 => hkdf_key(kdf::HKDF_SHA512, key),
            _ => {
                check_length(algorithm, key.len())?;
                match row.family {
                    Family::Aead => Inner::Aead(Aead::new(algorithm, key)?),
                    Family::KeyWrap => Inner::KeyWrap {
                        encryptor: Encryptor::new(key)?,
                        decryptor: Decryptor::new(key)?,
                        padded: matches!(
                            algorithm,
                            Algorithm::Aes128Kwp | Algorithm::Aes192Kwp | Algorithm::Aes256Kwp
                        ),
                    },
                    Family::Mac => Inner::Cmac(cmac_key(key)?),
                    _ => {
                        return Err(Error::Unsupported {
                            algorithm,
                            what: "a symmetric key",
                        });
                    }
                }
            }
        };
        Ok(Self { algorithm, inner })
    }

    /// What the key is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What encrypting adds to a plaintext of `len` bytes, in bytes; `None`
    /// when the key does not encrypt.
    #[must_use]
    pub fn overhead(&self, len: usize) -> Option<usize> {
        match &self.inner {
            Inner::Aead(aead) => Some(aead.overhead(len)),
            _ => None,
        }
    }

    /// Encrypts under a nonce chosen here and appends nonce ‖ ciphertext ‖ tag
    /// to `out`; on failure `out` is as it was.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::TooLong`], [`Error::Library`].
    pub fn encrypt_into(&self, plaintext: &[u8], aad: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let aead = self.aead()?;
        #[cfg(feature = "fips")]
        if let Some(sealed) = aead.seal_drawing(plaintext, aad, out) {
            return sealed;
        }
        let mut nonce = [0; aead::NONCE_MAX];
        let nonce = nonce.get_mut(..aead.nonce_len()).unwrap_or_default();
        nonce::fill(nonce)?;
        aead.seal(nonce, plaintext, aad, out)
    }

    /// As [`SymmetricKey::encrypt_into`], into a buffer of its own.
    ///
    /// # Errors
    /// As [`SymmetricKey::encrypt_into`].
    pub fn encrypt(&self, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.encrypt_into(plaintext, aad, &mut out)?;
        Ok(out)
    }

    /// As [`SymmetricKey::encrypt`] under a nonce from outside, to reproduce
    /// published vectors: one nonce used twice gives the plaintexts away.
    ///
    /// # Errors
    /// [`Error::InvalidLength`] for a nonce of another length, and as
    /// [`SymmetricKey::encrypt_into`].
    #[cfg(feature = "known-answers")]
    pub fn encrypt_with_known_nonce(
        &self,
        nonce: &[u8],
        plaintext: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>> {
        self.answer(nonce, plaintext, aad)
    }

    /// What `encrypt_with_known_nonce` does, for the self-tests.
    pub(crate) fn answer(&self, nonce: &[u8], plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.aead()?.seal(nonce, plaintext, aad, &mut out)?;
        Ok(out)
    }

    /// Decrypts nonce ‖ ciphertext ‖ tag.
    ///
    /// # Errors
    /// [`Error::Decrypt`] for another key, other associated data or altered
    /// bytes; [`Error::Unsupported`].
    pub fn decrypt(&self, ciphertext: &[u8], aad: &[u8]) -> Result<SecretBytes> {
        self.aead()?.open(ciphertext, aad)
    }

    /// Wraps a key: AES-KW (a multiple of 8 bytes, from 16 up) or AES-KWP (any
    /// length from 1 up).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a length the mode does not take;
    /// [`Error::Unsupported`].
    pub fn wrap(&self, key: &[u8]) -> Result<Vec<u8>> {
        match &self.inner {
            Inner::KeyWrap {
                encryptor,
                padded: true,
                ..
            } => encryptor.wrap_padded(key),
            Inner::KeyWrap {
                encryptor,
                padded: false,
                ..
            } => encryptor.wrap(key),
            _ => Err(self.unsupported("wrap")),
        }
    }

    /// Reverses [`SymmetricKey::wrap`].
    ///
    /// # Errors
    /// [`Error::Unwrap`] for another key or altered bytes;
    /// [`Error::Unsupported`].
    pub fn unwrap(&self, wrapped: &[u8]) -> Result<SecretBytes> {
        match &self.inner {
            Inner::KeyWrap {
                decryptor,
                padded: true,
                ..
            } => decryptor.unwrap_padded(wrapped),
            Inner::KeyWrap {
                decryptor,
                padded: false,
                ..
            } => decryptor.unwrap(wrapped),
            _ => Err(self.unsupported("unwrap")),
        }
    }

    /// The full-length authentication code of `data`.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn mac(&self, data: &[u8]) -> Result<Vec<u8>> {
        match &self.inner {
            Inner::Hmac(key) => Ok(hmac::sign(key, data).as_ref().to_vec()),
            Inner::Cmac(key) => cmac::sign(key, data)
                .map(|tag| tag.as_ref().to_vec())
                .map_err(|_| Error::Library("CMAC")),
            _ => Err(self.unsupported("mac")),
        }
    }

    /// Whether `tag` is the full-length code of `data`; in constant time.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn mac_verify(&self, data: &[u8], tag: &[u8]) -> Result<bool> {
        Ok(ct_eq(&self.mac(data)?, tag))
    }

    /// Derives `len` bytes with HKDF (RFC 5869).
    ///
    /// # Errors
    /// [`Error::TooLong`] past 255 hash lengths; [`Error::InvalidOption`] for
    /// none; [`Error::Unsupported`].
    pub fn derive(&self, salt: &[u8], info: &[u8], len: usize) -> Result<SecretBytes> {
        let Inner::Hkdf { algorithm, key } = &self.inner else {
            return Err(self.unsupported("derive"));
        };
        let limit = 255 * algorithm.hmac_algorithm().tag_len();
        if len > limit {
            return Err(Error::TooLong {
                what: "derived key",
                limit: limit as u64,
            });
        }
        if len == 0 {
            return Err(Error::InvalidOption("a derived key has at least one byte"));
        }
        SecretBytes::try_with_len(len, |out| {
            hkdf::expand_into(*algorithm, key.expose(), salt, info, out)
        })
    }

    fn aead(&self) -> Result<&Aead> {
        match &self.inner {
            Inner::Aead(aead) => Ok(aead),
            _ => Err(self.unsupported("encrypt")),
        }
    }

    fn unsupported(&self, what: &'static str) -> Error {
        Error::Unsupported {
            algorithm: self.algorithm,
            what,
        }
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SymmetricKey({}, <redacted>)", self.algorithm)
    }
}

fn hkdf_key(algorithm: kdf::Algorithm, key: &[u8]) -> Inner {
    Inner::Hkdf {
        algorithm,
        key: SecretBytes::new(key.to_vec()),
    }
}

fn cmac_key(key: &[u8]) -> Result<cmac::Key> {
    let algorithm = if key.len() == 16 {
        cmac::AES_128
    } else {
        cmac::AES_256
    };
    cmac::Key::new(algorithm, key).map_err(|_| Error::Library("CMAC key"))
}

#[cfg(test)]
mod tests;
