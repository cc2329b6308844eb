//! Rotates a key that is due for it: by its own dates and counts, because its
//! leader got a new version or its algorithm was withdrawn, or because something
//! called for it. However many
//! of these there are, it is one rotation, which answers them all in its batch.

use skms_evidence::{DetailKey, DetailValue};
use skms_keys::{Due, DueAct, Key, VersionNumber, Why};

use super::calls::OpenCall;
use super::{Attended, stored_key};
use crate::act::act;
use crate::acts::rotate;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyTarget};
use crate::keychange::With;
use crate::withdrawn::Succession;

act!(RotateDue, KeyRotate, "Rotates a key that is due for it.");
act!(
    Follow,
    KeyUpdate,
    "Notes from where on a key rotates with another one."
);

/// Why a key is to be rotated.
#[derive(Default)]
struct Wants {
    /// Its own date or count.
    due: Option<Due>,
    calls: Vec<OpenCall>,
    /// The version of its leader, if that is new to it.
    led: Option<VersionNumber>,
    /// What took the place of its algorithm.
    withdrawn: Option<Succession>,
}

/// What a leader says.
enum Led {
    Nothing,
    /// It is looked at for the first time: what comes after this counts.
    From(VersionNumber),
    New(VersionNumber),
}

/// Rotates a key if it is due for that.
pub(super) async fn rotate(entry: &Entry, cell: &KeyTarget) -> Result<Attended> {
    let rooms = &entry.rooms;
    let snapshot = cell.snapshot();
    let key = snapshot.key();
    rooms.agenda.looking(key.id);
    let led = match led(rooms, key).await {
        Ok(Led::From(version)) => {
            let allowed = entry.authorize_as_system::<Follow>(cell)?;
            let leader = key.rules.rotate_with;
            entry
                .change_key(&allowed, With::default(), move |key, now| {
                    match key.rules.rotate_with == leader {
                        true => Ok(key.follow(version, now)?),
                        false => Err(Error::Conflict),
                    }
                })
                .await?;
            None
        }
        Ok(Led::New(version)) => Some(version),
        Ok(Led::Nothing) => None,
        Err(error) => {
            rooms.agenda.look_again(key.id, entry.now());
            return Err(error);
        }
    };
    let wants = Wants {
        due: first(key, entry),
        calls: rooms.agenda.calls_of(key.id),
        led,
        withdrawn: withdrawn(rooms, key),
    };
    let done = wants.answer(entry, cell).await;
    if done.is_err() && led.is_some() {
        rooms.agenda.look_again(key.id, entry.now());
    }
    done
}

fn first(key: &Key, entry: &Entry) -> Option<Due> {
    let due = key.due(entry.now());
    due.into_iter().find(|item| item.act == DueAct::Rotate)
}

/// What took the place of the algorithm of a key that is to leave it. Nobody
/// notes that it did: its algorithm is another then.
fn withdrawn(rooms: &Rooms, key: &Key) -> Option<Succession> {
    let leaves = key.leaves_withdrawn_algorithm();
    rotate::succession(rooms, key).filter(|_| leaves)
}

async fn led(rooms: &Rooms, key: &Key) -> Result<Led> {
    let Some(leader) = key.rules.rotate_with else {
        return Ok(Led::Nothing);
    };
    let leader = stored_key(rooms, key.namespace, leader).await?;
    let newest = leader.as_ref().and_then(Key::newest_in_use);
    Ok(match (newest, key.followed) {
        (None, _) => Led::Nothing,
        (Some(newest), None) => Led::From(newest),
        (Some(newest), Some(followed)) if newest > followed => Led::New(newest),
        (Some(_), Some(_)) => Led::Nothing,
    })
}

