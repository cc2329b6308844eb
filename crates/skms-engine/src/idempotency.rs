//! Creates that may be sent again: under an idempotency key, a request makes
//! its object once and is answered the same each time
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! What a key made is a sealed record, written in the batch of the object and
//! its event: none of the three exists without the others, whatever crashes
//! in between. A key is its principal's, within one namespace, for
//! [`KEPT_SECONDS`]. Two requests at once with one key cannot both commit:
//! the record's name is unique in the store; that the second is told so early
//! is the courtesy of [`Running`].

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use skms_crypto::ct_eq;
use skms_crypto::hash::sha256;
use skms_evidence::{DetailKey, Outcome};
use skms_store::{Change, Kind, RecordId};

use crate::act::Act;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry};
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::idempotency::IdempotencyRecord;
use crate::sessions::hex;
use crate::target::Target;

/// How long a key is remembered: a day.
pub const KEPT_SECONDS: u64 = 24 * 3600;

/// The longest key, in characters.
const KEY_MAX: usize = 255;

/// Records that one step of forgetting reads.
const STEP: usize = 256;

/// A caller's own name for a request, and what the request is.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    key: String,
    request: [u8; 32],
}

impl IdempotencyKey {
    /// `request` is a digest of everything that makes the request what it is:
    /// where it goes and what it carries.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the key is not 1 to 255 printable ASCII
    /// characters.
    pub fn new(key: String, request: [u8; 32]) -> Result<Self> {
        let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !printable || !(1..=KEY_MAX).contains(&key.len()) {
            return Err(Error::Invalid(
                "an idempotency key is 1 to 255 printable ASCII characters".into(),
            ));
        }
        Ok(Self { key, request })
    }
}

/// The keys whose first request still runs.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashSet<[u8; 32]>>);

impl Running {
    fn begin(self: &Arc<Self>, name: [u8; 32]) -> Result<Place> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.insert(name) {
            return Err(Error::IdempotencyInUse);
        }
        Ok(Place {
            running: Arc::clone(self),
            name,
        })
    }
}

/// One of them, until it is dropped.
struct Place {
    running: Arc<Running>,
    name: [u8; 32],
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut names = self
            .running
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        names.remove(&self.name);
    }
}

/// Whether the request is the first with its key.
pub(crate) enum Once<R> {
    /// It is, or it has none.
    First(Claim),
    /// It was answered before: the object's identifier and its record as it
    /// was made.
    Again(RecordId, R),
}

/// The right to make an object under a key. Held until the batch is
/// committed, so that it belongs among the guards of the change.
pub(crate) struct Claim(Option<Claimed>);

struct Claimed {
    place: Place,
    request: String,
    ends_at: i64,
    record: RecordId,
    /// The revision of an older record of the same key that has ended.
    expected: Option<u64>,
}

impl Claim {
    /// The change that remembers what was made. It goes last into the batch.
    pub(crate) fn remember<R: Serialize>(&self, id: RecordId, made: &R) -> Result<Option<Change>> {
        let Some(claimed) = &self.0 else {
            return Ok(None);
        };
        let record = IdempotencyRecord {
            request: claimed.request.clone(),
            ends_at: claimed.ends_at,
            id: id.to_string(),
            made: serde_json::to_value(made)
                .map_err(|_| Error::Internal("a record does not encode"))?,
        };
        Ok(Some(Change::Put {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Idempotency,
            id: claimed.record,
            name: Some(hex(&claimed.place.name)),
            expected: claimed.expected,
            plaintext: records::encode(&record)?,
        }))
    }
}

