//! Opening certificate authorities to EST (RFC 7030).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Opens an authority to EST, or changes how it is open.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnableEstRequest {
    /// The profiles by which certificates are given.
    #[schema(example = json!(["tls-server"]))]
    pub profiles: Vec<String>,
    /// Whether whoever holds a certificate may renew it by that alone, without
    /// being a principal whom a policy permits it.
    #[serde(default)]
    pub renewal_by_certificate: bool,
    /// The algorithm of keys that are made here for clients, which is also the
    /// one that clients are told to use; `EC-P256` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "EC-P256")]
    pub key_algorithm: Option<String>,
}

/// How an authority is open to EST.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EstView {
    /// Whether it is. If not, nothing else is said.
    pub enabled: bool,
    /// The profiles by which certificates are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// Whether a certificate alone is enough to renew it.
    pub renewal_by_certificate: bool,
    /// The algorithm of keys that are made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_algorithm: Option<String>,
    /// The labels that its clients use, one for each profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["team:issuing:tls-server"]))]
    pub labels: Vec<String>,
}
