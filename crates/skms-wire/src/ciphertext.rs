//! The text form of a ciphertext: `skms:v3:<base64>`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::encoding::{TextVisitor, decode};
use crate::{Error, Result};

const SCHEME: &str = "skms:v";

/// A ciphertext and the key version that made it. For an AEAD key the bytes
/// are nonce, ciphertext and tag in that order; for RSA, the OAEP ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphertext {
    /// The key version, from 1.
    pub version: u32,
    /// What the algorithm produced.
    pub bytes: crate::Bytes,
}

impl Ciphertext {
    /// Joins a version and its bytes.
    pub fn new(version: u32, bytes: Vec<u8>) -> Self {
        Self {
            version,
            bytes: bytes.into(),
        }
    }
}

impl FromStr for Ciphertext {
    type Err = Error;

    /// Strict: one spelling for each value, so that two texts that differ are
    /// two ciphertexts.
    fn from_str(text: &str) -> Result<Self> {
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or(Error::Ciphertext("it must begin with skms:v"))?;
        let (digits, body) = rest
            .split_once(':')
            .ok_or(Error::Ciphertext("a colon must follow the version"))?;
        let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if !canonical {
            return Err(Error::Ciphertext(
                "the version must be a decimal number from 1, without leading zeros",
            ));
        }
        let version = digits.parse().map_err(|_| {
            Error::Ciphertext("the version must be a decimal number from 1 to 4294967295")
        })?;
        if body.is_empty() {
            return Err(Error::Ciphertext("nothing follows the version"));
        }
        let bytes = decode(body)
            .map_err(|_| Error::Ciphertext("the body must be standard base64 with padding"))?;
        Ok(Self::new(version, bytes))
    }
}

impl fmt::Display for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{SCHEME}{}:{}",
            self.version,
            Base64Display::new(&self.bytes, &STANDARD)
        )
    }
}

impl Serialize for Ciphertext {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ciphertext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor {
            expecting: "a ciphertext such as skms:v1:...",
            parse: Self::from_str,
        })
    }
}

impl PartialSchema for Ciphertext {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some("^skms:v[1-9][0-9]*:[A-Za-z0-9+/]+={0,2}$"))
            .description(Some(
                "A ciphertext and the key version that made it: skms:v<version>:<base64>",
            ))
            .build()
            .into()
    }
}

impl ToSchema for Ciphertext {
    fn name() -> Cow<'static, str> {
        "Ciphertext".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for version in [1, 7, 10, u32::MAX] {
            let ciphertext = Ciphertext::new(version, b"nonce, body and tag".to_vec());
            let text = ciphertext.to_string();
            assert_eq!(text.parse::<Ciphertext>(), Ok(ciphertext));
        }
        assert_eq!(Ciphertext::new(3, vec![0]).to_string(), "skms:v3:AA==");
    }

    #[test]
    fn refuses_every_other_spelling() {
        for bad in [
            "",
            "skms",
            "skms:v",
            "skms:v1",
            "skms:v1:",
            "skms:v:AA==",
            "skms:v0:AA==",
            "skms:v01:AA==",
            "skms:v+1:AA==",
            "skms:v-1:AA==",
            "skms:v4294967296:AA==",
            "skms:1:AA==",
            "SKMS:v1:AA==",
            "vault:v1:AA==",
            " skms:v1:AA==",
            "skms:v1:AA==\n",
            "skms:v1:AA",
            "skms:v1:AB==",
            "skms:v1:AA==:AA==",
        ] {
            assert!(bad.parse::<Ciphertext>().is_err(), "{bad:?}");
        }
    }
}
