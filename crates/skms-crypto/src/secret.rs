//! Secret bytes: erased when dropped, never printed, cloned or compared with
//! `==`.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::error::{Error, Result};

/// True when both are equal; the time depends on the lengths only.
#[must_use]
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Secret bytes of any length.
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes ownership, so that these bytes are erased when dropped. Copies
    /// the caller made earlier are the caller's to erase.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// `len` zero bytes, filled in place so that no copy is left behind.
    #[must_use]
    pub fn with_len(len: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = Self(vec![0; len]);
        fill(&mut bytes.0);
        bytes
    }

    /// As [`SecretBytes::with_len`], for a fill that can fail.
    ///
    /// # Errors
    /// Whatever `fill` returns; the bytes are erased first.
    pub fn try_with_len(len: usize, fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Self> {
        let mut bytes = Self(vec![0; len]);
        fill(&mut bytes.0)?;
        Ok(bytes)
    }

    /// The bytes, for the moment of use.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to be changed in place.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares in constant time.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        ct_eq(&self.0, other)
    }

    /// Shortens to `len` bytes, erasing the rest. Longer lengths change
    /// nothing.
    pub fn truncate(&mut self, len: usize) {
        if let Some(rest) = self.0.get_mut(len..) {
            rest.zeroize();
            self.0.truncate(len);
        }
    }

    /// Drops the first `count` bytes, erasing what they leave behind.
    pub fn drop_front(&mut self, count: usize) {
        let count = count.min(self.0.len());
        let kept = self.0.len() - count;
        self.0.copy_within(count.., 0);
        self.truncate(kept);
    }

    /// Appends one byte. Growing past the capacity moves the bytes and erases
    /// where they were.
    pub fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    /// Appends bytes, as [`SecretBytes::push`] does.
    pub fn extend(&mut self, bytes: &[u8]) {
        let len = self.0.len() + bytes.len();
        if len > self.0.capacity() {
            let mut grown = Vec::with_capacity(len.max(2 * self.0.capacity()));
            grown.extend_from_slice(&self.0);
            std::mem::replace(&mut self.0, grown).zeroize();
        }
        self.0.extend_from_slice(bytes);
    }

    /// A second copy, made on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// Gives the bytes up as ordinary ones. The caller says in a comment why
    /// that is safe: a plaintext being returned to its owner, for instance.
    #[must_use]
    pub fn into_public(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl zeroize::ZeroizeOnDrop for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(<redacted>)")
    }
}

/// Secret text: a share to be printed once, or a passphrase.
pub struct SecretText(String);

impl SecretText {
    /// Takes ownership, so that the text is erased when dropped.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the moment of use.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Gives the text up as ordinary text; the caller says in a comment why
    /// that is safe.
    #[must_use]
    pub fn into_public(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl zeroize::ZeroizeOnDrop for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(<redacted>)")
    }
}

/// `N` secret bytes on the heap, so that moving the owner leaves no copy.
pub struct SecretArray<const N: usize>(Box<[u8; N]>);

impl<const N: usize> SecretArray<N> {
    /// Zero bytes, filled in place so that no copy is left on the stack.
    #[must_use]
    pub fn init_with(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut bytes = Self(Box::new([0; N]));
        fill(&mut bytes.0);
        bytes
    }

    /// As [`SecretArray::init_with`], for a fill that can fail.
    ///
    /// # Errors
    /// Whatever `fill` returns; the bytes are erased first.
    pub fn try_init_with(fill: impl FnOnce(&mut [u8; N]) -> Result<()>) -> Result<Self> {
        let mut bytes = Self(Box::new([0; N]));
        fill(&mut bytes.0)?;
        Ok(bytes)
    }

    /// Fresh random bytes.
    ///
    /// # Errors
    /// [`Error::Library`] when the system gives no randomness.
    pub fn random() -> Result<Self> {
        Self::try_init_with(|bytes| crate::rand::fill(bytes))
    }

    /// Copies from a slice of exactly `N` bytes.
    ///
    /// # Errors
    /// [`Error::InvalidLength`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        Self::try_init_with(|own| {
            if bytes.len() != N {
                return Err(Error::InvalidLength {
                    what: "secret",
                    expected: N,
                    found: bytes.len(),
                });
            }
            own.copy_from_slice(bytes);
            Ok(())
        })
    }

    /// The bytes, for the moment of use.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        ct_eq(self.0.as_slice(), other)
    }
}

impl<const N: usize> Drop for SecretArray<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> zeroize::ZeroizeOnDrop for SecretArray<N> {}

impl<const N: usize> fmt::Debug for SecretArray<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretArray(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_bytes() {
        let secret = SecretBytes::new(b"planted".to_vec());
        assert_eq!(format!("{secret:?}"), "SecretBytes(<redacted>)");
        let array = SecretArray::<7>::from_slice(b"planted").unwrap();
        assert_eq!(format!("{array:?}"), "SecretArray(<redacted>)");
        let text = SecretText::new("planted".to_owned());
        assert_eq!(format!("{text:?}"), "SecretText(<redacted>)");
        assert_eq!(text.expose(), "planted");
    }

    #[test]
    fn compares_by_content_and_length() {
        let secret = SecretBytes::new(vec![1, 2, 3]);
        assert!(secret.ct_eq(&[1, 2, 3]));
        assert!(!secret.ct_eq(&[1, 2, 4]));
        assert!(!secret.ct_eq(&[1, 2]));
    }

    #[test]
    fn shortens_from_both_ends() {
        let mut secret = SecretBytes::new(vec![1, 2, 3, 4, 5]);
        secret.drop_front(2);
        assert_eq!(secret.expose(), [3, 4, 5]);
        secret.truncate(1);
        assert_eq!(secret.expose(), [3]);
        secret.truncate(9);
        secret.drop_front(9);
        assert!(secret.is_empty());
    }

    #[test]
    fn grows_without_losing_bytes() {
        let mut secret = SecretBytes::new(Vec::new());
        for byte in 0..100 {
            secret.push(byte);
        }
        secret.extend(&[100, 101]);
        assert_eq!(secret.expose(), (0..102).collect::<Vec<u8>>());
    }

    #[test]
    fn arrays_take_their_own_length_only() {
        assert!(SecretArray::<4>::from_slice(&[0; 5]).is_err());
        assert!(SecretArray::<4>::from_slice(&[0; 3]).is_err());
        assert!(
            SecretArray::<4>::from_slice(&[7; 4])
                .unwrap()
                .ct_eq(&[7; 4])
        );
    }
}
