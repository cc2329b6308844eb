//! Keyrings: named groups of keys with defaults.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::keys::Rules;
use super::terms::KeyUse;
use crate::Moment;

/// Makes a keyring.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKeyringRequest {
    /// Its name within the namespace.
    #[schema(example = "payments")]
    pub name: String,
    /// What its keys are unless they say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<KeyDefaults>,
}

/// What a keyring's keys are unless they say otherwise.
#[derive(Debug, Default, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyDefaults {
    /// The algorithm of a key that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "AES-256-GCM")]
    pub algorithm: Option<String>,
    /// The uses of a key that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Vec<KeyUse>>,
    /// Whether such a key may leave the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
    /// The rules of a key that brings none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
}

/// A keyring.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyringView {
    /// Its lasting identifier: 128 bits, written as a UUID is.
    pub id: String,
    /// The namespace it lives in.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What its keys are unless they say otherwise.
    pub defaults: KeyDefaults,
    /// When it was made.
    pub created_at: Moment,
}
