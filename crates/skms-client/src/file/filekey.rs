//! The file key and what is derived from it.

use std::fmt;

use aws_lc_rs::{hkdf, hmac};
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use super::{FileError, Result};

/// The key of one file: 128 bits, drawn anew for each.
#[derive(ZeroizeOnDrop)]
pub struct FileKey(Box<[u8; Self::LENGTH]>);

impl FileKey {
    /// Its length in bytes.
    pub const LENGTH: usize = 16;

    /// Draws one.
    ///
    /// # Errors
    /// [`FileError::Library`] if there is no randomness.
    pub fn draw() -> Result<Self> {
        let mut key = Self(Box::new([0; Self::LENGTH]));
        aws_lc_rs::rand::fill(&mut *key.0).map_err(|_| FileError::Library)?;
        Ok(key)
    }

    /// Takes over what a recipient's stanza held.
    ///
    /// # Errors
    /// [`FileError::Malformed`] if the length is another.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut key = Self(Box::new([0; Self::LENGTH]));
        if bytes.len() != Self::LENGTH {
            return Err(FileError::Malformed("a file key of another length"));
        }
        key.0.copy_from_slice(bytes);
        Ok(key)
    }

    /// The bytes, to be wrapped for a recipient.
    pub fn expose(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The key of the header's MAC: HKDF-SHA-256 without salt.
    pub(super) fn mac_key(&self) -> Result<hmac::Key> {
        let key = derive(&*self.0, &[], b"header")?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &*key))
    }

    /// The payload's key, of the nonce that begins it.
    pub(super) fn payload_key(&self, nonce: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        derive(&*self.0, nonce, b"payload")
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(<redacted>)")
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA-256 (RFC 5869), 32 bytes of it.
pub(super) fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    let filled = hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], Length(32))
        .and_then(|okm| okm.fill(&mut *key));
    if filled.is_err() {
        key.zeroize();
        return Err(FileError::Library);
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_key_has_one_length_and_prints_nothing() {
        for length in [0, 15, 17, 32] {
            assert!(FileKey::from_bytes(&vec![1; length]).is_err());
        }
        let key = FileKey::from_bytes(&[0xab; 16]).unwrap();
        assert_eq!(key.expose(), &[0xab; 16]);
        assert_eq!(format!("{key:?}"), "FileKey(<redacted>)");
        assert_ne!(
            FileKey::draw().unwrap().expose(),
            FileKey::draw().unwrap().expose()
        );
    }
}
