//! Other people's public keys, as they stand in certificates: for checking
//! signatures and nothing else.
//!
//! [`PublicKey`](crate::PublicKey) is a key of the registry, let in by its
//! policy and kept. A [`VerifyingKey`] is read, used and dropped: RSA of any
//! size that is fast to check, no re-encoding. Which sizes, curves and hashes
//! are good enough is for the caller to say; SHA-1 and MD5 are not here.

use crate::algorithm::{Algorithm, Family};
use crate::asymmetric::Public;
use crate::awslc::pkey::PKey;
use crate::error::{Error, Result};
use crate::fips;
use crate::formats;
use crate::hash::Hash;
use crate::open::{Message, SignOptions, SignatureScheme};

/// Bits of the longest RSA modulus that is taken: checking one takes about a
/// fifth of a millisecond, and grows with its square.
const MAX_RSA_BITS: usize = 8192;

/// Bits of the shortest RSA modulus that is taken. It protects nothing; the
/// caller sets the bar, this only keeps the library's own limit out of sight.
const MIN_RSA_BITS: usize = 512;

/// A signature algorithm, hash included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
    RsaPkcs1v15(Hash),
    /// RSASSA-PSS (RFC 8017, section 8.1) with MGF1 over the same hash.
    RsaPss {
        /// The hash of the message and of MGF1.
        hash: Hash,
        /// Bytes of salt.
        salt_length: usize,
    },
    /// ECDSA over a DER `ECDSA-Sig-Value`.
    Ecdsa(Hash),
    /// Ed25519, pure ML-DSA or pure SLH-DSA with an empty context: the key
    /// says which.
    Pure(Algorithm),
}

/// A public key that checks signatures.
pub struct VerifyingKey {
    /// For RSA the row of the nearest size below: what counts is the family.
    algorithm: Algorithm,
    key: Public,
}

impl core::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "VerifyingKey({:?})", self.algorithm.family())
    }
}

impl VerifyingKey {
    /// Reads a DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7): RSA,
    /// ECDSA on a named curve, Ed25519, ML-DSA, SLH-DSA.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::InvalidKey`], [`Error::WeakKey`],
    /// [`Error::UnknownAlgorithm`]; [`Error::SelfTest`].
    pub fn from_spki(der: &[u8]) -> Result<Self> {
        let (algorithm, bytes) = formats::spki::parts(der)?;
        let Some(algorithm) = algorithm else {
            let key = PKey::rsa_public(bytes).ok_or(Error::InvalidKey("RSA public key"))?;
            let bits = key.rsa_bits().unwrap_or(0);
            let algorithm = match bits {
                ..MIN_RSA_BITS => return Err(Error::WeakKey("RSA modulus under 512 bits")),
                MIN_RSA_BITS..3072 => Algorithm::Rsa2048,
                3072..4096 => Algorithm::Rsa3072,
                4096..=MAX_RSA_BITS => Algorithm::Rsa4096,
                _ => return Err(Error::InvalidKey("RSA modulus over 8192 bits")),
            };
            return Ok(Self {
                algorithm,
                key: Public::Held(key),
            });
        };
        match algorithm.family() {
            Family::Ec | Family::EdDsa | Family::MlDsa => {}
            Family::SlhDsa => crate::selftest::ensure_slow(algorithm)?,
            _ => {
                return Err(Error::Unsupported {
                    algorithm,
                    what: "signatures",
                });
            }
        }
        fips::ensure_offered(algorithm)?;
        Ok(Self {
            algorithm,
            key: Public::from_raw(algorithm, bytes)?,
        })
    }

    /// Whether `signature` is this key's over `message`, by `scheme`; `false`
    /// as well for a scheme that is not one of this key's.
    #[must_use]
    pub fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        let mut options = SignOptions::default();
        match (self.algorithm.family(), scheme) {
            (Family::Rsa, Scheme::RsaPkcs1v15(hash)) => {
                options.scheme = Some(SignatureScheme::RsaPkcs1v15);
                options.hash = Some(hash);
            }
            (Family::Rsa, Scheme::RsaPss { hash, salt_length }) => {
                options.scheme = Some(SignatureScheme::RsaPss);
                options.hash = Some(hash);
                options.salt_length = Some(salt_length);
            }
            (Family::Ec, Scheme::Ecdsa(hash)) => options.hash = Some(hash),
            (Family::EdDsa | Family::MlDsa | Family::SlhDsa, Scheme::Pure(algorithm))
                if algorithm == self.algorithm => {}
            _ => return false,
        }
        let message = Message::Raw(message);
        let verified = fips::approved_check(self.algorithm, "this signature", || {
            self.key
                .verify(self.algorithm, message, signature, &options)
        });
        verified.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::material::KeyMaterial;
    use crate::open::OpenKey;

    /// Where the module has the algorithm.
    fn check(algorithm: Algorithm, options: &SignOptions, scheme: Scheme) {
        if !algorithm.is_offered() {
            assert!(KeyMaterial::generate(algorithm).is_err());
            return;
        }
        let material = KeyMaterial::generate(algorithm).unwrap();
        let open = OpenKey::open(&material).unwrap();
        let signature = open.sign(Message::Raw(b"text"), options).unwrap();
        let spki = open.public_key().unwrap().spki_der().to_vec();
        let key = VerifyingKey::from_spki(&spki).unwrap();
        assert!(key.verify(scheme, b"text", &signature), "{algorithm}");
        assert!(!key.verify(scheme, b"test", &signature), "{algorithm}");
        assert!(!key.verify(scheme, b"text", &signature[1..]), "{algorithm}");
        let others = [
            Scheme::RsaPkcs1v15(Hash::Sha512),
            Scheme::Ecdsa(Hash::Sha512),
            Scheme::Pure(Algorithm::MlDsa87),
        ];
        for other in others {
            assert!(!key.verify(other, b"text", &signature), "{algorithm}");
        }
    }

    #[test]
    fn every_scheme_verifies_its_own_and_nothing_else() {
        let with = |scheme, hash| SignOptions {
            scheme: Some(scheme),
            hash: Some(hash),
            ..SignOptions::default()
        };
        check(
            Algorithm::Rsa2048,
            &with(SignatureScheme::RsaPkcs1v15, Hash::Sha256),
            Scheme::RsaPkcs1v15(Hash::Sha256),
        );
        check(
            Algorithm::Rsa2048,
            &with(SignatureScheme::RsaPss, Hash::Sha384),
            Scheme::RsaPss {
                hash: Hash::Sha384,
                salt_length: 48,
            },
        );
        check(
            Algorithm::EcP256,
            &with(SignatureScheme::Ecdsa, Hash::Sha256),
            Scheme::Ecdsa(Hash::Sha256),
        );
        for algorithm in [Algorithm::Ed25519, Algorithm::MlDsa44] {
            check(algorithm, &SignOptions::default(), Scheme::Pure(algorithm));
        }
    }

    #[test]
    fn keys_that_cannot_sign_are_refused() {
        let keys = [Algorithm::X25519, Algorithm::MlKem512];
        for algorithm in keys.into_iter().filter(|key| key.is_offered()) {
            let material = KeyMaterial::generate(algorithm).unwrap();
            let spki = material.public_key().unwrap().unwrap().spki_der().to_vec();
            assert!(VerifyingKey::from_spki(&spki).is_err());
        }
    }
}
