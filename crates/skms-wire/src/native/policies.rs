//! Policies in Cedar.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Moment;

/// Writes a policy, new or in place of the one so named.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutPolicyRequest {
    /// The policy's Cedar text.
    pub policy: String,
}

/// A policy.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// Its Cedar text; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// When it was first written.
    pub created_at: Moment,
    /// When it was last written.
    pub updated_at: Moment,
}
