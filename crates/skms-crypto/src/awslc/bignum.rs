//! Big integers of AWS-LC, for the checks that an imported key must pass.

use core::ffi::c_int;
use core::ptr::{NonNull, null, null_mut};

use super::sys;

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::pkey::ok;

/// Rounds of Miller-Rabin for numbers that someone else chose: the error is at
/// most 4^-64 whatever the number (FIPS 186-5, appendix B.3; OpenSSL uses as many).
const CHECKS: c_int = 64;

/// An owned integer, cleansed when dropped.
pub(crate) struct Bn(NonNull<sys::BIGNUM>);

impl Drop for Bn {
    fn drop(&mut self) {
        // SAFETY: owned by this value, freed once; the clearing form erases it.
        unsafe { sys::BN_clear_free(self.0.as_ptr()) }
    }
}

/// A scratch space for big-number arithmetic.
pub(super) struct Scratch(NonNull<sys::BN_CTX>);

impl Scratch {
    pub(super) fn new() -> Result<Self> {
        // SAFETY: allocates; null on failure.
        NonNull::new(unsafe { sys::BN_CTX_new() })
            .map(Self)
            .ok_or(Error::Library("no memory for integers"))
    }

    pub(super) fn as_ptr(&self) -> *mut sys::BN_CTX {
        self.0.as_ptr()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: owned by this value, freed once.
        unsafe { sys::BN_CTX_free(self.0.as_ptr()) }
    }
}

impl Bn {
    fn adopt(pointer: *mut sys::BIGNUM) -> Result<Self> {
        NonNull::new(pointer)
            .map(Self)
            .ok_or(Error::Library("no memory for integers"))
    }

    /// Zero.
    pub(super) fn zero() -> Result<Self> {
        // SAFETY: allocates; null on failure.
        Self::adopt(unsafe { sys::BN_new() })
    }

