//! Re-encryption jobs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::{JobOutcome, JobState, JobStep};
use crate::{Bytes, Ciphertext, Moment};

/// Makes a re-encryption job.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateJobRequest {
    /// Where the ciphertexts come from, in the client's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "/var/backups/customers.txt")]
    pub input: Option<String>,
    /// Where they go to, in the client's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// Tells a job what comes next.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateJobRequest {
    /// What.
    pub step: JobStep,
    /// With `finish`: whether those were all ciphertexts of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
}

/// One item of a batch: a ciphertext, or that there is something in the list
/// that is none.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobItem {
    /// What the client calls it, for the report; at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What encrypt answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphertext: Option<Ciphertext>,
    /// The associated data, the same before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associated_data: Option<Bytes>,
    /// The OAEP hash, before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_hash: Option<String>,
    /// The OAEP MGF1 hash, before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oaep_mgf_hash: Option<String>,
    /// In the place of a ciphertext: what is wrong with the item. It counts
    /// among those that could not be moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// SHA-256 of an unreadable item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Bytes>,
}

/// The next batch of a job.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobBatchRequest {
    /// Its number: the job's `next_batch`. Sent again with the same items, the
    /// last batch gives the same answer again.
    pub number: u64,
    /// At most 1,000, with at most 2 MiB of ciphertext.
    pub items: Vec<JobItem>,
}

/// What became of an item.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobItemResult {
    /// What.
    pub outcome: JobOutcome,
    /// The new ciphertext, where it was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphertext: Option<Ciphertext>,
    /// The version that it is of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Why it could not be moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a batch came to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct JobBatchResponse {
    /// One for each item, in order.
    pub results: Vec<JobItemResult>,
    /// The number of the next batch.
    pub next_batch: u64,
}

/// How many ciphertexts are of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobVersionCount {
    /// The version.
    pub version: u32,
    /// How many.
    pub count: u64,
}

/// An item that could not be moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobFailedItem {
    /// Its place among all items, from 1.
    pub item: u64,
    /// What the client calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why.
    pub why: String,
}

/// A re-encryption job.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Its identifier.
    pub id: String,
    /// The key's keyring.
    pub keyring: String,
    /// The key.
    pub key: String,
    /// The key's identifier.
    pub key_id: String,
    /// Where it stands.
    pub state: JobState,
    /// When it was made.
    pub created_at: Moment,
    /// By whom.
    pub created_by: String,
    /// When it last changed.
    pub updated_at: Moment,
    /// When its first batch came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Moment>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// Who ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Where the ciphertexts come from, in the client's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Where they go to, in the client's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The incident that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The number of the next batch.
    pub next_batch: u64,
    /// Items that were seen.
    pub items: u64,
    /// Those that were moved.
    pub moved: u64,
    /// Those that were at the newest version before, and open.
    pub newest: u64,
    /// Those that could not be moved.
    pub failed: u64,
    /// Bytes of ciphertext that came in.
    pub bytes: u64,
    /// How many came from each version.
    pub from: Vec<JobVersionCount>,
    /// How many are at each version now.
    pub to: Vec<JobVersionCount>,
    /// The first 200 of those that could not be moved.
    pub failures: Vec<JobFailedItem>,
    /// SHA-256 over every item and what became of it, in hexadecimal.
    pub sha256: String,
    /// Whether the client said that these were all.
    pub complete: bool,
}

/// The report of a job.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobReport {
    /// A JWS (RFC 7515) by ES256.
    pub report: String,
    /// The server's public key for reports, as PEM. Whoever checks a report
    /// takes it from where they trust it, not from beside the report.
    pub public_key: String,
    /// SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.
    pub fingerprint: String,
}
