//! Owned `EVP_PKEY` handles: AWS-LC's asymmetric keys behind safe calls.
//!
//! Everything here takes slices and returns owned values; no pointer leaves
//! the module. A handle is immutable once built, which is what AWS-LC asks
//! for before a key may be used from several threads at once.

use core::ffi::c_int;
use core::ptr::{NonNull, null, null_mut};

use super::sys;

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::md::Digest;

/// An immutable asymmetric key held by AWS-LC (public, or public and private).
pub(crate) struct PKey(NonNull<sys::EVP_PKEY>);

// SAFETY: the handle is never modified after construction (only `*const` and
// reference-count uses follow), and AWS-LC documents `EVP_PKEY` as safe for
// concurrent use by functions that do not modify it.
unsafe impl Send for PKey {}
// SAFETY: as above.
unsafe impl Sync for PKey {}

impl Drop for PKey {
    fn drop(&mut self) {
        // SAFETY: the pointer is owned by this handle and freed once; AWS-LC
        // cleanses private parts when it frees them.
        unsafe { sys::EVP_PKEY_free(self.0.as_ptr()) }
    }
}

impl core::fmt::Debug for PKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PKey(<redacted>)")
    }
}

/// Drops the error queue that a failed call left behind on this thread, so
/// that nothing about one caller's key stays around for the next.
fn forget_errors() {
    // SAFETY: touches only this thread's error queue.
    unsafe { sys::ERR_clear_error() }
}

/// `true` when an AWS-LC call reported success.
pub(super) fn ok(code: c_int) -> bool {
    if code == 1 {
        true
    } else {
        forget_errors();
        false
    }
}

/// An `EVP_PKEY_CTX` that is freed on every path.
pub(super) struct Context(NonNull<sys::EVP_PKEY_CTX>);

impl Context {
    pub(super) fn new(key: &PKey) -> Result<Self> {
        // SAFETY: the key is valid; AWS-LC takes its own reference to it.
        let pointer = unsafe { sys::EVP_PKEY_CTX_new(key.as_ptr(), null_mut()) };
        NonNull::new(pointer)
            .map(Self)
            .ok_or(Error::Library("no context for this key"))
    }

    pub(super) fn for_type(id: c_int) -> Result<Self> {
        // SAFETY: takes a plain integer; returns null on failure.
        let pointer = unsafe { sys::EVP_PKEY_CTX_new_id(id, null_mut()) };
        NonNull::new(pointer)
            .map(Self)
            .ok_or(Error::Library("no context for this key type"))
    }

    pub(super) fn as_ptr(&self) -> *mut sys::EVP_PKEY_CTX {
        self.0.as_ptr()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: owned by this value and freed once.
        unsafe { sys::EVP_PKEY_CTX_free(self.0.as_ptr()) }
    }
}

/// An `EVP_MD_CTX` that is freed on every path.
struct MdContext(NonNull<sys::EVP_MD_CTX>);

impl MdContext {
    fn new() -> Result<Self> {
        // SAFETY: allocates; null on failure.
        NonNull::new(unsafe { sys::EVP_MD_CTX_new() })
            .map(Self)
            .ok_or(Error::Library("no digest context"))
    }
}

impl Drop for MdContext {
    fn drop(&mut self) {
        // SAFETY: owned by this value and freed once.
        unsafe { sys::EVP_MD_CTX_free(self.0.as_ptr()) }
    }
}

