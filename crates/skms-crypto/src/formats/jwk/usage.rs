//! What a JWK says it is for (`alg`, `use`, `key_ops`), held against the key.

use crate::algorithm::{Algorithm, Family};
use crate::error::{Error, Result};

use super::members::Members;

/// The registry's algorithm for a symmetric `alg` (RFC 7518).
pub(super) fn symmetric(name: &str) -> Result<Algorithm> {
    Ok(match name {
        "A128GCM" => Algorithm::Aes128Gcm,
        "A192GCM" => Algorithm::Aes192Gcm,
        "A256GCM" => Algorithm::Aes256Gcm,
        "A256CBC-HS512" => Algorithm::A256CbcHs512,
        "A128KW" => Algorithm::Aes128Kw,
        "A192KW" => Algorithm::Aes192Kw,
        "A256KW" => Algorithm::Aes256Kw,
        "HS256" => Algorithm::HmacSha256,
        "HS384" => Algorithm::HmacSha384,
        "HS512" => Algorithm::HmacSha512,
        _ => return Err(Error::UnknownAlgorithm),
    })
}

/// JOSE's name of a symmetric algorithm, where this key may bear it.
pub(super) fn symmetric_name(algorithm: Algorithm, length: usize) -> Option<&'static str> {
    let name = match algorithm {
        Algorithm::Aes128Gcm => "A128GCM",
        Algorithm::Aes192Gcm => "A192GCM",
        Algorithm::Aes256Gcm => "A256GCM",
        Algorithm::A256CbcHs512 => "A256CBC-HS512",
        Algorithm::Aes128Kw => "A128KW",
        Algorithm::Aes192Kw => "A192KW",
        Algorithm::Aes256Kw => "A256KW",
        Algorithm::HmacSha256 => "HS256",
        Algorithm::HmacSha384 => "HS384",
        Algorithm::HmacSha512 => "HS512",
        _ => return None,
    };
    check_length(algorithm, length).is_ok().then_some(name)
}

/// Whether a key named for `named` may come in as `expected`.
pub(super) fn may_serve(named: Algorithm, expected: Algorithm) -> bool {
    // Other names for the same bytes would mix purposes (SP 800-57, 5.2).
    named == expected
}

/// JOSE's own rule for the length of a key.
pub(super) fn check_length(algorithm: Algorithm, length: usize) -> Result<()> {
    let Some(expected) = algorithm.row().key_bytes else {
        return Err(Error::InvalidKey("a secret key where a key pair is needed"));
    };
    //= https://www.rfc-editor.org/rfc/rfc7518#section-3.2
    //# A key of the same size as the hash output (for instance, 256 bits for
    //# "HS256") or larger MUST be used with this algorithm.
    if algorithm.family() == Family::Mac && length < expected {
        return Err(Error::WeakKey("shorter than the hash that alg names"));
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Signature,
    Encryption,
}

/// Which purpose an `alg` has, if a key of this algorithm may bear it.
fn purpose(algorithm: Algorithm, alg: &str) -> Result<Purpose> {
    let contradiction = Error::InvalidKey("JWK alg contradicts the key");
    if algorithm.is_symmetric() {
        if symmetric(alg)? != algorithm {
            return Err(contradiction);
        }
        return Ok(match algorithm.family() {
            Family::Mac => Purpose::Signature,
            _ => Purpose::Encryption,
        });
    }
    let ecdh = [
        "ECDH-ES",
        "ECDH-ES+A128KW",
        "ECDH-ES+A192KW",
        "ECDH-ES+A256KW",
    ];
    let signature = match algorithm {
        Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096 => {
            if alg == "RSA1_5" {
                return Err(Error::RefusedByPolicy("PKCS#1 v1.5 decryption"));
            }
            if ["RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512", "RSA-OAEP"].contains(&alg) {
                return Ok(Purpose::Encryption);
            }
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].contains(&alg)
        }
        Algorithm::EcP256 => alg == "ES256" || alg == "ESP256",
        Algorithm::EcP384 => alg == "ES384" || alg == "ESP384",
        Algorithm::EcP521 => alg == "ES512" || alg == "ESP512",
        Algorithm::EcSecp256k1 => alg == "ES256K",
        Algorithm::Ed25519 => alg == "EdDSA" || alg == "Ed25519",
        _ => alg == algorithm.name() && algorithm.family() != Family::Kem,
    };
    let agreement = matches!(
        algorithm,
        Algorithm::EcP256 | Algorithm::EcP384 | Algorithm::EcP521 | Algorithm::X25519
    ) && ecdh.contains(&alg);
    let encapsulation = algorithm.family() == Family::Kem && alg == algorithm.name();
    if signature {
        Ok(Purpose::Signature)
    } else if agreement || encapsulation {
        Ok(Purpose::Encryption)
    } else {
        Err(contradiction)
    }
}

/// Holds `alg`, `use` and `key_ops` against the key and each other.
pub(super) fn check(members: &Members, algorithm: Algorithm) -> Result<()> {
    let by_alg = match members.optional_text("alg")? {
        None => None,
        Some(alg) => Some(purpose(algorithm, alg)?),
    };
    let by_use = match members.optional_text("use")? {
        None => None,
        Some("sig") => Some(Purpose::Signature),
        Some("enc") => Some(Purpose::Encryption),
        Some(_) => return Err(Error::InvalidKey("JWK use that is not known here")),
    };
    let operations = members.optional_texts("key_ops")?;
    let by_operations = |purpose| {
        operations.is_none_or(|operations| {
            operations.iter().all(|operation| {
                let signs = matches!(operation.as_str(), "sign" | "verify");
                match purpose {
                    Purpose::Signature => signs,
                    Purpose::Encryption => !signs,
                }
            })
        })
    };
    let agree = match (by_alg, by_use) {
        (Some(one), Some(two)) => one == two && by_operations(one),
        (Some(one), None) | (None, Some(one)) => by_operations(one),
        (None, None) => true,
    };
    if agree {
        Ok(())
    } else {
        Err(Error::InvalidKey("JWK alg, use and key_ops disagree"))
    }
}
