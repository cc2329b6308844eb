//! Secrets on their way through JSON: erased when dropped, never shown.
//!
//! These are the only secret types in the workspace that serialise, because
//! handing a plaintext to its caller is what a face is for. They have no
//! `Clone`, `Display` or `==`, and their `Debug` shows nothing.

use std::borrow::Cow;
use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding::{TextVisitor, base64_schema, string_schema};
use crate::{Error, Result};

/// Secret bytes (a plaintext, a data key, a shared secret), standard base64
/// with padding in JSON.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub struct SecretB64(Vec<u8>);

impl SecretB64 {
    /// Takes over the bytes; they are erased on drop.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The secret bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Moves the bytes out; the caller now owes the erasing.
    pub fn into_exposed(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads standard base64 with padding. The buffer is sized exactly, so
    /// that decoding never leaves a copy behind by growing.
    pub fn from_base64(text: &str) -> Result<Self> {
        let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
        let written = STANDARD
            .decode_slice(text, &mut bytes)
            .map_err(|_| Error::Base64)?;
        bytes.truncate(written);
        Ok(Self(std::mem::take(&mut *bytes)))
    }
}

impl fmt::Debug for SecretB64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretB64(<redacted>)")
    }
}

impl From<Vec<u8>> for SecretB64 {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Serialize for SecretB64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut text = Zeroizing::new(String::with_capacity(self.0.len().div_ceil(3) * 4));
        STANDARD.encode_string(&self.0, &mut text);
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for SecretB64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor {
            expecting: "standard base64 with padding",
            parse: Self::from_base64,
        })
    }
}

impl PartialSchema for SecretB64 {
    fn schema() -> RefOr<Schema> {
        base64_schema("Secret bytes as standard base64 with padding (RFC 4648 section 4)").into()
    }
}

impl ToSchema for SecretB64 {
    fn name() -> Cow<'static, str> {
        "SecretBytes".into()
    }
}

/// A secret text (a token, a passphrase, a share of a seal).
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    /// Takes over the text; it is erased on drop.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves the text out; the caller now owes the erasing.
    pub fn into_exposed(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(<redacted>)")
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor {
            expecting: "a string",
            parse: |text: &str| Ok(Self(text.to_owned())),
        })
    }
}

impl PartialSchema for SecretText {
    fn schema() -> RefOr<Schema> {
        string_schema("A secret text", Some("password")).into()
    }
}

impl ToSchema for SecretText {
    fn name() -> Cow<'static, str> {
        "SecretText".into()
    }
}

/// Serialises to JSON without leaving copies behind: a buffer that has to grow
/// is erased before it is let go.
pub fn to_json<T: Serialize + ?Sized>(
    value: &T,
) -> std::result::Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let mut writer = ErasingWriter(Zeroizing::new(Vec::with_capacity(512)));
    serde_json::to_writer(&mut writer, value)?;
    Ok(writer.0)
}

struct ErasingWriter(Zeroizing<Vec<u8>>);

impl io::Write for ErasingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(self.0.capacity() * 2)));
            larger.extend_from_slice(&self.0);
            // The old buffer is erased as it is dropped here.
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_same_whatever_the_size() {
        for length in [0, 1, 100, 511, 512, 513, 100_000] {
            let secret = SecretB64::new(vec![7; length]);
            assert_eq!(
                *to_json(&secret).unwrap(),
                serde_json::to_vec(&secret).unwrap()
            );
        }
    }

    #[test]
    fn round_trips_and_never_prints() {
        for length in 0..40_u8 {
            let secret = SecretB64::new((0..length).collect());
            let json = serde_json::to_string(&secret).unwrap();
            let back: SecretB64 = serde_json::from_str(&json).unwrap();
            assert_eq!(back.expose(), secret.expose());
        }
        let text: SecretText = serde_json::from_str("\"hunter2\"").unwrap();
        assert_eq!(text.expose(), "hunter2");
        let shown = format!("{text:?} {:?}", SecretB64::new(b"hunter2".to_vec()));
        assert!(!shown.contains("hunter2"));
    }

    #[test]
    fn errors_do_not_repeat_the_secret() {
        let error = serde_json::from_str::<SecretB64>("\"hunter2!\"").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        for bad in ["YQ", "YR==", "_-8="] {
            assert!(SecretB64::from_base64(bad).is_err(), "{bad}");
        }
    }
}
