//! X25519 key agreement (RFC 7748, section 5).

use crate::awslc::pkey::PKey;
use crate::error::{Error, Result};
use crate::secret::SecretBytes;

/// A fresh key.
pub(crate) fn generate() -> Result<PKey> {
    private(crate::rand::secret(32)?.expose(), None)
}

/// From a 32-byte scalar; a public key that came along must be the scalar's.
pub(crate) fn private(scalar: &[u8], claimed: Option<&[u8]>) -> Result<PKey> {
    let key = PKey::x25519_private(scalar).ok_or(Error::InvalidKey("X25519 scalar of 32 bytes"))?;
    if claimed.is_some() && key.raw_public().as_deref() != claimed {
        return Err(Error::InvalidKey("X25519 public key is not the scalar's"));
    }
    Ok(key)
}

/// From a 32-byte u coordinate. Those of small order are refused: with them
/// every private key agrees on zero.
pub(crate) fn public(bytes: &[u8]) -> Result<PKey> {
    let key =
        PKey::x25519_public(bytes).ok_or(Error::InvalidKey("X25519 public key of 32 bytes"))?;
    // Scalars are multiples of the cofactor, so any one of them tells.
    agree(&generate()?, &key).map_err(|_| Error::WeakKey("X25519 point of small order"))?;
    Ok(key)
}

/// The shared secret, 32 bytes.
pub(crate) fn agree(key: &PKey, peer: &PKey) -> Result<SecretBytes> {
    //= https://www.rfc-editor.org/rfc/rfc7748#section-6.1
    //# The check for the all-zero value results from the fact that the
    //# X25519 function produces that value if it operates on an input
    //# corresponding to a point with small order
    key.derive(peer)
        .filter(|secret| !secret.ct_eq(&[0; 32]))
        .ok_or(Error::InvalidKey("no agreement with this public key"))
}
