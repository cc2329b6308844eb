//! How an authority's key signs: the AlgorithmIdentifier, and what the signer
//! has to be told (RFC 3279, 4055, 5758, 8410, 9881, 9909).

use skms_crypto::{Algorithm, EcdsaEncoding, Family, Hash, SignOptions, SignatureScheme};

use crate::certificate::{PublicKeyInfo, Signed};
use crate::error::Parse;
use crate::oid::{self, Oid};
use crate::parse::cursor::{Cursor, tag};
use crate::signature::{Standard, Verify, post_quantum_identifier};

use super::der;
use super::error::IssueError;

/// A signature algorithm of a key of the registry, as certificates name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SigningScheme {
    algorithm: Algorithm,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Pkcs1(Hash),
    Pss(Hash),
    Ecdsa(Hash),
    Pure,
}

/// RSA with these hashes alone: what everybody reads.
const RSA_HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

impl SigningScheme {
    /// What a key of this algorithm signs certificates with by default: RSA by
    /// PKCS #1 v1.5, since not everybody reads PSS; the hash is as strong as
    /// the key. `None` for what cannot sign, and for secp256k1, which no
    /// standard of certificates has.
    #[must_use]
    pub fn for_key(algorithm: Algorithm) -> Option<Self> {
        let kind = match algorithm {
            Algorithm::Rsa4096 => Kind::Pkcs1(Hash::Sha384),
            Algorithm::EcP256 => Kind::Ecdsa(Hash::Sha256),
            Algorithm::EcP384 => Kind::Ecdsa(Hash::Sha384),
            Algorithm::EcP521 => Kind::Ecdsa(Hash::Sha512),
            _ => match algorithm.family() {
                Family::Rsa => Kind::Pkcs1(Hash::Sha256),
                Family::EdDsa | Family::MlDsa | Family::SlhDsa => Kind::Pure,
                _ => return None,
            },
        };
        Some(Self { algorithm, kind })
    }

    /// RSASSA-PKCS1-v1_5 (RFC 4055, section 5); `None` for other keys than RSA
    /// and other hashes than SHA-256, SHA-384 and SHA-512.
    #[must_use]
    pub fn rsa_pkcs1(algorithm: Algorithm, hash: Hash) -> Option<Self> {
        Self::rsa(algorithm, hash, Kind::Pkcs1)
    }

    /// RSASSA-PSS (RFC 4055, section 3) with MGF1 over the same hash and a salt
    /// of its length; `None` as for [`Self::rsa_pkcs1`].
    #[must_use]
    pub fn rsa_pss(algorithm: Algorithm, hash: Hash) -> Option<Self> {
        Self::rsa(algorithm, hash, Kind::Pss)
    }

    fn rsa(algorithm: Algorithm, hash: Hash, kind: fn(Hash) -> Kind) -> Option<Self> {
        let good = algorithm.family() == Family::Rsa && RSA_HASHES.contains(&hash);
        good.then(|| Self {
            algorithm,
            kind: kind(hash),
        })
    }

    /// Every scheme that a key of this algorithm can use, the default first.
    #[must_use]
    pub fn all_for(algorithm: Algorithm) -> Vec<Self> {
        let mut all: Vec<Self> = Self::for_key(algorithm).into_iter().collect();
        for hash in RSA_HASHES {
            for one in [
                Self::rsa_pkcs1(algorithm, hash),
                Self::rsa_pss(algorithm, hash),
            ] {
                all.extend(one.filter(|one| !all.contains(one)));
            }
        }
        all
    }

    /// The scheme of this name, if the key can use it: see [`Self::name`].
    #[must_use]
    pub fn by_name(algorithm: Algorithm, name: &str) -> Option<Self> {
        Self::all_for(algorithm)
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }

    /// Its name, "RSA-PSS-SHA-256" or "ML-DSA-65" for instance.
    #[must_use]
    pub fn name(self) -> String {
        match self.kind {
            Kind::Pkcs1(hash) => format!("RSA-PKCS1-{hash}"),
            Kind::Pss(hash) => format!("RSA-PSS-{hash}"),
            Kind::Ecdsa(hash) => format!("ECDSA-{hash}"),
            Kind::Pure => self.algorithm.name().to_owned(),
        }
    }

