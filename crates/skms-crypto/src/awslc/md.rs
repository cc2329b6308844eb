//! AWS-LC's digest tables, by name.

use super::sys;

/// A hash function that AWS-LC can use inside a signature or OAEP.
///
/// Wider than the registry's [`crate::hash::Hash`]: SHA-1, the 224-bit hashes
/// and the truncated SHA-512 forms are here so that published vectors can be
/// judged. The registry's policy offers none of the short ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-1 (FIPS 180-4); refused by policy everywhere but in vector tests.
    Sha1,
    /// SHA-224 (FIPS 180-4).
    Sha224,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-384 (FIPS 180-4).
    Sha384,
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// SHA-512/224 (FIPS 180-4).
    #[cfg(feature = "known-answers")]
    Sha512_224,
    /// SHA-512/256 (FIPS 180-4).
    Sha512_256,
    /// SHA3-224 (FIPS 202).
    #[cfg(feature = "known-answers")]
    Sha3_224,
    /// SHA3-256 (FIPS 202).
    Sha3_256,
    /// SHA3-384 (FIPS 202).
    Sha3_384,
    /// SHA3-512 (FIPS 202).
    Sha3_512,
}

impl Digest {
    /// The static table; never null.
    pub(crate) fn as_ptr(self) -> *const sys::EVP_MD {
        // SAFETY: each function returns a pointer to a static table.
        unsafe {
            match self {
                Self::Sha1 => sys::EVP_sha1(),
                Self::Sha224 => sys::EVP_sha224(),
                Self::Sha256 => sys::EVP_sha256(),
                Self::Sha384 => sys::EVP_sha384(),
                Self::Sha512 => sys::EVP_sha512(),
                #[cfg(feature = "known-answers")]
                Self::Sha512_224 => sys::EVP_sha512_224(),
                Self::Sha512_256 => sys::EVP_sha512_256(),
                #[cfg(feature = "known-answers")]
                Self::Sha3_224 => sys::EVP_sha3_224(),
                Self::Sha3_256 => sys::EVP_sha3_256(),
                Self::Sha3_384 => sys::EVP_sha3_384(),
                Self::Sha3_512 => sys::EVP_sha3_512(),
            }
        }
    }
}

#[cfg(feature = "known-answers")]
impl Digest {
    /// Bytes of output.
    #[must_use]
    pub fn output_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 | Self::Sha512_224 | Self::Sha3_224 => 28,
            Self::Sha256 | Self::Sha512_256 | Self::Sha3_256 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 => 64,
        }
    }

    /// The hash of `data`.
    #[must_use]
    pub fn hash(self, data: &[u8]) -> Vec<u8> {
        let mut out = vec![0u8; self.output_bytes()];
        let mut length: core::ffi::c_uint = 0;
        // SAFETY: `out` holds exactly the digest's length, which AWS-LC writes;
        // the input pointer and length describe `data`.
        let done = unsafe {
            sys::EVP_Digest(
                data.as_ptr().cast(),
                data.len(),
                out.as_mut_ptr(),
                &mut length,
                self.as_ptr(),
                core::ptr::null_mut(),
            )
        };
        // A one-shot digest fails only when memory runs out, where Rust aborts too.
        assert!(
            done == 1 && length as usize == out.len(),
            "AWS-LC could not hash"
        );
        out
    }

    /// Parses the names used by Wycheproof and ACVP ("SHA-256", "SHA3-384", "SHA-512/256").
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "SHA-1" | "SHA1" => Self::Sha1,
            "SHA-224" | "SHA224" | "SHA2-224" => Self::Sha224,
            "SHA-256" | "SHA256" | "SHA2-256" => Self::Sha256,
            "SHA-384" | "SHA384" | "SHA2-384" => Self::Sha384,
            "SHA-512" | "SHA512" | "SHA2-512" => Self::Sha512,
            "SHA-512/224" | "SHA512/224" | "SHA2-512/224" => Self::Sha512_224,
            "SHA-512/256" | "SHA512/256" | "SHA2-512/256" => Self::Sha512_256,
            "SHA3-224" => Self::Sha3_224,
            "SHA3-256" => Self::Sha3_256,
            "SHA3-384" => Self::Sha3_384,
            "SHA3-512" => Self::Sha3_512,
            _ => return None,
        })
    }
}

impl From<crate::hash::Hash> for Digest {
    fn from(hash: crate::hash::Hash) -> Self {
        use crate::hash::Hash;
        match hash {
            Hash::Sha256 => Self::Sha256,
            Hash::Sha384 => Self::Sha384,
            Hash::Sha512 => Self::Sha512,
            Hash::Sha512_256 => Self::Sha512_256,
            Hash::Sha3_256 => Self::Sha3_256,
            Hash::Sha3_384 => Self::Sha3_384,
            Hash::Sha3_512 => Self::Sha3_512,
        }
    }
}

/// SHAKE256 (FIPS 202) of several parts, `length` bytes.
///
/// # Errors
/// [`crate::error::Error::Library`] when memory runs out.
pub(crate) fn shake256(parts: &[&[u8]], length: usize) -> crate::error::Result<Vec<u8>> {
    let failed = || crate::error::Error::Library("SHAKE256");
    // SAFETY: allocates; null on failure.
    let context = core::ptr::NonNull::new(unsafe { sys::EVP_MD_CTX_new() }).ok_or_else(failed)?;
    let mut out = vec![0u8; length];
    // SAFETY: the context is valid, each pointer and length describes its
    // slice, and the context is freed exactly once.
    let done = unsafe {
        let mut good = sys::EVP_DigestInit(context.as_ptr(), sys::EVP_shake256()) == 1;
        for part in parts {
            good = good
                && sys::EVP_DigestUpdate(context.as_ptr(), part.as_ptr().cast(), part.len()) == 1;
        }
        good = good && sys::EVP_DigestFinalXOF(context.as_ptr(), out.as_mut_ptr(), length) == 1;
        sys::EVP_MD_CTX_free(context.as_ptr());
        good
    };
    if done { Ok(out) } else { Err(failed()) }
}
