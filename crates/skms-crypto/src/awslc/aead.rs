//! Authenticated encryption of AWS-LC that `aws-lc-rs` does not reach:
//! XChaCha20-Poly1305, and AES-256-GCM under a key that lives for one message.

use core::mem::MaybeUninit;
use core::ptr::{NonNull, null, null_mut};

use super::sys;

use super::pkey::ok;

/// Length of every tag here, in bytes.
pub(crate) const TAG_LEN: usize = 16;

/// An XChaCha20-Poly1305 key, ready for use.
pub(crate) struct XChaCha20Poly1305(NonNull<sys::EVP_AEAD_CTX>);

// SAFETY: sealing and opening take the context as `const` and AWS-LC documents
// them as safe to call from several threads at once.
unsafe impl Send for XChaCha20Poly1305 {}
// SAFETY: as above.
unsafe impl Sync for XChaCha20Poly1305 {}

impl XChaCha20Poly1305 {
    /// `None` only without memory.
    pub(crate) fn new(key: &[u8; 32]) -> Option<Self> {
        // SAFETY: the AEAD is a static table and the key has its length.
        NonNull::new(unsafe {
            sys::EVP_AEAD_CTX_new(
                sys::EVP_aead_xchacha20_poly1305(),
                key.as_ptr(),
                key.len(),
                TAG_LEN,
            )
        })
        .map(Self)
    }

    /// Encrypts in place and gives the tag; `None` only for over-long input.
    pub(crate) fn seal(
        &self,
        nonce: &[u8; 24],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        // SAFETY: the context is initialised and owned by this value.
        unsafe { seal(self.0.as_ptr(), nonce, aad, in_out) }
    }

    /// Decrypts into `out`, as long as `body`; false when the tag is wrong.
    pub(crate) fn open(
        &self,
        nonce: &[u8; 24],
        aad: &[u8],
        body: &[u8],
        tag: &[u8; TAG_LEN],
        out: &mut [u8],
    ) -> bool {
        // SAFETY: the context is initialised and owned by this value.
        unsafe { open(self.0.as_ptr(), nonce, aad, body, tag, out) }
    }
}

impl Drop for XChaCha20Poly1305 {
    fn drop(&mut self) {
        // SAFETY: owned by this value, freed once; AWS-LC's free cleanses.
        unsafe { sys::EVP_AEAD_CTX_free(self.0.as_ptr()) }
    }
}

/// Encrypts one message in place with AES-256-GCM and gives the tag.
pub(crate) fn gcm_seal_once(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    in_out: &mut [u8],
) -> Option<[u8; TAG_LEN]> {
    // SAFETY: `with_gcm` hands over an initialised context.
    with_gcm(key, |context| unsafe { seal(context, nonce, aad, in_out) })?
}

/// Decrypts one message with AES-256-GCM; false when the tag is wrong.
pub(crate) fn gcm_open_once(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    body: &[u8],
    tag: &[u8; TAG_LEN],
    out: &mut [u8],
) -> bool {
    // SAFETY: `with_gcm` hands over an initialised context.
    with_gcm(key, |context| unsafe {
        open(context, nonce, aad, body, tag, out)
    })
    .unwrap_or(false)
}

/// Runs `act` with an AES-256-GCM context on the stack, erased afterwards.
fn with_gcm<R>(key: &[u8; 32], act: impl FnOnce(*const sys::EVP_AEAD_CTX) -> R) -> Option<R> {
    /// Cleans up and erases whatever happens inside.
    struct Context(MaybeUninit<sys::EVP_AEAD_CTX>);

    impl Drop for Context {
        fn drop(&mut self) {
            let context = self.0.as_mut_ptr();
            // SAFETY: the context was zeroed and then initialised (or left
            // zeroed, which cleaning up accepts); erasing stays within it.
            unsafe {
                sys::EVP_AEAD_CTX_cleanup(context);
                sys::OPENSSL_cleanse(context.cast(), size_of::<sys::EVP_AEAD_CTX>());
            }
        }
    }

    let mut context = Context(MaybeUninit::zeroed());
    // SAFETY: the AEAD is a static table, the key has its length, and the
    // context stays where it is until it is dropped.
    let ready = ok(unsafe {
        sys::EVP_AEAD_CTX_init(
            context.0.as_mut_ptr(),
            sys::EVP_aead_aes_256_gcm(),
            key.as_ptr(),
            key.len(),
            TAG_LEN,
            null_mut(),
        )
    });
    ready.then(|| act(context.0.as_ptr()))
}

/// # Safety
/// `context` is initialised.
unsafe fn seal(
    context: *const sys::EVP_AEAD_CTX,
    nonce: &[u8],
    aad: &[u8],
    in_out: &mut [u8],
) -> Option<[u8; TAG_LEN]> {
    let mut tag = [0; TAG_LEN];
    let mut written = 0;
    // SAFETY: every pointer comes with its slice's length, and encrypting in
    // place (out == in) is allowed.
    let sealed = ok(unsafe {
        sys::EVP_AEAD_CTX_seal_scatter(
            context,
            in_out.as_mut_ptr(),
            tag.as_mut_ptr(),
            &mut written,
            TAG_LEN,
            nonce.as_ptr(),
            nonce.len(),
            in_out.as_ptr(),
            in_out.len(),
            null(),
            0,
            aad.as_ptr(),
            aad.len(),
        )
    });
    (sealed && written == TAG_LEN).then_some(tag)
}

/// # Safety
/// `context` is initialised.
unsafe fn open(
    context: *const sys::EVP_AEAD_CTX,
    nonce: &[u8],
    aad: &[u8],
    body: &[u8],
    tag: &[u8; TAG_LEN],
    out: &mut [u8],
) -> bool {
    if out.len() != body.len() {
        return false;
    }
    // SAFETY: every pointer comes with its slice's length; `out` is as long
    // as `body`, and the two do not overlap.
    ok(unsafe {
        sys::EVP_AEAD_CTX_open_gather(
            context,
            out.as_mut_ptr(),
            nonce.as_ptr(),
            nonce.len(),
            body.as_ptr(),
            body.len(),
            tag.as_ptr(),
            TAG_LEN,
            aad.as_ptr(),
            aad.len(),
        )
    })
}
