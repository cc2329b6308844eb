//! The AES block cipher of AWS-LC, its schedule expanded once, and the two
//! key-wrap modes on it (RFC 3394, RFC 5649; SP 800-38F).

use core::ptr::null;

use super::sys;
use zeroize::Zeroize;

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::pkey::ok;

/// An expanded schedule, on the heap so that moving the owner leaves no copy.
struct Schedule(Box<sys::AES_KEY>);

impl Schedule {
    fn blank() -> Self {
        Self(Box::new(sys::AES_KEY {
            rd_key: [0; 60],
            rounds: 0,
        }))
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.0.rd_key.zeroize();
    }
}

fn bits(key: &[u8]) -> Result<u32> {
    match key.len() {
        16 => Ok(128),
        24 => Ok(192),
        32 => Ok(256),
        found => Err(Error::InvalidLength {
            what: "AES key",
            expected: 32,
            found,
        }),
    }
}

/// AES in the encrypting direction.
pub(crate) struct Encryptor(Schedule);

impl Encryptor {
    /// Expands a key of 16, 24 or 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Result<Self> {
        let bits = bits(key)?;
        let mut schedule = Schedule::blank();
        // SAFETY: the key has `bits` bits, the schedule room for any of them.
        if unsafe { sys::AES_set_encrypt_key(key.as_ptr(), bits, &mut *schedule.0) } != 0 {
            return Err(Error::Library("AES key schedule"));
        }
        Ok(Self(schedule))
    }

    /// Encrypts one block in place.
    pub(crate) fn block(&self, block: &mut [u8; 16]) {
        // SAFETY: both pointers are one whole block; in place is allowed.
        unsafe { sys::AES_encrypt(block.as_ptr(), block.as_mut_ptr(), &*self.0.0) }
    }

    /// RFC 3394: 8 bytes longer than the key, whose length is a multiple of
    /// 8 and at least 16.
    pub(crate) fn wrap(&self, key: &[u8]) -> Result<Vec<u8>> {
        if key.len() < 16 || !key.len().is_multiple_of(8) {
            return Err(Error::InvalidOption(
                "AES-KW wraps multiples of 8 bytes from 16 up; AES-KWP wraps any length",
            ));
        }
        let mut out = vec![0; key.len() + 8];
        // SAFETY: `out` is 8 bytes longer than the input; a null IV asks for
        // the default one of RFC 3394, section 2.2.3.1.
        let written = unsafe {
            sys::AES_wrap_key(
                &*self.0.0,
                null(),
                out.as_mut_ptr(),
                key.as_ptr(),
                key.len(),
            )
        };
        if usize::try_from(written) == Ok(out.len()) {
            Ok(out)
        } else {
            Err(Error::TooLong {
                what: "key to wrap",
                limit: (1 << 31) - 16,
            })
        }
    }

    /// RFC 5649: padded to a multiple of 8 bytes, then 8 bytes longer.
    pub(crate) fn wrap_padded(&self, key: &[u8]) -> Result<Vec<u8>> {
        if key.is_empty() {
            return Err(Error::InvalidOption("AES-KWP wraps at least one byte"));
        }
        if key.len() > i32::MAX as usize - 16 {
            return Err(Error::TooLong {
                what: "key to wrap",
                limit: (1 << 31) - 16,
            });
        }
        let mut out = vec![0; key.len().next_multiple_of(8) + 8];
        let mut written = 0;
        // SAFETY: every pointer comes with its length.
        let wrapped = ok(unsafe {
            sys::AES_wrap_key_padded(
                &*self.0.0,
                out.as_mut_ptr(),
                &mut written,
                out.len(),
                key.as_ptr(),
                key.len(),
            )
        });
        if wrapped && written == out.len() {
            Ok(out)
        } else {
            Err(Error::Library("AES-KWP"))
        }
    }
}

/// AES in the decrypting direction.
pub(crate) struct Decryptor(Schedule);

impl Decryptor {
    /// Expands a key of 16, 24 or 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Result<Self> {
        let bits = bits(key)?;
        let mut schedule = Schedule::blank();
        // SAFETY: the key has `bits` bits, the schedule room for any of them.
        if unsafe { sys::AES_set_decrypt_key(key.as_ptr(), bits, &mut *schedule.0) } != 0 {
            return Err(Error::Library("AES key schedule"));
        }
        Ok(Self(schedule))
    }

    /// Reverses [`Encryptor::wrap`]; [`Error::Unwrap`] when the integrity
    /// check fails.
    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Result<SecretBytes> {
        if wrapped.len() < 24 || !wrapped.len().is_multiple_of(8) {
            return Err(Error::Unwrap);
        }
        SecretBytes::try_with_len(wrapped.len() - 8, |out| {
            // SAFETY: `out` is 8 bytes shorter than the input, which is what
            // this writes; a null IV asks for the default one.
            let written = unsafe {
                sys::AES_unwrap_key(
                    &*self.0.0,
                    null(),
                    out.as_mut_ptr(),
                    wrapped.as_ptr(),
                    wrapped.len(),
                )
            };
            if usize::try_from(written) == Ok(out.len()) {
                Ok(())
            } else {
                Err(Error::Unwrap)
            }
        })
    }

    /// Reverses [`Encryptor::wrap_padded`]; [`Error::Unwrap`] when the
    /// integrity check fails.
    pub(crate) fn unwrap_padded(&self, wrapped: &[u8]) -> Result<SecretBytes> {
        if wrapped.len() < 16 || !wrapped.len().is_multiple_of(8) {
            return Err(Error::Unwrap);
        }
        let mut written = 0;
        let mut key = SecretBytes::try_with_len(wrapped.len() - 8, |out| {
            // SAFETY: every pointer comes with its length.
            let unwrapped = ok(unsafe {
                sys::AES_unwrap_key_padded(
                    &*self.0.0,
                    out.as_mut_ptr(),
                    &mut written,
                    out.len(),
                    wrapped.as_ptr(),
                    wrapped.len(),
                )
            });
            if unwrapped {
                Ok(())
            } else {
                Err(Error::Unwrap)
            }
        })?;
        key.truncate(written);
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_out_of_range_are_refused() {
        let (encryptor, decryptor) = (
            Encryptor::new(&[1; 24]).unwrap(),
            Decryptor::new(&[1; 24]).unwrap(),
        );
        for len in [0, 8, 15, 17, 23] {
            assert!(encryptor.wrap(&vec![0; len]).is_err(), "{len}");
            assert!(decryptor.unwrap(&vec![0; len]).is_err(), "{len}");
        }
        assert!(encryptor.wrap_padded(&[]).is_err());
        for len in [0, 8, 15, 17] {
            assert!(decryptor.unwrap_padded(&vec![0; len]).is_err(), "{len}");
        }
        assert!(Encryptor::new(&[0; 20]).is_err());
        assert!(Decryptor::new(&[]).is_err());
    }

    #[test]
    fn padding_hides_and_returns_every_length() {
        let (encryptor, decryptor) = (
            Encryptor::new(&[1; 16]).unwrap(),
            Decryptor::new(&[1; 16]).unwrap(),
        );
        for len in 1..40 {
            let wrapped = encryptor.wrap_padded(&vec![5; len]).unwrap();
            assert!(
                decryptor
                    .unwrap_padded(&wrapped)
                    .unwrap()
                    .ct_eq(&vec![5; len])
            );
            // The two modes do not accept each other's output.
            assert!(decryptor.unwrap(&wrapped).is_err());
        }
        let wrapped = encryptor.wrap(&[5; 16]).unwrap();
        assert!(decryptor.unwrap_padded(&wrapped).is_err());
    }
}
