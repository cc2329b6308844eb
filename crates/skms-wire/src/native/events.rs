//! The record of what was done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::Outcome;
use crate::Moment;

/// One act, as it was recorded.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its place in the journal.
    pub sequence: u64,
    /// Its lasting identifier: 128 bits, written as a UUID is.
    pub id: String,
    /// When it happened.
    pub at: Moment,
    /// The namespace it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Who acted.
    pub principal: String,
    /// How they were recognised.
    pub authentication: String,
    /// The network address they came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What they did.
    pub action: String,
    /// What they did it to.
    pub targets: Vec<TargetView>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, when it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The request's identifier, as answered in `X-Request-Id`.
    pub request_id: String,
    /// Items in the batch, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
    /// What else there is to know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// What an act was done to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    /// `key`, `keyring`, `namespace`, `token`, `policy`, `principal` or `system`.
    pub kind: String,
    /// Its lasting identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}
