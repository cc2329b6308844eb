//! Asymmetric keys of every family behind one private and one public type.

pub(crate) mod ec;
pub(crate) mod ed25519;
pub(crate) mod ffdh;
mod ffdh_primes;
mod hashed;
pub(crate) mod mldsa;
pub(crate) mod mlkem;
mod prehash;
pub(crate) mod rsa;
pub(crate) mod slhdsa;
pub(crate) mod x25519;
pub(crate) mod xwing;

use crate::algorithm::{Algorithm, Family};
use crate::awslc::dh::Dh;
use crate::awslc::pkey::PKey;
use crate::error::{Error, Result};
use crate::open::{EncryptOptions, Message, SignOptions};
use crate::secret::SecretBytes;

/// A private key, opened once and used many times.
pub(crate) struct Private {
    algorithm: Algorithm,
    key: PrivateKey,
}

enum PrivateKey {
    /// RSA, EC, Ed25519, X25519, ML-KEM, ML-DSA: held by AWS-LC.
    Held(PKey),
    Dh(Dh),
    SlhDsa(SecretBytes),
    XWing(Box<x_wing::DecapsulationKey>),
}

/// A public key, opened once and used many times.
pub(crate) enum Public {
    Held(PKey),
    Dh(Vec<u8>),
    SlhDsa(Vec<u8>),
    XWing(Box<x_wing::EncapsulationKey>),
}

fn unsupported(algorithm: Algorithm, what: &'static str) -> Error {
    Error::Unsupported { algorithm, what }
}

impl Private {
    /// Generates a key.
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self> {
        let key = match algorithm.family() {
            Family::Rsa => PrivateKey::Held(rsa::generate(algorithm)?),
            Family::Ec => PrivateKey::Held(PKey::generate_ec(ec::curve(algorithm)?)?),
            Family::EdDsa => PrivateKey::Held(ed25519::generate()?),
            Family::Montgomery => PrivateKey::Held(x25519::generate()?),
            Family::FiniteField => PrivateKey::Dh(ffdh::generate(algorithm)?),
            Family::Kem if algorithm == Algorithm::XWing => {
                PrivateKey::XWing(Box::new(xwing::generate()?))
            }
            Family::Kem => PrivateKey::Held(mlkem::generate(algorithm)?),
            Family::MlDsa => PrivateKey::Held(mldsa::generate(algorithm)?),
            Family::SlhDsa => PrivateKey::SlhDsa(slhdsa::generate(algorithm)?),
            _ => return Err(unsupported(algorithm, "key pairs")),
        };
        Ok(Self { algorithm, key })
    }

    /// Wraps a key that AWS-LC holds; the caller has checked it.
    pub(crate) fn held(algorithm: Algorithm, key: PKey) -> Self {
        Self {
            algorithm,
            key: PrivateKey::Held(key),
        }
    }

    /// A finite-field key.
    pub(crate) fn dh(algorithm: Algorithm, key: Dh) -> Self {
        Self {
            algorithm,
            key: PrivateKey::Dh(key),
        }
    }

    /// An SLH-DSA key of 4n bytes; the caller has checked it.
    pub(crate) fn slhdsa(algorithm: Algorithm, key: SecretBytes) -> Self {
        Self {
            algorithm,
            key: PrivateKey::SlhDsa(key),
        }
    }

    /// An X-Wing key.
    pub(crate) fn xwing(key: x_wing::DecapsulationKey) -> Self {
        Self {
            algorithm: Algorithm::XWing,
            key: PrivateKey::XWing(Box::new(key)),
        }
    }

    /// A key from its raw private encoding: EC, Ed25519 and X25519 scalars or
    /// seeds, a ffdhe exponent, an ML-KEM or ML-DSA seed or expanded key (told
    /// apart by length), an SLH-DSA key, an X-Wing seed. RSA has none.
    /// `check` runs the checks that only an imported key needs.
    pub(crate) fn from_raw(algorithm: Algorithm, bytes: &[u8], check: bool) -> Result<Self> {
        let key = match algorithm.family() {
            Family::Ec => PrivateKey::Held(ec::private(ec::curve(algorithm)?, bytes, None)?),
            Family::EdDsa => PrivateKey::Held(ed25519::private(bytes, None)?),
            Family::Montgomery => PrivateKey::Held(x25519::private(bytes, None)?),
            Family::FiniteField => PrivateKey::Dh(ffdh::private(algorithm, bytes)?),
            Family::Kem if algorithm == Algorithm::XWing => {
                PrivateKey::XWing(Box::new(xwing::private(bytes)?))
            }
            Family::Kem if bytes.len() == mlkem::SEED_BYTES => {
                PrivateKey::Held(mlkem::from_seed(algorithm, bytes)?)
            }
            Family::Kem if check => PrivateKey::Held(mlkem::from_expanded(algorithm, bytes)?),
            Family::Kem => PrivateKey::Held(mlkem::from_expanded_unchecked(algorithm, bytes)?),
            Family::MlDsa if bytes.len() == mldsa::SEED_BYTES => {
                PrivateKey::Held(mldsa::from_seed(algorithm, bytes)?)
            }
            Family::MlDsa => PrivateKey::Held(mldsa::from_expanded(algorithm, bytes)?),
            Family::SlhDsa if check => PrivateKey::SlhDsa(slhdsa::private(algorithm, bytes)?),
            Family::SlhDsa if bytes.len() == 4 * slhdsa::n_bytes(algorithm)? => {
                PrivateKey::SlhDsa(SecretBytes::new(bytes.to_vec()))
            }
            Family::SlhDsa => {
                return Err(Error::InvalidKey("SLH-DSA private key of the wrong length"));
            }
            _ => return Err(unsupported(algorithm, "raw private keys")),
        };
        Ok(Self { algorithm, key })
    }

