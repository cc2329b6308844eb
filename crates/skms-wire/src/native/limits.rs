//! What an operator limits in a namespace.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A rate of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests a second in the long run, 1 to 1,000,000.
    #[schema(example = 100)]
    pub per_second: u32,
    /// Requests at once, 1 to 1,000,000; as many as a second's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

/// Sets a namespace's limits, all of them: what is left out is not limited.
/// What is over a new limit already stays; no more is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PutLimitsRequest {
    /// Most keys in the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// Most keys in each keyring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_per_keyring: Option<u64>,
    /// Most keys in the keyrings so named, instead of that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keyrings: BTreeMap<String, u64>,
    /// Most tokens of one principal that have not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_principal: Option<u64>,
    /// Requests of each principal; the server's own default if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateLimit>,
    /// Requests of the principals so named, instead of that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, RateLimit>,
}

/// What is limited in a namespace; what is absent is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct LimitsView {
    /// Most keys in the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// Most keys in each keyring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_per_keyring: Option<u64>,
    /// Most keys in the keyrings so named, instead of that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keyrings: BTreeMap<String, u64>,
    /// Most tokens of one principal that have not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_principal: Option<u64>,
    /// Requests of each principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateLimit>,
    /// Requests of the principals so named, instead of that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, RateLimit>,
}
