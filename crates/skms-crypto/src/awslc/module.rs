//! What the validated module says of itself, and calls that only it needs.

use core::ffi::{CStr, c_int};
use core::ptr::null_mut;

use super::pkey::{Context, PKey, ok};
use super::sys;

/// Whether its power-on tests have passed: it aborts the process otherwise.
pub(crate) fn in_fips_mode() -> bool {
    // SAFETY: takes nothing and reads a constant of the module.
    unsafe { sys::FIPS_mode() == 1 }
}

/// Its name and version.
pub(crate) fn version() -> &'static str {
    // SAFETY: returns a static string that ends with a zero byte.
    unsafe { CStr::from_ptr(sys::awslc_version_string()) }
        .to_str()
        .unwrap_or_default()
}

/// How many approved services this thread has been given so far: the module's
/// service indicator (FIPS 140-3 implementation guidance 2.4.C).
pub(crate) fn approved_services() -> u64 {
    // SAFETY: reads this thread's counter.
    unsafe { sys::FIPS_service_indicator_after_call() }
}

impl PKey {
    /// Generates an Ed25519 key pair by the module's own service.
    pub(crate) fn generate_ed25519() -> Option<Self> {
        let context = Context::for_type(sys::EVP_PKEY_ED25519).ok()?;
        let mut key: *mut sys::EVP_PKEY = null_mut();
        // SAFETY: the context is valid; on success `key` is owned by the caller.
        let made = unsafe {
            ok(sys::EVP_PKEY_keygen_init(context.as_ptr()))
                && ok(sys::EVP_PKEY_keygen(context.as_ptr(), &mut key))
        };
        if made { Self::adopt(key) } else { None }
    }

    /// An ML-KEM key pair from its seed d ‖ z: the module does not read seeds
    /// in the form of RFC 9935.
    pub(crate) fn mlkem_from_seed(nid: c_int, seed: &[u8]) -> Option<Self> {
        let context = Context::for_type(sys::EVP_PKEY_KEM).ok()?;
        let mut key: *mut sys::EVP_PKEY = null_mut();
        let mut length = seed.len();
        // SAFETY: as above; `length` describes the seed, whose length AWS-LC checks.
        let made = unsafe {
            ok(sys::EVP_PKEY_CTX_kem_set_params(context.as_ptr(), nid))
                && ok(sys::EVP_PKEY_keygen_init(context.as_ptr()))
                && ok(sys::EVP_PKEY_keygen_deterministic(
                    context.as_ptr(),
                    &mut key,
                    seed.as_ptr(),
                    &mut length,
                ))
        };
        if made { Self::adopt(key) } else { None }
    }
}
