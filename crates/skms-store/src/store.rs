//! What a backend sees: rows of sealed bytes, and one atomic batch.
//!
//! Nothing here knows what is in a row. Seals, indexes and heads are made in
//! [`crate::sealed`], once, above every backend.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A future of a trait object's method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a record is. The number is part of every seal and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Kind {
    /// A tenant.
    Namespace = 1,
    /// A named group of keys.
    Keyring = 2,
    /// A key's metadata, with its versions' states.
    Key = 3,
    /// The secret material of one version.
    Material = 4,
    /// An access token's record.
    Token = 5,
    /// A policy's text.
    Policy = 6,
    /// A known principal, such as a client certificate.
    Principal = 7,
    /// An event that its batch wrote and the journal may not have yet.
    Outbox = 8,
    /// A head: what the other rows must add up to.
    Head = 9,
    /// A setting of the server.
    Setting = 10,
    /// A certificate.
    Certificate = 11,
    /// A secret that is not a key.
    Secret = 12,
    /// A lease or a wrapping token.
    Lease = 13,
    /// A job that outlives a restart, such as a revocation's cascade.
    Job = 14,
    /// What a request under an idempotency key made.
    Idempotency = 15,
    /// A certificate authority.
    Authority = 16,
    /// That a certificate is revoked or on hold.
    Revocation = 17,
    /// Which certificates a public key has.
    CertifiedKey = 18,
    /// An account of ACME (RFC 8555).
    AcmeAccount = 19,
    /// An order of ACME, with its authorizations and challenges.
    AcmeOrder = 20,
    /// A key that ACME accounts are bound to.
    AcmeKey = 21,
    /// An SSH certificate authority, with its roles.
    SshAuthority = 22,
    /// An SSH certificate.
    SshCertificate = 23,
    /// What an SSH authority's revocation list names.
    SshRevocation = 24,
    /// A time-stamping authority.
    Tsa = 25,
    /// An external authority of principals.
    Trust = 26,
    /// A revocation list of an external authority.
    TrustList = 27,
    /// That a message of a key exchange was here.
    ExchangeReplay = 28,
    /// A key exchange that waits for its confirmation.
    Exchange = 29,
    /// Who shares a key.
    Group = 30,
    /// Who was given a version of a key.
    Holder = 31,
    /// The statement of a principal's sealing key.
    Directory = 32,
    /// Something that was found about a stored public key.
    WeakFinding = 34,
    /// A list of known keys.
    Blocklist = 35,
    /// A request for approval, with the approvals that it was given.
    Approval = 36,
    /// Where notifications go.
    Channel = 38,
    /// How far a channel's notifications have come.
    ChannelCursor = 39,
    /// A notification that was given up.
    DeadLetter = 40,
    /// A re-encryption job.
    Reencryption = 41,
    /// That something calls for the rotation of a key.
    RotationCall = 42,
    /// A compromise and what is done about it.
    Incident = 43,
    /// That a version of a key depends on one of another.
    Descent = 44,
    /// That a version of a key is compromised: what whoever makes a dependent
    /// of it compares and sets.
    Epoch = 45,
    /// An automatic rule.
    Rule = 46,
    /// The day on which a key was last used.
    KeyUse = 47,
    /// What an automatic rule did, or is to do.
    RuleAct = 48,
    /// Who was handed secrets that a key gave.
    Handed = 49,
    /// What a deleted key depended on, for what depends on it still.
    Remnant = 51,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 48] = [
        Self::Namespace,
        Self::Keyring,
        Self::Key,
        Self::Material,
        Self::Token,
        Self::Policy,
        Self::Principal,
        Self::Outbox,
        Self::Head,
        Self::Setting,
        Self::Certificate,
        Self::Secret,
        Self::Lease,
        Self::Job,
        Self::Idempotency,
        Self::Authority,
        Self::Revocation,
        Self::CertifiedKey,
        Self::AcmeAccount,
        Self::AcmeOrder,
        Self::AcmeKey,
        Self::SshAuthority,
        Self::SshCertificate,
        Self::SshRevocation,
        Self::Tsa,
        Self::Trust,
        Self::TrustList,
        Self::ExchangeReplay,
        Self::Exchange,
        Self::Group,
        Self::Holder,
        Self::Directory,
        Self::WeakFinding,
        Self::Blocklist,
        Self::Approval,
        Self::Channel,
        Self::ChannelCursor,
        Self::DeadLetter,
        Self::Reencryption,
        Self::RotationCall,
        Self::Incident,
        Self::Descent,
        Self::Epoch,
        Self::Rule,
        Self::KeyUse,
        Self::RuleAct,
        Self::Handed,
        Self::Remnant,
    ];

    /// The number that is stored and sealed.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a number no kind has.
    pub fn from_number(number: u8) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.number() == number)
            .ok_or(Error::Malformed("record kind"))
    }

    /// A word for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Keyring => "keyring",
            Self::Key => "key",
            Self::Material => "material",
            Self::Token => "token",
            Self::Policy => "policy",
            Self::Principal => "principal",
            Self::Outbox => "outbox event",
            Self::Head => "head",
            Self::Setting => "setting",
            Self::Certificate => "certificate",
            Self::Secret => "secret",
            Self::Lease => "lease",
            Self::Job => "job",
            Self::Idempotency => "idempotency key",
            Self::Authority => "authority",
            Self::Revocation => "revocation",
            Self::CertifiedKey => "certified key",
            Self::AcmeAccount => "ACME account",
            Self::AcmeOrder => "ACME order",
            Self::AcmeKey => "ACME key",
            Self::SshAuthority => "SSH authority",
            Self::SshCertificate => "SSH certificate",
            Self::SshRevocation => "SSH revocation",
            Self::Tsa => "time-stamping authority",
            Self::Trust => "trust",
            Self::TrustList => "trust list",
            Self::ExchangeReplay => "key exchange replay",
            Self::Exchange => "key exchange",
            Self::Group => "group",
            Self::Holder => "holder",
            Self::Directory => "sealing key",
            Self::WeakFinding => "weak finding",
            Self::Blocklist => "blocklist",
            Self::Approval => "request for approval",
            Self::Channel => "notification channel",
            Self::ChannelCursor => "notification cursor",
            Self::DeadLetter => "dead letter",
            Self::Reencryption => "re-encryption job",
            Self::RotationCall => "rotation call",
            Self::Incident => "incident",
            Self::Descent => "descent",
            Self::Epoch => "compromise epoch",
            Self::Rule => "rule",
            Self::KeyUse => "key use",
            Self::RuleAct => "rule act",
            Self::Handed => "handed out",
            Self::Remnant => "remnant of a key",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A record's identity within its kind: 128 bits, random but for settings,
