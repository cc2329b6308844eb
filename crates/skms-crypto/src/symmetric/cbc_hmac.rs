//! A256CBC-HS512 (RFC 7518, section 5.2.5): AES-256-CBC, then HMAC-SHA-512
//! over everything, halved. The tag is checked before anything is decrypted,
//! so that padding is no oracle.

use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::hmac;

use crate::error::{Error, Result};
use crate::secret::{SecretBytes, ct_eq};

/// Length of an initialisation vector, in bytes.
pub(super) const IV_LEN: usize = 16;
/// Length of a tag, in bytes.
pub(super) const TAG_LEN: usize = 32;
const BLOCK_LEN: usize = 16;

/// A key, both halves ready.
pub(super) struct CbcHmac {
    mac: hmac::Key,
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
}

impl CbcHmac {
    pub(super) fn new(key: &[u8; 64]) -> Result<Self> {
        //= https://www.rfc-editor.org/rfc/rfc7518#section-5.2.2.1
        //# MAC_KEY consists of the initial MAC_KEY_LEN octets of K, in order.
        let (mac, cipher) = key.split_at(32);
        let unbound = || {
            UnboundCipherKey::new(&AES_256, cipher).map_err(|_| Error::Library("AES-256-CBC key"))
        };
        let failed = |_| Error::Library("AES-256-CBC key");
        Ok(Self {
            mac: hmac::Key::new(hmac::HMAC_SHA512, mac),
            encrypting: EncryptingKey::cbc(unbound()?).map_err(failed)?,
            decrypting: DecryptingKey::cbc(unbound()?).map_err(failed)?,
        })
    }

    /// Appends ciphertext ‖ tag to `out`.
    pub(super) fn seal(
        &self,
        iv: &[u8; IV_LEN],
        plaintext: &[u8],
        aad: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(plaintext);
        let padding = BLOCK_LEN - plaintext.len() % BLOCK_LEN;
        // The padding is 1 to 16, so it fits a byte.
        out.extend(std::iter::repeat_n(padding as u8, padding));
        let body = out.get_mut(start..).unwrap_or_default();
        self.encrypting
            .less_safe_encrypt(body, EncryptionContext::Iv128(iv.into()))
            .map_err(|_| Error::Library("AES-256-CBC"))?;
        let tag = self.tag(iv, body, aad);
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens ciphertext ‖ tag.
    pub(super) fn open(&self, iv: &[u8; IV_LEN], sealed: &[u8], aad: &[u8]) -> Result<SecretBytes> {
        let (body, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(Error::Decrypt)?;
        if !ct_eq(&self.tag(iv, body, aad), tag) {
            return Err(Error::Decrypt);
        }
        if body.is_empty() || !body.len().is_multiple_of(BLOCK_LEN) {
            return Err(Error::Decrypt);
        }
        let mut plaintext = SecretBytes::try_with_len(body.len(), |out| {
            out.copy_from_slice(body);
            self.decrypting
                .decrypt(out, DecryptionContext::Iv128(iv.into()))
                .map(|_| ())
                .map_err(|_| Error::Decrypt)
        })?;
        // The holder of the key made this padding; a bad one is refused all
        // the same, with no word on why.
        let bytes = plaintext.expose();
        let padding = usize::from(*bytes.last().ok_or(Error::Decrypt)?);
        let kept = bytes.len().checked_sub(padding).ok_or(Error::Decrypt)?;
        let tail = bytes.get(kept..).ok_or(Error::Decrypt)?;
        let good = (1..=BLOCK_LEN).contains(&padding)
            && tail.iter().all(|&byte| usize::from(byte) == padding);
        if !good {
            return Err(Error::Decrypt);
        }
        plaintext.truncate(kept);
        Ok(plaintext)
    }

    fn tag(&self, iv: &[u8], body: &[u8], aad: &[u8]) -> [u8; TAG_LEN] {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(aad);
        context.update(iv);
        context.update(body);
        //= https://www.rfc-editor.org/rfc/rfc7518#section-5.2.2.1
        //# The octet string AL is equal to the number of bits in the Additional
        //# Authenticated Data A expressed as a 64-bit unsigned big-endian
        //# integer.
        context.update(&(aad.len() as u64).wrapping_mul(8).to_be_bytes());
        let full = context.sign();
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(full.as_ref().split_at(TAG_LEN).0);
        tag
    }
}
