//! Which keys are in memory: every one that was used of late, up to a number;
//! the others are a row in the store and nothing here.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use skms_keys::UnixSeconds;
use skms_store::Kind;

use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::KeyRef;
use crate::opened::{KeyCell, KeySnapshot};
use crate::records;
use crate::records::key::{KeyRecord, key_name};

/// The keys that are in memory.
pub(crate) struct Keys {
    state: RwLock<State>,
    /// How many there may be before some have to go.
    most: usize,
    /// One of these rises when a key goes, by its path, so that a look-up
    /// that read its record before does not put it back as it was then.
    gone: [AtomicU64; GONE],
}

/// How many counters of keys that went; a look-up begins again only when a
/// key of the same counter goes meanwhile.
const GONE: usize = 256;

#[derive(Default)]
struct State {
    cells: HashMap<String, Arc<KeyCell>>,
    /// In the order they are looked at when one has to go; may hold some
    /// that are gone already.
    ring: VecDeque<Weak<KeyCell>>,
}

/// How many are looked at for each one that comes in.
const LOOKS: usize = 8;
/// A key stays when one of its dates is no further off than this, in
/// seconds: two walks of the agenda.
const NEAR: i64 = 7200;

impl State {
    fn add(&mut self, path: String, cell: Arc<KeyCell>) -> Arc<KeyCell> {
        let State { cells, ring } = self;
        // Keys that were made and deleted leave their places behind.
        if ring.len() > 2 * cells.len() + LOOKS * LOOKS {
            ring.retain(|cell| cell.strong_count() > 0);
        }
        let kept = cells.entry(path).or_insert_with(|| {
            ring.push_back(Arc::downgrade(&cell));
            cell
        });
        Arc::clone(kept)
    }

    /// Lets keys go that nobody holds and nobody asked for since they were
    /// last looked at, and says which went.
    fn make_room(&mut self, most: usize, now: UnixSeconds) -> Vec<String> {
        let mut went = Vec::new();
        for _ in 0..LOOKS {
            if self.cells.len() <= most {
                break;
            }
            let Some(next) = self.ring.pop_front() else {
                break;
            };
            let Some(cell) = next.upgrade() else {
                continue;
            };
            // The map's and this one: nobody else has it, and under this lock
            // nobody gets it from the map. Whoever upgrades a weak one finds
            // it retired and follows to the cell that takes its place.
            let held = Arc::strong_count(&cell) > 2;
            if held || cell.was_wanted() || is_due_soon(&cell, now) {
                self.ring.push_back(next);
                continue;
            }
            cell.retire();
            let path = path(cell.snapshot().at());
            self.cells.remove(&path);
            went.push(path);
        }
        went
    }
}

fn is_due_soon(cell: &KeyCell, now: UnixSeconds) -> bool {
    let near = now.0.saturating_sub(NEAR)..=now.0.saturating_add(NEAR);
    // What is long past is what nobody is going to do.
    let agenda = cell.snapshot().key().agenda();
    agenda.iter().any(|item| near.contains(&item.at.0))
}

impl Keys {
    /// Keeps `most` keys, and those that are held or due beyond that.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            state: RwLock::default(),
            most,
            gone: [const { AtomicU64::new(0) }; GONE],
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.read().cells.len()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a cell in and makes room for it.
    fn add(
        &self,
        state: &mut State,
        path: String,
        cell: KeyCell,
        now: UnixSeconds,
    ) -> Arc<KeyCell> {
        let cell = state.add(path, Arc::new(cell));
        for path in state.make_room(self.most, now) {
            self.gone_of(&path).fetch_add(1, Ordering::SeqCst);
        }
        cell
    }

    /// The key of that name, read in if it is not in memory yet.
    pub(crate) async fn resolve(
        &self,
        rooms: &Rooms,
        at: KeyRef<'_>,
    ) -> Result<Option<Arc<KeyCell>>> {
        let path = path(at);
        if let Some(cell) = self.known(&path) {
            return Ok(Some(cell));
        }
        loop {
            let seen = self.gone_of(&path).load(Ordering::SeqCst);
            let Some(cell) = load(rooms, at).await? else {
                return Ok(None);
            };
            if let Some(cell) = self.keep(rooms, &path, cell, seen) {
                return Ok(Some(cell));
            }
        }
    }

