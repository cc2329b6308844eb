//! Versions of keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::{KeyState, Origin, RevocationReason};
use crate::Moment;

/// One version of a key: its material's life, never its material.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VersionView {
    /// Its number, from 1.
    pub version: u32,
    /// What its material is for; the key's algorithm unless a rotation changed
    /// that since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Its state.
    pub state: KeyState,
    /// Where its material came from.
    pub origin: Origin,
    /// How it was agreed on, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<AgreedView>,
    /// What it was derived from, or unwrapped by when it was brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentView>,
    /// Under which versions of keys here it left the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrapped_by: Vec<ParentView>,
    /// When it was made.
    pub created_at: Moment,
    /// When it became active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Moment>,
    /// When it stopped protecting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated_at: Option<Moment>,
    /// When it was marked compromised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised_at: Option<Moment>,
    /// When the compromise is thought to have happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromise_occurred_at: Option<Moment>,
    /// When it will be destroyed, while that can still be cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy_at: Option<Moment>,
    /// When its material was destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed_at: Option<Moment>,
    /// Its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationView>,
    /// A grant to process with it although it is compromised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_grant: Option<RecoveryGrantView>,
    /// Uses counted so far, rounded up to the reserved block.
    pub uses_reserved: u64,
    /// Bytes encrypted so far, where they are counted, rounded up likewise.
    #[serde(default)]
    pub bytes_reserved: u64,
    /// The public key (SubjectPublicKeyInfo, PEM), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo, lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// By which key of ours, and whose, a version was agreed on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AgreedView {
    /// The identifier of our key.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of the peer's SubjectPublicKeyInfo, lower-case hexadecimal.
    pub peer_fingerprint: String,
}

/// A version of a key here that another one depends on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ParentView {
    /// The key's identifier.
    pub key: String,
    /// Its version.
    pub version: u32,
}

/// Why and when a version was revoked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RevocationView {
    /// The reason (RFC 5280).
    pub reason: RevocationReason,
    /// When it was revoked.
    pub at: Moment,
    /// What the revoker wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A logged permission to process with a compromised version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryGrantView {
    /// When it lapses.
    pub until: Moment,
    /// The principal who granted it.
    pub granted_by: String,
    /// Why.
    pub reason: String,
}
