//! Dates that pass: activations, ends of periods, destructions whose window
//! is over, rotations that are due. What a key may do never waits for this
//! job; the dates bind from the moment they pass. The job records what
//! happened, erases material, and makes the new versions.
//!
//! Nothing says here what was done: what is due follows from the key's record,
//! and the change that does it makes that record one by which it is no longer
//! due. So a crash loses nothing and doubles nothing, and a key that missed
//! many dates is attended to once.

mod dates;
mod walk;

use skms_evidence::{DetailKey, DetailValue};
use skms_keys::{Due, DueAct};
use skms_store::{Kind, RecordId};

use crate::act::act;
use crate::acts::rotate;
use crate::caller::Caller;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef, KeyTarget};
use crate::keychange::With;
use crate::records;
use crate::records::key::KeyRecord;

pub(crate) use dates::{Agenda, Wanting};

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

/// Keys that are attended to in one round: two rounds are a second.
const KEYS_AT_ONCE: usize = 256;
/// Rotations in one round: each makes material and is a commit of its own, and
/// callers come first.
const ROTATIONS_AT_ONCE: usize = 25;
/// After trouble with a key it waits so long.
const TROUBLE_SECONDS: u64 = 60;
/// A key that must not be rotated is looked at again after so long.
const FORBIDDEN_SECONDS: u64 = 24 * 60 * 60;

/// What became of a key that wanted attention.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attended {
    Nothing,
    Changed,
    Rotated,
}

impl Engine {
    /// Does what is due now, a round of it. Returns how many keys it changed.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what the store refuses. What could not be done for
    /// one key is tried again later and keeps no other from its turn.
    pub async fn do_what_is_due(&self) -> Result<usize> {
        let caller = Caller::system("agenda")?;
        let entry = self.enter(&caller)?;
        let (mut changed, mut rotated) = (0, 0);
        for wanting in entry.rooms.agenda.wanting(entry.now(), KEYS_AT_ONCE) {
            if rotated >= ROTATIONS_AT_ONCE {
                break;
            }
            match attend(&entry, wanting).await {
                Ok(done) => {
                    changed += usize::from(done != Attended::Nothing);
                    rotated += usize::from(done == Attended::Rotated);
                }
                Err(error) if error.is_away() => return Err(error),
                Err(error) => {
                    let agenda = &entry.rooms.agenda;
                    agenda.put_off(wanting, entry.now(), TROUBLE_SECONDS, false);
                    self.note_trouble(&error);
                }
            }
        }
        Ok(changed)
    }
}

/// The key of an entry in the index, in memory; `None` if it is gone.
async fn resolve(rooms: &Rooms, wanting: Wanting) -> Result<Option<KeyTarget>> {
    let (namespace, id) = (wanting.namespace, wanting.key);
    let found = rooms
        .store
        .get(namespace.0, Kind::Key, RecordId(id.0))
        .await?;
    let Some(stored) = found else {
        return Ok(None);
    };
    let record: KeyRecord = records::decode(stored.plaintext.expose())?;
    let key = record.into_domain(stored.id, namespace)?;
    let Some((namespace, keyring)) = rooms.places.names_of(namespace, key.keyring) else {
        return Ok(None);
    };
    let at = KeyRef {
        namespace: &namespace,
        keyring: &keyring,
        name: key.name.as_str(),
    };
    let found = rooms.keys.resolve(rooms, at).await?;
    Ok(found.filter(|cell| cell.snapshot().key().id == id))
}

/// Does what is due for one key, and notes when it wants attention again.
async fn attend(entry: &Entry, wanting: Wanting) -> Result<Attended> {
    let Some(cell) = resolve(&entry.rooms, wanting).await? else {
        entry.rooms.agenda.forget(wanting.key);
        return Ok(Attended::Nothing);
    };
    let mut done = Attended::Nothing;
    let due = cell.snapshot().key().due(entry.now());
    if due.iter().any(|item| item.act == DueAct::Destroy) {
        complete_destroy(entry, &cell).await?;
        done = Attended::Changed;
    }
    let mut put_off = None;
    if let Some(item) = first(&due, DueAct::Rotate) {
        match rotate_due(entry, &cell, item).await {
            Ok(()) => done = Attended::Rotated,
            // Rotated by somebody else meanwhile, or no longer to be.
            Err(Error::Conflict | Error::Key(_)) => {}
            Err(Error::KeyForbids(_)) => put_off = Some(FORBIDDEN_SECONDS),
            Err(other) => return Err(other),
        }
    }
    // A rotation records the dates that passed, too.
    let passed = [DueAct::Activate, DueAct::Deactivate, DueAct::EndRecovery];
    if done == Attended::Nothing && due.iter().any(|item| passed.contains(&item.act)) {
        let allowed = entry.authorize_as_system::<Lapse>(&cell)?;
        entry
            .change_key(&allowed, With::default(), |key, now| Ok(key.expire(now)?))
            .await?;
        done = Attended::Changed;
    }
    let snapshot = cell.snapshot();
    let key = snapshot.key();
    let agenda = &entry.rooms.agenda;
    match put_off {
        Some(seconds) => agenda.put_off(wanting, entry.now(), seconds, true),
        // A rotation that the key's state refuses.
        None if key.due(entry.now()).is_empty()
            && key.next_due().is_some_and(|at| at <= entry.now()) =>
        {
            agenda.put_off(wanting, entry.now(), FORBIDDEN_SECONDS, true);
        }
        None => {}
    }
    agenda.note(key, entry.now());
    Ok(done)
}

fn first(due: &[Due], act: DueAct) -> Option<Due> {
    due.iter().copied().find(|item| item.act == act)
}

/// Rotates a key that is due for it, unless it no longer is when its turn has
/// come: the key is compared and set by the number of its newest version.
async fn rotate_due(entry: &Entry, cell: &KeyTarget, item: Due) -> Result<()> {
    let allowed = entry.authorize_as_system::<RotateDue>(cell)?;
    let snapshot = allowed.target().snapshot();
    let ready = rotate::check(entry, &snapshot);
    entry.failed_key(&allowed, ready).await?;
    let (material, next) = rotate::next(entry, &snapshot, None).await?;
    let with = With {
        also: vec![material],
        said: explained(item),
        ..With::default()
    };
    let rotated = entry
        .change_key(&allowed, with, move |key, now| {
            match first(&key.due(now), DueAct::Rotate) {
                Some(_) => next.follow(key, now),
                None => Err(Error::Conflict),
            }
        })
        .await?;
    entry.rooms.weak.made(&rotated);
    Ok(())
}

/// What the event says about why something was due.
fn explained(item: Due) -> Vec<(DetailKey, DetailValue)> {
    let mut said: Vec<(DetailKey, DetailValue)> = vec![(DetailKey::Reason, item.why.name().into())];
    if let Ok(at) = u64::try_from(item.at.0) {
        said.push((DetailKey::DueAt, at.into()));
    }
    said
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