/// Runs a marshalling function into a growing buffer and returns its bytes.
pub(super) fn marshal(
    write: impl FnOnce(*mut sys::CBB) -> c_int,
) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    let mut cbb = core::mem::MaybeUninit::<sys::CBB>::zeroed();
    // SAFETY: `CBB_init` initialises the zeroed structure.
    if !ok(unsafe { sys::CBB_init(cbb.as_mut_ptr(), 256) }) {
        return Err(Error::Library("no buffer"));
    }
    let mut out: *mut u8 = null_mut();
    let mut length = 0usize;
    let written = ok(write(cbb.as_mut_ptr()));
    // SAFETY: the builder was initialised; `CBB_finish` hands its buffer over.
    if !written || !ok(unsafe { sys::CBB_finish(cbb.as_mut_ptr(), &mut out, &mut length) }) {
        // SAFETY: cleaning up an initialised builder is always allowed.
        unsafe { sys::CBB_cleanup(cbb.as_mut_ptr()) };
        return Err(Error::Library("cannot encode this key"));
    }
    // SAFETY: `CBB_finish` succeeded, so `out` points at `length` readable bytes.
    let bytes = unsafe { core::slice::from_raw_parts(out, length) }.to_vec();
    // SAFETY: the buffer was handed over above; OPENSSL_free cleanses it.
    unsafe { sys::OPENSSL_free(out.cast()) };
    Ok(zeroize::Zeroizing::new(bytes))
}

/// A function of AWS-LC that reads a part of a key into a buffer.
pub(super) type Read = unsafe extern "C" fn(*const sys::EVP_PKEY, *mut u8, *mut usize) -> c_int;

impl PKey {
    pub(super) fn as_ptr(&self) -> *mut sys::EVP_PKEY {
        self.0.as_ptr()
    }

    pub(super) fn adopt(pointer: *mut sys::EVP_PKEY) -> Option<Self> {
        let key = NonNull::new(pointer).map(Self);
        if key.is_none() {
            forget_errors();
        }
        key
    }

