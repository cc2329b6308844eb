//! Seals, unsealing, and the storage keys beneath them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::SealKind;
use crate::{Moment, SecretB64, SecretText};

/// One step of unsealing. Give exactly one of the three.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsealRequest {
    /// A passphrase; enough by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<SecretText>,
    /// One share of a Shamir seal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<SecretText>,
    /// A key file's bytes; enough by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<SecretB64>,
}

/// Whether the server is sealed, and how far unsealing has come.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SealStatus {
    /// Whether the store was ever set up.
    pub initialized: bool,
    /// Whether its records cannot be read now.
    pub sealed: bool,
    /// Shamir seals that have shares already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<SealProgress>,
    /// The seals that open this store; their kinds only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seals: Vec<SealView>,
}

/// How far a Shamir seal has come.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SealProgress {
    /// The seal.
    pub seal: String,
    /// Shares given.
    pub provided: u32,
    /// Shares needed.
    pub threshold: u32,
}

/// A seal.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SealView {
    /// Its identifier.
    pub id: String,
    /// What holds it.
    pub kind: SealKind,
    /// For Shamir: shares needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// For Shamir: shares made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<u32>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Moment>,
}

/// Adds a seal; root and storage keys are rotated.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddSealRequest {
    /// What will hold it.
    pub kind: SealKind,
    /// For a passphrase: the passphrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<SecretText>,
    /// For Shamir: shares needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u8>,
    /// For Shamir: shares to make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<u8>,
}

/// A new seal and what opens it. The secrets are in this answer only.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AddSealResponse {
    /// The seal.
    pub seal: SealView,
    /// For Shamir: the shares, one for each holder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<SecretText>,
    /// For a key file: its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<SecretB64>,
}

/// A storage-key rotation's standing.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotateStorageKeyResponse {
    /// The new storage key's term.
    pub term: u32,
    /// Records still under older terms; they move over in the background.
    pub records_remaining: u64,
}

/// A root rotation's result.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotateRootResponse {
    /// The new root key's generation.
    pub generation: u32,
    /// The seals it was wrapped to.
    pub seals: u32,
}

/// What checking the whole store found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StorageReport {
    /// Whether every record opened and every head agreed.
    pub intact: bool,
    /// Records opened.
    pub records: u64,
    /// Journal entries checked.
    pub journal_entries: u64,
    /// What was wrong.
    pub faults: Vec<String>,
}