/// heads, and the first 48 of those that are given out in order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// A fresh random id.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the system gives no randomness.
    pub fn random() -> Result<Self> {
        Ok(Self(skms_crypto::rand::array()?))
    }

    /// A fresh id that begins with the time, in milliseconds since the Unix
    /// epoch: a UUID of version 7 (RFC 9562, section 5.7), 74 bits of it random.
    /// Rows made one after the other lie side by side and share pages, and
    /// whoever is shown the id learns when it was made, but nothing of what
    /// else was.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the system gives no randomness.
    pub fn at(unix_ms: i64) -> Result<Self> {
        let mut id: [u8; 16] = skms_crypto::rand::array()?;
        if let (Some(to), [_, _, from @ ..]) =
            (id.first_chunk_mut::<6>(), unix_ms.max(0).to_be_bytes())
        {
            *to = from;
        }
        id[6] = 0x70 | (id[6] & 0x0f);
        id[8] = 0x80 | (id[8] & 0x3f);
        Ok(Self(id))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RecordId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        let bytes = crate::hex::decode(&hex).ok_or(Error::Malformed("record id"))?;
        Ok(Self(
            bytes
                .try_into()
                .map_err(|_| Error::Malformed("record id"))?,
        ))
    }
}

/// A row as a backend keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub kind: Kind,
    /// Which one; unique within its kind.
    pub id: RecordId,
    /// Counts the record's changes, from 1.
    pub revision: u64,
    /// Blind index entry; unique within its kind when present.
    pub index: Option<[u8; 32]>,
    /// Blind grouping (by namespace), not unique.
    pub scope: Option<[u8; 32]>,
    /// Sealed bytes.
    pub sealed: Vec<u8>,
}