impl Wants {
    async fn answer(self, entry: &Entry, cell: &KeyTarget) -> Result<Attended> {
        let snapshot = cell.snapshot();
        let newest = snapshot.key().newest()?.number;
        // A version that came since the call is what it called for.
        let called = self.calls.iter().any(|call| call.version >= newest);
        let by_rule = self.led.is_some() || self.withdrawn.is_some();
        if self.due.is_none() && !by_rule && !called {
            return match self.calls.is_empty() {
                true => Ok(Attended::Nothing),
                false => self.settle(entry, cell).await,
            };
        }
        let allowed = entry.authorize_as_system::<RotateDue>(cell)?;
        let ready = rotate::check(entry, &snapshot, None);
        let algorithm = match ready {
            // Nothing that changes by itself: somebody has to hear of it.
            Err(Error::KeyForbids(_)) => entry.failed_key(&allowed, ready).await?,
            other => other?,
        };
        let (material, next) = rotate::next(entry, &snapshot, algorithm, None).await?;
        let namespace = snapshot.key().namespace;
        let mut also = vec![material];
        also.extend(self.calls.iter().map(|call| call.answered(namespace)));
        let with = With {
            also,
            said: [self.explained(), next.said(&snapshot)].concat(),
            // Uses that it overtakes are answered; nobody here waits for them.
            takes_nothing: true,
            ..With::default()
        };
        let by_date_alone = !by_rule && !called;
        let (events, led) = (self.events(), self.led);
        let leader = snapshot.key().rules.rotate_with;
        let rotated = entry
            .change_key(&allowed, with, move |key, now| {
                let due = key.due(now);
                if by_date_alone && due.iter().all(|item| item.act != DueAct::Rotate) {
                    return Err(Error::Conflict);
                }
                // The version that is followed is one of this leader's.
                if led.is_some() && key.rules.rotate_with != leader {
                    return Err(Error::Conflict);
                }
                let (key, steps) = next.follow(key, now)?;
                let (key, _) = key.note_made_for(&events, now)?;
                Ok(match led {
                    Some(version) => (key.follow(version, now)?.0, steps),
                    None => (key, steps),
                })
            })
            .await?;
        self.answered(entry, rotated.key());
        entry.rooms.weak.made(&rotated);
        Ok(Attended::Rotated)
    }

    /// Ends calls that a rotation since then answered.
    async fn settle(self, entry: &Entry, cell: &KeyTarget) -> Result<Attended> {
        let allowed = entry.authorize_as_system::<Follow>(cell)?;
        let namespace = cell.snapshot().key().namespace;
        let with = With {
            also: self
                .calls
                .iter()
                .map(|call| call.answered(namespace))
                .collect(),
            said: self.explained(),
            ..With::default()
        };
        let events = self.events();
        let noted = entry
            .change_key(&allowed, with, move |key, now| {
                Ok(key.note_made_for(&events, now)?)
            })
            .await?;
        self.answered(entry, noted.key());
        Ok(Attended::Changed)
    }

    fn events(&self) -> Vec<[u8; 16]> {
        self.calls.iter().map(|call| call.occasion).collect()
    }

    /// Memory after the batch that answered the calls.
    fn answered(&self, entry: &Entry, key: &Key) {
        let ids: Vec<_> = self.calls.iter().map(|call| call.id).collect();
        entry.rooms.agenda.answered(key.id, &ids);
        entry.rooms.agenda.note(key, entry.now());
    }

    /// What the event says about why.
    fn explained(&self) -> Vec<(DetailKey, DetailValue)> {
        let mut reasons: Vec<&str> = Vec::new();
        reasons.extend(self.due.map(|item| item.why.name()));
        reasons.extend(self.led.map(|_| Why::RotateWith.name()));
        reasons.extend(self.withdrawn.map(|_| Why::AlgorithmWithdrawn.name()));
        reasons.extend(self.calls.iter().map(|call| call.reason.as_str()));
        let reason = reasons.join("; ");
        let mut said: Vec<(DetailKey, DetailValue)> = vec![(DetailKey::Reason, reason.into())];
        let called = self.calls.iter().map(|call| call.at).min();
        let withdrawn = self.withdrawn.map(|one| one.since);
        let since = self.due.map(|item| item.at).or(withdrawn).or(called);
        if let Some(at) = since.and_then(|at| u64::try_from(at.0).ok()) {
            said.push((DetailKey::DueAt, at.into()));
        }
        said
    }
}
