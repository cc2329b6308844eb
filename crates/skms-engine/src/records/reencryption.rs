//! Re-encryption jobs: what was counted, and the answer to the last batch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::der::Der;

/// How many jobs one step reads: what one names of what it could not move may be
/// over a hundred kilobytes.
pub(crate) const STEP: usize = 32;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// No batch came yet.
    Ready,
    /// Batches come in.
    Running,
    /// None are taken until it is resumed.
    Paused,
    /// It ended, and everything it saw is where it should be.
    Finished,
    /// It ended, and something it saw could not be moved.
    Failed,
    /// Somebody ended it early.
    Cancelled,
}

impl JobState {
    /// Its word, in events and for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

/// What a job saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Items, whatever became of them.
    pub items: u64,
    /// Those that were moved.
    pub moved: u64,
    /// Those that were at the newest version before, and open.
    pub newest: u64,
    /// Those that could not be moved.
    pub failed: u64,
    /// Bytes of ciphertext that came in.
    pub bytes: u64,
    /// How many came from each version, as far as an item says one.
    pub from: BTreeMap<u32, u64>,
    /// How many are at each version now.
    pub to: BTreeMap<u32, u64>,
}

/// An item that could not be moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedItem {
    /// Its place among all items, from 1.
    pub item: u64,
    /// What the client calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why.
    pub why: String,
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    pub(crate) keyring: String,
    pub(crate) key: String,
    pub(crate) key_id: String,
    pub(crate) state: JobState,
    pub(crate) created_at: i64,
    pub(crate) created_by: String,
    pub(crate) updated_at: i64,
    /// When the first batch came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_by: Option<String>,
    /// Where the items come from and go to, in the client's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// The incident that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) incident: Option<String>,
    /// The number of the next batch.
    pub(crate) next: u64,
    pub(crate) progress: Progress,
    /// The first ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) failures: Vec<FailedItem>,
    /// Over every item and what became of it, in order.
    pub(crate) digest: Digest,
    /// The client says that these were all.
    pub(crate) complete: bool,
}

impl Record for JobRecord {
    const KIND: Kind = Kind::Reencryption;
}

/// A SHA-256, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::sessions::hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = super::unhex(&text).and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or_else(|| serde::de::Error::custom("no digest"))?;
        Ok(Self(bytes))
    }
}

/// What became of an item.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Became {
    Moved { version: u32, ciphertext: Der },
    Newest { version: u32 },
    Failed { why: String },
}

/// The answer to the last batch, for whoever did not get it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AnswerRecord {
    /// The batch's number.
    pub(crate) number: u64,
    /// SHA-256 over what was sent.
    pub(crate) asked: Digest,
    pub(crate) results: Vec<Became>,
}

impl AnswerRecord {
    /// What it is looked up by.
    pub(crate) fn name(job: &str) -> String {
        format!("reencryption/{job}/answer")
    }
}

impl Record for AnswerRecord {
    const KIND: Kind = Kind::Job;
}
