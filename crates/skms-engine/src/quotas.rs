//! How many keys and tokens there may be, where an operator has set a limit, and
//! how many re-encryption jobs that have not ended, which is limited everywhere.
//!
//! Nothing is counted where nothing is limited. Elsewhere the first create
//! counts what the store has; from then on creates are added as they commit,
//! one at a time within the namespace, so that any number of them at once
//! stays within the limit. What is deleted is struck off by its identifier,
//! without waiting for any create: a revocation must get through.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use skms_keys::{Key, KeyringId, NamespaceId};
use skms_store::{Kind, RecordId};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::KeyRef;
use crate::page::Steps;
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::key::KeyRecord;
use crate::records::reencryption::{self, JobRecord};
use crate::records::token::TokenRecord;

/// Records that one step of counting reads.
const STEP: usize = 256;

/// The most re-encryption jobs of one key that have not ended.
pub const JOBS_PER_KEY: u64 = 64;
/// And of one namespace.
pub const JOBS_PER_NAMESPACE: u64 = 512;

/// Deletions that wait to be struck off before counting begins anew instead.
const GONE_MAX: usize = 65_536;

/// The counts of the namespaces that have limits.
#[derive(Default)]
pub(crate) struct Quotas(Mutex<HashMap<[u8; 16], Arc<Book>>>);

/// One namespace's counts.
#[derive(Default)]
struct Book {
    counts: Arc<AsyncMutex<Counts>>,
    /// Whether anything was counted, so that deletions matter.
    active: AtomicBool,
    gone: Mutex<Vec<RecordId>>,
}

/// What there is; `None` before it was counted.
#[derive(Default)]
struct Counts {
    keys: Option<Keys>,
    tokens: Option<HashMap<RecordId, (String, Option<i64>)>>,
    /// Jobs that have not ended, with their keys' identifiers.
    jobs: Option<HashMap<RecordId, String>>,
}

#[derive(Default)]
struct Keys {
    rings: HashMap<RecordId, KeyringId>,
    of_ring: HashMap<KeyringId, u64>,
}

impl Keys {
    fn add(&mut self, id: RecordId, ring: KeyringId) {
        if self.rings.insert(id, ring).is_none() {
            *self.of_ring.entry(ring).or_default() += 1;
        }
    }

    fn remove(&mut self, id: &RecordId) {
        if let Some(ring) = self.rings.remove(id)
            && let Some(count) = self.of_ring.get_mut(&ring)
        {
            *count = count.saturating_sub(1);
        }
    }
}

/// Room for one more of something: nobody else in the namespace makes one
/// until this is used or dropped.
pub(crate) struct Room {
    counts: OwnedMutexGuard<Counts>,
    taken: Option<Taken>,
}

impl Drop for Room {
    fn drop(&mut self) {
        // Nobody said what became of it: counted anew next time.
        if self.taken.is_some() {
            *self.counts = Counts::default();
        }
    }
}

enum Taken {
    Key(RecordId, KeyringId),
    Token(RecordId, String, Option<i64>),
    Job(RecordId, String),
}

impl Room {
    /// The batch was committed, or (`Err`) was not, or nobody knows.
    pub(crate) fn settle<T>(mut self, outcome: &Result<T>) {
        let taken = self.taken.take();
        match outcome {
            Ok(_) => match taken {
                Some(Taken::Key(id, ring)) => {
                    if let Some(keys) = &mut self.counts.keys {
                        keys.add(id, ring);
                    }
                }
                Some(Taken::Token(id, principal, ends)) => {
                    if let Some(tokens) = &mut self.counts.tokens {
                        tokens.insert(id, (principal, ends));
                    }
                }
                Some(Taken::Job(id, key)) => {
                    if let Some(jobs) = &mut self.counts.jobs {
                        jobs.insert(id, key);
                    }
                }
                None => {}
            },
            // Nothing was written.
            Err(
                Error::Conflict
                | Error::Exists { .. }
                | Error::Busy
                | Error::Sealed
                | Error::Store(skms_store::Error::Full),
            ) => {}
            Err(_) => *self.counts = Counts::default(),
        }
    }
}

