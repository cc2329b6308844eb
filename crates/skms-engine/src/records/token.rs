//! A bearer token.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;

/// A token's record. The token itself is not in it: only its SHA-256, by
/// which it is looked up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TokenRecord {
    pub(crate) principal: String,
    pub(crate) namespace: String,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) description: String,
    /// SHA-256 of the token's text, in lower-case hex.
    pub(crate) digest: String,
    pub(crate) created_at: i64,
    pub(crate) created_by: String,
    /// The namespace of that principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created_in: Option<String>,
    /// By which credential, as the log names it: what is taken back with that
    /// one is found by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created_with: Option<String>,
    pub(crate) expires_at: Option<i64>,
}

impl Record for TokenRecord {
    const KIND: Kind = Kind::Token;
}
