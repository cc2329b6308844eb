//! The one thread that writes: it groups the batches that wait into one
//! transaction and syncs once for all. A batch that cannot be written takes
//! no other along: the group is then tried again with a savepoint for each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
#[cfg(feature = "simulation")]
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::reserve::Reserve;
use super::schema::{self, backend};
use crate::disk::{Background, Held, Patience, Turn};
use crate::error::{Conflict, Error, Result};
use crate::store::{Batch, Forgotten, Kind, RecordId, Row, Seen, Write};

/// The most batches in one transaction; bounds what a failing sync undoes.
const GROUP_MAX: usize = 512;

/// After the reserve was spent, how many groups pass between attempts to
/// make it again.
const REFILL_EVERY: u32 = 16;

pub(super) enum Job {
    Commit(Batch, oneshot::Sender<Result<()>>),
    Forget(oneshot::Sender<Result<Forgotten>>),
    /// For a store without readers.
    Read(super::Read),
}

/// Pages the database may have: in general, and with the reserve spent.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) usual: u32,
    pub(super) urgent: u32,
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) reserve: Reserve,
    pub(super) limit: Option<Limit>,
    pub(super) failure: Option<String>,
    pub(super) groups_since_spent: u32,
}

type Waiting = (Batch, oneshot::Sender<Result<()>>);

/// The writer at work, until every sender of jobs is gone; it leaves a tidy
/// file behind.
pub(super) struct Working {
    pub(super) writer: Writer,
    pub(super) jobs: Receiver<Job>,
    pub(super) _lock: Arc<Held>,
}

impl Background for Working {
    fn turn(&mut self, patience: Patience) -> Turn {
        let job = match patience {
            Patience::Wait => self.jobs.recv().ok(),
            #[cfg(feature = "simulation")]
            _ => match self.jobs.try_recv() {
                Ok(job) => Some(job),
                Err(TryRecvError::Empty) => return Turn::Idle,
                Err(TryRecvError::Disconnected) => None,
            },
        };
        match job {
            Some(job) => {
                self.writer.round(job, &self.jobs);
                Turn::Done
            }
            None => {
                // Closing checkpoints anyway; doing it here keeps the log
                // short even when a reader lingers. A failure costs only a
                // longer start.
                let _ = self.writer.checkpoint();
                Turn::Ended
            }
        }
    }
}

impl Writer {
    /// Does this job and what waits behind it.
    fn round(&mut self, job: Job, jobs: &Receiver<Job>) {
        let mut next = Some(job);
        let mut group = Vec::new();
        while let Some(job) = next.take() {
            match job {
                Job::Commit(batch, answer) => group.push((batch, answer)),
                Job::Forget(answer) => {
                    self.commit(std::mem::take(&mut group));
                    // The asker may be gone; nothing to do about it.
                    let _ = answer.send(self.forget());
                }
                Job::Read(read) => {
                    self.commit(std::mem::take(&mut group));
                    read(&self.connection);
                }
            }
            if group.len() < GROUP_MAX {
                next = jobs.try_recv().ok();
            }
        }
        self.commit(group);
    }

    fn commit(&mut self, mut group: Vec<Waiting>) {
        if group.is_empty() {
            return;
        }
        if !self.reserve.is_ready() {
            self.refill();
        }
        if !self.reserve.is_ready() {
            // What room there is belongs to those that must get through.
            let ordinary;
            (group, ordinary) = group.into_iter().partition(|(batch, _)| batch.urgent);
            for (_, answer) in ordinary {
                let _ = answer.send(Err(Error::Full));
            }
        }
        let mut outcomes = self.transaction(&mut group);
        if outcomes
            .iter()
            .any(|outcome| matches!(outcome, Err(Error::Full)))
        {
            outcomes = self.with_reserve(&mut group, outcomes);
        }
        for ((batch, answer), outcome) in group.into_iter().zip(outcomes) {
            // What it holds is let go before anybody goes on.
            drop(batch);
            let _ = answer.send(outcome);
        }
    }

    /// Makes the reserve again where there is room for it, now and then.
    fn refill(&mut self) {
        if self.groups_since_spent.is_multiple_of(REFILL_EVERY) && self.reserve.fill().is_ok() {
            self.limit_pages(false);
        }
        self.groups_since_spent = self.groups_since_spent.wrapping_add(1);
    }

