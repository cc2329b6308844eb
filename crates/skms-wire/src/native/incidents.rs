//! What depends on a key, its compromise, and the incident that this makes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::{IncidentReach, IncidentRotation, RevocationReason};
use crate::Moment;

/// How many nodes a lineage may have, from the query string.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineageQuery {
    /// At most so many nodes; 500 if left out, which is the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A thing in a lineage.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LineageNode {
    /// Unique in the lineage.
    pub id: String,
    /// What it is: `root`, `key`, `certificate`, `authority`, `ssh-authority`,
    /// `ssh-certificate`, `tsa`, `principal`, `token`, `group`, `recipient`,
    /// `exchange`, or `more` for those that have no place.
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// The version of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The state of that version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// How many it stands for, where it stands for more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// That one thing depends on another.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LineageEdge {
    /// What is depended on.
    pub from: String,
    /// What depends on it.
    pub to: String,
    /// In what way: `seals`, `derived`, `agreed`, `unwrapped`, `wrapped`,
    /// `certifies`, `issued`, `stands-on`, `signs-in`, `made-by`, `shares`,
    /// `given`, `data-keys`, `derived-bytes`, `unwrapped-bytes`, `material`,
    /// `waits`, `more`.
    pub how: String,
}

/// What a key depends on and what depends on it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LineageView {
    /// The things.
    pub nodes: Vec<LineageNode>,
    /// How they hang together.
    pub edges: Vec<LineageEdge>,
    /// The nodes of the key that was asked for, one a version.
    pub of: Vec<String>,
    /// Whether there is more than has a place.
    pub truncated: bool,
}

/// Marks a key as compromised, with everything that depends on it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompromiseRequest {
    /// Why, in words, for the record and the report.
    #[schema(example = "laptop with an export was stolen")]
    pub reason: String,
    /// The version; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Since when somebody else may have had it; for ever if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// How far it goes along the lineage; `all` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<IncidentReach>,
    /// What is given a new version; `rule` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<IncidentRotation>,
}

/// How much an incident touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IncidentCounts {
    /// Versions that were marked compromised, the first ones included.
    pub compromised: u64,
    /// Versions that were so before.
    pub already: u64,
    /// Versions that a policy spared.
    pub spared: u64,
    /// Versions that could not be changed.
    pub failed: u64,
    /// Certificates that are revoked.
    pub certificates: u64,
    /// Authorities that stand on a touched version.
    pub authorities: u64,
    /// Tokens that were revoked.
    pub tokens: u64,
    /// Keys that have a new version.
    pub rotated: u64,
    /// SSH certificates that are revoked.
    #[serde(default)]
    pub ssh_certificates: u64,
    /// Key exchanges that waited for their confirmation and were ended.
    #[serde(default)]
    pub exchanges: u64,
    /// Principals who were given a touched key, or data keys, derived or
    /// unwrapped bytes by one. Known at the end.
    #[serde(default)]
    pub recipients: u64,
}

/// A compromise and what is done about it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IncidentView {
    /// Its identifier.
    pub id: String,
    /// The keyring of the key.
    pub keyring: String,
    /// The key.
    pub key: String,
    /// The key's identifier.
    pub key_id: String,
    /// The versions that were marked.
    pub versions: Vec<u32>,
    /// Why they are revoked (RFC 5280).
    pub revocation_reason: RevocationReason,
    /// Why, in words.
    pub reason: String,
    /// Since when somebody else may have had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Since when every use is refused.
    pub effective_at: Moment,
    /// Who said so.
    pub by: String,
    /// How far it goes.
    pub cascade: IncidentReach,
    /// What is given a new version.
    pub rotate: IncidentRotation,
    /// How much was touched so far.
    pub counts: IncidentCounts,
    /// Entries of what was touched so far.
    pub touched: u64,
    /// Whether everything was done.
    pub finished: bool,
    /// When it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Moment>,
    /// The signed report (a JWS in its compact form), once it was; not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// Why the rest could not be done when it was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Something that an incident touched.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TouchedView {
    /// What it is: `key`, `certificate`, `authority`, `ssh-authority`, `tsa`,
    /// `ssh-certificate`, `exchange`, `token`.
    pub kind: String,
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The version of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// In what way it depends on `under`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// What it depends on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<String>,
    /// What became of it: `compromised`, `already`, `spared`, `revoked`,
    /// `stopped`, `ended`, `failed`.
    pub outcome: String,
    /// Who answers for a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether the key is given a new version, if it can be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotates: bool,
    /// More, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What a compromise would do. Nothing was changed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CompromisePlan {
    /// The incident as it would be, at its end.
    pub incident: IncidentView,
    /// What would be touched, the first 1,000.
    pub touched: Vec<TouchedView>,
    /// The report as it would be, without its signature.
    pub report: serde_json::Value,
}

/// The public key by which incident reports are checked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IncidentKey {
    /// The key (SubjectPublicKeyInfo, PEM).
    pub public_key: String,
    /// SHA-256 of the SubjectPublicKeyInfo, lower-case hexadecimal: the `kid` of
    /// reports.
    pub fingerprint: String,
}
