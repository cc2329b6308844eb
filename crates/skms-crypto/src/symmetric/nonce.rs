//! Nonces for the ciphers.

use crate::error::Result;

/// Fills with random bytes.
pub(super) fn fill(nonce: &mut [u8]) -> Result<()> {
    crate::rand::fill(nonce)
}
