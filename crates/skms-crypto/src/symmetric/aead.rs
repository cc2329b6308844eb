//! The authenticated ciphers behind one face: nonce ‖ ciphertext ‖ tag.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_192_GCM, AES_256_GCM, AES_256_GCM_SIV, Aad, CHACHA20_POLY1305, LessSafeKey,
    NONCE_LEN, Nonce, UnboundKey,
};
use zeroize::Zeroize;

use crate::algorithm::Algorithm;
use crate::awslc::aead::{TAG_LEN, XChaCha20Poly1305};
use crate::error::{Error, Result};
use crate::secret::{SecretArray, SecretBytes};

use super::cbc_hmac::{self, CbcHmac};
use super::xaes::{self, Xaes};

/// The longest nonce, in bytes.
pub(super) const NONCE_MAX: usize = 24;
const EXTENDED_NONCE_LEN: usize = 24;
/// SP 800-38D allows 2^36 - 32 bytes under one nonce, the others more.
const PLAINTEXT_MAX: u64 = (1 << 36) - 32;
const TOO_LONG: Error = Error::TooLong {
    what: "plaintext",
    limit: PLAINTEXT_MAX,
};

/// A key with 96-bit nonces.
pub(super) struct ShortKey {
    key: LessSafeKey,
    /// The same key behind the module's own service for AES-GCM, which draws
    /// the nonce inside: with a nonce from outside, GCM encryption is not an
    /// approved service (SP 800-38D, section 8.2.2).
    #[cfg(feature = "fips")]
    drawing: Option<aws_lc_rs::aead::RandomizedNonceKey>,
}

impl core::ops::Deref for ShortKey {
    type Target = LessSafeKey;

    fn deref(&self) -> &LessSafeKey {
        &self.key
    }
}

/// A cipher with its key.
pub(super) enum Aead {
    /// 96-bit nonces: AES-GCM, AES-GCM-SIV, ChaCha20-Poly1305.
    Short(Box<ShortKey>),
    XChaCha(XChaCha20Poly1305),
    Xaes(Xaes),
    CbcHmac(Box<CbcHmac>),
}

impl Aead {
    /// The caller has checked the key's length.
    pub(super) fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self> {
        let short = match algorithm {
            Algorithm::Aes128Gcm => &AES_128_GCM,
            Algorithm::Aes192Gcm => &AES_192_GCM,
            Algorithm::Aes256Gcm => &AES_256_GCM,
            Algorithm::Aes256GcmSiv => &AES_256_GCM_SIV,
            Algorithm::ChaCha20Poly1305 => &CHACHA20_POLY1305,
            Algorithm::XChaCha20Poly1305 => {
                let key = SecretArray::<32>::from_slice(key)?;
                return XChaCha20Poly1305::new(key.expose())
                    .map(Aead::XChaCha)
                    .ok_or(Error::Library("XChaCha20-Poly1305 key"));
            }
            Algorithm::Xaes256Gcm => {
                let key = SecretArray::<32>::from_slice(key)?;
                return Xaes::new(key.expose()).map(Aead::Xaes);
            }
            Algorithm::A256CbcHs512 => {
                let key = SecretArray::<64>::from_slice(key)?;
                return CbcHmac::new(key.expose()).map(|key| Aead::CbcHmac(Box::new(key)));
            }
            _ => {
                return Err(Error::Unsupported {
                    algorithm,
                    what: "encrypt",
                });
            }
        };
        UnboundKey::new(short, key)
            .map(|unbound| {
                Aead::Short(Box::new(ShortKey {
                    key: LessSafeKey::new(unbound),
                    #[cfg(feature = "fips")]
                    drawing: aws_lc_rs::aead::RandomizedNonceKey::new(short, key).ok(),
                }))
            })
            .map_err(|_| Error::Library("AEAD key"))
    }

