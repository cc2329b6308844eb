//! Short Weierstrass curves: ECDSA (FIPS 186-5, section 6) and ECDH
//! (SP 800-56A rev. 3, section 5.7.1.2).

use super::hashed;
use crate::algorithm::Algorithm;
use crate::awslc::ec::{Curve, der_to_p1363, p1363_to_der};
use crate::awslc::pkey::{PKey, Padding};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::open::{EcdsaEncoding, Message, SignOptions, SignatureScheme};
use crate::secret::SecretBytes;

/// The curve of an EC algorithm.
pub(crate) fn curve(algorithm: Algorithm) -> Result<Curve> {
    match algorithm {
        Algorithm::EcP256 => Ok(Curve::P256),
        Algorithm::EcP384 => Ok(Curve::P384),
        Algorithm::EcP521 => Ok(Curve::P521),
        Algorithm::EcSecp256k1 => Ok(Curve::Secp256k1),
        _ => Err(Error::InvalidKey("not an elliptic-curve algorithm")),
    }
}

/// The algorithm of a curve.
pub(crate) fn algorithm(curve: Curve) -> Algorithm {
    match curve {
        Curve::P256 => Algorithm::EcP256,
        Curve::P384 => Algorithm::EcP384,
        Curve::P521 => Algorithm::EcP521,
        Curve::Secp256k1 => Algorithm::EcSecp256k1,
    }
}

fn default_hash(curve: Curve) -> Hash {
    match curve {
        Curve::P256 | Curve::Secp256k1 => Hash::Sha256,
        Curve::P384 => Hash::Sha384,
        Curve::P521 => Hash::Sha512,
    }
}

/// A private key from its scalar; a public point that came along must be the
/// one the scalar gives.
pub(crate) fn private(curve: Curve, scalar: &[u8], claimed: Option<&[u8]>) -> Result<PKey> {
    let key = PKey::ec_private(curve, scalar)?;
    if let Some(claimed) = claimed {
        let claimed = PKey::ec_public(curve, claimed)?;
        if claimed.ec_point() != key.ec_point() {
            return Err(Error::InvalidKey("public point is not the scalar's"));
        }
    }
    Ok(key)
}

/// Signs; a fresh random nonce each time.
pub(crate) fn sign(
    key: &PKey,
    curve: Curve,
    message: Message<'_>,
    options: &SignOptions,
) -> Result<Vec<u8>> {
    options.check(algorithm(curve), SignatureScheme::Ecdsa)?;
    let hash = options.hash_of(message, default_hash(curve))?;
    let signature = hashed::sign(key, algorithm(curve), message, hash, Padding::None)?;
    match options.encoding {
        EcdsaEncoding::Der => Ok(signature),
        EcdsaEncoding::P1363 => {
            der_to_p1363(curve, &signature).ok_or(Error::Library("cannot encode a signature"))
        }
    }
}

/// Verifies; `false` also for a signature that does not parse.
pub(crate) fn verify(
    key: &PKey,
    curve: Curve,
    message: Message<'_>,
    signature: &[u8],
    options: &SignOptions,
) -> Result<bool> {
    options.check(algorithm(curve), SignatureScheme::Ecdsa)?;
    let hash = options.hash_of(message, default_hash(curve))?;
    let verify =
        |der: &[u8]| hashed::verify(key, algorithm(curve), message, hash, der, Padding::None);
    match options.encoding {
        EcdsaEncoding::Der => verify(signature),
        EcdsaEncoding::P1363 => {
            p1363_to_der(curve, signature).map_or(Ok(false), |der| verify(&der))
        }
    }
}

/// ECDH: the x coordinate, of the field's length.
pub(crate) fn agree(key: &PKey, peer: &PKey) -> Result<SecretBytes> {
    key.derive(peer)
        .ok_or(Error::InvalidKey("no agreement with this public key"))
}
