//! Dates that pass: activations, ends of periods, destructions whose window
//! is over, rotations that are due. What a key may do never waits for this
//! job; the dates bind from the moment they pass. The job records what
//! happened, erases material, and makes the new versions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use skms_keys::{DueAct, UnixSeconds};
use skms_store::Kind;

use crate::act::act;
use crate::acts::rotate;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef, KeyTarget};
use crate::keychange::With;
use crate::opened::KeyCell;
use crate::records;
use crate::records::key::KeyRecord;

act!(
    Lapse,
    KeyUpdate,
    "Records the dates of a key that have passed."
);
act!(
    CompleteDestroy,
    KeyDestroy,
    "Destroys the versions whose window is over."
);
act!(RotateDue, KeyRotate, "Rotates a key that is due for it.");

/// Keys that are read at a time in such a walk.
const SWEEP_PAGE: usize = 128;

/// Seconds between two walks over every stored key.
const SWEEP_SECONDS: i64 = 3600;

/// Which keys in memory want attention, and when.
#[derive(Default)]
pub(crate) struct Agenda {
    due: Mutex<BinaryHeap<Reverse<Item>>>,
}

struct Item {
    at: UnixSeconds,
    cell: Weak<KeyCell>,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Item {}
impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Item {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Agenda {
    /// Notes when a key that changed or came into memory wants attention.
    pub(crate) fn look(&self, cell: &Arc<KeyCell>) {
        let Some(at) = cell.snapshot().key().next_due() else {
            return;
        };
        self.due
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Reverse(Item {
                at,
                cell: Arc::downgrade(cell),
            }));
    }

    fn take_due(&self, now: UnixSeconds) -> Vec<Arc<KeyCell>> {
        let mut heap = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cells = Vec::new();
        while heap.peek().is_some_and(|Reverse(item)| item.at <= now) {
            if let Some(Reverse(item)) = heap.pop() {
                cells.extend(item.cell.upgrade());
            }
        }
        cells
    }
}

impl Engine {
    /// Does what is due now. Returns how many keys it changed.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what the store refuses. What could not be done for
    /// one key is tried again with the next walk.
    pub async fn do_what_is_due(&self) -> Result<usize> {
        let caller = Caller::system("agenda")?;
        let entry = self.enter(&caller)?;
        let mut changed = 0;
        for cell in entry.rooms.agenda.take_due(entry.now()) {
            changed += usize::from(attend(&entry, &cell).await?);
        }
        Ok(changed)
    }

    /// Walks over every stored key once and takes those in that are due
    /// before the next walk.
    ///
    /// # Errors
    /// As [`Engine::do_what_is_due`].
    pub async fn sweep_agenda(&self) -> Result<()> {
        let rooms = self.rooms()?;
        let horizon = UnixSeconds(rooms.clock.now().0.saturating_add(SWEEP_SECONDS));
        for namespace in rooms.places.list() {
            let names: std::collections::HashMap<_, _> = namespace
                .keyrings
                .values()
                .map(|ring| (ring.ring.id, ring.ring.name.as_str().to_owned()))
                .collect();
            let mut after = None;
            loop {
                let page = rooms
                    .store
                    .scan(namespace.id.0, Kind::Key, after, SWEEP_PAGE)
                    .await?;
                after = page.last().map(|record| record.id);
                if after.is_none() {
                    break;
                }
                for stored in page {
                    let record: KeyRecord = records::decode(stored.plaintext.expose())?;
                    let key = record.into_domain(stored.id, namespace.id)?;
                    let soon = key.next_due().is_some_and(|at| at <= horizon);
                    let Some(keyring) = names.get(&key.keyring).filter(|_| soon) else {
                        continue;
                    };
                    let at = KeyRef {
                        namespace: &namespace.name,
                        keyring,
                        name: key.name.as_str(),
                    };
                    if let Some(cell) = rooms.keys.resolve(&rooms, at).await? {
                        rooms.agenda.look(&cell);
                    }
                }
                // A million keys take a while; nobody waits for them.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

/// Does what is due for one key.
async fn attend(entry: &Entry, cell: &KeyTarget) -> Result<bool> {
    let due = cell.snapshot().key().due(entry.now());
    let wants = |act| due.iter().any(|item| item.act == act);
    if wants(DueAct::Destroy) {
        complete_destroy(entry, cell).await?;
    } else if wants(DueAct::Activate) || wants(DueAct::Deactivate) || wants(DueAct::EndRecovery) {
        let allowed = entry.authorize_as_system::<Lapse>(cell)?;
        entry
            .change_key(&allowed, With::default(), |key, now| Ok(key.expire(now)?))
            .await?;
    }
    if wants(DueAct::Rotate) {
        let allowed = entry.authorize_as_system::<RotateDue>(cell)?;
        match rotate::rotate(entry, &allowed, None).await {
            // Rotated by somebody else meanwhile, or no longer to be.
            Err(Error::Conflict | Error::Key(_) | Error::KeyForbids(_)) => {}
            other => {
                other?;
            }
        }
    }
    if due.is_empty() {
        // Its date moved: note the new one.
        entry.rooms.agenda.look(cell);
    }
    Ok(!due.is_empty())
}

async fn complete_destroy(entry: &Entry, cell: &KeyTarget) -> Result<()> {
    let allowed = entry.authorize_as_system::<CompleteDestroy>(cell)?;
    entry
        .change_key(&allowed, With::default(), |key, now| {
            Ok(key.complete_destroy(now)?)
        })
        .await?;
    Ok(())
}