/// One write of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Writes a row whole.
    Put {
        /// The row, with its new revision.
        row: Row,
        /// The revision it replaces; `None` when it must not exist.
        expected: Option<u64>,
    },
    /// Removes a row.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: RecordId,
        /// The revision it must have.
        expected: u64,
    },
}

impl Write {
    /// Kind and id of the row written.
    #[must_use]
    pub const fn place(&self) -> (Kind, RecordId) {
        match self {
            Self::Put { row, .. } => (row.kind, row.id),
            Self::Delete { kind, id, .. } => (*kind, *id),
        }
    }

    /// The revision the row must have before; `None` when it must not exist.
    #[must_use]
    pub const fn expected(&self) -> Option<u64> {
        match self {
            Self::Put { expected, .. } => *expected,
            Self::Delete { expected, .. } => Some(*expected),
        }
    }
}

/// A small plain value beside the rows, such as the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Counts its changes, from 1.
    pub revision: u64,
    /// The value.
    pub bytes: Vec<u8>,
}

/// A compare-and-set of a plain value, within a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaWrite {
    /// Which value.
    pub name: &'static str,
    /// The revision it replaces; `None` when it must not exist. The new
    /// revision is one more.
    pub expected: Option<u64>,
    /// The new value.
    pub bytes: Vec<u8>,
}

/// What a batch's finishing touch is given: everything read inside the
/// batch's own transaction, under locks that hold until it commits.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The rows that `Batch::writes` replace, in their order.
    pub replaced: &'a [Option<Row>],
    /// The rows that `Batch::reads` name, in their order.
    pub read: &'a [Option<Row>],
}

/// Computes more writes from what the transaction sees. May be called more
/// than once, when a backend retries a transaction, and answers from `Seen`
/// alone; an error undoes the batch.
pub type Finalise = Box<dyn FnMut(&Seen<'_>) -> Result<Vec<Write>> + Send>;

/// One atomic change.
#[derive(Default)]
pub struct Batch {
    /// The rows to write; no row twice.
    pub writes: Vec<Write>,
    /// Rows that [`Finalise`] needs, read and locked in the same transaction.
    pub reads: Vec<(Kind, RecordId)>,
    /// Plain values to change.
    pub meta: Vec<MetaWrite>,
    /// Adds writes that depend on what the transaction sees.
    pub finalise: Option<Finalise>,
    /// Revoke, suspend, seal: may draw on the reserve when the disk is full.
    pub urgent: bool,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("writes", &self.writes.len())
            .field("reads", &self.reads.len())
            .field("meta", &self.meta.len())
            .field("urgent", &self.urgent)
            .finish_non_exhaustive()
    }
}

/// What [`Store::forget`] did, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// What was erased.
    pub erased: &'static str,
    /// What the backend cannot promise.
    pub remains: &'static str,
}

