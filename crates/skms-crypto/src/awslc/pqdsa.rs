//! ML-DSA's own calls, which the validated module does not have.

use core::ffi::c_int;

use super::pkey::{PKey, ok};
use super::sys;

pub(crate) use sys::{NID_MLDSA44, NID_MLDSA65, NID_MLDSA87};

/// A key from its seed (32 bytes) or expanded form.
pub(crate) fn private(nid: c_int, bytes: &[u8]) -> Option<PKey> {
    // SAFETY: pointer and length describe `bytes`; AWS-LC copies them.
    PKey::adopt(unsafe {
        sys::EVP_PKEY_pqdsa_new_raw_private_key(nid, bytes.as_ptr(), bytes.len())
    })
}

/// A public key from its FIPS 204 encoding.
pub(crate) fn public(nid: c_int, bytes: &[u8]) -> Option<PKey> {
    // SAFETY: pointer and length describe `bytes`; AWS-LC copies them.
    PKey::adopt(unsafe { sys::EVP_PKEY_pqdsa_new_raw_public_key(nid, bytes.as_ptr(), bytes.len()) })
}

/// The function that reads the seed of an ML-KEM or ML-DSA key.
pub(super) const SEED: Option<super::pkey::Read> = Some(sys::EVP_PKEY_get_private_seed);

/// Sets an ML-DSA context string.
///
/// # Safety
/// `pctx` is a valid context obtained from `EVP_DigestSignInit` or its
/// verifying twin.
pub(super) unsafe fn set_context(pctx: *mut sys::EVP_PKEY_CTX, context: &[u8]) -> bool {
    // SAFETY: the caller vouches for `pctx`; AWS-LC copies the string.
    ok(unsafe {
        sys::EVP_PKEY_CTX_set1_signature_context_string(pctx, context.as_ptr(), context.len())
    })
}
