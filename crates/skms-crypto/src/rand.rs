//! Randomness: AWS-LC's DRBG (SP 800-90A CTR_DRBG), seeded from the kernel
//! and re-seeded by the library.

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

/// Fills with random bytes fit for keys.
///
/// # Errors
/// [`Error::Library`] when the system gives no randomness.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    #[cfg(feature = "test-support")]
    if seeded::fill(bytes) {
        return Ok(());
    }
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

/// The same bytes again from the same seed, for simulations that must repeat
/// themselves. Only the tests of other rooms turn it on; keys made meanwhile
/// are known to everybody.
#[cfg(feature = "test-support")]
pub mod seeded {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use crate::{Hash, Hasher};

    /// The seed and how often it was drawn from.
    static SEEDED: Mutex<Option<(u64, u64)>> = Mutex::new(None);

    fn lock() -> MutexGuard<'static, Option<(u64, u64)>> {
        SEEDED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until this is dropped the whole process draws from a seed.
    #[must_use]
    pub struct Seeded(());

    impl Seeded {
        /// Begins the sequence of this seed.
        pub fn begin(seed: u64) -> Self {
            *lock() = Some((seed, 0));
            Self(())
        }
    }

    impl Drop for Seeded {
        fn drop(&mut self) {
            *lock() = None;
        }
    }

    /// Fills from the seed; false where there is none.
    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        let mut seeded = lock();
        let Some((seed, drawn)) = seeded.as_mut() else {
            return false;
        };
        for chunk in bytes.chunks_mut(32) {
            let mut hasher = Hasher::new(Hash::Sha256);
            hasher.update(&seed.to_be_bytes());
            hasher.update(&drawn.to_be_bytes());
            *drawn += 1;
            let block = hasher.finish();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        true
    }
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
