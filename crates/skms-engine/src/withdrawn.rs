//! Algorithms that are withdrawn: no new key or version of them is made, and
//! from a day on none protects. What was protected goes on to be processed.
//! Nearly always none is, and asking then costs one load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use skms_crypto::Algorithm;
use skms_keys::UnixSeconds;
use skms_store::{Change, Kind, RecordId, SealedStore};

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
    /// Puts it in force.
    pub(crate) fn put_in_force(self, withdrawn: &Withdrawn, revision: u64) {
        let mut next = self.0;
        if let Some((_, known)) = &mut next.stored {
            *known = revision;
        }
        withdrawn.put(next);
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
