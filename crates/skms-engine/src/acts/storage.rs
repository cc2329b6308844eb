//! The storage beneath: its keys are rotated, its seals changed and its
//! records verified while the server runs.

use std::future::Future;
use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_store::journal::JournalReport;
use skms_store::sealed::{InitialShares, KeysEvent, NewSeal, Report, SealId, Status, TermNumber};

use crate::act::{Act, act};
use crate::caller::Caller;
use crate::change::to_the_end;
use crate::draft::{EventDraft, Final};
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::{Authorized, Entry};
use crate::target::Target;

act!(
    RotateStorageKey,
    StorageRotateStorageKey,
    "Rotates the storage key."
);
act!(RotateRoot, StorageRotateRoot, "Rotates the root key.");
act!(Verify, StorageVerify, "Verifies every stored record.");
act!(ListSeals, SealList, "Lists the seals.");
act!(AddSeal, SealAdd, "Adds a seal.");
act!(RemoveSeal, SealRemove, "Removes a seal.");
act!(Metrics, SystemMetrics, "Reads the metrics.");

/// What a verification went through and found.
#[derive(Debug)]
pub struct Verified {
    /// The database.
    pub store: Report,
    /// The journal, or what is wrong with it.
    pub journal: std::result::Result<JournalReport, String>,
}

impl Engine {
    /// Gives new records a new storage key; the housekeeping moves the old
    /// ones to it. Returns the new term.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] while an earlier rotation is still moving records.
    pub async fn rotate_storage_key(&self, caller: &Arc<Caller>) -> Result<u32> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<RotateStorageKey>(Target::system())
            .await?;
        to_the_end(async move {
            let draft = EventDraft::of(&entry, &allowed, Outcome::Success)?;
            let event = move |term| draft.detail(DetailKey::Term, term).finish();
            change_keys(&entry, &allowed, event, |event| {
                entry.rooms.store.rotate_storage_key_as(Some(event))
            })
            .await
        })
        .await
    }

    /// Replaces the root key and wraps it to every seal.
    ///
    /// # Errors
    /// Only those of every act.
    pub async fn rotate_root(&self, caller: &Arc<Caller>) -> Result<Status> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<RotateRoot>(Target::system()).await?;
        to_the_end(async move {
            let draft = EventDraft::of(&entry, &allowed, Outcome::Success)?;
            let store = &entry.rooms.store;
            change_keys(
                &entry,
                &allowed,
                |_| draft.finish(),
                |event| store.rotate_root_as(Some(event)),
            )
            .await?;
            Ok(entry.rooms.store.status().await?)
        })
        .await
    }

    /// Opens every record and reads every journal entry, and says what does
    /// not hold.
    ///
    /// # Errors
    /// Only those of every act; what is wrong with the store is the answer.
    pub async fn verify_storage(&self, caller: &Arc<Caller>) -> Result<Verified> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Verify>(Target::system()).await?;
        let store = entry.rooms.store.verify().await?;
        let journal = entry.rooms.journal.verify().await;
        let sound = store.is_sound() && journal.is_ok();
        let outcome = if sound {
            Outcome::Success
        } else {
            Outcome::failed("the store or the journal does not hold")
        };
        entry
            .record(EventDraft::of(&entry, &allowed, outcome)?)
            .await?;
        Ok(Verified {
            store,
            journal: journal.map_err(|error| error.to_string()),
        })
    }

    /// The seals, the terms, and what of the memory is locked.
    ///
    /// # Errors
    /// Only those of every act.
    pub async fn storage_status(&self, caller: &Arc<Caller>) -> Result<Status> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<ListSeals>(Target::system()).await?;
        recorded(&entry, &allowed).await?;
        Ok(entry.rooms.store.status().await?)
    }

    /// Adds a seal. The shares of a Shamir seal are given once.
    ///
    /// # Errors
    /// [`crate::Error::Store`] for a seal that cannot be.
    pub async fn add_seal(
        &self,
        caller: &Arc<Caller>,
        new: NewSeal,
    ) -> Result<(SealId, Option<InitialShares>)> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<AddSeal>(Target::system()).await?;
        to_the_end(async move {
            let draft = EventDraft::of(&entry, &allowed, Outcome::Success)?;
            let store = &entry.rooms.store;
            change_keys(
                &entry,
                &allowed,
                |_| draft.finish(),
                |event| store.add_seal_as(new, Some(event)),
            )
            .await
        })
        .await
    }

    /// Removes a seal, rotates the root key and begins a new storage key, so
    /// that what the seal's holders knew opens nothing any more.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`]; [`Error::Store`] for the last one.
    pub async fn remove_seal(&self, caller: &Arc<Caller>, id: SealId) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<RemoveSeal>(Target::system()).await?;
        to_the_end(async move {
            let draft = EventDraft::of(&entry, &allowed, Outcome::Success)?;
            let store = &entry.rooms.store;
            change_keys(
                &entry,
                &allowed,
                |_| draft.finish(),
                |event| store.remove_seal_as(id, Some(event)),
            )
            .await
        })
        .await
    }

    /// Whether the caller may read the metrics; leaves no event, since
    /// scrapers come every few seconds.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when no policy lets the caller.
    pub async fn authorize_metrics(&self, caller: &Arc<Caller>) -> Result<()> {
        let entry = self.enter(caller)?;
        entry.authorize::<Metrics>(Target::system()).await?;
        entry.spend_ahead().await
    }
}

/// Changes keys or seals: one batch commits the change and its event, then
/// the journal has the event. A failure leaves its event too.
async fn change_keys<A, T, F>(
    entry: &Entry,
    allowed: &Authorized<A, Target>,
    event: impl FnOnce(TermNumber) -> Final + Send + 'static,
    change: impl FnOnce(KeysEvent) -> F,
) -> Result<T>
where
    A: Act,
    F: Future<Output = skms_store::Result<(T, u64)>>,
{
    let spent = entry.spend_ahead().await;
    entry.failed(allowed, spent).await?;
    let recorder = &entry.rooms.recorder;
    let changed = recorder.commit_keys(event, change).await;
    let (value, committed) = entry.failed(allowed, changed).await?;
    recorder.settle(committed).await?;
    Ok(value)
}

async fn recorded<A: Act>(entry: &Entry, allowed: &Authorized<A, Target>) -> Result<()> {
    entry
        .record(EventDraft::of(entry, allowed, Outcome::Success)?)
        .await
}