    /// The disk is full: the urgent batches again, with the reserve's room.
    /// The others keep their error; nothing of theirs was written.
    fn with_reserve(
        &mut self,
        group: &mut [Waiting],
        outcomes: Vec<Result<()>>,
    ) -> Vec<Result<()>> {
        if !group.iter().any(|(batch, _)| batch.urgent) {
            return outcomes;
        }
        if self.reserve.spend() {
            // Not again at once: the room is for these.
            self.groups_since_spent = 1;
        }
        self.limit_pages(true);
        group
            .iter_mut()
            .zip(outcomes)
            .map(|(waiting, outcome)| match outcome {
                Err(Error::Full) if waiting.0.urgent => self
                    .transaction(std::slice::from_mut(waiting))
                    .pop()
                    .unwrap_or(Err(Error::Full)),
                outcome => outcome,
            })
            .collect()
    }

    pub(super) fn limit_pages(&self, urgent: bool) {
        if let Some(limit) = self.limit {
            let pages = if urgent { limit.urgent } else { limit.usual };
            // Never below what the file has; SQLite sees to that.
            let _ =
                self.connection
                    .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()));
        }
    }

    /// One outcome a batch. When the transaction as a whole fails, every
    /// batch that had passed gets that error.
    fn transaction(&mut self, group: &mut [Waiting]) -> Vec<Result<()>> {
        if let Some(why) = &self.failure {
            return group
                .iter()
                .map(|_| Err(Error::Failed(why.clone())))
                .collect();
        }
        let mut outcomes = Vec::with_capacity(group.len());
        if group.is_empty() {
            return outcomes;
        }
        let mut whole = self.attempt(group, &mut outcomes, Mode::AllOrNone);
        if let Err(Stopped::AtBatch) = whole {
            // One of them cannot be written: again, each by itself.
            let _ = self.connection.execute_batch("ROLLBACK");
            outcomes.clear();
            whole = self.attempt(group, &mut outcomes, Mode::EachAlone);
        }
        if let Err(stopped) = whole {
            // Already rolled back for some errors; then this says so.
            let _ = self.connection.execute_batch("ROLLBACK");
            let error = match stopped {
                Stopped::Whole(error) => error,
                Stopped::AtBatch => Error::Invalid("a batch stopped the others"),
            };
            outcomes.resize_with(group.len(), || Ok(()));
            if schema::is_disk_failure(&error) {
                self.failure = Some(error.to_string());
            }
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
                *outcome = Err(match &error {
                    Error::Full => Error::Full,
                    other => Error::Failed(other.to_string()),
                });
            }
        }
        outcomes
    }

    fn attempt(
        &self,
        group: &mut [Waiting],
        outcomes: &mut Vec<Result<()>>,
        mode: Mode,
    ) -> std::result::Result<(), Stopped> {
        let run = |sql: &str| {
            self.connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.execute([]))
                .map(|_| ())
                .map_err(|error| Stopped::Whole(backend(error)))
        };
        let mut heads = Heads::default();
        run("BEGIN IMMEDIATE")?;
        for (batch, _) in group {
            if mode == Mode::EachAlone {
                run("SAVEPOINT batch")?;
            }
            let before = (mode == Mode::EachAlone).then(|| heads.clone());
            match (apply(&self.connection, &mut heads, batch), before) {
                (Ok(()), None) => {}
                (Ok(()), Some(_)) => run("RELEASE batch")?,
                // The whole transaction is lost or in doubt.
                (Err(error), _)
                    if matches!(error, Error::Full) || schema::is_disk_failure(&error) =>
                {
                    return Err(Stopped::Whole(error));
                }
                (Err(_), None) => return Err(Stopped::AtBatch),
                (Err(error), Some(before)) => {
                    heads = before;
                    run("ROLLBACK TO batch")?;
                    run("RELEASE batch")?;
                    outcomes.push(Err(error));
                    continue;
                }
            }
            outcomes.push(Ok(()));
        }
        heads.write(&self.connection).map_err(Stopped::Whole)?;
        run("COMMIT")
    }

    /// Empties the log into the database; false when a reader holds it.
    pub(super) fn checkpoint(&self) -> Result<bool> {
        // Commits wait for this thread, so it does not wait for a reader.
        let _ = self.connection.busy_timeout(Duration::from_millis(50));
        let done = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                row.get::<_, i64>(0)
            })
            .map(|busy| busy == 0)
            .map_err(backend);
        let _ = self.connection.busy_timeout(schema::BUSY_TIMEOUT);
        done
    }

    fn forget(&self) -> Result<Forgotten> {
        let complete = self.checkpoint()?;
        Ok(Forgotten {
            erased: if complete {
                "replaced and deleted rows are overwritten in the database file, and its write-ahead log is emptied"
            } else {
                "replaced and deleted rows are overwritten in the database file; a reader still holds the write-ahead log"
            },
            remains: "the freed blocks of the log, and whatever the disk, the file system or backups kept; only rotating the storage key makes those unreadable",
        })
    }
}

