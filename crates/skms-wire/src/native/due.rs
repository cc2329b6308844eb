//! What is due for keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Moment;

/// How far ahead to look, from the query string.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DueQuery {
    /// So many seconds from now; 30 days if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_seconds: Option<u64>,
    /// At most so many items; 1000 if left out, which is the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What is due for the keys of a namespace that the caller may read.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DueView {
    /// By time, the longest overdue first.
    pub items: Vec<DueItem>,
    /// Whether there is more than is here.
    pub more: bool,
    /// Whether every key has been looked at since the server was unsealed.
    pub complete: bool,
    /// Until when this looks.
    pub until: Moment,
}

/// Something that the server is to do with a version of a key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DueItem {
    /// When.
    pub at: Moment,
    /// What: `activate`, `deactivate`, `rotate`, `warn`, `destroy-old`,
    /// `destroy`, `end-recovery`.
    pub act: String,
    /// The rule by which it is due, by the name of its option;
    /// `algorithm-withdrawn` by `rotate-on`, `called` where something else called
    /// for it, `date` for a date of the version's own.
    pub why: String,
    /// The key's keyring.
    pub keyring: String,
    /// The key.
    pub key: String,
    /// Its identifier.
    pub id: String,
    /// The version.
    pub version: u32,
}
