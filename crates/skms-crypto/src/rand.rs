//! Randomness: AWS-LC's DRBG (SP 800-90A CTR_DRBG), seeded from the kernel
//! and re-seeded by the library.

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

/// Fills with random bytes fit for keys.
///
/// # Errors
/// [`Error::Library`] when the system gives no randomness.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| Error::Library("random number generator"))
}

/// `N` random bytes that are not secret: nonces, salts, identifiers. For a
/// secret use [`secret`] or [`crate::secret::SecretArray::random`].
///
/// # Errors
/// As [`fill`].
pub fn array<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// `len` secret random bytes.
///
/// # Errors
/// As [`fill`].
pub fn secret(len: usize) -> Result<SecretBytes> {
    SecretBytes::try_with_len(len, fill)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ_and_lengths_hold() {
        assert_ne!(array::<32>().unwrap(), array::<32>().unwrap());
        assert_eq!(secret(77).unwrap().len(), 77);
        assert!(secret(0).unwrap().is_empty());
    }
}
