//! In the place of ML-DSA's own calls: the validated module has none. The
//! registry refuses the algorithm before anything gets here.

use core::ffi::c_int;

use super::pkey::PKey;
use super::sys;

/// Numbers that no key has.
pub(crate) const NID_MLDSA44: c_int = 0;
pub(crate) const NID_MLDSA65: c_int = 0;
pub(crate) const NID_MLDSA87: c_int = 0;

/// There is none.
pub(crate) fn private(_nid: c_int, _bytes: &[u8]) -> Option<PKey> {
    None
}

/// There is none.
pub(crate) fn public(_nid: c_int, _bytes: &[u8]) -> Option<PKey> {
    None
}

/// The module does not keep the seeds of ML-KEM keys; records hold the
/// expanded key.
pub(super) const SEED: Option<super::pkey::Read> = None;

/// Nothing that is offered here takes a context string.
///
/// # Safety
/// Touches nothing.
pub(super) unsafe fn set_context(_pctx: *mut sys::EVP_PKEY_CTX, _context: &[u8]) -> bool {
    false
}
