//! Oneself: an identity key, which is elsewhere, and its certificate.

use skms_crypto::{Algorithm, Family, Hash, SignatureScheme};
use skms_pki::documents::Signer;
use skms_pki::issue::SigningScheme;

use crate::error::{Error, Result};
use crate::message::Digest;
use crate::schedule::hash;

/// The most certificates in a message.
pub(crate) const MAX_CHAIN: usize = 8;

/// One's own certificate, those above it, and how its key signs. The key
/// itself is not here: what is to be signed goes out, and the signature comes
/// back.
#[derive(Clone, Debug)]
pub struct Identity {
    signer: Signer,
    hash: Digest,
}

impl Identity {
    /// The identity of this chain (DER), its own certificate first.
    ///
    /// # Errors
    /// [`Error::Input`] for no certificate or more than eight, one that does
    /// not parse or may not sign, and a scheme that is not the key's or not
    /// the protocol's.
    pub fn new(chain: Vec<Vec<u8>>, scheme: SigningScheme) -> Result<Self> {
        if chain.len() > MAX_CHAIN {
            return Err(Error::Input("more than eight certificates"));
        }
        if !accepted(scheme) {
            return Err(Error::Input("a scheme that the exchange does not have"));
        }
        let own = chain.first().map(|der| hash(&[der]));
        let own = own.ok_or(Error::Input("an identity without a certificate"))?;
        let signer = Signer::new(chain, scheme)
            .map_err(|_| Error::Input("a certificate that is none, or whose key may not sign"))?;
        Ok(Self { signer, hash: own })
    }

    /// How a key of this algorithm signs where nobody says otherwise; `None`
    /// for one that cannot be an identity key.
    #[must_use]
    pub fn scheme_for(algorithm: Algorithm) -> Option<SigningScheme> {
        let scheme = match algorithm {
            Algorithm::Rsa4096 => SigningScheme::rsa_pss(algorithm, Hash::Sha384),
            _ if algorithm.family() == Family::Rsa => {
                SigningScheme::rsa_pss(algorithm, Hash::Sha256)
            }
            _ => SigningScheme::for_key(algorithm),
        };
        scheme.filter(|scheme| accepted(*scheme))
    }

    /// SHA-512 of its certificate: who it is in this protocol.
    #[must_use]
    pub fn certificate_hash(&self) -> &Digest {
        &self.hash
    }

    /// Its certificate (DER).
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        let first = self.signer.chain().first();
        first.map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    pub(crate) fn spki(&self) -> &[u8] {
        self.signer.spki()
    }
}

/// Whether a scheme is one of the protocol's: Ed25519, ECDSA, RSASSA-PSS and
/// ML-DSA.
pub(crate) fn accepted(scheme: SigningScheme) -> bool {
    let options = scheme.sign_options();
    match scheme.algorithm().family() {
        Family::EdDsa | Family::Ec | Family::MlDsa => true,
        Family::Rsa => options.scheme == Some(SignatureScheme::RsaPss),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemes_are_those_of_the_table() {
        let mut names = Vec::new();
        for &algorithm in Algorithm::all() {
            for scheme in SigningScheme::all_for(algorithm) {
                if accepted(scheme) {
                    names.push(scheme.name());
                }
            }
            let default = Identity::scheme_for(algorithm);
            assert!(default.is_none_or(accepted));
        }
        names.sort();
        names.dedup();
        assert_eq!(
            names,
            [
                "ECDSA-SHA-256",
                "ECDSA-SHA-384",
                "ECDSA-SHA-512",
                "Ed25519",
                "ML-DSA-44",
                "ML-DSA-65",
                "ML-DSA-87",
                "RSA-PSS-SHA-256",
                "RSA-PSS-SHA-384",
                "RSA-PSS-SHA-512",
            ]
        );
    }
}