    /// Reads a DER `PrivateKeyInfo`; `None` when AWS-LC refuses it or bytes are left over.
    #[cfg(any(not(feature = "fips"), feature = "known-answers"))]
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let mut cbs = sys::CBS {
            data: der.as_ptr(),
            len: der.len(),
        };
        // SAFETY: the reader covers exactly `der`, which outlives the call.
        let key = Self::adopt(unsafe { sys::EVP_parse_private_key(&mut cbs) })?;
        (cbs.len == 0).then_some(key)
    }

    /// Reads a DER `SubjectPublicKeyInfo`; `None` when AWS-LC refuses it or bytes are left over.
    #[cfg(feature = "known-answers")]
    pub(crate) fn from_spki(der: &[u8]) -> Option<Self> {
        let mut cbs = sys::CBS {
            data: der.as_ptr(),
            len: der.len(),
        };
        // SAFETY: the reader covers exactly `der`, which outlives the call.
        let key = Self::adopt(unsafe { sys::EVP_parse_public_key(&mut cbs) })?;
        (cbs.len == 0).then_some(key)
    }

    fn from_raw_private(id: c_int, bytes: &[u8]) -> Option<Self> {
        // SAFETY: pointer and length describe `bytes`; AWS-LC copies them.
        Self::adopt(unsafe {
            sys::EVP_PKEY_new_raw_private_key(id, null_mut(), bytes.as_ptr(), bytes.len())
        })
    }

    fn from_raw_public(id: c_int, bytes: &[u8]) -> Option<Self> {
        // SAFETY: pointer and length describe `bytes`; AWS-LC copies them.
        Self::adopt(unsafe {
            sys::EVP_PKEY_new_raw_public_key(id, null_mut(), bytes.as_ptr(), bytes.len())
        })
    }

    /// An Ed25519 key from its 32-byte seed (RFC 8032, section 5.1.5).
    pub(crate) fn ed25519_private(seed: &[u8]) -> Option<Self> {
        Self::from_raw_private(sys::EVP_PKEY_ED25519, seed)
    }

    /// An Ed25519 public key from its 32 bytes.
    pub(crate) fn ed25519_public(bytes: &[u8]) -> Option<Self> {
        Self::from_raw_public(sys::EVP_PKEY_ED25519, bytes)
    }

    /// An X25519 key from its 32-byte scalar (RFC 7748, section 5).
    pub(crate) fn x25519_private(scalar: &[u8]) -> Option<Self> {
        Self::from_raw_private(sys::EVP_PKEY_X25519, scalar)
    }

    /// An X25519 public key from its 32 bytes.
    pub(crate) fn x25519_public(bytes: &[u8]) -> Option<Self> {
        Self::from_raw_public(sys::EVP_PKEY_X25519, bytes)
    }

    /// An ML-KEM encapsulation key from its FIPS 203 encoding (unchecked).
    pub(crate) fn mlkem_public(nid: c_int, bytes: &[u8]) -> Option<Self> {
        // SAFETY: pointer and length describe `bytes`; AWS-LC copies them.
        Self::adopt(unsafe {
            sys::EVP_PKEY_kem_new_raw_public_key(nid, bytes.as_ptr(), bytes.len())
        })
    }

    /// An ML-KEM key pair from both FIPS 203 encodings; run [`Self::mlkem_check`] on it.
    pub(crate) fn mlkem_pair(nid: c_int, public: &[u8], secret: &[u8]) -> Option<Self> {
        // SAFETY: pointers and lengths describe the slices; AWS-LC copies them.
        Self::adopt(unsafe {
            sys::EVP_PKEY_kem_new_raw_key(
                nid,
                public.as_ptr(),
                public.len(),
                secret.as_ptr(),
                secret.len(),
            )
        })
    }

    /// FIPS 203, sections 7.2 and 7.3: modulus check, H(ek) check and a pair-wise trial.
    pub(crate) fn mlkem_check(&self) -> bool {
        // SAFETY: the handle is valid; the function checks its type itself.
        ok(unsafe { sys::EVP_PKEY_kem_check_key(self.as_ptr()) })
    }

    fn fetch(&self, read: Read) -> Option<SecretBytes> {
        let mut length = 0usize;
        // SAFETY: a null buffer asks for the length only.
        if !ok(unsafe { read(self.as_ptr(), null_mut(), &mut length) }) {
            return None;
        }
        let mut good = false;
        let bytes = SecretBytes::with_len(length, |out| {
            let mut written = out.len();
            // SAFETY: the buffer has the length that was asked for.
            good = ok(unsafe { read(self.as_ptr(), out.as_mut_ptr(), &mut written) })
                && written == out.len();
        });
        good.then_some(bytes)
    }

    /// The raw public encoding (Ed25519, X25519, ML-KEM, ML-DSA).
    pub(crate) fn raw_public(&self) -> Option<Vec<u8>> {
        // A public key is no secret.
        self.fetch(sys::EVP_PKEY_get_raw_public_key)
            .map(SecretBytes::into_public)
    }

    /// The raw private encoding (Ed25519 seed, X25519 scalar, expanded ML-* key).
    pub(crate) fn raw_private(&self) -> Option<SecretBytes> {
        self.fetch(sys::EVP_PKEY_get_raw_private_key)
    }

    /// The seed of an ML-KEM or ML-DSA key, if it is known.
    pub(crate) fn private_seed(&self) -> Option<SecretBytes> {
        super::pqdsa::SEED.and_then(|read| self.fetch(read))
    }

    /// Signs a digest (RSA, ECDSA) or an external mu (ML-DSA).
    pub(crate) fn sign_digest(&self, digest: &[u8], padding: Padding) -> Result<Vec<u8>> {
        let context = Context::new(self)?;
        let mut length = 0usize;
        // SAFETY: the context is valid; the first call only asks for the size.
        let sized = unsafe {
            ok(sys::EVP_PKEY_sign_init(context.as_ptr()))
                && padding.apply(context.as_ptr())
                && ok(sys::EVP_PKEY_sign(
                    context.as_ptr(),
                    null_mut(),
                    &mut length,
                    digest.as_ptr(),
                    digest.len(),
                ))
        };
        if !sized {
            return Err(Error::Library("cannot sign"));
        }
        let mut signature = vec![0u8; length];
        // SAFETY: the buffer has the size that was asked for.
        let signed = ok(unsafe {
            sys::EVP_PKEY_sign(
                context.as_ptr(),
                signature.as_mut_ptr(),
                &mut length,
                digest.as_ptr(),
                digest.len(),
            )
        });
        if !signed {
            return Err(Error::Library("cannot sign"));
        }
        signature.truncate(length);
        Ok(signature)
    }

    /// Verifies a signature over a digest (RSA, ECDSA) or an external mu (ML-DSA).
    pub(crate) fn verify_digest(&self, digest: &[u8], signature: &[u8], padding: Padding) -> bool {
        let Ok(context) = Context::new(self) else {
            return false;
        };
        // SAFETY: the context is valid and the slices outlive the calls.
        unsafe {
            ok(sys::EVP_PKEY_verify_init(context.as_ptr()))
                && padding.apply(context.as_ptr())
                && ok(sys::EVP_PKEY_verify(
                    context.as_ptr(),
                    signature.as_ptr(),
                    signature.len(),
                    digest.as_ptr(),
                    digest.len(),
                ))
        }
    }

    /// Signs a whole message, hashing it inside (RSA, ECDSA).
    #[cfg(feature = "fips")]
    pub(crate) fn sign_hashing(
        &self,
        digest: Digest,
        message: &[u8],
        padding: Padding,
    ) -> Result<Vec<u8>> {
        self.sign_whole(digest.as_ptr(), message, |context| {
            // SAFETY: the context has just been initialised for signing.
            unsafe { padding.apply(context) }
        })
    }

    /// Signs a whole message (Ed25519, ML-DSA with a context of at most 255 bytes).
    pub(crate) fn sign_message(&self, message: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        self.sign_whole(null(), message, |pctx| {
            // SAFETY: the context has just been initialised for signing.
            unsafe { set_context(pctx, context) }
        })
    }

    /// Signs with `digest`, or with null where the scheme hashes by itself;
    /// `prepare` is given the context that `EVP_DigestSignInit` made.
    fn sign_whole(
        &self,
        digest: *const sys::EVP_MD,
        message: &[u8],
        prepare: impl FnOnce(*mut sys::EVP_PKEY_CTX) -> bool,
    ) -> Result<Vec<u8>> {
        let md = MdContext::new()?;
        let mut pctx: *mut sys::EVP_PKEY_CTX = null_mut();
        let mut length = 0usize;
        // SAFETY: `pctx` is owned by the digest context; the sizing call has a null buffer.
        let sized = unsafe {
            ok(sys::EVP_DigestSignInit(
                md.0.as_ptr(),
                &mut pctx,
                digest,
                null_mut(),
                self.as_ptr(),
            )) && prepare(pctx)
                && ok(sys::EVP_DigestSign(
                    md.0.as_ptr(),
                    null_mut(),
                    &mut length,
                    message.as_ptr(),
                    message.len(),
                ))
        };
        if !sized {
            return Err(Error::Library("cannot sign"));
        }
        let mut signature = vec![0u8; length];
        // SAFETY: the buffer has the size that was asked for.
        let signed = ok(unsafe {
            sys::EVP_DigestSign(
                md.0.as_ptr(),
                signature.as_mut_ptr(),
                &mut length,
                message.as_ptr(),
                message.len(),
            )
        });
        if !signed {
            return Err(Error::Library("cannot sign"));
        }
        signature.truncate(length);
        Ok(signature)
    }

    /// Verifies a signature over a whole message, hashing it inside (RSA, ECDSA).
    #[cfg(feature = "fips")]
    pub(crate) fn verify_hashing(
        &self,
        digest: Digest,
        message: &[u8],
        signature: &[u8],
        padding: Padding,
    ) -> bool {
        self.verify_whole(digest.as_ptr(), message, signature, |context| {
            // SAFETY: the context has just been initialised for verifying.
            unsafe { padding.apply(context) }
        })
    }

    /// Verifies a signature over a whole message (Ed25519, ML-DSA).
    pub(crate) fn verify_message(&self, message: &[u8], signature: &[u8], context: &[u8]) -> bool {
        self.verify_whole(null(), message, signature, |pctx| {
            // SAFETY: the context has just been initialised for verifying.
            unsafe { set_context(pctx, context) }
        })
    }

    /// The twin of [`Self::sign_whole`].
    fn verify_whole(
        &self,
        digest: *const sys::EVP_MD,
        message: &[u8],
        signature: &[u8],
        prepare: impl FnOnce(*mut sys::EVP_PKEY_CTX) -> bool,
    ) -> bool {
        let Ok(md) = MdContext::new() else {
            return false;
        };
        let mut pctx: *mut sys::EVP_PKEY_CTX = null_mut();
        // SAFETY: `pctx` is owned by the digest context; the slices outlive the calls.
        unsafe {
            ok(sys::EVP_DigestVerifyInit(
                md.0.as_ptr(),
                &mut pctx,
                digest,
                null_mut(),
                self.as_ptr(),
            )) && prepare(pctx)
                && ok(sys::EVP_DigestVerify(
                    md.0.as_ptr(),
                    signature.as_ptr(),
                    signature.len(),
                    message.as_ptr(),
                    message.len(),
                ))
        }
    }

    /// ECDH or X25519 with a public key of the same type; `None` when AWS-LC refuses
    /// (wrong group, low-order point).
    pub(crate) fn derive(&self, peer: &PKey) -> Option<SecretBytes> {
        let context = Context::new(self).ok()?;
        let mut length = 0usize;
        // SAFETY: both handles are valid; the sizing call has a null buffer.
        let sized = unsafe {
            ok(sys::EVP_PKEY_derive_init(context.as_ptr()))
                && ok(sys::EVP_PKEY_derive_set_peer(
                    context.as_ptr(),
                    peer.as_ptr(),
                ))
                && ok(sys::EVP_PKEY_derive(
                    context.as_ptr(),
                    null_mut(),
                    &mut length,
                ))
        };
        if !sized {
            return None;
        }
        let mut good = false;
        let secret = SecretBytes::with_len(length, |out| {
            let mut written = out.len();
            // SAFETY: the buffer has the size that was asked for.
            good = ok(unsafe {
                sys::EVP_PKEY_derive(context.as_ptr(), out.as_mut_ptr(), &mut written)
            }) && written == out.len();
        });
        good.then_some(secret)
    }

    /// KEM encapsulation: ciphertext and shared secret. `message` fixes the
    /// randomness (known-answer tests only).
    pub(crate) fn encapsulate(&self, message: Option<&[u8]>) -> Option<(Vec<u8>, SecretBytes)> {
        let context = Context::new(self).ok()?;
        let (mut ciphertext_length, mut secret_length) = (0usize, 0usize);
        // SAFETY: null buffers ask for the sizes.
        let sized = ok(unsafe {
            sys::EVP_PKEY_encapsulate(
                context.as_ptr(),
                null_mut(),
                &mut ciphertext_length,
                null_mut(),
                &mut secret_length,
            )
        });
        if !sized {
            return None;
        }
        let mut ciphertext = vec![0u8; ciphertext_length];
        let mut good = false;
        let secret = SecretBytes::with_len(secret_length, |out| {
            // SAFETY: both buffers have the sizes that were asked for.
            good = ok(unsafe {
                match message {
                    None => sys::EVP_PKEY_encapsulate(
                        context.as_ptr(),
                        ciphertext.as_mut_ptr(),
                        &mut ciphertext_length,
                        out.as_mut_ptr(),
                        &mut secret_length,
                    ),
                    Some(message) => {
                        let mut seed_length = message.len();
                        sys::EVP_PKEY_encapsulate_deterministic(
                            context.as_ptr(),
                            ciphertext.as_mut_ptr(),
                            &mut ciphertext_length,
                            out.as_mut_ptr(),
                            &mut secret_length,
                            message.as_ptr(),
                            &mut seed_length,
                        )
                    }
                }
            });
        });
        good.then_some((ciphertext, secret))
    }

    /// KEM decapsulation; `None` only for a ciphertext of the wrong length
    /// (ML-KEM rejects altered ones implicitly).
    pub(crate) fn decapsulate(&self, ciphertext: &[u8]) -> Option<SecretBytes> {
        let context = Context::new(self).ok()?;
        let mut length = 0usize;
        // SAFETY: a null buffer asks for the size.
        let sized = ok(unsafe {
            sys::EVP_PKEY_decapsulate(
                context.as_ptr(),
                null_mut(),
                &mut length,
                ciphertext.as_ptr(),
                ciphertext.len(),
            )
        });
        if !sized {
            return None;
        }
        let mut good = false;
        let secret = SecretBytes::with_len(length, |out| {
            // SAFETY: the buffer has the size that was asked for.
            good = ok(unsafe {
                sys::EVP_PKEY_decapsulate(
                    context.as_ptr(),
                    out.as_mut_ptr(),
                    &mut length,
                    ciphertext.as_ptr(),
                    ciphertext.len(),
                )
            });
        });
        good.then_some(secret)
    }

    /// Generates an ML-KEM key pair (the seed is kept inside).
    pub(crate) fn generate_mlkem(nid: c_int) -> Option<Self> {
        let context = Context::for_type(sys::EVP_PKEY_KEM).ok()?;
        let mut key: *mut sys::EVP_PKEY = null_mut();
        // SAFETY: the context is valid; on success `key` is owned by the caller.
        let made = unsafe {
            ok(sys::EVP_PKEY_CTX_kem_set_params(context.as_ptr(), nid))
                && ok(sys::EVP_PKEY_keygen_init(context.as_ptr()))
                && ok(sys::EVP_PKEY_keygen(context.as_ptr(), &mut key))
        };
        if made { Self::adopt(key) } else { None }
    }
}

