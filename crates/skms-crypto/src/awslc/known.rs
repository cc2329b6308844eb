//! ML-DSA signing with given randomness, for known-answer tests only: an
//! internal function of AWS-LC, under the name that this version of
//! `aws-lc-sys` links it by. An upgrade of that crate renames it, and the
//! tests then fail to link until the names here follow.

use crate::algorithm::Algorithm;
use crate::error::{Error, Result};

/// Bytes of mu and of the randomness (FIPS 204, algorithm 7).
const MU_BYTES: usize = 64;
const RANDOMNESS_BYTES: usize = 32;

/// `(sk, sig, sig_len, mu, mu_len, pre, pre_len, rnd)`; 1 on success.
type Sign = unsafe extern "C" fn(
    *const u8,
    *mut u8,
    *mut usize,
    *const u8,
    usize,
    *const u8,
    usize,
    *const u8,
) -> core::ffi::c_int;

// SAFETY: declared as in AWS-LC's ml_dsa.h: sk has the parameter set's
// private key length, sig its signature length, mu 64 bytes, rnd 32 bytes.
unsafe extern "C" {
    #[link_name = "aws_lc_0_47_0_ml_dsa_extmu_44_sign_internal"]
    fn sign_44(
        private: *const u8,
        signature: *mut u8,
        signature_len: *mut usize,
        mu: *const u8,
        mu_len: usize,
        pre: *const u8,
        pre_len: usize,
        randomness: *const u8,
    ) -> core::ffi::c_int;
    #[link_name = "aws_lc_0_47_0_ml_dsa_extmu_65_sign_internal"]
    fn sign_65(
        private: *const u8,
        signature: *mut u8,
        signature_len: *mut usize,
        mu: *const u8,
        mu_len: usize,
        pre: *const u8,
        pre_len: usize,
        randomness: *const u8,
    ) -> core::ffi::c_int;
    #[link_name = "aws_lc_0_47_0_ml_dsa_extmu_87_sign_internal"]
    fn sign_87(
        private: *const u8,
        signature: *mut u8,
        signature_len: *mut usize,
        mu: *const u8,
        mu_len: usize,
        pre: *const u8,
        pre_len: usize,
        randomness: *const u8,
    ) -> core::ffi::c_int;
}

/// Signs a 64-byte mu with 32 bytes of given randomness.
pub(crate) fn mldsa_sign_mu(
    algorithm: Algorithm,
    private: &[u8],
    mu: &[u8],
    randomness: &[u8],
) -> Result<Vec<u8>> {
    // FIPS 204, table 2: bytes of private key and signature.
    let (sign, private_len, signature_len): (Sign, usize, usize) = match algorithm {
        Algorithm::MlDsa44 => (sign_44, 2560, 2420),
        Algorithm::MlDsa65 => (sign_65, 4032, 3309),
        Algorithm::MlDsa87 => (sign_87, 4896, 4627),
        _ => return Err(Error::InvalidKey("not an ML-DSA algorithm")),
    };
    for (what, bytes, expected) in [
        ("ML-DSA private key", private, private_len),
        ("mu", mu, MU_BYTES),
        ("randomness", randomness, RANDOMNESS_BYTES),
    ] {
        if bytes.len() != expected {
            return Err(Error::InvalidLength {
                what,
                expected,
                found: bytes.len(),
            });
        }
    }
    let mut signature = vec![0; signature_len];
    let mut written = signature.len();
    // SAFETY: every buffer has the length checked above; a null prefix of no
    // bytes is never read.
    let signed = unsafe {
        sign(
            private.as_ptr(),
            signature.as_mut_ptr(),
            &mut written,
            mu.as_ptr(),
            mu.len(),
            core::ptr::null(),
            0,
            randomness.as_ptr(),
        )
    };
    if signed == 1 && written == signature_len {
        Ok(signature)
    } else {
        Err(Error::Library("ML-DSA signing"))
    }
}