impl Quotas {
    fn book(&self, namespace: NamespaceId) -> Arc<Book> {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(books.entry(namespace.0).or_default())
    }

    /// A record was deleted, or a job ended.
    pub(crate) fn gone(&self, namespace: NamespaceId, id: RecordId) {
        let book = {
            let books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match books.get(&namespace.0) {
                Some(book) => Arc::clone(book),
                None => return,
            }
        };
        if book.active.load(Ordering::SeqCst) {
            let mut gone = book.gone.lock().unwrap_or_else(PoisonError::into_inner);
            if gone.len() <= GONE_MAX {
                gone.push(id);
            }
        }
    }

    /// A namespace was deleted.
    pub(crate) fn forget(&self, namespace: NamespaceId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&namespace.0);
    }
}

impl Book {
    /// The counts, for one create at a time, without what was deleted.
    async fn lock(&self) -> OwnedMutexGuard<Counts> {
        let mut counts = Arc::clone(&self.counts).lock_owned().await;
        // Before anything is counted: what is deleted from now on is noted.
        self.active.store(true, Ordering::SeqCst);
        self.strike_off(&mut counts);
        counts
    }

    fn strike_off(&self, counts: &mut Counts) {
        let gone = std::mem::take(&mut *self.gone.lock().unwrap_or_else(PoisonError::into_inner));
        if gone.len() > GONE_MAX {
            *counts = Counts::default();
        }
        for id in &gone {
            if let Some(keys) = &mut counts.keys {
                keys.remove(id);
            }
            if let Some(tokens) = &mut counts.tokens {
                tokens.remove(id);
            }
            if let Some(jobs) = &mut counts.jobs {
                jobs.remove(id);
            }
        }
    }
}

/// Room for a key, where keys are limited.
///
/// # Errors
/// [`Error::QuotaExceeded`].
pub(crate) async fn room_for_key(rooms: &Rooms, at: KeyRef<'_>, key: &Key) -> Result<Option<Room>> {
    let Some(limits) = rooms.limits(at.namespace) else {
        return Ok(None);
    };
    let of_ring = limits.of_keyring(at.keyring);
    if limits.keys.is_none() && of_ring.is_none() {
        return Ok(None);
    }
    let book = rooms.quotas.book(key.namespace);
    let mut counts = book.lock().await;
    if counts.keys.is_none() {
        let keys = count_keys(rooms, key.namespace).await?;
        counts.keys = Some(keys);
        book.strike_off(&mut counts);
    }
    let (all, in_ring) = counts.keys.as_ref().map_or((0, 0), |keys| {
        let in_ring = keys.of_ring.get(&key.keyring).copied().unwrap_or(0);
        (keys.rings.len() as u64, in_ring)
    });
    within(all, limits.keys, || {
        format!("keys in the namespace {}", at.namespace)
    })?;
    within(in_ring, of_ring, || {
        format!("keys in the keyring {}", at.keyring)
    })?;
    Ok(Some(Room {
        counts,
        taken: Some(Taken::Key(RecordId(key.id.0), key.keyring)),
    }))
}

/// Room for a token, where a principal's tokens are limited.
///
/// # Errors
/// [`Error::QuotaExceeded`].
pub(crate) async fn room_for_token(
    rooms: &Rooms,
    namespace: NamespaceId,
    id: RecordId,
    token: &TokenRecord,
    now: i64,
) -> Result<Option<Room>> {
    let limits = rooms.limits(&token.namespace);
    let Some(most) = limits.and_then(|limits| limits.tokens_per_principal) else {
        return Ok(None);
    };
    let book = rooms.quotas.book(namespace);
    let mut counts = book.lock().await;
    if counts.tokens.is_none() {
        counts.tokens = Some(count_tokens(rooms, &token.namespace).await?);
        book.strike_off(&mut counts);
    }
    let mut has = 0;
    if let Some(tokens) = &mut counts.tokens {
        tokens.retain(|_, (_, ends)| ends.is_none_or(|end| end > now));
        has = tokens
            .values()
            .filter(|(principal, _)| *principal == token.principal)
            .count() as u64;
    }
    within(has, Some(most), || {
        format!("tokens of the principal {}", token.principal)
    })?;
    Ok(Some(Room {
        counts,
        taken: Some(Taken::Token(id, token.principal.clone(), token.expires_at)),
    }))
}

