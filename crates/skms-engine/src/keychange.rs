//! How an act that changes a key ends. One batch commits the key's record,
//! its material and the event; then the live states flip, uses in flight of
//! what was taken away drain, the journal has the event, and the caller is
//! answered.

use std::sync::Arc;
use std::time::Duration;

use skms_evidence::{DetailKey, DetailValue, Outcome};
use skms_keys::{Changed, Key, KeyState, Transition, UnixSeconds, Versions};
use skms_store::{Change, Kind, RecordId};
use tokio::sync::{OwnedMutexGuard, OwnedRwLockWriteGuard};

use crate::act::Act;
use crate::acts::certificates::{Reached, Suspension, Verdict, revoke_key_of};
use crate::acts::ssh::Spoilt;
use crate::change::to_the_end;
use crate::draft::EventDraft;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::lineage::descent::{self, Tie};
use crate::opened::{KeySnapshot, lock_key};
use crate::records;
use crate::records::key::{KeyRecord, key_name, material_name};

/// Longest wait for uses in flight to end. They have been told to refuse by
/// then, and none can begin.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// What a change of a key does to its certificates.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    /// Those of these versions are revoked.
    Revoked(Verdict, Versions),
    /// Those of versions that are suspended are on hold, where their authority
    /// says so.
    Held,
    /// Those of versions that are resumed are good again, if that held them.
    Released,
}

/// What brings memory up to date with revisions.
pub(crate) type After = Box<dyn FnOnce(&Rooms, &[u64]) -> Result<()> + Send>;

/// What a change of a key is a part of: an act on something else that has its
/// own event, of which the caller leaves that of a failure, too.
pub(crate) struct Part {
    /// The event of the whole.
    pub(crate) event: EventDraft,
    /// Brings memory up to date, with the revisions of what went into the batch
    /// beside the key, by [`With::also`].
    pub(crate) after: After,
    /// The change lock, under which that was worked out.
    pub(crate) changes: OwnedRwLockWriteGuard<()>,
}

/// Records that a change of a key is told by, worked out from the key as it is
/// then.
pub(crate) type Told = Box<dyn FnOnce(&Key) -> Result<Vec<Change>> + Send>;

/// What follows a change of a key behind the caller's back.
pub(crate) type Begins = Box<dyn FnOnce(&Rooms) + Send>;

/// What a change of a key comes with.
#[derive(Default)]
pub(crate) struct With {
    /// Records that go into the same batch.
    pub(crate) also: Vec<Change>,
    /// Further ones, which say what became of the key.
    pub(crate) record: Option<Told>,
    /// What begins as soon as it is committed, or may be, however long uses in
    /// flight take to end, and even when the caller hangs up.
    pub(crate) begins: Option<Begins>,
    /// Revoke and suspend: draws on the reserve when the disk is full.
    pub(crate) urgent: bool,
    /// What becomes of the certificates of its versions.
    pub(crate) certificates: Option<Fate>,
    /// The lock of revocations, which comes with them: held until memory knows
    /// what was committed, even when the caller hangs up.
    pub(crate) revocations: Option<OwnedMutexGuard<()>>,
    /// The lock of rules about which key rotates with which, held likewise.
    pub(crate) leaders: Option<OwnedMutexGuard<()>>,
    /// What its event says beside what happened.
    pub(crate) said: Vec<(DetailKey, DetailValue)>,
    /// What it is a part of, if it is.
    pub(crate) part_of: Option<Part>,
    /// The event, where it says more than the act and the steps.
    pub(crate) event: Option<EventDraft>,
    /// What ties a version to another that it depends on from now on.
    pub(crate) tie: Option<Tie>,
    /// A compromise that follows another along the lineage, whose epoch is set
    /// already.
    pub(crate) follows: bool,
    /// It takes nothing away, so that no use in flight is waited for; the caller
    /// may have one.
    pub(crate) takes_nothing: bool,
}

