//! The members of a JWK: parsed once, duplicates refused; and written back.

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::Bytes;

/// Longest JWK that is looked at, in bytes.
const LIMIT: usize = 1 << 20;

/// A member's value: text is kept, and erased afterwards.
enum Value {
    Text(Zeroizing<String>),
    Texts(Vec<String>),
    Other,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
        Ok(match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Self::Text(Zeroizing::new(text)),
            serde_json::Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    serde_json::Value::String(text) => Some(text),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()
                .map_or(Self::Other, Self::Texts),
            _ => Self::Other,
        })
    }
}

/// The members of one key, in their order.
pub(super) struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> core::result::Result<Members, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    //= https://www.rfc-editor.org/rfc/rfc7517#section-4
                    //# The member names within a JWK MUST be unique
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("duplicate member"));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

fn malformed() -> Error {
    Error::Malformed("JWK")
}

impl Members {
    /// Parses one JSON object with nothing after it.
    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        if text.len() > LIMIT {
            return Err(Error::TooLong {
                what: "JWK",
                limit: LIMIT as u64,
            });
        }
        let members: Self = serde_json::from_slice(text).map_err(|_| malformed())?;
        if members.has("crit") {
            return Err(Error::Malformed("JWK: critical members nobody here knows"));
        }
        Ok(members)
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// Whether the member is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &str) -> Result<&str> {
        self.optional_text(name)?.ok_or_else(malformed)
    }

    /// A text that may be there.
    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&str>> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(malformed()),
        }
    }

    /// A list of texts that may be there, each of them once.
    pub(super) fn optional_texts(&self, name: &str) -> Result<Option<&[String]>> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::Texts(texts)) => {
                let repeated = texts
                    .iter()
                    .enumerate()
                    .any(|(at, text)| texts.iter().take(at).any(|before| before == text));
                if repeated {
                    Err(malformed())
                } else {
                    Ok(Some(texts))
                }
            }
            Some(_) => Err(malformed()),
        }
    }

    /// Base64url without padding.
    pub(super) fn bytes(&self, name: &str) -> Result<Bytes> {
        URL_SAFE_NO_PAD
            .decode(self.text(name)?)
            .map(Zeroizing::new)
            .map_err(|_| malformed())
    }

    /// As many bytes as that, no more and no fewer.
    pub(super) fn exact(&self, name: &str, length: usize) -> Result<Bytes> {
        let bytes = self.bytes(name)?;
        //= https://www.rfc-editor.org/rfc/rfc7518#section-6.2.1.2
        //# The length of this octet string MUST be the full size of a
        //# coordinate for the curve
        if bytes.len() == length {
            Ok(bytes)
        } else {
            Err(Error::InvalidKey("JWK member of the wrong length"))
        }
    }

    /// A Base64urlUInt: big-endian, no leading zero.
    pub(super) fn integer(&self, name: &str) -> Result<Bytes> {
        let bytes = self.bytes(name)?;
        //= https://www.rfc-editor.org/rfc/rfc7518#section-2
        //# The octet sequence MUST utilize the minimum number of octets
        //# needed to represent the value.
        match bytes.first() {
            Some(0) | None => Err(malformed()),
            Some(_) => Ok(bytes),
        }
    }
}

/// Writes members in order; the buffer is erased.
pub(super) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(super) fn new() -> Self {
        // Larger than any key here but the longest, so that it seldom moves.
        Self(Zeroizing::new(Vec::with_capacity(16 * 1024)))
    }

    fn name(&mut self, name: &str) {
        let opening = if self.0.is_empty() { b'{' } else { b',' };
        self.0.push(opening);
        self.0
            .extend_from_slice(format!("\"{name}\":\"").as_bytes());
    }

    /// A text of our own that needs no escaping.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'"');
    }

    /// Bytes as base64url without padding.
    pub(super) fn bytes(&mut self, name: &str, value: &[u8]) {
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(value));
        self.text(name, &encoded);
    }

    pub(super) fn finish(mut self) -> SecretBytes {
        self.0.push(b'}');
        SecretBytes::new(core::mem::take(&mut *self.0))
    }
}