/// How a group is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As if no batch could fail, which is nearly always so.
    AllOrNone,
    /// Each in a savepoint, so that one that fails takes nothing along.
    EachAlone,
}

/// Why an attempt came to nothing.
enum Stopped {
    /// One batch cannot be written.
    AtBatch,
    /// The transaction failed.
    Whole(Error),
}

/// Rows that nearly every batch of a group replaces, the heads: kept here
/// until the transaction ends, and then written once.
#[derive(Clone, Default)]
struct Heads(BTreeMap<RecordId, Row>);

impl Heads {
    fn get(&self, connection: &Connection, kind: Kind, id: RecordId) -> Result<Option<Row>> {
        match self.0.get(&id) {
            Some(row) if kind == Kind::Head => Ok(Some(row.clone())),
            _ => schema::get(connection, kind, id),
        }
    }

    /// Writes a row in place of `before`, or keeps it for later.
    fn put(&mut self, connection: &Connection, write: &Write, before: Option<&Row>) -> Result<()> {
        match write {
            Write::Put { row, .. } if row.kind == Kind::Head && row.index.is_none() => {
                self.0.insert(row.id, row.clone());
                return Ok(());
            }
            Write::Put { row, .. } if row.kind == Kind::Head => self.0.remove(&row.id),
            Write::Delete {
                kind: Kind::Head,
                id,
                ..
            } => self.0.remove(id),
            _ => None,
        };
        put(connection, write, before)
    }

    fn write(self, connection: &Connection) -> Result<()> {
        self.0
            .into_values()
            .try_for_each(|row| put_row(connection, &row))
    }
}

/// Checks, finalises and writes one batch inside the open transaction.
fn apply(connection: &Connection, heads: &mut Heads, batch: &mut Batch) -> Result<()> {
    let mut replaced = Vec::with_capacity(batch.writes.len());
    for write in &batch.writes {
        replaced.push(expected_row(connection, heads, write)?);
    }
    for (write, before) in batch.writes.iter().zip(&replaced) {
        heads.put(connection, write, before.as_ref())?;
    }
    if let Some(finalise) = &mut batch.finalise {
        let read = batch
            .reads
            .iter()
            .map(|(kind, id)| heads.get(connection, *kind, *id))
            .collect::<Result<Vec<_>>>()?;
        let more = finalise(&Seen {
            replaced: &replaced,
            read: &read,
        })?;
        for write in &more {
            let before = expected_row(connection, heads, write)?;
            heads.put(connection, write, before.as_ref())?;
        }
    }
    for write in &batch.meta {
        put_meta(connection, write)?;
    }
    Ok(())
}

fn expected_row(connection: &Connection, heads: &Heads, write: &Write) -> Result<Option<Row>> {
    let (kind, id) = write.place();
    if is_new(write) {
        // Its insertion finds out whether there is one.
        return Ok(None);
    }
    let row = heads.get(connection, kind, id)?;
    let conflict = match (&row, write.expected()) {
        (None, None) => return Ok(row),
        (Some(found), Some(expected)) if found.revision == expected => return Ok(row),
        (None, Some(_)) => Conflict::Missing,
        (Some(_), None) => Conflict::Exists,
        (Some(_), Some(_)) => Conflict::Revision,
    };
    Err(Error::conflict(kind, id, conflict))
}

