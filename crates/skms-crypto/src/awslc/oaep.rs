//! RSAES-OAEP on AWS-LC's keys, with digest, MGF1 digest and label apart.

use core::ptr::null_mut;

use super::sys;

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::md::Digest;
use super::pkey::{Context, PKey, ok};

impl PKey {
    /// RSAES-OAEP encryption (RFC 8017, section 7.1.1).
    pub(crate) fn oaep_encrypt(&self, oaep: &Oaep<'_>, plaintext: &[u8]) -> Result<Vec<u8>> {
        let context = Context::new(self)?;
        let mut length = 0usize;
        // SAFETY: the context is valid; the sizing call has a null buffer.
        let sized = unsafe {
            ok(sys::EVP_PKEY_encrypt_init(context.as_ptr()))
                && oaep.apply(&context)
                && ok(sys::EVP_PKEY_encrypt(
                    context.as_ptr(),
                    null_mut(),
                    &mut length,
                    plaintext.as_ptr(),
                    plaintext.len(),
                ))
        };
        if !sized {
            return Err(Error::Library("cannot encrypt"));
        }
        let mut out = vec![0u8; length];
        // SAFETY: the buffer has the size that was asked for.
        let done = ok(unsafe {
            sys::EVP_PKEY_encrypt(
                context.as_ptr(),
                out.as_mut_ptr(),
                &mut length,
                plaintext.as_ptr(),
                plaintext.len(),
            )
        });
        if !done {
            return Err(Error::Library("cannot encrypt"));
        }
        out.truncate(length);
        Ok(out)
    }

    /// RSAES-OAEP decryption (RFC 8017, section 7.1.2); every failure is [`Error::Decrypt`].
    pub(crate) fn oaep_decrypt(&self, oaep: &Oaep<'_>, ciphertext: &[u8]) -> Result<SecretBytes> {
        let context = Context::new(self)?;
        let mut length = 0usize;
        // SAFETY: the context is valid; the sizing call has a null buffer.
        let sized = unsafe {
            ok(sys::EVP_PKEY_decrypt_init(context.as_ptr()))
                && oaep.apply(&context)
                && ok(sys::EVP_PKEY_decrypt(
                    context.as_ptr(),
                    null_mut(),
                    &mut length,
                    ciphertext.as_ptr(),
                    ciphertext.len(),
                ))
        };
        if !sized {
            return Err(Error::Decrypt);
        }
        let mut good = false;
        let out = SecretBytes::with_len(length, |buffer| {
            // SAFETY: the buffer has the size that was asked for.
            good = ok(unsafe {
                sys::EVP_PKEY_decrypt(
                    context.as_ptr(),
                    buffer.as_mut_ptr(),
                    &mut length,
                    ciphertext.as_ptr(),
                    ciphertext.len(),
                )
            });
        });
        if !good {
            return Err(Error::Decrypt);
        }
        out.expose()
            .get(..length)
            .map(|plain| SecretBytes::new(plain.to_vec()))
            .ok_or(Error::Decrypt)
    }
}

/// RSAES-OAEP parameters.
pub(crate) struct Oaep<'a> {
    /// The label's digest.
    pub(crate) digest: Digest,
    /// The digest inside MGF1.
    pub(crate) mgf: Digest,
    /// The label; may be empty.
    pub(crate) label: &'a [u8],
}

impl Oaep<'_> {
    /// # Safety
    /// `context` has been initialised for encryption or decryption.
    unsafe fn apply(&self, context: &Context) -> bool {
        // SAFETY: the digests are static tables; the caller vouches for the context.
        let set = unsafe {
            ok(sys::EVP_PKEY_CTX_set_rsa_padding(
                context.as_ptr(),
                sys::RSA_PKCS1_OAEP_PADDING,
            )) && ok(sys::EVP_PKEY_CTX_set_rsa_oaep_md(
                context.as_ptr(),
                self.digest.as_ptr(),
            )) && ok(sys::EVP_PKEY_CTX_set_rsa_mgf1_md(
                context.as_ptr(),
                self.mgf.as_ptr(),
            ))
        };
        if !set || self.label.is_empty() {
            return set;
        }
        // SAFETY: duplicates the label into AWS-LC's heap; null on failure.
        let copy = unsafe { sys::OPENSSL_memdup(self.label.as_ptr().cast(), self.label.len()) };
        if copy.is_null() {
            return false;
        }
        // SAFETY: on success the context owns the copy.
        let owned = ok(unsafe {
            sys::EVP_PKEY_CTX_set0_rsa_oaep_label(context.as_ptr(), copy.cast(), self.label.len())
        });
        if !owned {
            // SAFETY: ownership stayed here because the call failed.
            unsafe { sys::OPENSSL_free(copy) };
        }
        owned
    }
}