    /// From big-endian bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        // SAFETY: pointer and length describe `bytes`; AWS-LC copies them.
        Self::adopt(unsafe { sys::BN_bin2bn(bytes.as_ptr(), bytes.len(), null_mut()) })
    }

    pub(super) fn as_ptr(&self) -> *const sys::BIGNUM {
        self.0.as_ptr()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut sys::BIGNUM {
        self.0.as_ptr()
    }

    /// Gives the integer to a C structure that will free it.
    pub(super) fn into_ptr(self) -> *mut sys::BIGNUM {
        let pointer = self.0.as_ptr();
        core::mem::forget(self);
        pointer
    }

    /// The remainder of dividing by a small number; `None` for zero.
    pub(crate) fn remainder(&self, divisor: u16) -> Option<u16> {
        // SAFETY: reads a valid integer; a zero divisor gives all ones.
        let rest = unsafe { sys::BN_mod_word(self.as_ptr(), divisor.into()) };
        u16::try_from(rest).ok()
    }

    /// How many bits the value has.
    pub(crate) fn bits(&self) -> usize {
        // SAFETY: reads a valid integer.
        unsafe { sys::BN_num_bits(self.as_ptr()) as usize }
    }

    /// Big-endian bytes, padded on the left to `length`; `None` if it does not fit.
    #[cfg(test)]
    pub(crate) fn to_padded(&self, length: usize) -> Option<SecretBytes> {
        to_padded(self.as_ptr(), length)
    }

    /// Whether the value is odd.
    pub(crate) fn is_odd(&self) -> bool {
        // SAFETY: reads a valid integer.
        unsafe { sys::BN_is_odd(self.as_ptr()) == 1 }
    }

    /// Whether this value is smaller than `other`.
    pub(crate) fn less_than(&self, other: &Bn) -> bool {
        // SAFETY: reads two valid integers.
        unsafe { sys::BN_ucmp(self.as_ptr(), other.as_ptr()) < 0 }
    }

    /// |self - other|, in bits.
    pub(crate) fn distance_bits(&self, other: &Bn) -> Result<usize> {
        let mut difference = Self::zero()?;
        // SAFETY: all three are valid integers.
        if !ok(unsafe { sys::BN_sub(difference.as_mut_ptr(), self.as_ptr(), other.as_ptr()) }) {
            return Err(Error::Library("subtraction"));
        }
        Ok(difference.bits())
    }

    /// Whether the value is a (probable) prime: trial division, then 64 rounds
    /// of Miller-Rabin with random bases.
    pub(crate) fn is_prime(&self) -> Result<bool> {
        let scratch = Scratch::new()?;
        let mut probably: c_int = 0;
        // SAFETY: all pointers are valid; a null callback is allowed.
        let done = ok(unsafe {
            sys::BN_primality_test(
                &mut probably,
                self.as_ptr(),
                CHECKS,
                scratch.as_ptr(),
                1,
                null_mut(),
            )
        });
        if done {
            Ok(probably == 1)
        } else {
            Err(Error::Library("primality test"))
        }
    }

    /// `from` - self; both are taken as non-negative.
    pub(crate) fn sub_from(&self, from: &Bn) -> Result<Bn> {
        let mut out = Self::zero()?;
        // SAFETY: all three are valid integers.
        if ok(unsafe { sys::BN_sub(out.as_mut_ptr(), from.as_ptr(), self.as_ptr()) }) {
            Ok(out)
        } else {
            Err(Error::Library("subtraction"))
        }
    }

    /// self · other mod `modulus`. Not constant-time: for public numbers only.
    pub(crate) fn mul_mod(&self, other: &Bn, modulus: &Bn) -> Result<Bn> {
        let scratch = Scratch::new()?;
        let mut out = Self::zero()?;
        // SAFETY: all pointers are valid.
        let done = ok(unsafe {
            sys::BN_mod_mul(
                out.as_mut_ptr(),
                self.as_ptr(),
                other.as_ptr(),
                modulus.as_ptr(),
                scratch.as_ptr(),
            )
        });
        if done {
            Ok(out)
        } else {
            Err(Error::Library("multiplication"))
        }
    }

    /// self + other mod `modulus`. Not constant-time: for public numbers only.
    pub(crate) fn add_mod(&self, other: &Bn, modulus: &Bn) -> Result<Bn> {
        let scratch = Scratch::new()?;
        let mut out = Self::zero()?;
        // SAFETY: all pointers are valid.
        let done = ok(unsafe {
            sys::BN_mod_add(
                out.as_mut_ptr(),
                self.as_ptr(),
                other.as_ptr(),
                modulus.as_ptr(),
                scratch.as_ptr(),
            )
        });
        if done {
            Ok(out)
        } else {
            Err(Error::Library("addition"))
        }
    }

    /// self^exponent mod `modulus` (odd), in time that does not depend on the exponent's bits.
    pub(crate) fn power_mod(&self, exponent: &Bn, modulus: &Bn) -> Result<Bn> {
        let scratch = Scratch::new()?;
        let mut out = Self::zero()?;
        // SAFETY: all pointers are valid; a null Montgomery context is computed inside.
        let done = ok(unsafe {
            sys::BN_mod_exp_mont_consttime(
                out.as_mut_ptr(),
                self.as_ptr(),
                exponent.as_ptr(),
                modulus.as_ptr(),
                scratch.as_ptr(),
                null(),
            )
        });
        if done {
            Ok(out)
        } else {
            Err(Error::Library("exponentiation"))
        }
    }
}

/// Big-endian bytes of a borrowed integer, padded on the left to `length`.
pub(super) fn to_padded(number: *const sys::BIGNUM, length: usize) -> Option<SecretBytes> {
    let mut good = false;
    let bytes = SecretBytes::with_len(length, |out| {
        // SAFETY: the integer is valid and the buffer has `length` bytes.
        good = ok(unsafe { sys::BN_bn2bin_padded(out.as_mut_ptr(), out.len(), number) });
    });
    good.then_some(bytes)
}

/// Big-endian bytes of a borrowed integer, as many as it needs (at least one).
pub(super) fn to_minimal(number: *const sys::BIGNUM) -> Option<SecretBytes> {
    if number.is_null() {
        return None;
    }
    // SAFETY: reads a valid integer.
    let length = unsafe { sys::BN_num_bytes(number) } as usize;
    to_padded(number, length.max(1))
}
