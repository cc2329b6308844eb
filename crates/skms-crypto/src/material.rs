//! Key material: generated, imported, exported, recorded.

use crate::algorithm::Algorithm;
use crate::asymmetric::Private;
use crate::error::{Error, Result};
use crate::fips;
use crate::formats::{self, Format, Imported};
use crate::public::PublicKey;
use crate::secret::SecretBytes;
use crate::{selftest, symmetric};

/// The secret part of a key, with its algorithm; what the store seals.
///
/// It holds one canonical encoding: symmetric keys raw; RSA, EC, Ed25519 and
/// X25519 as PKCS#8; ffdhe the exponent at the prime's length; ML-KEM, ML-DSA
/// and X-Wing the seed (the expanded key where no seed is known); SLH-DSA its
/// private key. To use it, [open](crate::open::OpenKey::open) it.
pub struct KeyMaterial {
    algorithm: Algorithm,
    record: SecretBytes,
}

impl core::fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "KeyMaterial({}, <redacted>)", self.algorithm)
    }
}

impl KeyMaterial {
    /// Generates a key.
    ///
    /// # Errors
    /// [`Error::Library`] when there is no randomness; [`Error::SelfTest`].
    pub fn generate(algorithm: Algorithm) -> Result<Self> {
        fips::ensure_offered(algorithm)?;
        let record = if algorithm.is_symmetric() {
            symmetric::generate(algorithm)?
        } else {
            selftest::ensure_slow(algorithm)?;
            let private =
                fips::approved(algorithm, "key generation", || Private::generate(algorithm))?;
            formats::to_record(&private)?
        };
        Ok(Self { algorithm, record })
    }

    /// Takes back what [`KeyMaterial::to_record`] gave. Records are sealed by
    /// the store, so the slow checks of an import are not repeated.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::InvalidKey`], [`Error::WrongAlgorithm`].
    pub fn from_record(algorithm: Algorithm, record: &[u8]) -> Result<Self> {
        if algorithm.is_symmetric() {
            symmetric::check_length(algorithm, record.len())?;
        } else {
            formats::from_record(algorithm, record)?;
        }
        Ok(Self {
            algorithm,
            record: SecretBytes::new(record.to_vec()),
        })
    }

    /// The canonical encoding, for the store.
    #[must_use]
    pub fn to_record(&self) -> SecretBytes {
        self.record.duplicate()
    }

    pub(crate) fn record(&self) -> &SecretBytes {
        &self.record
    }

    /// The key's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn private(&self) -> Result<Private> {
        formats::from_record(self.algorithm, self.record.expose())
    }

    /// The public half; `None` for symmetric keys.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn public_key(&self) -> Result<Option<PublicKey>> {
        if self.algorithm.is_symmetric() {
            return Ok(None);
        }
        let raw = self.private()?.public_raw()?;
        PublicKey::from_raw(self.algorithm, &raw).map(Some)
    }

    /// Reads a key that came from elsewhere. Every check is made: RSA sizes,
    /// primality and CRT values; curve membership; public keys are computed
    /// anew and compared (Ed25519 too); exponents in range; ML-KEM's H(ek),
    /// modulus and seed agreement; ML-DSA's and SLH-DSA's inner consistency.
    ///
    /// `expect` is the algorithm it must have; raw and most symmetric keys
    /// need it. `passphrase` opens encrypted PKCS#8 and is otherwise unused.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::InvalidKey`], [`Error::WeakKey`],
    /// [`Error::UnknownAlgorithm`], [`Error::WrongAlgorithm`],
    /// [`Error::InvalidLength`], [`Error::RefusedByPolicy`] for obsolete key
    /// encryption; [`Error::Decrypt`] for a wrong passphrase.
    pub fn import(
        bytes: &[u8],
        format: Format,
        expect: Option<Algorithm>,
        passphrase: Option<&[u8]>,
    ) -> Result<Self> {
        if let Some(expected) = expect {
            fips::ensure_offered(expected)?;
        }
        let key = match formats::import_private(bytes, format, expect, passphrase)? {
            Imported::Private(private) => Self {
                algorithm: private.algorithm(),
                record: formats::to_record(&private)?,
            },
            Imported::Symmetric(algorithm, record) => {
                symmetric::check_length(algorithm, record.len())?;
                Self { algorithm, record }
            }
        };
        fips::ensure_offered(key.algorithm)?;
        match expect {
            Some(expected) if expected != key.algorithm => Err(Error::WrongAlgorithm {
                expected,
                found: key.algorithm,
            }),
            _ => Ok(key),
        }
    }

    /// The public half (RSAPublicKey) of the RSA private key that these bytes
    /// are, as they say it and whatever is wrong with it: to find out what is to
    /// be said against a key that [`KeyMaterial::import`] refuses. It is no key
    /// that anything could be done with.
    #[must_use]
    pub fn rsa_public_of_refused(bytes: &[u8], passphrase: Option<&[u8]>) -> Option<Vec<u8>> {
        formats::rsa_public_of_refused(bytes, passphrase)
    }

    /// Writes the key for another system. With a passphrase, PKCS#8 is
    /// encrypted (PBES2: PBKDF2-HMAC-SHA-256 and AES-256-CBC); other formats
    /// cannot be.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a format the algorithm does not have;
    /// [`Error::InvalidOption`].
    pub fn export(&self, format: Format, passphrase: Option<&[u8]>) -> Result<SecretBytes> {
        if self.algorithm.is_symmetric() {
            return formats::export_symmetric(self.algorithm, &self.record, format, passphrase);
        }
        formats::export_private(&self.private()?, format, passphrase)
    }
}