    /// The raw private encoding that [`Self::from_raw`] reads; seeds where they
    /// are known.
    pub(crate) fn to_raw(&self) -> Result<SecretBytes> {
        let failed = Error::Library("cannot read a private key");
        match (&self.key, self.algorithm.family()) {
            (PrivateKey::Held(key), Family::Ec) => key.ec_scalar().ok_or(failed),
            (PrivateKey::Held(key), Family::EdDsa | Family::Montgomery) => {
                key.raw_private().ok_or(failed)
            }
            (PrivateKey::Held(key), Family::Kem) => mlkem::record(key),
            (PrivateKey::Held(key), Family::MlDsa) => mldsa::record(key),
            (PrivateKey::Held(_), _) => Err(unsupported(self.algorithm, "raw private keys")),
            (PrivateKey::Dh(key), _) => key.exponent().ok_or(failed),
            (PrivateKey::SlhDsa(key), _) => Ok(key.duplicate()),
            (PrivateKey::XWing(key), _) => Ok(SecretBytes::new(key.as_bytes().to_vec())),
        }
    }

    /// The key's algorithm.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as AWS-LC holds it, where it does.
    pub(crate) fn as_held(&self) -> Option<&PKey> {
        match &self.key {
            PrivateKey::Held(key) => Some(key),
            _ => None,
        }
    }

    /// The raw public encoding (see [`Public::from_raw`]); for RSA the DER
    /// `RSAPublicKey`.
    pub(crate) fn public_raw(&self) -> Result<Vec<u8>> {
        let failed = Error::Library("cannot read a public key");
        match (&self.key, self.algorithm.family()) {
            (PrivateKey::Held(key), Family::Rsa) => key.rsa_public_to_pkcs1(),
            (PrivateKey::Held(key), Family::Ec) => key.ec_point().ok_or(failed),
            (PrivateKey::Held(key), _) => key.raw_public().ok_or(failed),
            (PrivateKey::Dh(key), _) => key.public().ok_or(failed),
            (PrivateKey::SlhDsa(key), _) => slhdsa::public_of(self.algorithm, key.expose()),
            (PrivateKey::XWing(key), _) => Ok(xwing::public_of(key)),
        }
    }

    /// Signs.
    pub(crate) fn sign(&self, message: Message<'_>, options: &SignOptions) -> Result<Vec<u8>> {
        match (&self.key, self.algorithm.family()) {
            (PrivateKey::Held(key), Family::Rsa) => {
                rsa::sign(key, self.algorithm, message, options)
            }
            (PrivateKey::Held(key), Family::Ec) => {
                ec::sign(key, ec::curve(self.algorithm)?, message, options)
            }
            (PrivateKey::Held(key), Family::EdDsa) => ed25519::sign(key, message, options),
            (PrivateKey::Held(key), Family::MlDsa) => {
                mldsa::sign(key, self.algorithm, message, options)
            }
            (PrivateKey::SlhDsa(key), _) => {
                slhdsa::sign(key.expose(), self.algorithm, message, options)
            }
            _ => Err(unsupported(self.algorithm, "signing")),
        }
    }

    /// RSA-OAEP decryption.
    pub(crate) fn decrypt(
        &self,
        ciphertext: &[u8],
        label: &[u8],
        options: &EncryptOptions,
    ) -> Result<SecretBytes> {
        match (&self.key, self.algorithm.family()) {
            (PrivateKey::Held(key), Family::Rsa) => rsa::decrypt(key, ciphertext, label, options),
            _ => Err(unsupported(self.algorithm, "decryption")),
        }
    }

    /// The raw shared secret with a public key of the same algorithm.
    pub(crate) fn agree(&self, peer_algorithm: Algorithm, peer: &Public) -> Result<SecretBytes> {
        if peer_algorithm != self.algorithm {
            return Err(Error::WrongAlgorithm {
                expected: self.algorithm,
                found: peer_algorithm,
            });
        }
        match (&self.key, peer, self.algorithm.family()) {
            (PrivateKey::Held(key), Public::Held(peer), Family::Ec) => ec::agree(key, peer),
            (PrivateKey::Held(key), Public::Held(peer), Family::Montgomery) => {
                x25519::agree(key, peer)
            }
            (PrivateKey::Dh(key), Public::Dh(peer), _) => ffdh::agree(key, peer),
            _ => Err(unsupported(self.algorithm, "key agreement")),
        }
    }

