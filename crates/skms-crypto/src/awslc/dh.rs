//! Finite-field Diffie-Hellman of AWS-LC over explicit safe-prime groups.

use core::ffi::c_int;
use core::ptr::NonNull;

use super::sys;

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::bignum::{Bn, to_padded};
use super::pkey::ok;

/// A group, and perhaps a private exponent in it.
pub(crate) struct Dh {
    handle: NonNull<sys::DH>,
    bytes: usize,
}

// SAFETY: after construction the handle is only read, save for the cached
// Montgomery context, which AWS-LC fills under its own lock.
unsafe impl Send for Dh {}
// SAFETY: as above.
unsafe impl Sync for Dh {}

impl Drop for Dh {
    fn drop(&mut self) {
        // SAFETY: owned by this value, freed once; the exponent is cleansed.
        unsafe { sys::DH_free(self.handle.as_ptr()) }
    }
}

impl Dh {
    /// The group of the safe prime `p`, with q = (p - 1) / 2 and generator 2.
    fn group(p: &[u8]) -> Result<Self> {
        let failed = || Error::Library("cannot set up a Diffie-Hellman group");
        // SAFETY: allocates; null on failure.
        let handle = NonNull::new(unsafe { sys::DH_new() }).ok_or_else(failed)?;
        let dh = Self {
            handle,
            bytes: p.len(),
        };
        let (prime, order, generator) = (
            Bn::from_bytes(p)?,
            Bn::from_bytes(&half(p))?,
            Bn::from_bytes(&[2])?,
        );
        let (prime, order, generator) = (prime.into_ptr(), order.into_ptr(), generator.into_ptr());
        // SAFETY: the handle takes the three integers over; with none of them
        // null the call cannot fail.
        if ok(unsafe { sys::DH_set0_pqg(dh.handle.as_ptr(), prime, order, generator) }) {
            Ok(dh)
        } else {
            Err(failed())
        }
    }

    /// A fresh exponent, uniform in 1..q (SP 800-56A rev. 3, section 5.6.1.1.4).
    pub(crate) fn generate(p: &[u8]) -> Result<Self> {
        let dh = Self::group(p)?;
        // SAFETY: the group is set.
        if ok(unsafe { sys::DH_generate_key(dh.handle.as_ptr()) }) {
            Ok(dh)
        } else {
            Err(Error::Library("Diffie-Hellman key generation"))
        }
    }

    /// With the given exponent; its public value is computed.
    pub(crate) fn from_exponent(p: &[u8], exponent: &[u8]) -> Result<Self> {
        let dh = Self::group(p)?;
        let exponent = Bn::from_bytes(exponent)?;
        if exponent.bits() == 0 || !exponent.less_than(&Bn::from_bytes(&half(p))?) {
            return Err(Error::InvalidKey("exponent out of range"));
        }
        let exponent = exponent.into_ptr();
        // SAFETY: the handle takes the exponent over and then computes g^x; the
        // setter cannot fail.
        let set = unsafe {
            ok(sys::DH_set0_key(
                dh.handle.as_ptr(),
                core::ptr::null_mut(),
                exponent,
            )) && ok(sys::DH_generate_key(dh.handle.as_ptr()))
        };
        if set {
            Ok(dh)
        } else {
            Err(Error::Library("Diffie-Hellman public value"))
        }
    }

    /// The private exponent, padded to the prime's length.
    pub(crate) fn exponent(&self) -> Option<SecretBytes> {
        // SAFETY: borrows an integer of a valid handle, or gives null.
        let number = unsafe { sys::DH_get0_priv_key(self.handle.as_ptr()) };
        if number.is_null() {
            return None;
        }
        to_padded(number, self.bytes)
    }

    /// The public value, padded to the prime's length.
    pub(crate) fn public(&self) -> Option<Vec<u8>> {
        // SAFETY: borrows an integer of a valid handle, or gives null.
        let number = unsafe { sys::DH_get0_pub_key(self.handle.as_ptr()) };
        if number.is_null() {
            return None;
        }
        to_padded(number, self.bytes).map(SecretBytes::into_public)
    }

    /// Whether `y` is a proper public value: 1 < y < p - 1 and y^q = 1
    /// (SP 800-56A rev. 3, section 5.6.2.3.1).
    pub(crate) fn check_public(p: &[u8], y: &[u8]) -> Result<bool> {
        let dh = Self::group(p)?;
        let y = Bn::from_bytes(y)?;
        let mut flags: c_int = 0;
        // SAFETY: all pointers are valid.
        let checked =
            ok(unsafe { sys::DH_check_pub_key(dh.handle.as_ptr(), y.as_ptr(), &mut flags) });
        Ok(checked && flags == 0)
    }

    /// The shared secret with `y`, padded to the prime's length; `y` is
    /// checked again on the way, and the results 0, 1 and p - 1 are refused.
    pub(crate) fn agree(&self, y: &[u8]) -> Option<SecretBytes> {
        let y = Bn::from_bytes(y).ok()?;
        let mut written: c_int = -1;
        let secret = SecretBytes::with_len(self.bytes, |out| {
            // SAFETY: the buffer has the prime's length, which AWS-LC fills.
            written = unsafe {
                sys::DH_compute_key_padded(out.as_mut_ptr(), y.as_ptr(), self.handle.as_ptr())
            };
        });
        if usize::try_from(written) == Ok(self.bytes) {
            Some(secret)
        } else {
            let _ = ok(0);
            None
        }
    }
}

/// (p - 1) / 2 of an odd p, big-endian.
pub(crate) fn half(p: &[u8]) -> Vec<u8> {
    let mut carry = 0u8;
    p.iter()
        .map(|&byte| {
            let out = (byte >> 1) | (carry << 7);
            carry = byte & 1;
            out
        })
        .collect()
}

/// The prime of the group that AWS-LC ships under this size (tests compare it).
#[cfg(test)]
pub(crate) fn builtin_prime(bits: usize) -> Option<Vec<u8>> {
    // SAFETY: allocates; null on failure.
    let handle = NonNull::new(unsafe {
        match bits {
            2048 => sys::DH_get_rfc7919_2048(),
            4096 => sys::DH_get_rfc7919_4096(),
            _ => return None,
        }
    })?;
    let dh = Dh {
        handle,
        bytes: bits / 8,
    };
    // SAFETY: borrows an integer of a valid handle.
    to_padded(unsafe { sys::DH_get0_p(dh.handle.as_ptr()) }, dh.bytes).map(SecretBytes::into_public)
}
