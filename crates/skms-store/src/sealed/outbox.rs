//! Events on their way to the journal.
//!
//! An event that records a change is sealed into the change's own batch. The
//! journal is fed from there, once, by event id; then the row is marked
//! done, that is removed. After a crash [`SealedStore::recover`] feeds what
//! is left over, and compares how far each side knows the other to be.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::commit::{Plan, Planned};
use super::heads;
use super::keyring::{Keyring, TermNumber};
use super::place::{self, Place, SYSTEM};
use super::{Inner, SealedStore, codec::Reader, lock};
use crate::error::{Conflict, Error, Result};
use crate::journal::{self, Journal};
use crate::store::{Kind, RecordId, Row, Write};

/// Outbox rows read or removed at a time.
const PAGE: usize = 512;

/// The event that records a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEvent {
    /// The event's id.
    pub id: [u8; 16],
    /// The salt of its leaf.
    pub salt: [u8; 32],
    /// The encoded event.
    pub bytes: Vec<u8>,
}

impl OutboxEvent {
    /// The journal's entry for it, with the number of the commit that wrote
    /// it ([`super::Committed::commit`]).
    #[must_use]
    pub fn into_entry(self, commit: u64) -> journal::Entry {
        journal::Entry {
            id: self.id,
            salt: self.salt,
            bytes: self.bytes,
            commit: Some(commit),
        }
    }
}

/// An event the journal may not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The event.
    pub event: OutboxEvent,
    /// The commit number of its batch.
    pub commit: u64,
}

impl From<Pending> for journal::Entry {
    fn from(pending: Pending) -> Self {
        pending.event.into_entry(pending.commit)
    }
}

/// How far the database knows the journal to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalPosition {
    /// Events not marked done are at this place or later; open the journal
    /// with it, so that it knows which ids it has.
    pub floor: u64,
    /// Durable entries the journal was known to have.
    pub durable: u64,
}

/// What [`SealedStore::recover`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Events that a crash had kept from the journal, now in it.
    pub fed: u64,
    /// Events that were in the journal and not yet marked done.
    pub already_there: u64,
}

/// Which events wait, and from where in the journal they may be.
pub(super) struct Waiting {
    pub(super) floors: HashMap<[u8; 16], u64>,
    pub(super) floor: u64,
    pub(super) durable: u64,
}

const fn place_of(id: [u8; 16]) -> Place {
    Place {
        namespace: SYSTEM,
        kind: Kind::Outbox,
        id: RecordId(id),
        revision: 1,
    }
}

/// Seals an event into its row, inside the transaction that knows its commit
/// number.
pub(super) fn seal(
    keyring: &Keyring,
    term: TermNumber,
    commit: u64,
    position: usize,
    event: &OutboxEvent,
) -> Result<Row> {
    let position = u32::try_from(position).map_err(|_| Error::Invalid("too many events"))?;
    let mut plain = Vec::with_capacity(44 + event.bytes.len());
    plain.extend_from_slice(&commit.to_be_bytes());
    plain.extend_from_slice(&position.to_be_bytes());
    plain.extend_from_slice(&event.salt);
    plain.extend_from_slice(&event.bytes);
    place_of(event.id).seal(keyring, term, None, &plain)
}

fn open(keyring: &Keyring, row: &Row) -> Result<(u32, Pending)> {
    let (_, record) = place::open_any(keyring, row)?;
    let mut reader = Reader::new(record.plaintext.expose(), "outbox event");
    let (commit, position, salt) = (reader.u64()?, reader.u32()?, reader.array()?);
    let event = OutboxEvent {
        id: row.id.0,
        salt,
        bytes: reader.rest().to_vec(),
    };
    Ok((position, Pending { event, commit }))
}

impl Inner {
    /// From here on an event may reach the journal at any place from the
    /// present durable end. The ids that were not waiting already.
    pub(super) fn outbox_submitted(&self, ids: Vec<[u8; 16]>) -> Vec<[u8; 16]> {
        if ids.is_empty() {
            return ids;
        }
        let mut waiting = lock(&self.outbox);
        let floor = waiting.durable;
        ids.into_iter()
            .filter(|id| match waiting.floors.entry(*id) {
                Entry::Vacant(vacant) => {
                    vacant.insert(floor);
                    true
                }
                Entry::Occupied(_) => false,
            })
            .collect()
    }

    pub(super) fn outbox_failed(&self, ids: &[[u8; 16]]) {
        let mut waiting = lock(&self.outbox);
        for id in ids {
            waiting.floors.remove(id);
        }
    }
}

impl SealedStore {
    /// How far the database knows the journal to be.
    #[must_use]
    pub fn journal_position(&self) -> JournalPosition {
        let waiting = lock(&self.0.outbox);
        JournalPosition {
            floor: waiting.floor,
            durable: waiting.durable,
        }
    }

    /// The number of the last commit this process knows of.
    #[must_use]
    pub fn commits(&self) -> u64 {
        lock(&self.0.seen).commits
    }

    /// How many events are not marked done.
    #[must_use]
    pub fn waiting_events(&self) -> usize {
        lock(&self.0.outbox).floors.len()
    }

    /// Events that are not marked done, in the order of their commits.
    ///
    /// # Errors
    /// [`Error::Altered`], [`Error::Sealed`], and the backend's.
    pub async fn pending(&self) -> Result<Vec<Pending>> {
        let keyring = self.0.keyring()?;
        let (mut pending, mut after) = (Vec::new(), None);
        loop {
            let rows = self.0.store.scan(Kind::Outbox, None, after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.id);
            for row in &rows {
                pending.push(open(&keyring, row)?);
            }
        }
        pending.sort_by_key(|(position, event)| (event.commit, *position));
        Ok(pending.into_iter().map(|(_, event)| event).collect())
    }