/// Whether the row must not be there yet. Heads wait to be written, so theirs
/// are looked up.
fn is_new(write: &Write) -> bool {
    matches!(write, Write::Put { row, expected: None } if row.kind != Kind::Head)
}

fn signed(revision: u64) -> Result<i64> {
    i64::try_from(revision).map_err(|_| Error::Invalid("a revision has more than 63 bits"))
}

fn put(connection: &Connection, write: &Write, before: Option<&Row>) -> Result<()> {
    match write {
        Write::Put { row, .. } if is_new(write) => insert_row(connection, row),
        Write::Put { row, .. } if before.is_some_and(|before| same_place(before, row)) => {
            change_row(connection, row)
        }
        Write::Put { row, .. } => put_row(connection, row),
        Write::Delete { kind, id, .. } => connection
            .prepare_cached("DELETE FROM record WHERE kind = ?1 AND id = ?2")
            .and_then(|mut statement| statement.execute(params![kind.number(), id.0]))
            .map(|_| ())
            .map_err(backend),
    }
}

const INSERT: &str = "INSERT INTO record (kind, id, revision, entry, scope, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// A row that must not be there yet.
fn insert_row(connection: &Connection, row: &Row) -> Result<()> {
    write_row(connection, INSERT, row)
}

/// A row that may be there.
fn put_row(connection: &Connection, row: &Row) -> Result<()> {
    const REPLACE: &str = "INSERT INTO record (kind, id, revision, entry, scope, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision,
             entry = excluded.entry, scope = excluded.scope, sealed = excluded.sealed";
    write_row(connection, REPLACE, row)
}

/// Whether a row stays where the indexes have it.
fn same_place(before: &Row, row: &Row) -> bool {
    (before.index, before.scope) == (row.index, row.scope)
}

/// A row that is there and stays where it is: no page of an index is touched,
/// and those of names lie all over the file.
fn change_row(connection: &Connection, row: &Row) -> Result<()> {
    const CHANGE: &str = "UPDATE record SET revision = ?3, sealed = ?4 WHERE kind = ?1 AND id = ?2";
    let revision = signed(row.revision)?;
    connection
        .prepare_cached(CHANGE)
        .and_then(|mut statement| {
            statement.execute(params![row.kind.number(), row.id.0, revision, row.sealed])
        })
        .map(|_| ())
        .map_err(backend)
}

fn write_row(connection: &Connection, sql: &str, row: &Row) -> Result<()> {
    let revision = signed(row.revision)?;
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement.execute(params![
                row.kind.number(),
                row.id.0,
                revision,
                row.index,
                row.scope,
                row.sealed
            ])
        })
        .map(|_| ())
        .map_err(|error| match taken(&error) {
            Some(conflict) => Error::conflict(row.kind, row.id, conflict),
            None => backend(error),
        })
}

/// What of a row was there already.
fn taken(error: &rusqlite::Error) -> Option<Conflict> {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return None;
    };
    match failure.extended_code {
        SQLITE_CONSTRAINT_PRIMARYKEY => Some(Conflict::Exists),
        _ if failure.code == rusqlite::ErrorCode::ConstraintViolation => Some(Conflict::Index),
        _ => None,
    }
}

fn put_meta(connection: &Connection, write: &crate::store::MetaWrite) -> Result<()> {
    let found = schema::meta(connection, write.name)?.map(|meta| meta.revision);
    let conflict = match (found, write.expected) {
        (None, None) => None,
        (Some(found), Some(expected)) if found == expected => None,
        (None, Some(_)) => Some(Conflict::Missing),
        (Some(_), None) => Some(Conflict::Exists),
        (Some(_), Some(_)) => Some(Conflict::Revision),
    };
    if let Some(conflict) = conflict {
        return Err(Error::MetaConflict {
            name: write.name,
            conflict,
        });
    }
    let revision = signed(found.unwrap_or(0).saturating_add(1))?;
    connection
        .prepare_cached(
            "INSERT INTO meta (name, revision, bytes) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, bytes = excluded.bytes",
        )
        .and_then(|mut statement| statement.execute(params![write.name, revision, write.bytes]))
        .map_err(backend)?;
    Ok(())
}
