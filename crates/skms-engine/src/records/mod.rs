//! What is inside sealed records: one module a kind, JSON with named fields
//! so that a later version reads an earlier one's.

pub(crate) mod acme;
pub(crate) mod approval;
pub(crate) mod authority;
pub(crate) mod certificate;
pub(crate) mod der;
pub(crate) mod directory;
pub(crate) mod exchange;
pub(crate) mod group;
pub(crate) mod idempotency;
pub(crate) mod incident;
pub(crate) mod key;
pub(crate) mod keyring;
pub(crate) mod limits;
pub(crate) mod namespace;
pub(crate) mod notification;
pub(crate) mod policy;
pub(crate) mod principal;
pub(crate) mod publication;
pub(crate) mod reencryption;
pub(crate) mod rule;
pub(crate) mod rules;
pub(crate) mod ssh;
pub(crate) mod token;
pub(crate) mod trust;
pub(crate) mod tsa;
pub(crate) mod weak;

use serde::Serialize;
use serde::de::DeserializeOwned;
use skms_crypto::{SecretBytes, Use, Uses};
use skms_store::Kind;

use crate::error::{Error, Result};

/// A record's payload.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// The kind it is stored under.
    const KIND: Kind;
}

/// Encodes a payload for sealing.
pub(crate) fn encode<R: Record>(record: &R) -> Result<SecretBytes> {
    serde_json::to_vec(record)
        .map(SecretBytes::new)
        .map_err(|_| Error::Internal("a record does not encode"))
}

/// Decodes an opened payload.
pub(crate) fn decode<R: Record>(bytes: &[u8]) -> Result<R> {
    serde_json::from_slice(bytes).map_err(|error| Error::Record {
        kind: R::KIND.name(),
        // The category and place only: the message could quote a value.
        reason: format!(
            "{:?} at line {}, column {}",
            error.classify(),
            error.line(),
            error.column()
        ),
    })
}

/// The names of a set of uses, in the registry's order.
pub(crate) fn uses_names(uses: Uses) -> Vec<String> {
    uses.iter().map(|one| one.name().to_owned()).collect()
}

/// The set of uses with these names; `None` when one is unknown.
pub(crate) fn uses_from(names: &[String]) -> Option<Uses> {
    let uses: Option<Vec<Use>> = names.iter().map(|name| name.parse().ok()).collect();
    Some(Uses::of(&uses?))
}

/// The bytes that lower- or upper-case hexadecimal stands for.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
        })
        .collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
