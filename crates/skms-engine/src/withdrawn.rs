//! Algorithms that are withdrawn: no new key or version of them is made, and
//! from a day on none protects. What was protected goes on to be processed.
//! Nearly always none is, and asking then costs one load.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use skms_crypto::Algorithm;
use skms_keys::UnixSeconds;
use skms_store::{Change, Kind, RecordId, SealedStore};

use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::places::SYSTEM_SCOPE;
use crate::records::{self, Record};

/// One that is withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WithdrawalRecord {
    pub(crate) algorithm: String,
    pub(crate) at: i64,
    pub(crate) by: String,
    pub(crate) reason: String,
    /// From here on its keys do not protect.
    pub(crate) protects_until: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) successor: Option<String>,
}

/// All of them: a setting of the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct WithdrawnRecord {
    all: Vec<WithdrawalRecord>,
}

/// What the setting is found by.
const NAME: &str = "algorithms/withdrawn";

impl Record for WithdrawnRecord {
    const KIND: Kind = Kind::Setting;
}

/// All of them, in memory.
#[derive(Default)]
pub(crate) struct Withdrawn {
    any: AtomicBool,
    state: RwLock<State>,
}

#[derive(Clone, Default)]
struct State {
    all: BTreeMap<String, WithdrawalRecord>,
    /// The setting and its revision, once it was written.
    stored: Option<(RecordId, u64)>,
}

/// What takes the place of an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Succession {
    /// When that was withdrawn.
    pub(crate) since: UnixSeconds,
    /// What is to be used instead; it is not withdrawn itself.
    pub(crate) successor: Algorithm,
}

impl State {
    fn successor(&self, algorithm: Algorithm) -> Option<Succession> {
        let since = UnixSeconds(self.all.get(algorithm.name())?.at);
        let mut successor = algorithm;
        // Each is followed once at most, whatever the record says.
        for _ in &self.all {
            let Some(one) = self.all.get(successor.name()) else {
                break;
            };
            successor = one.successor.as_deref()?.parse().ok()?;
        }
        let ends = !self.all.contains_key(successor.name());
        ends.then_some(Succession { since, successor })
    }
}

/// A change of them, to be put in force once it is committed.
pub(crate) struct Changing(State);

impl Withdrawn {
    /// Reads them.
    pub(crate) async fn load(store: &SealedStore) -> Result<Self> {
        let found = store.find(SYSTEM_SCOPE, Kind::Setting, NAME).await?;
        let Some(stored) = found else {
            return Ok(Self::default());
        };
        let record: WithdrawnRecord = records::decode(stored.plaintext.expose())?;
        let all = record.all.into_iter();
        let all: BTreeMap<_, _> = all.map(|one| (one.algorithm.clone(), one)).collect();
        Ok(Self {
            any: AtomicBool::new(!all.is_empty()),
            state: RwLock::new(State {
                all,
                stored: Some((stored.id, stored.revision)),
            }),
        })
    }

    /// Takes over what was read anew.
    pub(crate) fn replace(&self, other: Self) {
        let state = other.state.into_inner();
        self.put(state.unwrap_or_else(PoisonError::into_inner));
    }

    fn put(&self, state: State) {
        let mut own = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.any.store(!state.all.is_empty(), Ordering::SeqCst);
        *own = state;
    }

    fn read(&self) -> State {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    /// Every one, by name.
    pub(crate) fn list(&self) -> Vec<WithdrawalRecord> {
        self.read().all.into_values().collect()
    }

    #[inline]
    fn find(&self, algorithm: Algorithm) -> Option<WithdrawalRecord> {
        if !self.any.load(Ordering::SeqCst) {
            return None;
        }
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.all.get(algorithm.name()).cloned()
    }

    /// Whether new material of an algorithm may be kept.
    ///
    /// # Errors
    /// [`Error::KeyForbids`].
    pub(crate) fn admits(&self, algorithm: Algorithm) -> Result<()> {
        match self.find(algorithm) {
            None => Ok(()),
            Some(one) => Err(one.refusal("no new key and no new version of it is made", NEW_KEY)),
        }
    }

    /// As [`Withdrawn::admits`], of a new version of a key that is there.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn admits_version(&self, algorithm: Algorithm) -> Result<()> {
        match self.find(algorithm) {
            None => Ok(()),
            Some(one) => Err(one.refusal("no new version of it is made", INTO)),
        }
    }

    /// Whether an algorithm's keys protect at a time.
    ///
    /// # Errors
    /// [`Error::KeyForbids`].
    #[inline]
    pub(crate) fn protects(&self, algorithm: Algorithm, now: UnixSeconds) -> Result<()> {
        match self.find(algorithm) {
            Some(one) if one.protects_until <= now.0 => Err(one.refusal(
                "its keys protect nothing any more; what they protected is \
                     still processed",
                INTO,
            )),
            _ => Ok(()),
        }
    }

