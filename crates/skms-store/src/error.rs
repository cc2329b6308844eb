//! Why the store refused, and whose fault it is.

use std::fmt;
use std::path::PathBuf;

use crate::store::{Kind, RecordId};

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What a compare-and-set found instead of what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// The record has another revision: someone else was first.
    Revision,
    /// The record was to be new and is there already.
    Exists,
    /// The record is not there.
    Missing,
    /// Another record of the kind has this index entry (this name).
    Index,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revision => "it was changed meanwhile",
            Self::Exists => "it exists already",
            Self::Missing => "it does not exist",
            Self::Index => "its name is taken",
        })
    }
}

/// Why an act of the store was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's, and harmless: nothing of the batch was done. Read again
    /// and decide again.
    #[error("{kind} {id} was not written: {conflict}")]
    Conflict {
        /// Kind of the record that stood in the way.
        kind: Kind,
        /// Its id, as the batch named it.
        id: RecordId,
        /// What was found.
        conflict: Conflict,
    },
    /// As [`Error::Conflict`], for a plain value such as the header.
    #[error("{name} was not written: {conflict}")]
    MetaConflict {
        /// Which value.
        name: &'static str,
        /// What was found.
        conflict: Conflict,
    },
    /// The caller's mistake: an input outside its limits.
    #[error("{0}")]
    Invalid(&'static str),
    /// The operator's: no seals have been set up yet.
    #[error("the store is not initialised: run `skms init`")]
    NotInitialised,
    /// The operator's: initialising again would lose everything.
    #[error("the store is initialised already; nothing was changed")]
    AlreadyInitialised,
    /// The operator's: another process has these files.
    #[error("{} is in use by another process; two servers on the same data would damage it", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The operator's: a newer `skms` wrote this.
    #[error(
        "{what} has format {found}, this skms reads up to {supported}: use the newer skms that wrote it"
    )]
    Newer {
        /// What was opened.
        what: &'static str,
        /// The format found.
        found: u64,
        /// The newest this program reads.
        supported: u64,
    },
    /// The operator's: files of two installs were mixed.
    #[error("{what} belongs to another install ({found}, this one is {expected})")]
    OtherInstall {
        /// What was opened.
        what: &'static str,
        /// The install expected.
        expected: String,
        /// The install found.
        found: String,
    },
    /// An attack or a failing disk. Wrong key, wrong place or altered bytes:
    /// deliberately one variant.
    #[error("{kind} {id} does not open: it was altered or moved here from elsewhere")]
    Altered {
        /// Kind of the record.
        kind: Kind,
        /// Where it was found.
        id: RecordId,
    },
    /// An attack or a failing disk: the rows do not agree with their sealed
    /// head, or a head is older than one already seen.
    #[error(
        "partition {partition} does not agree with its sealed head: a record is missing, replayed or not ours ({found} records, {expected} expected)"
    )]
    HeadMismatch {
        /// The partition.
        partition: u8,
        /// Records the head vouches for.
        expected: u64,
        /// Records found.
        found: u64,
    },
    /// An attack: a head is older than one already seen, or does not belong
    /// with the others.
    #[error("a sealed head was replaced by an older one: the database was changed from outside")]
    HeadReplayed,
    /// An attack or a failing disk: the header with the seals and wrapped
    /// keys is not the one last written.
    #[error("the header was altered or replaced by an older one")]
    HeaderAltered,
    /// An attack, or a restore nobody announced: the journal has seen a later
    /// state of the database than this one.
    #[error(
        "the database was rolled back: the journal has seen commit {journal}, the database is at {database}"
    )]
    RolledBack {
        /// The highest commit the journal recorded.
        journal: u64,
        /// The commit the database is at.
        database: u64,
    },
    /// An attack, or a restore nobody announced: the database has seen a
    /// longer journal than this one.
    #[error(
        "the journal was cut short: the database has seen {database} entries, the journal has {journal}"
    )]
    JournalCut {
        /// Entries the journal has.
        journal: u64,
        /// Entries the database knows to have existed.
        database: u64,
    },
    /// An attack or a failing disk: a place in the journal that was durable
    /// does not open.
    #[error("journal segment {segment} is corrupt at byte {offset}: {what}")]
    JournalCorrupt {
        /// Number of the segment.
        segment: u64,
        /// Where in its file, in bytes.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A failing disk or a broken transfer: the backup file is not as it was
    /// written. Nothing in it is used.
    #[error("the backup is damaged at byte {offset}: {what}")]
    BackupDamaged {
        /// Where in the file, in bytes.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// An attack: the backup's keyed digest is not one that a holder of the
    /// store's root key made.
    #[error("the backup was not written by this store, or was changed by someone since")]
    BackupForged,
    /// The caller's: there is something already where a backup is to be
    /// restored to.
    #[error("{0} holds a store already")]
    Occupied(String),
    /// Another process rotated the keys; this one has to read them again.
    /// Callers of the sealed layer see it only when that failed.
    #[error("the storage keys were rotated elsewhere")]
    StaleKeys,
    /// The caller's: the store was sealed, and its keys erased.
    #[error("the store is sealed")]
    Sealed,
    /// The caller's mistake: this passphrase opens no seal.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The caller's mistake: this key file opens no seal.
    #[error("wrong key file")]
    WrongKeyFile,
    /// The caller's mistake: these shares do not make up the key. All shares
    /// given so far are forgotten.
    #[error("the shares do not fit together; give them all again")]
    WrongShares,
    /// The caller's mistake, harmless.
    #[error("share {index} was given already")]
    DuplicateShare {
        /// The share's number.
        index: u8,
    },
    /// The caller's mistake, harmless: the share is from another set.
    #[error("this share belongs to another set than this store's")]
    ForeignShare,
    /// The caller's mistake: no seal of this sort exists here.
    #[error("this store has no {0} seal")]
    NoSuchSeal(&'static str),
    /// The caller's mistake: without its last seal a store never opens again.
    #[error("the last seal cannot be removed")]
    LastSeal,
    /// The caller's mistake: bytes that do not parse.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// The caller's or operator's: a file others can read, or not a file.
    #[error("{}: {what}", path.display())]
    UnsafeFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The operator's: no room. Revoke, suspend and seal still pass.
    #[error("the disk is full")]
    Full,
    /// The server's: more is waiting than memory allows. Harmless.
    #[error("too much is waiting already: try again")]
    Overloaded,
    /// The server's: an earlier write failed, and what the disk holds is
    /// unknown until the files are opened again.
    #[error("writing failed earlier and nothing is accepted until a restart: {0}")]
    Failed(String),
    /// The operator's: the database is away, too slow or refuses us. Nothing
    /// was written; what needs it fails until it is back.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// As [`Error::Unavailable`], but the connection was lost while
    /// committing: whether the batch was written is found out before anything
    /// else is read or written.
    #[error(
        "the connection to the database was lost while committing, and whether the change was made is not known yet: {0}"
    )]
    Undecided(String),
    /// The operator's: another server works with this database.
    #[error(
        "the {database} is in use by another server ({holder}); two servers on the same data would damage it"
    )]
    DatabaseInUse {
        /// Which database.
        database: String,
        /// Who has it.
        holder: String,
    },
    /// The operator's: the database's settings do not keep what it
    /// acknowledges.
    #[error("the database cannot hold keys: {0}")]
    UnsafeDatabase(String),
    /// The operator's: what answers now lacks changes that were acknowledged,
    /// such as a replica that was behind when it took over, or a restored
    /// backup.
    #[error(
        "the database that answers is behind: it is at commit {database}, and {seen} was acknowledged before"
    )]
    Behind {
        /// Groups of commits it has.
        database: u64,
        /// Groups of commits it had acknowledged.
        seen: u64,
    },
    /// The operator's: what was being moved here did not arrive whole.
    #[error("moving a store here did not finish: run `skms migrate` again, with the same source")]
    Incomplete,
    /// The operator's: what is there would be lost.
    #[error("there is something in the target already; nothing was changed")]
    NotEmpty,
    /// An attack or a failing disk: what was moved does not equal what it was
    /// moved from. The target stays unfinished.
    #[error(
        "the target does not hold what the source holds: it was changed while it was written to; the target was left unfinished"
    )]
    Differs,
    /// The server's: it is stopping.
    #[error("closed")]
    Closed,
    /// The machine's.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The backend's own error, kept for the log.
    #[error("database: {0}")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The crypto room's.
    #[error(transparent)]
    Crypto(#[from] skms_crypto::Error),
}