/// Sets an ML-DSA context string, if there is one.
///
/// # Safety
/// `pctx` is a valid context obtained from `EVP_DigestSignInit` or its verifying twin.
unsafe fn set_context(pctx: *mut sys::EVP_PKEY_CTX, context: &[u8]) -> bool {
    if context.is_empty() {
        return true;
    }
    // SAFETY: the caller vouches for `pctx`.
    unsafe { super::pqdsa::set_context(pctx, context) }
}

/// How a digest is padded before the private-key operation.
#[derive(Clone, Copy)]
pub(crate) enum Padding {
    /// None: ECDSA, or ML-DSA's external mu.
    None,
    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
    Pkcs1(Digest),
    /// RSASSA-PSS (RFC 8017, section 8.1) with its own MGF1 hash and salt length.
    Pss {
        /// The message digest.
        digest: Digest,
        /// The digest inside MGF1.
        mgf: Digest,
        /// Bytes of salt.
        salt_length: usize,
    },
}

impl Padding {
    /// # Safety
    /// `context` has been initialised for signing or verifying.
    unsafe fn apply(self, context: *mut sys::EVP_PKEY_CTX) -> bool {
        // SAFETY: the digests are static tables; the caller vouches for the context.
        unsafe {
            match self {
                Self::None => true,
                Self::Pkcs1(digest) => {
                    ok(sys::EVP_PKEY_CTX_set_rsa_padding(
                        context,
                        sys::RSA_PKCS1_PADDING,
                    )) && ok(sys::EVP_PKEY_CTX_set_signature_md(context, digest.as_ptr()))
                }
                Self::Pss {
                    digest,
                    mgf,
                    salt_length,
                } => {
                    let Ok(salt_length) = c_int::try_from(salt_length) else {
                        return false;
                    };
                    ok(sys::EVP_PKEY_CTX_set_rsa_padding(
                        context,
                        sys::RSA_PKCS1_PSS_PADDING,
                    )) && ok(sys::EVP_PKEY_CTX_set_signature_md(context, digest.as_ptr()))
                        && ok(sys::EVP_PKEY_CTX_set_rsa_mgf1_md(context, mgf.as_ptr()))
                        && ok(sys::EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salt_length))
                }
            }
        }
    }
}
