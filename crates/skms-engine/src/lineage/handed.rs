//! Who was handed secrets that a key gave: data keys, derived bytes, what it
//! unwrapped. There is one record for a version, a principal and a way, and it
//! is durable before the first answer leaves. How often, and when last, is
//! counted in memory and written now and then: a server that is killed forgets
//! the last minutes of that, and no recipient.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use skms_keys::{Key, KeyId, VersionRef};
use skms_store::{Change, Kind, RecordId};

use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records::{self, Record};

/// Counts are written again after so many seconds of use.
const AGAIN_SECONDS: i64 = 300;
/// How many are in memory before those that are written are let go of.
const KEPT: usize = 16_384;
/// How often a record is written that others write at the same time.
const TRIES: usize = 16;
/// Records that one step reads.
const STEP: usize = 256;

/// In what way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Data keys, with their plaintext.
    DataKeys,
    /// Bytes that were derived from it.
    DerivedBytes,
    /// Bytes that it unwrapped.
    UnwrappedBytes,
    /// Its material itself, not wrapped by another key.
    Material,
}

impl Way {
    /// A word for people and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DataKeys => "data-keys",
            Self::DerivedBytes => "derived-bytes",
            Self::UnwrappedBytes => "unwrapped-bytes",
            Self::Material => "material",
        }
    }
}

/// That a principal was handed secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HandedRecord {
    /// The key's identifier.
    pub(crate) key: String,
    pub(crate) version: u32,
    /// Whom.
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) way: Way,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// How many, at least.
    pub(crate) count: u64,
}

impl Record for HandedRecord {
    const KIND: Kind = Kind::Handed;
}

/// Who, of what, in what way.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Pair {
    scope: [u8; 16],
    of: VersionRef,
    way: Way,
    namespace: String,
    name: String,
}

impl Pair {
    /// What its record is looked up by. No part has a slash.
    fn place(&self) -> String {
        let Self {
            of,
            way,
            namespace,
            name,
            ..
        } = self;
        format!("{of}/{}/{namespace}/{name}", way.word())
    }
}

#[derive(Default)]
struct Tally {
    last_at: i64,
    written_at: i64,
    /// Not written yet.
    new: u64,
}

/// What is counted in memory.
#[derive(Default)]
pub(crate) struct Handed {
    known: Mutex<HashMap<Pair, Tally>>,
    /// One record is written at a time.
    writing: tokio::sync::Mutex<()>,
}

impl Handed {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Pair, Tally>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the caller is handed so many. Durable on return, but for the
    /// count.
    ///
    /// # Errors
    /// What the store refuses: nothing is to be handed out then.
    pub(crate) async fn note(
        &self,
        entry: &Entry,
        scope: [u8; 16],
        (of, way): (VersionRef, Way),
        count: u64,
    ) -> Result<()> {
        let (now, principal) = (entry.now().0, &entry.caller.session.principal);
        let pair = Pair {
            scope,
            of,
            way,
            namespace: principal.namespace().to_owned(),
            name: principal.id().to_owned(),
        };
        let counted = |tally: &mut Tally| {
            tally.new = tally.new.saturating_add(count);
            tally.last_at = tally.last_at.max(now);
        };
        {
            let mut known = self.lock();
            if let Some(tally) = known.get_mut(&pair) {
                counted(tally);
                if now.saturating_sub(tally.written_at) < AGAIN_SECONDS {
                    return Ok(());
                }
            }
        }
        let _one = self.writing.lock().await;
        {
            let mut known = self.lock();
            if known.len() >= KEPT {
                known.retain(|_, tally| tally.new > 0);
            }
            match known.get_mut(&pair) {
                // Counted above; somebody else may have written it meanwhile.
                Some(tally) if now.saturating_sub(tally.written_at) < AGAIN_SECONDS => {
                    return Ok(());
                }
                Some(_) => {}
                None => {
                    let tally = known.entry(pair.clone()).or_default();
                    // Until it is written, everybody waits for that.
                    tally.written_at = i64::MIN / 2;
                    counted(tally);
                }
            }
        }
        self.write(&entry.rooms, &pair, now).await
    }

