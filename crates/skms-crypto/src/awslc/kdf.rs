//! Password-based key derivation as PKCS#8 files use it.

use super::sys;

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::md::Digest;
use super::pkey::ok;

/// Most memory that scrypt may use, in bytes: what the file asks for must fit.
const SCRYPT_MEMORY: usize = 256 << 20;
/// Most work that scrypt may be asked for: N·r·p. The usual files ask for
/// 2^14·8·1; this is a hundred times as much, a few seconds.
const SCRYPT_WORK: u64 = 1 << 24;

/// PBKDF2 with HMAC (RFC 8018, section 5.2).
///
/// # Errors
/// [`Error::Library`].
pub(crate) fn pbkdf2(
    digest: Digest,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    length: usize,
) -> Result<SecretBytes> {
    SecretBytes::try_with_len(length, |out| {
        // SAFETY: every pointer and length describes its slice.
        let done = ok(unsafe {
            sys::PKCS5_PBKDF2_HMAC(
                password.as_ptr().cast(),
                password.len(),
                salt.as_ptr(),
                salt.len(),
                iterations,
                digest.as_ptr(),
                out.len(),
                out.as_mut_ptr(),
            )
        });
        if done {
            Ok(())
        } else {
            Err(Error::Library("PBKDF2"))
        }
    })
}

/// scrypt (RFC 7914), at most 256 MiB.
///
/// # Errors
/// [`Error::InvalidOption`] for parameters out of range or too large.
pub(crate) fn scrypt(
    password: &[u8],
    salt: &[u8],
    (n, r, p): (u64, u64, u64),
    length: usize,
) -> Result<SecretBytes> {
    let work = n.checked_mul(r).and_then(|work| work.checked_mul(p));
    if work.is_none_or(|work| work > SCRYPT_WORK) {
        return Err(Error::InvalidOption("scrypt asks for too much work"));
    }
    SecretBytes::try_with_len(length, |out| {
        // SAFETY: every pointer and length describes its slice.
        let done = ok(unsafe {
            sys::EVP_PBE_scrypt(
                password.as_ptr().cast(),
                password.len(),
                salt.as_ptr(),
                salt.len(),
                n,
                r,
                p,
                SCRYPT_MEMORY,
                out.as_mut_ptr(),
                out.len(),
            )
        });
        if done {
            Ok(())
        } else {
            Err(Error::InvalidOption("scrypt parameters too large"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrypt_refuses_more_work_than_its_bound() {
        assert!(scrypt(b"password", b"salt", (1 << 14, 8, 1), 32).is_ok());
        // As much memory as that, ten thousand times the work.
        for costs in [(1 << 14, 8, 10_000), (1 << 60, 8, 8)] {
            let refused = scrypt(b"password", b"salt", costs, 32);
            assert!(matches!(refused, Err(Error::InvalidOption(_))));
        }
    }
}