    /// As [`Aead::seal`] with a nonce that the module draws; `None` where it
    /// has no such service.
    #[cfg(feature = "fips")]
    pub(super) fn seal_drawing(
        &self,
        plaintext: &[u8],
        aad: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Result<()>> {
        let Aead::Short(key) = self else { return None };
        let drawing = key.drawing.as_ref()?;
        if plaintext.len() as u64 > PLAINTEXT_MAX {
            return Some(Err(TOO_LONG));
        }
        let start = out.len();
        out.reserve(plaintext.len() + self.overhead(plaintext.len()));
        out.extend_from_slice(&[0; NONCE_LEN]);
        out.extend_from_slice(plaintext);
        let body = out.get_mut(start + NONCE_LEN..).unwrap_or_default();
        Some(
            match drawing.seal_in_place_separate_tag(Aad::from(aad), body) {
                Ok((nonce, tag)) => {
                    if let Some(place) = out.get_mut(start..start + NONCE_LEN) {
                        place.copy_from_slice(nonce.as_ref());
                    }
                    out.extend_from_slice(tag.as_ref());
                    Ok(())
                }
                Err(_) => {
                    out.get_mut(start..).unwrap_or_default().zeroize();
                    out.truncate(start);
                    Err(Error::Library("AES-GCM"))
                }
            },
        )
    }

    pub(super) fn nonce_len(&self) -> usize {
        match self {
            Aead::Short(_) => NONCE_LEN,
            Aead::XChaCha(_) => EXTENDED_NONCE_LEN,
            Aead::Xaes(_) => xaes::NONCE_LEN,
            Aead::CbcHmac(_) => cbc_hmac::IV_LEN,
        }
    }

    /// What sealing `len` bytes adds.
    pub(super) fn overhead(&self, len: usize) -> usize {
        self.nonce_len()
            + match self {
                Aead::CbcHmac(_) => 16 - len % 16 + cbc_hmac::TAG_LEN,
                _ => TAG_LEN,
            }
    }

    /// Appends nonce ‖ ciphertext ‖ tag; on failure `out` is as it was.
    pub(super) fn seal(
        &self,
        nonce: &[u8],
        plaintext: &[u8],
        aad: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if nonce.len() != self.nonce_len() {
            return Err(Error::InvalidLength {
                what: "nonce",
                expected: self.nonce_len(),
                found: nonce.len(),
            });
        }
        if plaintext.len() as u64 > PLAINTEXT_MAX {
            return Err(TOO_LONG);
        }
        let start = out.len();
        // Room for everything at once: growing later would leave copies of
        // the plaintext in freed memory.
        out.reserve(plaintext.len() + self.overhead(plaintext.len()));
        out.extend_from_slice(nonce);
        let sealed = self.seal_after(nonce, plaintext, aad, out);
        if sealed.is_err() {
            out.get_mut(start..).unwrap_or_default().zeroize();
            out.truncate(start);
        }
        sealed
    }

    fn seal_after(
        &self,
        nonce: &[u8],
        plaintext: &[u8],
        aad: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if let Aead::CbcHmac(key) = self {
            let iv = nonce.first_chunk().ok_or(TOO_LONG)?;
            return key.seal(iv, plaintext, aad, out);
        }
        let start = out.len();
        out.extend_from_slice(plaintext);
        let body = out.get_mut(start..).unwrap_or_default();
        let tag: Option<[u8; TAG_LEN]> = match self {
            Aead::Short(key) => Nonce::try_assume_unique_for_key(nonce)
                .and_then(|nonce| key.seal_in_place_separate_tag(nonce, Aad::from(aad), body))
                .ok()
                .and_then(|tag| tag.as_ref().try_into().ok()),
            Aead::XChaCha(key) => nonce
                .first_chunk()
                .and_then(|nonce| key.seal(nonce, aad, body)),
            Aead::Xaes(key) => nonce
                .first_chunk()
                .and_then(|nonce| key.seal(nonce, aad, body)),
            Aead::CbcHmac(_) => None,
        };
        out.extend_from_slice(&tag.ok_or(Error::Library("AEAD"))?);
        Ok(())
    }

    /// Opens nonce ‖ ciphertext ‖ tag.
    pub(super) fn open(&self, ciphertext: &[u8], aad: &[u8]) -> Result<SecretBytes> {
        let (nonce, sealed) = ciphertext
            .split_at_checked(self.nonce_len())
            .ok_or(Error::Decrypt)?;
        if let Aead::CbcHmac(key) = self {
            let iv = nonce.first_chunk().ok_or(Error::Decrypt)?;
            return key.open(iv, sealed, aad);
        }
        let (body, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(Error::Decrypt)?;
        SecretBytes::try_with_len(body.len(), |out| {
            let opened = match self {
                Aead::Short(key) => Nonce::try_assume_unique_for_key(nonce)
                    .and_then(|nonce| {
                        key.open_separate_gather(nonce, Aad::from(aad), body, tag, out)
                    })
                    .is_ok(),
                Aead::XChaCha(key) => nonce
                    .first_chunk()
                    .is_some_and(|nonce| key.open(nonce, aad, body, tag, out)),
                Aead::Xaes(key) => nonce
                    .first_chunk()
                    .is_some_and(|nonce| key.open(nonce, aad, body, tag, out)),
                Aead::CbcHmac(_) => false,
            };
            if opened { Ok(()) } else { Err(Error::Decrypt) }
        })
    }
}