impl Entry {
    /// Claims the caller's idempotency key in a namespace, by the namespace's
    /// identifier: one made later under the same name has keys of its own.
    ///
    /// # Errors
    /// [`Error::IdempotencyReused`], [`Error::IdempotencyInUse`].
    pub(crate) async fn once<R: DeserializeOwned>(&self, namespace: [u8; 16]) -> Result<Once<R>> {
        let Some(given) = &self.caller.idempotency else {
            return Ok(Once::First(Claim(None)));
        };
        let principal = &self.caller.session.principal;
        let who = (
            principal.kind().name(),
            principal.namespace(),
            principal.id(),
        );
        let name = name(who, namespace, &given.key);
        let place = self.rooms.idempotency.begin(name)?;
        let found = self
            .rooms
            .store
            .find(SYSTEM_SCOPE, Kind::Idempotency, &hex(&name))
            .await?;
        let request = hex(&given.request);
        let mut claimed = Claimed {
            place,
            request,
            ends_at: self.now().plus(KEPT_SECONDS).0,
            record: RecordId::random()?,
            expected: None,
        };
        let Some(stored) = found else {
            return Ok(Once::First(Claim(Some(claimed))));
        };
        let known: IdempotencyRecord = records::decode(stored.plaintext.expose())?;
        if known.ends_at <= self.now().0 {
            claimed.record = stored.id;
            claimed.expected = Some(stored.revision);
            return Ok(Once::First(Claim(Some(claimed))));
        }
        if !ct_eq(known.request.as_bytes(), claimed.request.as_bytes()) {
            return Err(Error::IdempotencyReused);
        }
        let damaged = |reason: &str| Error::Record {
            kind: Kind::Idempotency.name(),
            reason: reason.to_owned(),
        };
        let id = known.id.parse().map_err(|_| damaged("id"))?;
        let made = serde_json::from_value(known.made).map_err(|_| damaged("made"))?;
        Ok(Once::Again(id, made))
    }

    /// Leaves the event of an answer that is given again.
    pub(crate) async fn record_again<A: Act>(
        &self,
        allowed: &Authorized<A, Target>,
        id: RecordId,
    ) -> Result<()> {
        let event = EventDraft::of(self, allowed, Outcome::Success)?
            .target_id(id)
            .detail(DetailKey::Repeated, true);
        self.record(event).await
    }
}

/// What a key's record is found by. The parts have their lengths before them,
/// so that no two keys share a name.
fn name((kind, home, principal): (&str, &str, &str), namespace: [u8; 16], key: &str) -> [u8; 32] {
    let length = |part: &str| (part.len() as u64).to_be_bytes();
    sha256(&[
        &length(kind),
        kind.as_bytes(),
        &length(home),
        home.as_bytes(),
        &length(principal),
        principal.as_bytes(),
        &namespace,
        key.as_bytes(),
    ])
}

impl Engine {
    /// Removes the records of idempotency keys that have ended. Returns how
    /// many.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what the store refuses.
    pub async fn forget_ended_idempotency_keys(&self) -> Result<usize> {
        let rooms = self.rooms()?;
        let mut forgotten = 0;
        let mut after = None;
        loop {
            let step = rooms
                .store
                .scan(SYSTEM_SCOPE, Kind::Idempotency, after, STEP)
                .await?;
            let last = step.len() < STEP;
            after = step.last().map(|record| record.id);
            let now = rooms.clock.now().0;
            let mut changes = Vec::new();
            for stored in step {
                let record: IdempotencyRecord = records::decode(stored.plaintext.expose())?;
                if record.ends_at <= now {
                    changes.push(Change::Delete {
                        namespace: SYSTEM_SCOPE,
                        kind: Kind::Idempotency,
                        id: stored.id,
                        expected: stored.revision,
                    });
                }
            }
            if !changes.is_empty() {
                let count = changes.len();
                match rooms.store.commit(changes, None).await {
                    Ok(_) => forgotten += count,
                    // One of them was taken over meanwhile: next time.
                    Err(skms_store::Error::Conflict { .. }) => {}
                    Err(other) => return Err(other.into()),
                }
            }
            if last {
                return Ok(forgotten);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_parts_apart() {
        let one = name(("token", "root", "ab"), [1; 16], "c");
        assert_eq!(one, name(("token", "root", "ab"), [1; 16], "c"));
        assert_ne!(one, name(("token", "roota", "b"), [1; 16], "c"));
        assert_ne!(one, name(("token", "root", "ab"), [2; 16], "c"));
        assert_ne!(one, name(("token", "root", "ab"), [1; 16], "d"));
        assert_ne!(one, name(("certificate", "root", "ab"), [1; 16], "c"));
    }

    #[test]
    fn a_key_runs_once_at_a_time() {
        let running = Arc::new(Running::default());
        let first = running.begin([1; 32]).unwrap();
        assert!(matches!(
            running.begin([1; 32]),
            Err(Error::IdempotencyInUse)
        ));
        let _other = running.begin([2; 32]).unwrap();
        drop(first);
        assert!(running.begin([1; 32]).is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let key = |text: &str| IdempotencyKey::new(text.to_owned(), [0; 32]);
        assert!(key("k").is_ok() && key(&"k".repeat(255)).is_ok());
        for bad in ["", "a\nb", "\u{e4}", &"k".repeat(256)] {
            assert!(matches!(key(bad), Err(Error::Invalid(_))));
        }
    }
}
