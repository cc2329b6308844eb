//! Hashes by their identifiers (RFC 5754), and which go with which signatures.

use skms_crypto::verifying::Scheme;
use skms_crypto::{Algorithm, Hash};

use crate::certificate::AlgorithmId;
use crate::issue::SigningScheme;
use crate::issue::der;
use crate::oid::{self, Oid};
use crate::parse::cursor::tag;

use super::error::DocumentError;

fn id(hash: Hash) -> Option<Oid<'static>> {
    Some(match hash {
        Hash::Sha256 => oid::SHA256,
        Hash::Sha384 => oid::SHA384,
        Hash::Sha512 => oid::SHA512,
        _ => return None,
    })
}

/// Its AlgorithmIdentifier's DER.
pub(crate) fn write(hash: Hash) -> Result<Vec<u8>, DocumentError> {
    //= https://www.rfc-editor.org/rfc/rfc5754#section-2
    //# Implementations MUST generate SHA2 AlgorithmIdentifiers with absent
    //# parameters.
    let id = id(hash).ok_or(DocumentError::Algorithm("a hash outside SHA-2"))?;
    Ok(der::sequence(&[&der::oid(id)]))
}

/// The hash that an AlgorithmIdentifier names: SHA-256, SHA-384 or SHA-512.
pub(crate) fn read(id: &AlgorithmId<'_>) -> Result<Hash, DocumentError> {
    if !matches!(id.parameters, None | Some([tag::NULL, 0])) {
        return Err(DocumentError::Algorithm("a hash with parameters"));
    }
    match id.oid {
        oid::SHA256 => Ok(Hash::Sha256),
        oid::SHA384 => Ok(Hash::Sha384),
        oid::SHA512 => Ok(Hash::Sha512),
        _ => Err(DocumentError::Algorithm("a weak or unknown hash")),
    }
}

/// The hash of the content that a scheme signs with.
pub(crate) fn for_scheme(scheme: SigningScheme) -> Result<Hash, DocumentError> {
    match (scheme.hash(), scheme.algorithm()) {
        (Some(hash), _) => Ok(hash),
        //= https://www.rfc-editor.org/rfc/rfc8419#section-2.3
        //# When signing with Ed25519, the digestAlgorithm MUST be id-sha512
        (None, Algorithm::Ed25519) => Ok(Hash::Sha512),
        // RFC 9882, section 3.3: every implementation takes SHA-512.
        (None, Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87) => Ok(Hash::Sha512),
        _ => Err(DocumentError::Algorithm(
            "keys of this kind do not sign documents",
        )),
    }
}

/// Whether a hash of the content goes with a signature: the same hash twice,
/// so that nobody can have one signature stand for two contents.
pub(crate) fn fits(hash: Hash, scheme: Scheme) -> Result<(), DocumentError> {
    let good = match scheme {
        Scheme::RsaPkcs1v15(other) | Scheme::Ecdsa(other) => other == hash,
        Scheme::RsaPss { hash: other, .. } => other == hash,
        Scheme::Pure(Algorithm::Ed25519) => hash == Hash::Sha512,
        // RFC 9882, section 3.3, by the strength of each parameter set.
        Scheme::Pure(Algorithm::MlDsa44) => true,
        Scheme::Pure(Algorithm::MlDsa65) => hash != Hash::Sha256,
        Scheme::Pure(Algorithm::MlDsa87) => hash == Hash::Sha512,
        _ => return Err(DocumentError::Algorithm("a signature of another kind")),
    };
    if good {
        Ok(())
    } else {
        Err(DocumentError::Algorithm(
            "the content's hash does not go with the signature",
        ))
    }
}