impl Error {
    /// Whether what was asked for may have been done all the same.
    #[must_use]
    pub const fn leaves_doubt(&self) -> bool {
        matches!(
            self,
            Self::Failed(_) | Self::Backend(_) | Self::Io { .. } | Self::Closed
        )
    }

    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::StorageFull {
            return Self::Full;
        }
        Self::Io {
            what: what.into(),
            source,
        }
    }

    /// The same once more, for another who waited for the same thing. Keeps
    /// the words where it cannot keep the cause.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::Closed => Self::Closed,
            Self::Overloaded => Self::Overloaded,
            Self::Failed(why) => Self::Failed(why.clone()),
            Self::Unavailable(why) => Self::Unavailable(why.clone()),
            Self::Undecided(why) => Self::Undecided(why.clone()),
            Self::UnsafeDatabase(why) => Self::UnsafeDatabase(why.clone()),
            Self::Malformed(what) => Self::Malformed(what),
            Self::Invalid(what) => Self::Invalid(what),
            Self::DatabaseInUse { database, holder } => Self::DatabaseInUse {
                database: database.clone(),
                holder: holder.clone(),
            },
            Self::Behind { database, seen } => Self::Behind {
                database: *database,
                seen: *seen,
            },
            Self::OtherInstall {
                what,
                expected,
                found,
            } => Self::OtherInstall {
                what,
                expected: expected.clone(),
                found: found.clone(),
            },
            Self::Newer {
                what,
                found,
                supported,
            } => Self::Newer {
                what,
                found: *found,
                supported: *supported,
            },
            other => Self::Backend(other.to_string().into()),
        }
    }

    /// Whether a commit that ended with this certainly wrote nothing. Of the
    /// others nobody knows.
    #[must_use]
    pub const fn wrote_nothing(&self) -> bool {
        matches!(
            self,
            Self::Conflict { .. }
                | Self::MetaConflict { .. }
                | Self::Invalid(_)
                | Self::Altered { .. }
                | Self::HeadMismatch { .. }
                | Self::HeadReplayed
                | Self::HeaderAltered
                | Self::StaleKeys
                | Self::Sealed
                | Self::Malformed(_)
                | Self::Full
                | Self::Overloaded
                | Self::Unavailable(_)
                | Self::DatabaseInUse { .. }
                | Self::Behind { .. }
                | Self::Crypto(_)
        )
    }

    pub(crate) fn conflict(kind: Kind, id: RecordId, conflict: Conflict) -> Self {
        Self::Conflict { kind, id, conflict }
    }
}