    /// Writes what was counted of one. Whoever calls it is the one who writes.
    async fn write(&self, rooms: &Rooms, pair: &Pair, now: i64) -> Result<()> {
        // Taken first: who is dropped in between loses a count and gives none
        // twice.
        let (new, last_at) = match self.lock().get_mut(pair) {
            Some(tally) => (std::mem::take(&mut tally.new), tally.last_at),
            None => return Ok(()),
        };
        let mut written = Err(Error::Busy);
        for _ in 0..TRIES {
            written = put(rooms, pair, (new, last_at)).await;
            // Its key is being deleted, for instance.
            if !matches!(written, Err(Error::Conflict)) {
                break;
            }
        }
        if let Some(tally) = self.lock().get_mut(pair) {
            match &written {
                Ok(()) => tally.written_at = now,
                Err(_) => tally.new = tally.new.saturating_add(new),
            }
        }
        written
    }

    /// Writes everything that was counted in a namespace.
    ///
    /// # Errors
    /// What the store refuses.
    pub(crate) async fn flush(&self, rooms: &Rooms, scope: [u8; 16], now: i64) -> Result<()> {
        let _one = self.writing.lock().await;
        let open: Vec<Pair> = (self.lock().iter())
            .filter(|(pair, tally)| pair.scope == scope && tally.new > 0)
            .map(|(pair, _)| pair.clone())
            .collect();
        for pair in open {
            self.write(rooms, &pair, now).await?;
        }
        Ok(())
    }

    /// Forgets a key.
    fn forget(&self, key: &Key) {
        self.lock().retain(|pair, _| pair.of.key != key.id);
    }
}

async fn put(rooms: &Rooms, pair: &Pair, (new, last_at): (u64, i64)) -> Result<()> {
    let place = pair.place();
    let found = rooms.store.find(pair.scope, Kind::Handed, &place).await?;
    let (id, expected, record) = match found {
        None => {
            let record = HandedRecord {
                key: pair.of.key.to_string(),
                version: pair.of.version.0,
                namespace: pair.namespace.clone(),
                name: pair.name.clone(),
                way: pair.way,
                first_at: last_at,
                last_at,
                count: new,
            };
            (
                rooms.store.id_in(pair.scope, Kind::Handed, &record.key)?,
                None,
                record,
            )
        }
        Some(stored) => {
            let mut record: HandedRecord = records::decode(stored.plaintext.expose())?;
            record.last_at = record.last_at.max(last_at);
            record.count = record.count.saturating_add(new);
            (stored.id, Some(stored.revision), record)
        }
    };
    let change = Change::Put {
        namespace: pair.scope,
        kind: Kind::Handed,
        id,
        name: Some(place),
        expected,
        plaintext: records::encode(&record)?,
    };
    rooms.store.commit(vec![change], None).await?;
    Ok(())
}

/// What is on record of a key's versions.
///
/// # Errors
/// What the store says.
pub(crate) async fn of_key(
    rooms: &Rooms,
    scope: [u8; 16],
    key: KeyId,
) -> Result<Vec<(RecordId, u64, HandedRecord)>> {
    let (mut found, mut after) = (Vec::new(), None);
    let key = key.to_string();
    loop {
        let page = rooms.store.scan_in(scope, Kind::Handed, &key, after, STEP);
        let page = page.await?;
        let last = page.len() < STEP;
        after = page.last().map(|record| record.id);
        for stored in page {
            let record: HandedRecord = records::decode(stored.plaintext.expose())?;
            if record.key == key {
                found.push((stored.id, stored.revision, record));
            }
        }
        if last {
            return Ok(found);
        }
    }
}

/// Which of these keys anything is on record of.
///
/// # Errors
/// What the store says.
pub(crate) async fn any_of(rooms: &Rooms, scope: [u8; 16], keys: &[KeyId]) -> Result<Vec<bool>> {
    let groups: Vec<String> = keys.iter().map(KeyId::to_string).collect();
    Ok(rooms.store.any_in(scope, Kind::Handed, &groups).await?)
}

/// The changes that forget who was handed what by a key that is about to be
/// deleted.
///
/// # Errors
/// What the store says.
pub(crate) async fn forget(rooms: &Rooms, key: &Key) -> Result<Vec<Change>> {
    let scope = key.namespace.0;
    rooms.handed.forget(key);
    let found = of_key(rooms, scope, key.id).await?;
    let deletes = found.into_iter().map(|(id, expected, _)| Change::Delete {
        namespace: scope,
        kind: Kind::Handed,
        id,
        expected,
    });
    Ok(deletes.collect())
}
