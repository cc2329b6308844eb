//! Nonces for the ciphers.
//!
//! Each is drawn from the library's generator when it is needed. Drawing many
//! at once and handing them out would save part of a microsecond, but what is
//! drawn ahead survives in both halves of a forked process or a cloned virtual
//! machine, and one nonce used twice breaks GCM. AWS-LC's generator notices
//! forks and mixes in fresh randomness at every call.

use crate::error::Result;

/// Fills with random bytes.
pub(super) fn fill(nonce: &mut [u8]) -> Result<()> {
    crate::rand::fill(nonce)
}