/// A small transactional store of sealed rows.
///
/// **Durability**: when [`Store::commit`] returns `Ok`, the batch survives
/// power loss. **Atomicity**: all of a batch or nothing, across crashes.
/// **Order**: batches behave as if they ran one after the other; a batch
/// that conflicts fails alone and leaves its neighbours be. A commit whose
/// future is dropped may or may not happen, whole. **Concurrency**: all
/// methods may be called at once from any thread and any executor; reads see
/// committed batches only, and every batch committed before they began.
pub trait Store: Send + Sync + 'static {
    /// The row with this id.
    fn get(&self, kind: Kind, id: RecordId) -> BoxFuture<'_, Result<Option<Row>>>;

    /// The row with this index entry.
    fn find(&self, kind: Kind, index: [u8; 32]) -> BoxFuture<'_, Result<Option<Row>>>;

    /// Rows of a kind in order of id, after `after`, at most `limit`; of one
    /// scope, or of all with `None`.
    fn scan(
        &self,
        kind: Kind,
        scope: Option<[u8; 32]>,
        after: Option<RecordId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Row>>>;

    /// The rows with these ids, in the order of the ids.
    fn get_each(&self, kind: Kind, ids: Vec<RecordId>) -> BoxFuture<'_, Result<Vec<Option<Row>>>> {
        Box::pin(async move {
            let mut rows = Vec::with_capacity(ids.len());
            for id in ids {
                rows.push(self.get(kind, id).await?);
            }
            Ok(rows)
        })
    }

    /// For each of these ids, the next one that there is in a scope.
    fn next_each(
        &self,
        kind: Kind,
        scope: [u8; 32],
        after: Vec<RecordId>,
    ) -> BoxFuture<'_, Result<Vec<Option<RecordId>>>> {
        Box::pin(async move {
            let mut found = Vec::with_capacity(after.len());
            for id in after {
                let rows = self.scan(kind, Some(scope), Some(id), 1).await?;
                found.push(rows.first().map(|row| row.id));
            }
            Ok(found)
        })
    }

    /// Commits a batch: checks every expected revision and index entry, runs
    /// `finalise`, writes. [`Error::Conflict`] when a check fails,
    /// [`Error::Full`] when there is no room; then nothing was written.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<()>>;

    /// A plain value.
    fn meta(&self, name: &'static str) -> BoxFuture<'_, Result<Option<Meta>>>;

    /// One consistent view of everything, while writing goes on.
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>>>;

    /// Erases what replaced and deleted rows left behind, as far as the
    /// backend can, and says what it cannot.
    fn forget(&self) -> BoxFuture<'_, Result<Forgotten>>;

    /// Why this store can no longer be believed until the process starts
    /// again, where another has written to it meanwhile.
    fn lost(&self) -> Option<String> {
        None
    }

    /// Finishes what was submitted and lets go of the files. Later calls
    /// return [`Error::Closed`].
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}

/// A consistent view: a walk over every row, by kind and id.
pub trait Snapshot: Send {
    /// The next rows, at most `limit`; empty at the end.
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<Row>>>;

    /// A plain value as of this view.
    fn meta(&mut self, name: &'static str) -> BoxFuture<'_, Result<Option<Meta>>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_time_is_a_uuid_of_version_7() {
        // The time of RFC 9562, appendix A.6.
        let made = |ms| RecordId::at(ms).unwrap();
        let text = made(0x017F_22E2_79B0).to_string();
        assert_eq!(
            (text.get(..13), text.get(14..15)),
            (Some("017f22e2-79b0"), Some("7"))
        );
        assert!(
            matches!(text.get(19..20), Some("8" | "9" | "a" | "b")),
            "{text}"
        );
        assert!(made(1) < made(2) && made(-1) < made(1));
        assert_ne!(made(1), made(1));
    }

    #[test]
    fn kinds_keep_their_numbers() {
        for (position, kind) in Kind::ALL.into_iter().take(32).enumerate() {
            assert_eq!(usize::from(kind.number()), position + 1);
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind.number()).unwrap(), kind);
        }
        assert!(Kind::ALL.is_sorted_by(|one, next| one.number() < next.number()));
        assert!(Kind::from_number(0).is_err());
        assert!(Kind::from_number(255).is_err());
    }

    #[test]
    fn ids_are_written_as_uuids() {
        let id = RecordId([0xab; 16]);
        assert_eq!(id.to_string(), "abababab-abab-abab-abab-abababababab");
        assert_eq!(id.to_string().parse::<RecordId>().unwrap(), id);
        assert!("abab".parse::<RecordId>().is_err());
        assert!("zz".repeat(16).parse::<RecordId>().is_err());
    }
}
