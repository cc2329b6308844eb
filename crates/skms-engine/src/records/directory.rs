//! What is kept of a principal's sealing key: all of it public.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::der::Der;

/// A principal's present statement, and those before it that could still
/// count. It is named by the principal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DirectoryRecord {
    /// The principal's name in the namespace.
    pub(crate) principal: String,
    /// The statement, as docs/sealing.md has it.
    pub(crate) statement: Der,
    /// When it was published, in seconds since the Unix epoch.
    pub(crate) published_at: i64,
    /// When it was taken back, if it was.
    pub(crate) withdrawn_at: Option<i64>,
    /// Those before it, the newest first.
    #[serde(default)]
    pub(crate) earlier: Vec<EarlierRecord>,
}

impl Record for DirectoryRecord {
    const KIND: Kind = Kind::Directory;
}

/// A statement that is not the present one any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EarlierRecord {
    /// What it is known by, in hexadecimal.
    pub(crate) hash: String,
    /// When it ends.
    pub(crate) not_after: i64,
    /// When it was published.
    pub(crate) published_at: i64,
    /// When it was taken back, if it was; otherwise another took its place.
    pub(crate) withdrawn_at: Option<i64>,
}
