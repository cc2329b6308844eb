//! What was found about stored public keys, and the lists of known keys.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::der::Der;

/// A finding. It is written once and stays until its namespace goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WeakFindingRecord {
    pub(crate) subject: SubjectRecord,
    /// The name of a detector.
    pub(crate) detector: String,
    /// The name of a gravity.
    pub(crate) gravity: String,
    /// What it is, in words.
    pub(crate) words: String,
    /// SHA-256 of the SubjectPublicKeyInfo, in hexadecimal; empty for what was
    /// found about a secret.
    pub(crate) public_key: String,
    pub(crate) found_at: i64,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubjectRecord {
    /// "key", "certificate" or "ssh-certificate".
    pub(crate) kind: String,
    /// The record's identifier.
    pub(crate) id: String,
    /// As people call it: keyring and key, or authority and serial number.
    pub(crate) name: String,
    /// Of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u32>,
}

impl Record for WeakFindingRecord {
    const KIND: Kind = Kind::WeakFinding;
}

/// A list of known keys, as its file is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BlocklistRecord {
    pub(crate) file: Der,
    pub(crate) imported_at: i64,
    pub(crate) imported_by: String,
}

impl Record for BlocklistRecord {
    const KIND: Kind = Kind::Blocklist;
}

/// The last sweep that came to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SweepRecord {
    pub(crate) began_at: i64,
    pub(crate) ended_at: i64,
    /// Public keys that were looked at.
    pub(crate) looked_at: u64,
    /// RSA moduli that were held against each other.
    pub(crate) moduli: u64,
    /// Findings that were not known before.
    pub(crate) found: u64,
    /// Which detectors looked.
    pub(crate) detectors: u32,
}

impl SweepRecord {
    /// What the setting is found by.
    pub(crate) const NAME: &'static str = "weak-sweep";
}

impl Record for SweepRecord {
    const KIND: Kind = Kind::Setting;
}
