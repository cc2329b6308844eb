//! The journal: an append-only sequence of events, each with its place.
//!
//! An entry is three opaque things: an id that makes feeding idempotent, a
//! salt, and bytes. What an event means, and the tree over it, is made above.

use std::sync::Arc;

use crate::durability::{Durability, Wait};
use crate::error::{Error, Result};
use crate::store::BoxFuture;

/// The most bytes one entry may have.
pub const ENTRY_MAX: usize = 1 << 20;

/// One event to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The event's id. Whoever may have appended it before, and crashed, asks
    /// [`Journal::contains`] first.
    pub id: [u8; 16],
    /// The random salt of the event's leaf, kept and erased with it.
    pub salt: [u8; 32],
    /// The encoded event; at most [`ENTRY_MAX`] bytes.
    pub bytes: Vec<u8>,
    /// For an event that a store batch wrote: that batch's commit number.
    /// The highest one recorded shows later whether the database was rolled
    /// back.
    pub commit: Option<u64>,
}

/// An entry as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place, from 0: the index of its leaf.
    pub sequence: u64,
    /// The entry.
    pub entry: Entry,
}

/// Where appended entries went, and the way to wait for them.
#[derive(Debug)]
#[must_use = "an entry counts only once it is durable: wait for it"]
pub struct Ticket {
    first: u64,
    count: u64,
    durability: Arc<Durability>,
}

impl Ticket {
    /// For implementations: `count` entries from `first`.
    pub const fn new(first: u64, count: u64, durability: Arc<Durability>) -> Self {
        Self {
            first,
            count,
            durability,
        }
    }

    /// Sequence of the first entry.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// How many entries.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The durable length at which all of them are safe.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.first + self.count
    }

    /// Where it is published what is durable.
    #[must_use]
    pub const fn durability(&self) -> &Arc<Durability> {
        &self.durability
    }

    /// Resolves when all of them survive power loss; the journal's thread
    /// wakes the task. See [`crate::durability::Lane`] for one wake-up a
    /// worker.
    pub fn wait(&self) -> Wait {
        self.durability.wait(self.end())
    }
}

/// An append-only sequence of entries.
///
/// **Durability**: an entry with sequence `s` survives power loss once
/// [`Durability::durable`] exceeds `s`; the order of sequences is the order
/// of appends, without gaps. **Failure**: after a write fails nothing more
/// is accepted and every waiter is told. **Concurrency**: everything may be
/// called at once from any thread; [`Journal::append`] never blocks on I/O.
pub trait Journal: Send + Sync + 'static {
    /// Queues entries, all or none, and gives them their places.
    ///
    /// # Errors
    /// [`Error::Invalid`] when one is longer than [`ENTRY_MAX`],
    /// [`Error::Overloaded`], [`Error::Failed`], [`Error::Closed`].
    fn append(&self, entries: Vec<Entry>) -> Result<Ticket> {
        self.append_as(entries, false)
    }

    /// As [`Journal::append`]; `urgent` entries (revoke, suspend, seal) may
    /// use the reserve when the disk is full.
    ///
    /// # Errors
    /// As [`Journal::append`].
    fn append_as(&self, entries: Vec<Entry>, urgent: bool) -> Result<Ticket>;

    /// What is durable, and how to wait for it.
    fn durability(&self) -> &Arc<Durability>;

    /// Number of entries that survive power loss.
    fn durable_sequence(&self) -> u64 {
        self.durability().durable()
    }

    /// Durable entries from `from`, in order, at most `limit`.
    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Stored>>>;

    /// Whether an entry with this id was appended: certain for those after
    /// the point the journal was opened with, and for the most recent.
    fn contains(&self, id: [u8; 16]) -> BoxFuture<'_, Result<bool>>;

    /// The highest commit number any entry carries; 0 when none does.
    fn highest_commit(&self) -> u64;

    /// Reads everything and checks every seal and link.
    fn verify(&self) -> BoxFuture<'_, Result<JournalReport>>;

    /// The sealed bytes of the piece with this number, from 1, up to and with
    /// the entry before place `entries`; `None` when none of those entries is
    /// in it. For backups: the pieces from 1 to the first `None` hold exactly
    /// `entries` durable entries.
    fn piece(&self, number: u64, entries: u64) -> BoxFuture<'_, Result<Option<Vec<u8>>>>;

    /// Makes durable what is queued and lets go of the files.
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}

/// What [`Journal::verify`] went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalReport {
    /// Entries read and opened.
    pub entries: u64,
    /// Pieces (files) they were in.
    pub segments: u64,
}

pub(crate) fn check(entries: &[Entry]) -> Result<()> {
    if entries.iter().any(|entry| entry.bytes.len() > ENTRY_MAX) {
        return Err(Error::Invalid("an event has more than 1 MiB"));
    }
    Ok(())
}