    /// The key of that name, if it is in memory.
    pub(crate) fn here(&self, at: KeyRef<'_>) -> Option<Arc<KeyCell>> {
        self.read().cells.get(&path(at)).cloned()
    }

    fn known(&self, path: &str) -> Option<Arc<KeyCell>> {
        let cell = self.read().cells.get(path).cloned()?;
        cell.want();
        Some(cell)
    }

    fn keep(&self, rooms: &Rooms, path: &str, cell: KeyCell, seen: u64) -> Option<Arc<KeyCell>> {
        let mut state = self.write();
        if self.gone_of(path).load(Ordering::SeqCst) != seen {
            return None;
        }
        Some(self.add(&mut state, path.to_owned(), cell, rooms.clock.now()))
    }

    fn gone_of(&self, path: &str) -> &AtomicU64 {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        // The remainder is smaller than a usize and than the array.
        &self.gone[(hasher.finish() % GONE as u64) as usize]
    }

    /// What [`Keys::insert`] asks for, from before the key was committed.
    pub(crate) fn seen(&self, at: KeyRef<'_>) -> u64 {
        self.gone_of(&path(at)).load(Ordering::SeqCst)
    }

    /// Takes in a key that was just created, or reads it again where it may
    /// have been changed since.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn insert(
        &self,
        rooms: &Rooms,
        cell: KeyCell,
        seen: u64,
    ) -> Result<Arc<KeyCell>> {
        let snapshot = cell.snapshot();
        let path = path(snapshot.at());
        if let Some(cell) = self.keep(rooms, &path, cell, seen) {
            return Ok(cell);
        }
        self.resolve(rooms, snapshot.at())
            .await?
            .ok_or(Error::NotFound { what: "key" })
    }

    /// Forgets a key whose record is gone.
    pub(crate) fn remove(&self, at: KeyRef<'_>) {
        let mut state = self.write();
        let path = path(at);
        self.gone_of(&path).fetch_add(1, Ordering::SeqCst);
        if let Some(cell) = state.cells.remove(&path) {
            cell.retire();
        }
    }

    /// Forgets a key whose record may no longer be what memory says, after a
    /// commit that failed or whose outcome is not known: uses in flight
    /// refuse, and the next call reads the record anew.
    pub(crate) fn reload(&self, cell: &KeyCell) {
        self.remove(cell.snapshot().at());
    }

    /// Ends every use there is: the server is being sealed.
    pub(crate) fn retire_all(&self) {
        let mut state = self.write();
        for gone in &self.gone {
            gone.fetch_add(1, Ordering::SeqCst);
        }
        for cell in state.cells.values() {
            cell.retire();
        }
        *state = State::default();
    }
}

/// Names hold no NUL, so this tells apart what differs.
fn path(at: KeyRef<'_>) -> String {
    let mut path = String::with_capacity(at.namespace.len() + at.keyring.len() + at.name.len() + 2);
    for part in [at.namespace, "\0", at.keyring, "\0", at.name] {
        path.push_str(part);
    }
    path
}

async fn load(rooms: &Rooms, at: KeyRef<'_>) -> Result<Option<KeyCell>> {
    let Some((namespace, ring)) = rooms.places.ring(at.namespace, at.keyring) else {
        return Ok(None);
    };
    let name = key_name(ring.ring.id, at.name);
    let Some(stored) = rooms.store.find(namespace.0, Kind::Key, &name).await? else {
        return Ok(None);
    };
    let record: KeyRecord = records::decode(stored.plaintext.expose())?;
    let key = record.into_domain(stored.id, namespace)?;
    let snapshot = KeySnapshot::new(
        key,
        stored.revision,
        Arc::from(at.namespace),
        Arc::from(at.keyring),
        None,
    );
    rooms.lineage.attach(rooms, &snapshot).await?;
    Ok(Some(KeyCell::new(snapshot)))
}
