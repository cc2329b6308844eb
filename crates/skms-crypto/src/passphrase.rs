//! Keys from passphrases: Argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Params, Version};

use crate::error::{Error, Result};
use crate::secret::SecretArray;

/// The cost of one guess. Stored beside the salt, and read back from there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Argon2id {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Default for Argon2id {
    /// The second recommendation of RFC 9106, section 4.
    ///
    //= https://www.rfc-editor.org/rfc/rfc9106#section-4
    //# If much less memory is available, a uniformly safe option is Argon2id
    //# with t=3 iterations, p=4 lanes, m=2^(16) (64 MiB of RAM), 128-bit salt,
    //# and 256-bit tag size.
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            iterations: 3,
            parallelism: 4,
        }
    }
}

/// Shortest salt, in bytes (RFC 9106 recommends 16).
pub const SALT_MIN: usize = 16;
/// Most memory a stored setting may ask for, in KiB: 4 GiB. A forged header
/// must not be able to exhaust the machine.
const MEMORY_MAX_KIB: u32 = 4 * 1024 * 1024;
const ITERATIONS_MAX: u32 = 64;
const PARALLELISM_MAX: u32 = 64;

impl Argon2id {
    /// As weak and fast as the algorithm allows, for tests of what stands on
    /// top of it.
    #[must_use]
    pub const fn fast_for_tests() -> Self {
        Self {
            memory_kib: 8,
            iterations: 1,
            parallelism: 1,
        }
    }

    /// Derives 256 bits from the passphrase.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a salt under 16 bytes or a cost outside
    /// the bounds (8 KiB a lane to 4 GiB, 1–64 passes, 1–64 lanes).
    pub fn derive(self, passphrase: &[u8], salt: &[u8]) -> Result<SecretArray<32>> {
        if salt.len() < SALT_MIN {
            return Err(Error::InvalidOption("Argon2id salt under 16 bytes"));
        }
        if self.memory_kib > MEMORY_MAX_KIB
            || self.iterations > ITERATIONS_MAX
            || self.parallelism > PARALLELISM_MAX
        {
            return Err(Error::InvalidOption("Argon2id cost too high"));
        }
        let params = Params::new(self.memory_kib, self.iterations, self.parallelism, Some(32))
            .map_err(|_| Error::InvalidOption("Argon2id cost"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        SecretArray::try_init_with(|key| {
            argon2
                .hash_password_into(passphrase, salt, key)
                .map_err(|_| Error::InvalidOption("Argon2id input"))
        })
    }
}

/// Derives 256 bits from the passphrase: [`Argon2id::derive`] as a function.
///
/// # Errors
/// As [`Argon2id::derive`].
pub fn derive(passphrase: &[u8], salt: &[u8], params: Argon2id) -> Result<SecretArray<32>> {
    params.derive(passphrase, salt)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &[u8] = &[9; 16];

    #[test]
    fn passphrase_salt_and_cost_all_matter() {
        let fast = Argon2id::fast_for_tests();
        let key = derive(b"correct horse", SALT, fast).unwrap();
        assert!(
            derive(b"correct horse", SALT, fast)
                .unwrap()
                .ct_eq(key.expose())
        );
        assert!(
            !derive(b"correct Horse", SALT, fast)
                .unwrap()
                .ct_eq(key.expose())
        );
        assert!(
            !derive(b"correct horse", &[8; 16], fast)
                .unwrap()
                .ct_eq(key.expose())
        );
        let dearer = Argon2id {
            iterations: 2,
            ..fast
        };
        assert!(
            !derive(b"correct horse", SALT, dearer)
                .unwrap()
                .ct_eq(key.expose())
        );
    }

    #[test]
    fn refuses_costs_and_salts_out_of_bounds() {
        let fast = Argon2id::fast_for_tests();
        for params in [
            Argon2id {
                memory_kib: 7,
                ..fast
            },
            Argon2id {
                memory_kib: u32::MAX,
                ..fast
            },
            Argon2id {
                iterations: 0,
                ..fast
            },
            Argon2id {
                iterations: 65,
                ..fast
            },
            Argon2id {
                parallelism: 0,
                ..fast
            },
            Argon2id {
                parallelism: 65,
                ..fast
            },
        ] {
            assert!(derive(b"x", SALT, params).is_err(), "{params:?}");
        }
        assert!(derive(b"x", &[0; 15], fast).is_err());
    }

    #[test]
    fn defaults_are_the_rfcs() {
        let defaults = Argon2id::default();
        assert_eq!(
            (
                defaults.memory_kib,
                defaults.iterations,
                defaults.parallelism
            ),
            (1 << 16, 3, 4)
        );
    }
}
