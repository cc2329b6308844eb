//! A tenant.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;

/// A namespace's record. All of them live in the system's own scope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NamespaceRecord {
    pub(crate) name: String,
    pub(crate) created_at: i64,
}

impl Record for NamespaceRecord {
    const KIND: Kind = Kind::Namespace;
}
