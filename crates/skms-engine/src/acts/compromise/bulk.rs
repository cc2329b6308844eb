//! Dependents that are alike, many in one batch: symmetric keys, which have no
//! certificates and no authority stands on. Most of a long cascade are these.

use std::collections::HashSet;
use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::{Key, VersionRef, Versions};
use skms_policy::Action;
use skms_store::Change;
use tokio::sync::OwnedMutexGuard;

use super::cascade::Work;
use super::ledger::count;
use super::walk::{self, Fate, Found};
use super::{Cascade, revoke};
use crate::draft::{EventDraft, Final};
use crate::error::{Error, Result};
use crate::gate::KeyTarget;
use crate::keychange::put_key;
use crate::records::incident::Touched;
use crate::target::Target;

/// A dependent whose change is worked out.
struct Ready {
    found: Found,
    fate: Fate,
    key: Key,
    /// What it is changed to, from which revision.
    changed: Option<(Key, u64)>,
    /// Its cell and that one's lock, where it is in memory.
    cell: Option<(KeyTarget, OwnedMutexGuard<()>)>,
}

/// Marks those that are alike; gives the others back.
pub(super) async fn mark(
    work: &mut Work<'_>,
    found: Vec<Found>,
    done: &mut Vec<(VersionRef, Fate)>,
) -> Result<Vec<Found>> {
    let (mut single, mut ready) = (Vec::new(), Vec::<Ready>::new());
    let mut touched = Vec::with_capacity(found.len());
    let keys = found.iter().map(|one| one.child.key);
    let read = walk::read_each(&work.entry.rooms, work.ledger.scope, keys).await?;
    let mut keys = HashSet::new();
    // Seldom: asking for each key is a good part of the work.
    let policies = work.entry.rooms.policies.load_full();
    let asks = policies.may_forbid_by_name(Action::KeyCascade);
    for (found, read) in found.into_iter().zip(read) {
        let key = found.child.key;
        match prepare(work, (found, asks), read)? {
            // Two versions of a key are two changes of one record.
            Ok(one) if keys.insert(key) => {
                touched.push(walk::touched(
                    &one.found,
                    (work.rings.at(&one.key), &one.key),
                    (one.fate, work.rotates(&one.key)),
                ));
                ready.push(one);
            }
            Ok(one) => single.push(one.found),
            Err(found) => single.push(found),
        }
    }
    if ready.is_empty() {
        return Ok(single);
    }
    let mut changes = Vec::with_capacity(ready.len() + 2);
    for one in &ready {
        if let Some((key, revision)) = &one.changed {
            changes.push(put_key(key, Some(*revision))?);
        }
    }
    let event = work.event(&touched)?;
    let (more, record, entered) = work.ledger.enter(touched.clone(), count(&touched))?.split();
    changes.extend(more);
    match work.commit(changes, event, false).await {
        Ok(()) => {}
        // They are refused for what is above them, and marked when there is
        // room: the reserve is for what is still good.
        Err(Error::Store(skms_store::Error::Full)) => {
            work.no_room = true;
            done.extend(ready.iter().map(|one| (one.found.child, one.fate)));
            return Ok(single);
        }
        // Somebody changed one of them meanwhile: each by itself.
        Err(Error::Conflict) => {
            for one in ready {
                if let Some((cell, _)) = &one.cell {
                    work.entry.rooms.keys.reload(cell);
                }
                single.push(one.found);
            }
            return Ok(single);
        }
        Err(error) => {
            for one in &ready {
                if let (Some((cell, _)), false) = (&one.cell, error.is_away()) {
                    work.entry.rooms.keys.reload(cell);
                }
            }
            return Err(error);
        }
    }
    work.ledger.committed(record, entered);
    for one in ready {
        done.push((one.found.child, one.fate));
        put_in_force(work, one);
    }
    Ok(single)
}

fn put_in_force(work: &Work<'_>, one: Ready) {
    let rooms = &work.entry.rooms;
    let Some((key, revision)) = one.changed else {
        return;
    };
    let revision = revision.saturating_add(1);
    match one.cell {
        Some((cell, _guard)) => {
            cell.put_in_force(&rooms.lineage, key, revision);
        }
        None => {
            rooms.lineage.note(&key, revision);
            // It may have come into memory meanwhile, as it was before.
            rooms.keys.remove(work.rings.at(&key));
        }
    }
}

/// Works out a dependent's change; gives it back where it is not like the
/// others.
fn prepare(
    work: &Work<'_>,
    (found, asks): (Found, bool),
    read: Option<(Key, u64)>,
) -> Result<std::result::Result<Ready, Found>> {
    let rooms = &work.entry.rooms;
    let Some((mut key, mut revision)) = read else {
        return Ok(Err(found));
    };
    let pair = key
        .versions
        .iter()
        .any(|version| version.public_spki.is_some());
    if pair
        || rooms
            .groups
            .on_key(&work.ledger.record.namespace, &key.id.to_string())
            .is_some()
    {
        return Ok(Err(found));
    }
    let cell = match rooms.keys.here(work.rings.at(&key)) {
        None => None,
        Some(cell) => {
            let Some(guard) = crate::opened::try_lock_key(&cell) else {
                return Ok(Err(found));
            };
            let snapshot = cell.snapshot();
            if snapshot.key().id != key.id {
                return Ok(Err(found));
            }
            (key, revision) = (snapshot.key().clone(), snapshot.revision());
            Some((cell, guard))
        }
    };
    let forbidden = || {
        let target = walk::target(work.rings.at(&key), &key, revision);
        asks && work.entry.is_forbidden::<Cascade>(&target)
    };
    let fate = walk::fate_unless(&key, found.child, forbidden)?;
    let changed = match fate {
        Fate::Already => None,
        Fate::Compromised => Some(compromised(work, &key, found.child)?),
        // Its own change says what spares it; seldom enough for one by itself.
        Fate::Spared => return Ok(Err(found)),
    };
    Ok(Ok(Ready {
        changed: changed.map(|key| (key, revision)),
        found,
        fate,
        key,
        cell,
    }))
}

fn compromised(work: &Work<'_>, key: &Key, of: VersionRef) -> Result<Key> {
    let revoke = revoke(work.id(), &work.ledger.record, Versions::One(of.version))?;
    let taint = work.ledger.record.reach.taint_below();
    Ok(key.compromise(&revoke, taint, work.entry.now())?.0)
}

impl Work<'_> {
    /// The event of a batch: everything that it touched.
    pub(super) fn event(&self, touched: &[Touched]) -> Result<Final> {
        let record = &self.ledger.record;
        let root = Target::namespace(&record.namespace);
        let allowed = self.entry.authorize_target_as_system::<Cascade>(root)?;
        let event = EventDraft::of(&self.entry, &allowed, Outcome::Success)?
            .explained(self.said())
            .detail(skms_evidence::DetailKey::Count, touched.len() as u64);
        Ok(event.touched(touched).finish())
    }

    /// Commits changes with their event, and feeds the journal. What takes
    /// something away that is still good draws on the reserve where the disk is
    /// full.
    pub(super) async fn commit(
        &self,
        changes: Vec<Change>,
        event: Final,
        takes_away: bool,
    ) -> Result<()> {
        let rooms = Arc::clone(&self.entry.rooms);
        let committed = rooms.recorder.commit(changes, &event, takes_away).await?;
        rooms.recorder.settle(committed).await
    }
}
