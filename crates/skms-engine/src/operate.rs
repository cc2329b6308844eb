//! The one walk that every use of key material takes, single or in a batch:
//! enter → resolve → authorise → key state and use count → act → still live?
//! → record → answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use skms_crypto::OpenKey;
use skms_evidence::Outcome;
use skms_keys::{Key, KeyId, Operation, VersionNumber, VersionRef};

use crate::act::Act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::lineage::handed::Way;
use crate::opened::{InUse, KeySnapshot, Spend};
use crate::use_event;

/// Most items one batch may hold.
pub const MAX_BATCH: usize = 1000;

/// An act that uses the material of one key version per item.
pub trait KeyOperation: Act {
    /// What the state machine calls it.
    const OPERATION: Operation;
    /// Whether it signs whatever is handed in. Keys that authorities stand on do
    /// no such thing.
    const SIGNS: bool = false;
    /// Whether its answer says which key it was, for callers who keep what
    /// they get where no name should stand.
    const NAMES_KEY: bool = false;
    /// How its answers give away secrets that come from the key, where they do:
    /// who was handed them is kept with the key's lineage.
    const HANDS_OUT: Option<Way> = None;
    /// One item.
    type Request: Send + 'static;
    /// What one item gives.
    type Response: Send + 'static;

    /// The version an item asks for; `None` for the newest that may do it.
    fn version(request: &Self::Request) -> Result<Option<VersionNumber>>;

    /// How many of the version's counted uses an item takes.
    fn uses(_request: &Self::Request) -> u64 {
        1
    }

    /// How many bytes an item encrypts, as [`skms_keys::counted_bytes`] has them.
    fn bytes(_request: &Self::Request) -> u64 {
        0
    }

    /// What the key's own record must say before the item may run, beyond its
    /// state and uses; nothing by default.
    fn check(_key: &Key, _request: &Self::Request) -> Result<()> {
        Ok(())
    }

    /// Puts the key's identifier into an answer, where [`Self::NAMES_KEY`].
    fn name_key(_response: &mut Self::Response, _key: KeyId) {}

    /// Whether this answer does, where [`Self::HANDS_OUT`].
    fn hands_out(_response: &Self::Response) -> bool {
        true
    }

    /// Does it. The key is open, permitted and counted at this point.
    fn perform(
        key: &OpenKey,
        version: VersionNumber,
        request: &Self::Request,
    ) -> Result<Self::Response>;
}

impl Engine {
    /// Runs `items` of one operation against one key and gives each its own
    /// result, in order. The key may be called by its identifier, with `-` for
    /// the keyring. All items share one authorisation and one event; the
    /// event is durable before this returns.
    ///
    /// # Errors
    /// For the whole call: sealed, not authenticated, key absent or not
    /// permitted, too many items, or an event that could not be recorded.
    /// Everything else is an item's own result.
    pub async fn operate<O: KeyOperation>(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        items: Vec<O::Request>,
    ) -> Result<Vec<Result<O::Response>>> {
        if items.len() > MAX_BATCH {
            return Err(Error::TooLarge {
                what: "the batch",
                limit: MAX_BATCH as u64,
            });
        }
        let entry = self.enter(caller)?;
        let named = entry.named(at).await?;
        let at = named.as_ref().map_or(at, |named| named.at(at));
        let key = entry.authorize_key::<O>(at).await?;
        if O::SIGNS {
            let free = signs_what_is_handed_in(&entry, &key.target().snapshot());
            entry.failed_key(&key, free).await?;
        }

        let mut held: Vec<InUse> = Vec::new();
        let mut results = Vec::with_capacity(items.len());
        let mut by = Vec::new();
        for item in items {
            let taken = match O::version(&item).and_then(|version| {
                O::check(key.target().snapshot().key(), &item)?;
                Ok(version)
            }) {
                Ok(version) => {
                    let spends = Spend {
                        uses: O::uses(&item),
                        bytes: O::bytes(&item),
                    };
                    key.take(&entry, version, spends).await
                }
                Err(malformed) => Err(malformed),
            };
            by.extend(
                taken
                    .as_ref()
                    .ok()
                    .map(|in_use| (results.len(), in_use.version())),
            );
            results.push(match taken {
                Ok(in_use) => {
                    let mut result = self.perform::<O>(&in_use, item).await;
                    if O::NAMES_KEY
                        && let Ok(response) = &mut result
                    {
                        O::name_key(response, key.target().snapshot().key().id);
                    }
                    hold(&mut held, in_use);
                    result
                }
                Err(refused) => Err(refused),
            });
        }
        still_live::<O>(&held, &mut results);
        if let Some(way) = O::HANDS_OUT {
            note_handed::<O>(&entry, &key, way, &by, &results).await?;
        }

        let failed = results.iter().filter(|result| result.is_err()).count();
        if failed == 0 && held.len() <= 1 && !entry.claims.any() {
            let version = held.first().map(InUse::version);
            let snapshot = key.target().snapshot();
            let event = use_event::encode(&entry, &key, &snapshot, version, results.len())?;
            entry.rooms.recorder.append_entry(event).await?;
        } else {
            let outcome = match results.iter().find_map(|result| result.as_ref().err()) {
                Some(reason) if failed == results.len() => Outcome::failed(reason),
                _ => Outcome::Success,
            };
            let event = EventDraft::of_key(&entry, &key, outcome)?
                .versions(held.iter().map(InUse::version))
                .items(results.len(), failed);
            entry.record(event).await?;
        }
        // The uses stay registered until here: a revocation that is waiting
        // for them returns only after their answers are settled.
        drop(held);
        Ok(results)
    }