    /// What is to be used in the place of an algorithm that is withdrawn, if it
    /// is and there is something: its successor or, if that is withdrawn too,
    /// the successor of that.
    pub(crate) fn successor(&self, algorithm: Algorithm) -> Option<Succession> {
        if !self.any.load(Ordering::SeqCst) {
            return None;
        }
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.successor(algorithm)
    }

    /// Every algorithm that has one, since when.
    pub(crate) fn successions(&self) -> HashMap<Algorithm, UnixSeconds> {
        let state = self.read();
        let algorithms = state.all.keys().filter_map(|name| name.parse().ok());
        let found = algorithms.filter_map(|one| Some((one, state.successor(one)?.since)));
        found.collect()
    }

    /// With one more, or in the place of what was said of it before; the caller
    /// holds the rooms' change lock.
    pub(crate) fn with(&self, one: WithdrawalRecord) -> Result<(Changing, Change)> {
        let mut next = self.read();
        next.all.insert(one.algorithm.clone(), one);
        changing(next)
    }

    /// Without one; the caller holds the rooms' change lock.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not withdrawn.
    pub(crate) fn without(&self, algorithm: Algorithm) -> Result<(Changing, Change)> {
        let mut next = self.read();
        let gone = next.all.remove(algorithm.name());
        gone.ok_or(Error::NotFound {
            what: "withdrawn algorithm",
        })?;
        changing(next)
    }
}

const NEW_KEY: fn(&str) -> String = |successor| format!("; make a key of {successor} instead");
const INTO: fn(&str) -> String =
    |successor| format!("; rotate the key into {successor}, or make one of it instead");

impl WithdrawalRecord {
    /// What is answered, with `how` to go on by the successor.
    fn refusal(&self, what: &str, how: fn(&str) -> String) -> Error {
        let successor = self.successor.as_deref().map(how).unwrap_or_default();
        let (algorithm, reason) = (&self.algorithm, &self.reason);
        Error::KeyForbids(format!(
            "{algorithm} is withdrawn ({reason}): {what}{successor}"
        ))
    }
}

impl Changing {
    /// Puts it in force, and wakes the keys up that rotate on it.
    pub(crate) fn put_in_force(self, rooms: &Rooms, revision: u64) {
        let mut next = self.0;
        if let Some((_, known)) = &mut next.stored {
            *known = revision;
        }
        rooms.withdrawn.put(next);
        let (agenda, now) = (&rooms.agenda, rooms.clock.now());
        agenda.withdrawn(rooms.withdrawn.successions(), now);
    }
}

fn changing(mut next: State) -> Result<(Changing, Change)> {
    let (id, expected) = match next.stored {
        Some((id, revision)) => (id, Some(revision)),
        None => (RecordId::random()?, None),
    };
    next.stored = Some((id, expected.unwrap_or_default()));
    let record = WithdrawnRecord {
        all: next.all.values().cloned().collect(),
    };
    let change = Change::Put {
        namespace: SYSTEM_SCOPE,
        kind: Kind::Setting,
        id,
        name: Some(NAME.to_owned()),
        expected,
        plaintext: records::encode(&record)?,
    };
    Ok((Changing(next), change))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withdrawn(all: &[(&str, Option<&str>)]) -> State {
        let record = |(at, (algorithm, successor)): (i64, &(&str, Option<&str>))| {
            let one = WithdrawalRecord {
                algorithm: (*algorithm).to_owned(),
                at,
                by: "root".into(),
                reason: "broken".into(),
                protects_until: at,
                successor: successor.map(str::to_owned),
            };
            (one.algorithm.clone(), one)
        };
        State {
            all: (1..).zip(all).map(record).collect(),
            stored: None,
        }
    }

    #[test]
    fn successors_are_followed_to_one_that_is_in_use() {
        let state = withdrawn(&[
            ("AES-128-GCM", Some("AES-192-GCM")),
            ("AES-192-GCM", Some("AES-256-GCM")),
            ("ChaCha20-Poly1305", None),
            ("RSA-2048", Some("ROT-13")),
            ("HMAC-SHA-256", Some("HMAC-SHA-384")),
            ("HMAC-SHA-384", Some("HMAC-SHA-256")),
        ]);
        let of = |algorithm| state.successor(algorithm);
        let found = |since, successor| {
            Some(Succession {
                since: UnixSeconds(since),
                successor,
            })
        };
        assert_eq!(of(Algorithm::Aes128Gcm), found(1, Algorithm::Aes256Gcm));
        assert_eq!(of(Algorithm::Aes192Gcm), found(2, Algorithm::Aes256Gcm));
        for none in [
            Algorithm::Aes256Gcm,
            Algorithm::ChaCha20Poly1305,
            Algorithm::Rsa2048,
            Algorithm::HmacSha256,
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
