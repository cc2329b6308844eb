//! Time-stamping authorities.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::authority::SigningKeyRecord;
use super::der::Der;

/// A time-stamping authority's record: written with it and never again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TsaRecord {
    pub(crate) name: String,
    pub(crate) key: SigningKeyRecord,
    /// Its certificate and those above it, nearest first.
    pub(crate) chain: Vec<Der>,
    /// The policies that it stamps under, the usual one first.
    pub(crate) policies: Vec<String>,
    /// How far its time may be off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accuracy_seconds: Option<u32>,
    /// Whether its stamps can be put in order by their times alone.
    pub(crate) ordering: bool,
    /// How many stamps it gives in a second, in the long run.
    pub(crate) per_second: u32,
    pub(crate) created_at: i64,
}

impl Record for TsaRecord {
    const KIND: Kind = Kind::Tsa;
}
