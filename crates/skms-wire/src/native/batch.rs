//! One item, or many in one request, each with its own result.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Problem;

/// The member that makes a body a batch.
const BATCH: &str = "batch";

/// A body that is one item, or `{"batch": [items]}`.
#[derive(Debug)]
pub enum OneOrBatch<T> {
    /// A single item; the answer is a single result or a problem.
    One(T),
    /// Many items; the answer is one result for each, in order.
    Batch(Vec<T>),
}

impl<T: Serialize> Serialize for OneOrBatch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(item) => item.serialize(serializer),
            Self::Batch(items) => serializer.collect_map([(BATCH, items)]),
        }
    }
}

/// Reads the first member's name and decides. Nothing is buffered, so no
/// second copy of a plaintext is made on the way.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrBatch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OneOrBatchVisitor(PhantomData))
    }
}

struct OneOrBatchVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrBatchVisitor<T> {
    type Value = OneOrBatch<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one item or {\"batch\": [items]}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let first = map.next_key::<Key<'de>>()?;
        if first.as_ref().is_some_and(|key| key.0 == BATCH) {
            let items = map.next_value()?;
            return match map.next_key::<Key<'de>>()? {
                None => Ok(OneOrBatch::Batch(items)),
                Some(_) => Err(de::Error::custom("batch must be the only member")),
            };
        }
        T::deserialize(MapAccessDeserializer::new(Replayed { first, map })).map(OneOrBatch::One)
    }
}

/// A member's name, borrowed from the input where it can be.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// A map whose first name was already read.
struct Replayed<'de, A> {
    first: Option<Key<'de>>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Replayed<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(key.0.into_deserializer()).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// One item's result within a batch: `{"ok": ...}` or `{"problem": ...}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchItem<T> {
    /// The item was done.
    Ok(T),
    /// It was not, for this reason; the others stand.
    Problem(Problem),
}

/// The answer to [`OneOrBatch`]: a single result, or `{"results": [...]}`.
#[derive(Debug)]
pub enum OneOrResults<T> {
    /// The result of a single item.
    One(T),
    /// A result for each item of the batch, in order.
    Results(Vec<BatchItem<T>>),
}

impl<T: Serialize> Serialize for OneOrResults<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(result) => result.serialize(serializer),
            Self::Results(results) => serializer.collect_map([("results", results)]),
        }
    }
}

/// A batch's answer, for clients: `{"results": [...]}`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results<T> {
    /// A result for each item, in order.
    pub results: Vec<BatchItem<T>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::operations::EncryptRequest;

    fn parse(text: &str) -> Result<OneOrBatch<EncryptRequest>, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn one_or_many() {
        let one = parse(r#"{"plaintext":"AA==","associated_data":"AQ=="}"#).unwrap();
        assert!(matches!(one, OneOrBatch::One(item) if item.plaintext.expose() == [0]));
        let many = parse(r#"{"batch":[{"plaintext":"AA=="},{"plaintext":"AQ=="}]}"#).unwrap();
        assert!(matches!(many, OneOrBatch::Batch(items) if items.len() == 2));
        let escaped = parse(r#"{"\u0062atch":[]}"#).unwrap();
        assert!(matches!(escaped, OneOrBatch::Batch(items) if items.is_empty()));
    }

    #[test]
    fn refusals_name_the_fault() {
        for (bad, fault) in [
            (
                r#"{"plaintext":"AA==","batch":[]}"#,
                "unknown field `batch`",
            ),
            (r#"{"batch":[],"plaintext":"AA=="}"#, "only member"),
            (r#"{"plaintxt":"AA=="}"#, "unknown field `plaintxt`"),
            (r#"{}"#, "missing field `plaintext`"),
            (
                r#"{"plaintext":"AA==","plaintext":"AA=="}"#,
                "duplicate field",
            ),
            (r#"{"batch":[{"batch":[]}]}"#, "unknown field `batch`"),
            ("[]", "one item or"),
        ] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.contains(fault), "{bad}: {error}");
        }
    }

    #[test]
    fn answers_have_the_documented_shape() {
        let results = OneOrResults::Results(vec![
            BatchItem::Ok(1),
            BatchItem::Problem(Problem::new(super::super::ProblemKind::NotFound)),
        ]);
        let json = serde_json::to_value(&results).unwrap();
        assert_eq!(json["results"][0]["ok"], 1);
        assert_eq!(
            json["results"][1]["problem"]["type"],
            "urn:skms:problem:not-found"
        );
        let back: Results<u8> = serde_json::from_value(json).unwrap();
        assert_eq!(back.results.len(), 2);
    }
}
