//! Dates that pass: activations, ends of periods, destructions whose window
//! is over, rotations that are due. What a key may do never waits for this
//! job; the dates bind from the moment they pass. The job records what
//! happened, erases material, and makes the new versions.
//!
//! Nothing says here what was done: what is due follows from the key's record,
//! and the change that does it makes that record one by which it is no longer
//! due. So a crash loses nothing and doubles nothing, and a key that missed
//! many dates is attended to once.

pub(crate) mod calls;
mod dates;
mod leavers;
mod old;
mod order;
mod rotate_due;
mod walk;
mod warning;
mod watch;
mod withdrawals;

use skms_keys::{DueAct, Key, KeyId, NamespaceId};
use skms_store::{Kind, RecordId};

use crate::act::act;
use crate::caller::Caller;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef, KeyTarget};
use crate::keychange::With;
use crate::records;
use crate::records::key::KeyRecord;

pub(crate) use dates::Agenda;
use dates::What;
pub(crate) use order::Wanting;

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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
            let may_rotate = rotated < ROTATIONS_AT_ONCE;
            if may_rotate {
                entry.rooms.agenda.served(wanting.namespace);
            }
            match attend(&entry, wanting, may_rotate).await {
                Ok(done) => {
                    changed += usize::from(done != Attended::Nothing);
                    rotated += usize::from(done == Attended::Rotated);
                }
                Err(error) if error.is_away() => return Err(error),
                Err(error) => {
                    let agenda = &entry.rooms.agenda;
                    agenda.put_off(wanting, entry.now(), TROUBLE_SECONDS, What::Everything);
                    self.note_trouble(&error);
                }
            }
        }
        Ok(changed)
    }
}

/// A key's record.
pub(crate) async fn stored_key(
    rooms: &Rooms,
    namespace: NamespaceId,
    id: KeyId,
) -> Result<Option<Key>> {
    let found = rooms
        .store
        .get(namespace.0, Kind::Key, RecordId(id.0))
        .await?;
    let Some(stored) = found else {
        return Ok(None);
    };
    let record: KeyRecord = records::decode(stored.plaintext.expose())?;
    Ok(Some(record.into_domain(stored.id, namespace)?))
}

/// The key of an entry in the index, in memory; `None` if it is gone.
async fn resolve(rooms: &Rooms, wanting: Wanting) -> Result<Option<KeyTarget>> {
    let (namespace, id) = (wanting.namespace, wanting.key);
    let Some(key) = stored_key(rooms, namespace, id).await? else {
        return Ok(None);
    };
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

/// Does what is due for one key, but for a rotation where `may_rotate` is not,
/// and notes when it wants attention again.
async fn attend(entry: &Entry, wanting: Wanting, may_rotate: bool) -> Result<Attended> {
    let agenda = &entry.rooms.agenda;
    let Some(cell) = resolve(&entry.rooms, wanting).await? else {
        agenda.forget(wanting.key);
        return Ok(Attended::Nothing);
    };
    let mut done = Attended::Nothing;
    let due = cell.snapshot().key().due(entry.now());
    if due.iter().any(|item| item.act == DueAct::Destroy) {
        complete_destroy(entry, &cell).await?;
        done = Attended::Changed;
    }
    let mut put_off = None;
    let rotated = match may_rotate {
        true => rotate_due::rotate(entry, &cell).await,
        false => Ok(Attended::Nothing),
    };
    match rotated {
        Ok(Attended::Nothing) => {}
        Ok(rotated) => done = rotated,
        // Somebody else changed it meanwhile: it is looked at again at once.
        Err(Error::Conflict) => calls::forget_answered(&entry.rooms, wanting).await?,
        Err(Error::Key(_) | Error::KeyForbids(_)) => put_off = Some(FORBIDDEN_SECONDS),
        Err(other) => return Err(other),
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
    let old = old::destroy(entry, &cell).await?;
    let warned = warning::warn(entry, &cell).await?;
    done = done.max(old.attended).max(warned);
    let snapshot = cell.snapshot();
    let key = snapshot.key();
    let now = entry.now();
    // A rotation by date that the key's state refuses is not due and is past.
    let due = key.due(now);
    let is_due = due.iter().any(|item| item.act == DueAct::Rotate);
    let agenda_of_key = key.agenda();
    let mut rotations = agenda_of_key
        .iter()
        .filter(|item| item.act == DueAct::Rotate);
    if !is_due && rotations.any(|item| item.at <= now) {
        put_off = put_off.or(Some(FORBIDDEN_SECONDS));
    }
    if let Some(seconds) = put_off {
        agenda.put_off(wanting, now, seconds, What::Rotation);
    }
    if old.kept {
        agenda.put_off(wanting, now, FORBIDDEN_SECONDS, What::OldVersions);
    }
    agenda.note(key, now);
    Ok(done)
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