    /// KEM decapsulation.
    pub(crate) fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes> {
        match (&self.key, self.algorithm.family()) {
            (PrivateKey::Held(key), Family::Kem) => {
                mlkem::decapsulate(key, self.algorithm, ciphertext)
            }
            (PrivateKey::XWing(key), _) => xwing::decapsulate(key, ciphertext),
            _ => Err(unsupported(self.algorithm, "decapsulation")),
        }
    }
}

impl Public {
    /// From the raw public encoding: a SEC 1 point, 32 bytes for Ed25519 and
    /// X25519, y for ffdhe, the FIPS 203/204/205 encodings, X-Wing's; for RSA
    /// the DER `RSAPublicKey`. Every check of an imported public key is here.
    pub(crate) fn from_raw(algorithm: Algorithm, bytes: &[u8]) -> Result<Self> {
        Ok(match algorithm.family() {
            Family::Rsa => {
                let key = PKey::rsa_public(bytes).ok_or(Error::InvalidKey("RSA public key"))?;
                let found = rsa::check_public(&key)?;
                if found != algorithm {
                    return Err(Error::WrongAlgorithm {
                        expected: algorithm,
                        found,
                    });
                }
                Self::Held(key)
            }
            Family::Ec => Self::Held(PKey::ec_public(ec::curve(algorithm)?, bytes)?),
            Family::EdDsa => Self::Held(ed25519::public(bytes)?),
            Family::Montgomery => Self::Held(x25519::public(bytes)?),
            Family::FiniteField => Self::Dh(ffdh::public(algorithm, bytes)?),
            Family::Kem if algorithm == Algorithm::XWing => {
                Self::XWing(Box::new(xwing::public(bytes)?))
            }
            Family::Kem => Self::Held(mlkem::public(algorithm, bytes)?),
            Family::MlDsa => Self::Held(mldsa::public(algorithm, bytes)?),
            Family::SlhDsa => Self::SlhDsa(slhdsa::public(algorithm, bytes)?),
            _ => return Err(unsupported(algorithm, "public keys")),
        })
    }

    /// The key as AWS-LC holds it, where it does.
    #[cfg(feature = "known-answers")]
    pub(crate) fn as_held(&self) -> Option<&PKey> {
        match self {
            Self::Held(key) => Some(key),
            _ => None,
        }
    }

    /// The raw public encoding that [`Self::from_raw`] reads, points uncompressed.
    pub(crate) fn to_raw(&self, algorithm: Algorithm) -> Result<Vec<u8>> {
        use x_wing::KeyExport;
        let failed = Error::Library("cannot read a public key");
        match (self, algorithm.family()) {
            (Self::Held(key), Family::Rsa) => key.rsa_public_to_pkcs1(),
            (Self::Held(key), Family::Ec) => key.ec_point().ok_or(failed),
            (Self::Held(key), _) => key.raw_public().ok_or(failed),
            (Self::Dh(bytes) | Self::SlhDsa(bytes), _) => Ok(bytes.clone()),
            (Self::XWing(key), _) => Ok(key.to_bytes().to_vec()),
        }
    }

    /// Verifies a signature.
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        message: Message<'_>,
        signature: &[u8],
        options: &SignOptions,
    ) -> Result<bool> {
        match (self, algorithm.family()) {
            (Self::Held(key), Family::Rsa) => {
                rsa::verify(key, algorithm, message, signature, options)
            }
            (Self::Held(key), Family::Ec) => {
                ec::verify(key, ec::curve(algorithm)?, message, signature, options)
            }
            (Self::Held(key), Family::EdDsa) => ed25519::verify(key, message, signature, options),
            (Self::Held(key), Family::MlDsa) => {
                mldsa::verify(key, algorithm, message, signature, options)
            }
            (Self::SlhDsa(key), _) => slhdsa::verify(key, algorithm, message, signature, options),
            _ => Err(unsupported(algorithm, "verification")),
        }
    }

    /// RSA-OAEP encryption.
    pub(crate) fn encrypt(
        &self,
        algorithm: Algorithm,
        plaintext: &[u8],
        label: &[u8],
        options: &EncryptOptions,
    ) -> Result<Vec<u8>> {
        match (self, algorithm.family()) {
            (Self::Held(key), Family::Rsa) => rsa::encrypt(key, plaintext, label, options),
            _ => Err(unsupported(algorithm, "encryption")),
        }
    }

    /// KEM encapsulation: ciphertext and shared secret.
    pub(crate) fn encapsulate(&self, algorithm: Algorithm) -> Result<(Vec<u8>, SecretBytes)> {
        match (self, algorithm.family()) {
            (Self::Held(key), Family::Kem) => mlkem::encapsulate(key),
            (Self::XWing(key), _) => xwing::encapsulate(key),
            _ => Err(unsupported(algorithm, "encapsulation")),
        }
    }
}
