//! Backups: one file with a consistent copy of everything, sealed as it lies.
//!
//! [`SealedStore::backup`](crate::SealedStore::backup) streams one while the
//! server works; [`inspect`] checks a file without any secret; [`Opening`] and
//! [`BackupKeys`] check it with one; [`restore`] writes it into an empty
//! place. The layout is in `docs/backup.md`.
//!
//! What makes it consistent: the database is read in one snapshot, whose top
//! head says how many entries the journal was known to have then. Exactly so
//! many are copied. An event of a later change cannot be among them, since it
//! is appended after its commit; and an event that is missing there is still
//! in the snapshot's outbox, since it is removed from it only together with
//! that number.

mod format;
mod mark;
mod open;
mod read;
mod restore;
mod write;

pub use format::{BackupReport, Manifest, Summary};
pub use mark::RestoreMark;
pub use open::{BackupKeys, BackupProgress, Opening, Verified};
pub use read::{Inspected, inspect};
pub use restore::{restore, restore_into};
pub use write::{Copied, Notes, Sink};

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use read::fuzz_reader;

use crate::store::Kind;

/// Rows of these kinds are no part of a backup.
pub const EXCLUDED: &[Kind] = &[];