    /// The key's algorithm.
    #[must_use]
    pub fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// The hash that it applies to the message; `None` where the algorithm
    /// takes the message as it is.
    #[must_use]
    pub fn hash(self) -> Option<Hash> {
        match self.kind {
            Kind::Pkcs1(hash) | Kind::Pss(hash) | Kind::Ecdsa(hash) => Some(hash),
            Kind::Pure => None,
        }
    }

    /// What the key has to be told when it signs the message as it stands.
    #[must_use]
    pub fn sign_options(self) -> SignOptions {
        let (scheme, hash) = match self.kind {
            Kind::Pkcs1(hash) => (Some(SignatureScheme::RsaPkcs1v15), Some(hash)),
            Kind::Pss(hash) => (Some(SignatureScheme::RsaPss), Some(hash)),
            Kind::Ecdsa(hash) => (Some(SignatureScheme::Ecdsa), Some(hash)),
            Kind::Pure => (None, None),
        };
        SignOptions {
            scheme,
            hash,
            context: Vec::new(),
            encoding: EcdsaEncoding::Der,
            salt_length: match self.kind {
                Kind::Pss(hash) => Some(hash.output_len()),
                _ => None,
            },
        }
    }

    /// Its AlgorithmIdentifier's DER.
    #[must_use]
    pub fn identifier(self) -> Vec<u8> {
        const NULL: &[u8] = &[tag::NULL, 0];
        let bare = |id: Oid<'_>| der::sequence(&[&der::oid(id)]);
        match self.kind {
            //= https://www.rfc-editor.org/rfc/rfc4055#section-5
            //# When any of these four object identifiers appears within an
            //# AlgorithmIdentifier, the parameters MUST be NULL.
            Kind::Pkcs1(Hash::Sha384) => der::sequence(&[&der::oid(oid::RSA_SHA384), NULL]),
            Kind::Pkcs1(Hash::Sha512) => der::sequence(&[&der::oid(oid::RSA_SHA512), NULL]),
            Kind::Pkcs1(_) => der::sequence(&[&der::oid(oid::RSA_SHA256), NULL]),
            Kind::Pss(hash) => {
                let id = match hash {
                    Hash::Sha384 => oid::SHA384,
                    Hash::Sha512 => oid::SHA512,
                    _ => oid::SHA256,
                };
                let of_hash = der::sequence(&[&der::oid(id), NULL]);
                let mask = der::sequence(&[&der::oid(oid::MGF1), &of_hash]);
                let salt = der::integer(hash.output_len() as u64);
                let parameters = der::sequence(&[
                    &der::constructed(0, &[&of_hash]),
                    &der::constructed(1, &[&mask]),
                    &der::constructed(2, &[&salt]),
                ]);
                der::sequence(&[&der::oid(oid::RSA_PSS), &parameters])
            }
            Kind::Ecdsa(Hash::Sha384) => bare(oid::ECDSA_SHA384),
            Kind::Ecdsa(Hash::Sha512) => bare(oid::ECDSA_SHA512),
            Kind::Ecdsa(_) => bare(oid::ECDSA_SHA256),
            Kind::Pure => match post_quantum_identifier(self.algorithm) {
                Some(bytes) => der::sequence(&[&der::tlv(tag::OID, &[&bytes])]),
                None => bare(oid::ED25519),
            },
        }
    }

    /// Puts a signature beside what was signed: `SIGNED{}`, as certificates,
    /// lists and requests have it. The signature is checked first, so that a
    /// wrong key or a fault in the signer leaves nothing behind.
    ///
    /// # Errors
    /// [`IssueError::Signature`] if it is not that key's over these bytes.
    pub(crate) fn assemble(
        self,
        spki: &[u8],
        tbs: &[u8],
        signature: &[u8],
    ) -> Result<Vec<u8>, IssueError> {
        let identifier = self.identifier();
        self.check(spki, tbs, signature)?;
        Ok(der::sequence(&[
            tbs,
            &identifier,
            &der::bit_string(signature),
        ]))
    }