    /// Removes events that the journal has made durable, and remembers that
    /// it had at least `journal_durable` entries then. Ids that are gone
    /// already do not matter.
    ///
    /// # Errors
    /// As [`SealedStore::commit`], but for conflicts.
    pub async fn mark_done(&self, ids: &[[u8; 16]], journal_durable: u64) -> Result<()> {
        for chunk in ids.chunks(PAGE) {
            match self.remove(chunk, journal_durable).await {
                Ok(()) => {}
                // Some are gone: each by itself then.
                Err(Error::Conflict { .. }) => {
                    for id in chunk {
                        match self.remove(std::slice::from_ref(id), journal_durable).await {
                            Ok(())
                            | Err(Error::Conflict {
                                conflict: Conflict::Missing,
                                ..
                            }) => {}
                            Err(error) => return Err(error),
                        }
                        lock(&self.0.outbox).floors.remove(id);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn remove(&self, ids: &[[u8; 16]], journal_durable: u64) -> Result<()> {
        let keyring = self.0.keyring()?;
        let scope = Some(place::scope(&keyring, SYSTEM, Kind::Outbox)?);
        let writes = ids
            .iter()
            .map(|id| Planned {
                write: Write::Delete {
                    kind: Kind::Outbox,
                    id: RecordId(*id),
                    expected: 1,
                },
                scope,
                added: None,
            })
            .collect();
        self.advance(writes, ids, journal_durable).await
    }

    /// Remembers that the journal has at least `durable` entries that are
    /// durable, with one small commit when that is news, so that
    /// [`SealedStore::recover`] finds a journal that was cut since. Changes
    /// bring the number along by themselves ([`SealedStore::mark_done`]);
    /// this is for the events without one, now and then and before a stop.
    ///
    /// # Errors
    /// As [`SealedStore::commit`], but for conflicts.
    pub async fn note_journal(&self, durable: u64) -> Result<()> {
        if durable <= self.journal_position().durable {
            return Ok(());
        }
        self.advance(Vec::new(), &[], durable).await
    }

    /// Commits these writes with how far the journal is once the events
    /// `done` wait no more.
    async fn advance(
        &self,
        writes: Vec<Planned>,
        done: &[[u8; 16]],
        journal_durable: u64,
    ) -> Result<()> {
        let (floor, durable) = {
            // A set: after a long time without a look both may be many.
            let gone: HashSet<&[u8; 16]> = done.iter().collect();
            let waiting = lock(&self.0.outbox);
            let durable = waiting.durable.max(journal_durable);
            let floor = waiting
                .floors
                .iter()
                .filter(|(id, _)| !gone.contains(id))
                .map(|(_, floor)| *floor)
                .min()
                .unwrap_or(waiting.durable);
            (floor.max(waiting.floor), durable)
        };
        self.submit(Plan {
            writes,
            edit: Some(Box::new(move |top: &mut heads::TopHead| {
                top.journal_floor = top.journal_floor.max(floor);
                top.journal_durable = top.journal_durable.max(durable);
            })),
            ..Plan::default()
        })
        .await?;
        let mut waiting = lock(&self.0.outbox);
        for id in done {
            waiting.floors.remove(id);
        }
        waiting.floor = waiting.floor.max(floor);
        waiting.durable = waiting.durable.max(durable);
        Ok(())
    }

    /// At start, and after a fail-over: checks that neither database nor
    /// journal is older than the other knows it to be, and feeds the journal
    /// the events a crash left in the outbox.
    ///
    /// # Errors
    /// [`Error::RolledBack`], [`Error::JournalCut`], and those of both
    /// sides.
    pub async fn recover(&self, journal: &dyn Journal) -> Result<Recovered> {
        let database = self.commits();
        if journal.highest_commit() > database {
            return Err(Error::RolledBack {
                journal: journal.highest_commit(),
                database,
            });
        }
        let known = self.journal_position().durable;
        if journal.durable_sequence() < known {
            return Err(Error::JournalCut {
                journal: journal.durable_sequence(),
                database: known,
            });
        }
        let pending = self.pending().await?;
        let ids: Vec<_> = pending.iter().map(|pending| pending.event.id).collect();
        let (mut missing, mut already_there) = (Vec::new(), 0);
        for event in pending {
            if journal.contains(event.event.id).await? {
                already_there += 1;
            } else {
                missing.push(journal::Entry::from(event));
            }
        }
        let fed = u64::try_from(missing.len()).unwrap_or(u64::MAX);
        if !missing.is_empty() {
            // What was committed is owed, on a full disk too.
            journal.append_as(missing, true)?.wait().await?;
        }
        if !ids.is_empty() {
            match self.mark_done(&ids, journal.durable_sequence()).await {
                // A full disk keeps nobody from opening; found to be there
                // already the next time.
                Ok(()) | Err(Error::Full) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Recovered { fed, already_there })
    }

    /// As [`SealedStore::recover`] on a journal behind a pointer.
    ///
    /// # Errors
    /// As [`SealedStore::recover`].
    pub async fn recover_from(&self, journal: &Arc<dyn Journal>) -> Result<Recovered> {
        self.recover(journal.as_ref()).await
    }
}
