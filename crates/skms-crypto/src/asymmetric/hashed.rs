//! Signatures over what is hashed first (RSA, ECDSA).
//!
//! Ordinarily the digest is made here and AWS-LC's primitive signs it, so that
//! a digest made elsewhere takes the same way. On the validated module only
//! the service that hashes itself is an approved one: there the whole message
//! is handed over, and a digest made elsewhere is refused.

use crate::algorithm::Algorithm;
use crate::awslc::pkey::{PKey, Padding};
use crate::error::Result;
use crate::hash::Hash;
use crate::open::Message;

/// Signs `message`, whose hash the caller has checked.
#[cfg(not(feature = "fips"))]
pub(super) fn sign(
    key: &PKey,
    _algorithm: Algorithm,
    message: Message<'_>,
    hash: Hash,
    padding: Padding,
) -> Result<Vec<u8>> {
    match message {
        Message::Raw(bytes) => key.sign_digest(&hash.digest(bytes), padding),
        Message::Digest(digest, _) => key.sign_digest(digest, padding),
    }
}

/// Verifies a signature over `message`, whose hash the caller has checked.
#[cfg(not(feature = "fips"))]
pub(super) fn verify(
    key: &PKey,
    _algorithm: Algorithm,
    message: Message<'_>,
    hash: Hash,
    signature: &[u8],
    padding: Padding,
) -> Result<bool> {
    Ok(match message {
        Message::Raw(bytes) => key.verify_digest(&hash.digest(bytes), signature, padding),
        Message::Digest(digest, _) => key.verify_digest(digest, signature, padding),
    })
}

/// Signs `message`, whose hash the caller has checked.
#[cfg(feature = "fips")]
pub(super) fn sign(
    key: &PKey,
    algorithm: Algorithm,
    message: Message<'_>,
    hash: Hash,
    padding: Padding,
) -> Result<Vec<u8>> {
    match message {
        Message::Raw(bytes) => key.sign_hashing(hash.into(), bytes, padding),
        Message::Digest(digest, _) => {
            crate::fips::ensure(algorithm, false, ELSEWHERE)?;
            key.sign_digest(digest, padding)
        }
    }
}

/// Verifies a signature over `message`, whose hash the caller has checked.
#[cfg(feature = "fips")]
pub(super) fn verify(
    key: &PKey,
    algorithm: Algorithm,
    message: Message<'_>,
    hash: Hash,
    signature: &[u8],
    padding: Padding,
) -> Result<bool> {
    match message {
        Message::Raw(bytes) => Ok(key.verify_hashing(hash.into(), bytes, signature, padding)),
        Message::Digest(digest, _) => {
            crate::fips::ensure(algorithm, false, ELSEWHERE)?;
            Ok(key.verify_digest(digest, signature, padding))
        }
    }
}

#[cfg(feature = "fips")]
const ELSEWHERE: &str = "a signature over a digest made elsewhere";