impl Entry {
    /// Changes the key that `authorized` is for, as `work` says.
    ///
    /// # Errors
    /// What `work` refuses, which is recorded as a failed act; what the store
    /// refuses.
    pub(crate) async fn change_key<A: Act>(
        &self,
        authorized: &Authorized<A, KeyTarget>,
        with: With,
        work: impl FnOnce(&Key, UnixSeconds) -> Result<Changed>,
    ) -> Result<Arc<KeySnapshot>> {
        let (cell, guard) = lock_key(&self.rooms, authorized.target()).await?;
        let snapshot = cell.snapshot();
        let still = self.claims.still(&snapshot);
        self.failed_key(authorized, still).await?;
        let (key, transitions) = match work(snapshot.key(), self.now()) {
            Ok(changed) => changed,
            Err(refused) if with.part_of.is_some() => return Err(refused),
            Err(refused) => {
                let event = EventDraft::of_key(self, authorized, Outcome::failed(&refused))?;
                self.record(event).await?;
                return Err(refused);
            }
        };
        let mut changes = vec![put_key(&key, Some(snapshot.revision()))?];
        // Under the key's lock: none is issued meanwhile for a key kept here.
        let mut reached = Reached::default();
        if let Some(fate) = with.certificates {
            let change = (fate, transitions.as_slice(), self.now());
            reached_by(&self.rooms, &snapshot, change, &mut reached).await?;
        }
        changes.append(&mut reached.changes);
        let (urgent, held, leaders) = (with.urgent, with.revocations, with.leaders);
        let by = (self.now(), self.caller.session.principal.id());
        let (spoilt, more) = Spoilt::by(&self.rooms, &snapshot, &transitions, by).await?;
        changes.extend(more);
        if !with.follows {
            let at = self.now().0;
            changes.extend(descent::epochs(&self.rooms, snapshot.key(), &key, at).await?);
        }
        let (tied, tie) = match with.tie {
            Some(tie) => (tie.changes, Some(tie.above)),
            None => (Vec::new(), None),
        };
        changes.extend(tied);
        let (first_also, also) = (changes.len(), with.also.len());
        changes.extend(with.also);
        if let Some(record) = with.record {
            changes.extend(record(&key)?);
        }
        changes.extend(erase_material(&self.rooms, &key, &transitions).await?);
        let (event, whole) = match with.part_of {
            Some(part) => (part.event, Some((part.after, part.changes))),
            None => {
                let event = match with.event {
                    Some(event) => event,
                    None => EventDraft::of_key(self, authorized, Outcome::Success)?,
                };
                let event = event.transitions(&transitions).explained(with.said);
                (event, None)
            }
        };
        let event = event.finish();
        let rooms = Arc::clone(&self.rooms);
        let (takes_nothing, begins) = (with.takes_nothing, with.begins);
        to_the_end(async move {
            let committed = match rooms.recorder.commit(changes, &event, urgent).await {
                Ok(committed) => committed,
                Err(error) => {
                    if !error.is_away() {
                        rooms.keys.reload(&cell);
                    }
                    if held.is_some() || whole.is_some() {
                        // Certificates may be revoked all the same, or members
                        // gone. Reading them again takes the locks.
                        drop((guard, held, whole));
                        rooms.reread(&error).await;
                    }
                    if let (false, Some(begins)) = (changed_nothing(&error), begins) {
                        begins(&rooms);
                    }
                    if let (Error::Conflict, Some(tie)) = (&error, &tie) {
                        tie.check(&rooms).await?;
                    }
                    return Err(error);
                }
            };
            let revision = committed
                .revisions
                .first()
                .copied()
                .ok_or(Error::Internal("a commit without revisions"))?;
            let closed = cell.put_in_force(&rooms.lineage, key, revision);
            if let Some(begins) = begins {
                begins(&rooms);
            }
            // What this change made of the key, and not what the next one does.
            let done = cell.snapshot();
            drop(tie);
            reached.put_in_force(&rooms, committed.revisions.get(1..).unwrap_or_default());
            spoilt.put_in_force()?;
            if let Some((after, changes)) = whole {
                let also = committed.revisions.iter().skip(first_also).take(also);
                after(&rooms, &also.copied().collect::<Vec<_>>())?;
                drop(changes);
            }
            drop((guard, held, leaders));
            rooms
                .agenda
                .changed(cell.snapshot().key(), rooms.clock.now());
            // Uses that began before the flip refuse their own answers, and so
            // do those of what depends on a compromised version; the wait makes
            // sure that none is still on its way out.
            let leave = async {
                if !takes_nothing {
                    cell.drain().await;
                }
                for node in closed {
                    node.drain().await;
                }
            };
            let drained = tokio::time::timeout(DRAIN_LIMIT, leave).await;
            rooms.recorder.settle(committed).await?;
            if drained.is_err() {
                return Err(Error::Internal(
                    "the change is in force, but a use that began before it still runs",
                ));
            }
            Ok(done)
        })
        .await
    }
}

/// Whether a commit that failed so is certainly not in the store.
const fn changed_nothing(error: &Error) -> bool {
    matches!(error, Error::Conflict) || error.is_away()
}

/// What becomes of the certificates of a key.
async fn reached_by(
    rooms: &Rooms,
    snapshot: &KeySnapshot,
    (fate, transitions, at): (Fate, &[Transition], UnixSeconds),
    reached: &mut Reached,
) -> Result<()> {
    let id = snapshot.key().id.to_string();
    let suspension = Suspension { key: &id, at };
    let namespace = snapshot.at().namespace;
    for version in &snapshot.key().versions {
        let Some(spki) = &version.public_spki else {
            continue;
        };
        let mut steps = transitions
            .iter()
            .filter(|step| step.version == version.number);
        match fate {
            Fate::Revoked(verdict, versions) => {
                if matches!(versions, Versions::One(number) if number != version.number) {
                    continue;
                }
                revoke_key_of(rooms, namespace, spki, verdict, reached).await?;
            }
            Fate::Held if steps.any(|step| step.to == KeyState::Suspended) => {
                suspension.begins(rooms, namespace, spki, reached).await?;
            }
            Fate::Released if steps.any(|step| step.from == KeyState::Suspended) => {
                suspension.ends(rooms, namespace, spki, reached).await?;
            }
            Fate::Held | Fate::Released => {}
        }
    }
    Ok(())
}

/// The changes that erase the material of every version that was destroyed.
async fn erase_material(
    rooms: &Rooms,
    key: &Key,
    transitions: &[Transition],
) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for step in transitions {
        if step.to != KeyState::Destroyed {
            continue;
        }
        let name = material_name(key.id, step.version);
        let found = rooms
            .store
            .find(key.namespace.0, Kind::Material, &name)
            .await?;
        changes.extend(found.map(|stored| Change::Delete {
            namespace: key.namespace.0,
            kind: Kind::Material,
            id: stored.id,
            expected: stored.revision,
        }));
    }
    Ok(changes)
}

/// The change that stores a key's record.
pub(crate) fn put_key(key: &Key, expected: Option<u64>) -> Result<Change> {
    Ok(Change::Put {
        namespace: key.namespace.0,
        kind: Kind::Key,
        id: RecordId(key.id.0),
        name: Some(key_name(key.keyring, key.name.as_str())),
        expected,
        plaintext: records::encode(&KeyRecord::from(key))?,
    })
}