    /// Runs a single item; the batch of one.
    ///
    /// # Errors
    /// The call's or the item's own.
    pub async fn operate_one<O: KeyOperation>(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        item: O::Request,
    ) -> Result<O::Response> {
        let mut results = self.operate::<O>(caller, at, vec![item]).await?;
        results
            .pop()
            .unwrap_or(Err(Error::Internal("an item without a result")))
    }

    /// Fast algorithms run here; slow ones go to the bounded pool.
    async fn perform<O: KeyOperation>(
        &self,
        in_use: &InUse,
        item: O::Request,
    ) -> Result<O::Response> {
        let version = in_use.version();
        if in_use.is_slow(O::OPERATION) {
            let key = Arc::clone(in_use.key());
            self.slow()
                .run(move || O::perform(&key, version, &item))
                .await?
        } else {
            O::perform(in_use.key(), version, &item)
        }
    }
}

/// Keeps who is about to be handed secrets.
async fn note_handed<O: KeyOperation>(
    entry: &Entry,
    key: &Authorized<O, KeyTarget>,
    way: Way,
    by: &[(usize, VersionNumber)],
    results: &[Result<O::Response>],
) -> Result<()> {
    let snapshot = key.target().snapshot();
    let (id, scope) = (snapshot.key().id, snapshot.key().namespace.0);
    let mut counts = BTreeMap::<VersionNumber, u64>::new();
    for (at, version) in by {
        if matches!(results.get(*at), Some(Ok(response)) if O::hands_out(response)) {
            *counts.entry(*version).or_default() += 1;
        }
    }
    for (version, count) in counts {
        let of = VersionRef { key: id, version };
        let handed = &entry.rooms.handed;
        handed.note(entry, scope, (of, way), count).await?;
    }
    Ok(())
}

/// Keeps one guard per version: a batch registers once, not once an item.
fn hold(held: &mut Vec<InUse>, in_use: InUse) {
    if held.iter().all(|other| other.version() != in_use.version()) {
        held.push(in_use);
    }
}

/// Withdraws every result if a version it may have come from is no longer
/// what it was when the use began.
fn still_live<O: KeyOperation>(held: &[InUse], results: &mut [Result<O::Response>]) {
    let Some(gone) = held.iter().find(|in_use| !in_use.still_live()) else {
        return;
    };
    for result in results.iter_mut().filter(|result| result.is_ok()) {
        *result = Err(gone.refusal(O::OPERATION));
    }
}

/// Whoever had such a key sign could be the authority, around its profiles, its
/// events and its store; or say that something was there when it was not.
fn signs_what_is_handed_in(entry: &Entry, snapshot: &KeySnapshot) -> Result<()> {
    let id = snapshot.key().id.to_string();
    let namespace = snapshot.at().namespace;
    entry.rooms.signs_for_nobody_else(namespace, &id)?;
    match entry.rooms.tsas.on_key(namespace, &id) {
        None => Ok(()),
        Some(_) => Err(Error::KeyForbids(
            "a time-stamping authority stands on this key: it signs stamps for whoever asks \
             that authority, and nothing else"
                .into(),
        )),
    }
}

impl Rooms {
    /// Whether no authority stands on a key, for certificates of X.509 or SSH.
    ///
    /// # Errors
    /// [`Error::KeyForbids`].
    pub(crate) fn signs_for_nobody_else(&self, namespace: &str, id: &str) -> Result<()> {
        let ssh = self.ssh.of(namespace);
        if self.authorities.stands_on(id) || ssh.iter().any(|one| one.record.key.id == id) {
            return Err(Error::KeyForbids(
                "an authority stands on this key: it signs certificates and lists, and nothing \
                 else"
                    .into(),
            ));
        }
        Ok(())
    }
}
