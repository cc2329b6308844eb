//! A policy document.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;

/// A policy's record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PolicyRecord {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

impl Record for PolicyRecord {
    const KIND: Kind = Kind::Policy;
}
