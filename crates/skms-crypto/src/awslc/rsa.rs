//! RSA keys of AWS-LC: building them, and reading their numbers.

use core::ffi::c_int;
use core::ptr::{NonNull, null_mut};

use super::sys;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::bignum::{Bn, to_minimal};
use super::pkey::{PKey, marshal, ok};

/// The secret numbers of an RSA private key, big-endian without leading zeros.
pub(crate) struct Numbers {
    pub(crate) d: SecretBytes,
    pub(crate) p: SecretBytes,
    pub(crate) q: SecretBytes,
    pub(crate) dp: SecretBytes,
    pub(crate) dq: SecretBytes,
    pub(crate) qi: SecretBytes,
}

/// An `RSA` that is freed unless a key takes it over.
struct Handle(NonNull<sys::RSA>);

impl Handle {
    fn adopt(pointer: *mut sys::RSA) -> Option<Self> {
        let handle = NonNull::new(pointer).map(Self);
        if handle.is_none() {
            let _ = ok(0);
        }
        handle
    }

    fn into_key(self) -> Option<PKey> {
        // SAFETY: allocates; null on failure.
        let key = PKey::adopt(unsafe { sys::EVP_PKEY_new() })?;
        // SAFETY: both are valid; on success the key owns the handle.
        if ok(unsafe { sys::EVP_PKEY_assign_RSA(key.as_ptr(), self.0.as_ptr()) }) {
            core::mem::forget(self);
            Some(key)
        } else {
            None
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: owned by this value, freed once.
        unsafe { sys::RSA_free(self.0.as_ptr()) }
    }
}

impl PKey {
    /// A fresh RSA key with e = 65537.
    pub(crate) fn generate_rsa(bits: u16) -> Result<Self> {
        let failed = Error::Library("RSA key generation");
        // SAFETY: allocates; null on failure.
        let Some(handle) = Handle::adopt(unsafe { sys::RSA_new() }) else {
            return Err(failed);
        };
        // The module counts only the one whose exponent is always 65537.
        #[cfg(feature = "fips")]
        // SAFETY: the handle is valid; a null callback is allowed.
        let made = ok(unsafe {
            sys::RSA_generate_key_fips(handle.0.as_ptr(), c_int::from(bits), null_mut())
        });
        #[cfg(not(feature = "fips"))]
        let exponent = Bn::from_bytes(&[1, 0, 1])?;
        #[cfg(not(feature = "fips"))]
        // SAFETY: all pointers are valid; a null callback is allowed.
        let made = ok(unsafe {
            sys::RSA_generate_key_ex(
                handle.0.as_ptr(),
                c_int::from(bits),
                exponent.as_ptr(),
                null_mut(),
            )
        });
        if !made {
            return Err(failed);
        }
        handle.into_key().ok_or(failed)
    }

    /// From a DER `RSAPrivateKey` (RFC 8017, appendix A.1.2). AWS-LC checks
    /// n = p·q, e·d = 1 mod p-1 and q-1, and the CRT values; it does not check
    /// primality.
    pub(crate) fn rsa_private(pkcs1: &[u8]) -> Option<Self> {
        // SAFETY: pointer and length describe the slice; the numbers are copied.
        Handle::adopt(unsafe { sys::RSA_private_key_from_bytes(pkcs1.as_ptr(), pkcs1.len()) })?
            .into_key()
    }

    /// From a DER `RSAPublicKey` (RFC 8017, appendix A.1.1).
    pub(crate) fn rsa_public(pkcs1: &[u8]) -> Option<Self> {
        // SAFETY: pointer and length describe the slice; the numbers are copied.
        Handle::adopt(unsafe { sys::RSA_public_key_from_bytes(pkcs1.as_ptr(), pkcs1.len()) })?
            .into_key()
    }

    /// From modulus and exponent, big-endian.
    pub(crate) fn rsa_public_numbers(n: &[u8], e: &[u8]) -> Option<Self> {
        let (n, e) = (Bn::from_bytes(n).ok()?, Bn::from_bytes(e).ok()?);
        // SAFETY: both integers are valid and copied.
        Handle::adopt(unsafe { sys::RSA_new_public_key(n.as_ptr(), e.as_ptr()) })?.into_key()
    }

    fn rsa(&self) -> Option<*mut sys::RSA> {
        // SAFETY: the borrowed pointer stays valid while `self` is alive.
        let rsa = unsafe { sys::EVP_PKEY_get0_RSA(self.as_ptr()) };
        if rsa.is_null() {
            let _ = ok(0);
            return None;
        }
        Some(rsa)
    }

    /// Bits of the modulus.
    pub(crate) fn rsa_bits(&self) -> Option<usize> {
        // SAFETY: reads a valid key.
        self.rsa().map(|rsa| unsafe { sys::RSA_bits(rsa) } as usize)
    }

    /// Modulus and public exponent.
    pub(crate) fn rsa_public_parts(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let rsa = self.rsa()?;
        // SAFETY: borrowed integers of a valid key; public, hence `into_public`.
        let n = to_minimal(unsafe { sys::RSA_get0_n(rsa) })?.into_public();
        // SAFETY: as above.
        let e = to_minimal(unsafe { sys::RSA_get0_e(rsa) })?.into_public();
        Some((n, e))
    }

    /// Every number of a private key; `None` for a public one.
    pub(crate) fn rsa_numbers(&self) -> Option<Numbers> {
        let rsa = self.rsa()?;
        // SAFETY: each call borrows an integer of a valid key, or gives null,
        // which `to_minimal` turns into `None`.
        unsafe {
            Some(Numbers {
                d: to_minimal(sys::RSA_get0_d(rsa))?,
                p: to_minimal(sys::RSA_get0_p(rsa))?,
                q: to_minimal(sys::RSA_get0_q(rsa))?,
                dp: to_minimal(sys::RSA_get0_dmp1(rsa))?,
                dq: to_minimal(sys::RSA_get0_dmq1(rsa))?,
                qi: to_minimal(sys::RSA_get0_iqmp(rsa))?,
            })
        }
    }

    /// The DER `RSAPrivateKey`.
    pub(crate) fn rsa_to_pkcs1(&self) -> Result<Zeroizing<Vec<u8>>> {
        let rsa = self.rsa().ok_or(Error::InvalidKey("not an RSA key"))?;
        // SAFETY: both pointers are valid for the call.
        marshal(|cbb| unsafe { sys::RSA_marshal_private_key(cbb, rsa) })
    }

    /// The DER `RSAPublicKey`.
    pub(crate) fn rsa_public_to_pkcs1(&self) -> Result<Vec<u8>> {
        let rsa = self.rsa().ok_or(Error::InvalidKey("not an RSA key"))?;
        // SAFETY: both pointers are valid for the call.
        marshal(|cbb| unsafe { sys::RSA_marshal_public_key(cbb, rsa) }).map(|der| der.to_vec())
    }
}