/// Room for a re-encryption job, which holds what it counts until somebody ends
/// it. Those that an incident makes are there whatever others there are, and
/// take no room.
///
/// # Errors
/// [`Error::QuotaExceeded`].
pub(crate) async fn room_for_job(
    rooms: &Rooms,
    at: KeyRef<'_>,
    key: &Key,
    id: RecordId,
) -> Result<Room> {
    let book = rooms.quotas.book(key.namespace);
    let mut counts = book.lock().await;
    if counts.jobs.is_none() {
        counts.jobs = Some(count_jobs(rooms, key.namespace).await?);
        book.strike_off(&mut counts);
    }
    let key_id = key.id.to_string();
    let (all, of_key) = counts.jobs.as_ref().map_or((0, 0), |jobs| {
        let own = jobs.values().filter(|of| **of == key_id);
        (jobs.len() as u64, own.count() as u64)
    });
    let ends = "(`skms job list`; `skms job cancel` ends one)";
    within(of_key, Some(JOBS_PER_KEY), || {
        let (keyring, name) = (at.keyring, at.name);
        format!("unfinished re-encryption jobs of the key {keyring}/{name} {ends}")
    })?;
    within(all, Some(JOBS_PER_NAMESPACE), || {
        let namespace = at.namespace;
        format!("unfinished re-encryption jobs in the namespace {namespace} {ends}")
    })?;
    Ok(Room {
        counts,
        taken: Some(Taken::Job(id, key_id)),
    })
}

fn within(has: u64, limit: Option<u64>, what: impl FnOnce() -> String) -> Result<()> {
    match limit {
        Some(limit) if has >= limit => Err(Error::QuotaExceeded {
            what: what(),
            limit,
        }),
        _ => Ok(()),
    }
}

async fn count_keys(rooms: &Rooms, namespace: NamespaceId) -> Result<Keys> {
    let mut keys = Keys::default();
    let mut steps = Steps::new(namespace.0, Kind::Key, STEP);
    while let Some(step) = steps.next(&rooms.store).await? {
        for stored in step {
            let record: KeyRecord = records::decode(stored.plaintext.expose())?;
            let ring = record.into_domain(stored.id, namespace)?.keyring;
            keys.add(stored.id, ring);
        }
    }
    Ok(keys)
}

async fn count_tokens(
    rooms: &Rooms,
    namespace: &str,
) -> Result<HashMap<RecordId, (String, Option<i64>)>> {
    let mut tokens = HashMap::new();
    let mut steps = Steps::new(SYSTEM_SCOPE, Kind::Token, STEP);
    while let Some(step) = steps.next(&rooms.store).await? {
        for stored in step {
            let record: TokenRecord = records::decode(stored.plaintext.expose())?;
            if record.namespace == namespace {
                tokens.insert(stored.id, (record.principal, record.expires_at));
            }
        }
    }
    Ok(tokens)
}

async fn count_jobs(rooms: &Rooms, namespace: NamespaceId) -> Result<HashMap<RecordId, String>> {
    let mut jobs = HashMap::new();
    let mut steps = Steps::new(namespace.0, Kind::Reencryption, reencryption::STEP);
    while let Some(step) = steps.next(&rooms.store).await? {
        for stored in step {
            // What does not decode takes no batches: it is no reason to refuse
            // others, and is told of where jobs are forgotten.
            let record: Result<JobRecord> = records::decode(stored.plaintext.expose());
            if let Ok(record) = record
                && !record.state.is_end()
                && record.incident.is_none()
            {
                jobs.insert(stored.id, record.key_id);
            }
        }
    }
    Ok(jobs)
}