    /// Checks a signature that was just made.
    pub(crate) fn check(self, spki: &[u8], tbs: &[u8], signature: &[u8]) -> Result<(), IssueError> {
        let identifier = self.identifier();
        let read = |cursor: &mut Cursor<'_>| -> Parse<bool> {
            let key = PublicKeyInfo::read(cursor)?;
            cursor.end()?;
            let mut id = Cursor::new(&identifier);
            let signed = Signed {
                message: tbs,
                algorithm: crate::certificate::AlgorithmId::read(&mut id)?,
                signature,
            };
            Standard
                .verify(&key, &signed)
                .map(|()| true)
                .map_err(|fault| fault.why())
        };
        match read(&mut Cursor::new(spki)) {
            Ok(_) => Ok(()),
            Err(why) => Err(IssueError::Signature(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::AlgorithmId;
    use crate::signature::scheme;
    use skms_crypto::{KeyMaterial, Message, OpenKey};

    #[test]
    fn every_identifier_is_read_back_as_the_scheme_it_stands_for() {
        let mut count = 0;
        for &algorithm in Algorithm::all() {
            for one in SigningScheme::all_for(algorithm) {
                let der = one.identifier();
                let id = AlgorithmId::read(&mut Cursor::new(&der)).unwrap();
                let expected = match one.kind {
                    Kind::Pkcs1(hash) => skms_crypto::verifying::Scheme::RsaPkcs1v15(hash),
                    Kind::Pss(hash) => skms_crypto::verifying::Scheme::RsaPss {
                        hash,
                        salt_length: hash.output_len(),
                    },
                    Kind::Ecdsa(hash) => skms_crypto::verifying::Scheme::Ecdsa(hash),
                    Kind::Pure => skms_crypto::verifying::Scheme::Pure(algorithm),
                };
                assert_eq!(scheme(&id), Ok(expected), "{}", one.name());
                assert_eq!(SigningScheme::by_name(algorithm, &one.name()), Some(one));
                count += 1;
            }
        }
        // Three RSA sizes by six, three curves, Ed25519, ML-DSA, SLH-DSA.
        assert_eq!(count, 18 + 3 + 1 + 3 + 12);
        assert_eq!(SigningScheme::for_key(Algorithm::X25519), None);
        assert_eq!(SigningScheme::for_key(Algorithm::EcSecp256k1), None);
        assert_eq!(
            SigningScheme::rsa_pss(Algorithm::EcP256, Hash::Sha256),
            None
        );
        assert_eq!(
            SigningScheme::rsa_pkcs1(Algorithm::Rsa2048, Hash::Sha3_256),
            None
        );
    }

    #[test]
    fn a_signature_of_another_key_or_message_is_not_assembled() {
        let key = |algorithm| {
            let material = KeyMaterial::generate(algorithm).unwrap();
            OpenKey::open(&material).unwrap()
        };
        for algorithm in [Algorithm::EcP256, Algorithm::Ed25519, Algorithm::MlDsa44] {
            let scheme = SigningScheme::for_key(algorithm).unwrap();
            let (own, other) = (key(algorithm), key(algorithm));
            let spki = own.public_key().unwrap().spki_der();
            let tbs = der::sequence(&[&der::integer(7)]);
            let sign = |key: &OpenKey| {
                key.sign(Message::Raw(&tbs), &scheme.sign_options())
                    .unwrap()
            };
            assert!(scheme.assemble(spki, &tbs, &sign(&own)).is_ok());
            assert!(scheme.assemble(spki, &tbs, &sign(&other)).is_err());
            assert!(scheme.assemble(spki, &tbs[1..], &sign(&own)).is_err());
            assert!(scheme.assemble(&spki[1..], &tbs, &sign(&own)).is_err());
        }
    }
}
