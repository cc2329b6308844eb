//! Base64 values: bytes that are not secret.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::{Error, Result};

/// Bytes that need no erasing: ciphertexts, signatures, public keys,
/// associated data. Standard base64 with padding in JSON. `Debug` shows the
/// length alone, because messages to be signed may still be private.
#[derive(Clone, PartialEq, Eq, Default, Hash)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    /// Takes over the bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, owned.
    pub fn into_inner(self) -> Vec<u8> {
        self.0
    }

    /// Reads standard base64 with padding; nothing else is accepted.
    pub fn from_base64(text: &str) -> Result<Self> {
        decode(text).map(Self)
    }

    /// Standard base64 with padding.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&base64::display::Base64Display::new(&self.0, &STANDARD))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor {
            expecting: "standard base64 with padding",
            parse: |text: &str| decode(text).map(Self),
        })
    }
}

impl PartialSchema for Bytes {
    fn schema() -> RefOr<Schema> {
        base64_schema("Bytes as standard base64 with padding (RFC 4648 section 4)").into()
    }
}

impl ToSchema for Bytes {
    fn name() -> Cow<'static, str> {
        "Bytes".into()
    }
}

/// Decodes strictly: canonical padding, no stray bits, no white space.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| Error::Base64)
}

/// The schema of a base64 string.
pub(crate) fn base64_schema(description: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .content_encoding("base64")
        .pattern(Some(
            "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        ))
        .description(Some(description))
        .build()
}

/// The schema of a plain string with a format name.
pub(crate) fn string_schema(description: &str, format: Option<&str>) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .format(format.map(|format| SchemaFormat::Custom(format.to_owned())))
        .description(Some(description))
        .build()
}

/// Reads a JSON string through a parser without keeping a copy of it.
pub(crate) struct TextVisitor<F> {
    /// What the field wants, for the error message.
    pub expecting: &'static str,
    /// Turns the text into the value.
    pub parse: F,
}

impl<T, F: FnOnce(&str) -> Result<T>> Visitor<'_> for TextVisitor<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_refuses_every_loose_form() {
        for length in 0..40_u8 {
            let bytes = Bytes::new((0..length).collect());
            let json = serde_json::to_string(&bytes).unwrap();
            assert_eq!(serde_json::from_str::<Bytes>(&json).unwrap(), bytes);
        }
        // No padding, URL alphabet, white space, stray bits, text after padding.
        for bad in ["YQ", "_-8=", "Y Q=", "YR==", "YQ==\n", "YQ==YQ==", "="] {
            assert_eq!(Bytes::from_base64(bad), Err(Error::Base64), "{bad:?}");
        }
        assert!(serde_json::from_str::<Bytes>("[1,2]").is_err());
        assert!(serde_json::from_str::<Bytes>("null").is_err());
    }

    #[test]
    fn debug_shows_the_length_alone() {
        assert_eq!(
            format!("{:?}", Bytes::new(b"abc".to_vec())),
            "Bytes(3 bytes)"
        );
    }
}
