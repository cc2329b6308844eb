//! Weak and known-compromised keys: what was found, the lists of known keys,
//! and the sweep.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Bytes, Moment};

/// Imports a list of known keys, in the place of one of the same name.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportBlocklistRequest {
    /// The list's file, as docs/weak-keys.md describes it.
    pub file: Bytes,
}

/// A list of known keys.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BlocklistView {
    /// Its name.
    #[schema(example = "debian-2008")]
    pub name: String,
    /// What its entries are: `spki-sha256`, `badkeys-120` or `modulus-sha1-80`.
    #[schema(example = "spki-sha256")]
    pub hash: String,
    /// How many there are.
    pub entries: u64,
    /// Where they are from, where the list says so.
    pub sources: Vec<String>,
    /// When it was imported.
    pub imported_at: Moment,
    /// By whom.
    pub imported_by: String,
}

/// Something that was found about what is stored.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WeakFindingView {
    /// Its identifier.
    pub id: String,
    /// What it is about: `key`, `certificate` or `ssh-certificate`.
    #[schema(example = "key")]
    pub kind: String,
    /// The identifier of that.
    pub subject: String,
    /// Keyring and name of a key; authority's identifier and serial number of a
    /// certificate.
    #[schema(example = "default/web")]
    pub name: String,
    /// The version of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Who found it.
    #[schema(example = "roca")]
    pub detector: String,
    /// How bad it is: `unusual`, `weak` or `compromised`.
    #[schema(example = "compromised")]
    pub gravity: String,
    /// What it is.
    pub words: String,
    /// SHA-256 of the SubjectPublicKeyInfo, in hexadecimal; absent for what is
    /// said of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_sha256: Option<String>,
    /// When it was found.
    pub found_at: Moment,
}

/// How sweeps go.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WeakSweepView {
    /// Whether one runs or is about to.
    pub running: bool,
    /// When the last one began that came to its end; absent if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Moment>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// How many public keys it looked at.
    pub looked_at: u64,
    /// How many RSA moduli it held against each other.
    pub moduli: u64,
    /// How many findings it made that were not known before.
    pub found: u64,
}
