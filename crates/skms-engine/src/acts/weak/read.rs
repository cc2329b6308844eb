//! Reads findings, and asks for a sweep.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::UnixSeconds;
use skms_store::{Kind, RecordId};

use super::{Findings, Start};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::page::Page;
use crate::records;
use crate::records::weak::WeakFindingRecord;
use crate::target::Target;
use crate::weak::noted::Noted;

/// What is told about sweeps.
#[derive(Clone, Debug)]
pub struct SweepView {
    /// Whether one runs or is about to.
    pub running: bool,
    /// When the last one began that came to its end; none did if absent.
    pub began_at: Option<UnixSeconds>,
    /// When it ended.
    pub ended_at: Option<UnixSeconds>,
    /// How many public keys it looked at.
    pub looked_at: u64,
    /// How many RSA moduli it held against each other.
    pub moduli: u64,
    /// How many findings it made that were not known before.
    pub found: u64,
}

impl Engine {
    /// What was found about a namespace's keys and certificates, oldest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_weak_findings(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        page: &Page,
    ) -> Result<(Vec<Noted>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Findings>(Target::namespace(namespace))
            .await?;
        let listed = async {
            let place = entry.rooms.places.namespace(namespace);
            let place = place.ok_or(Error::NotFound { what: "namespace" })?;
            let store = &entry.rooms.store;
            page.collect(store, place.id.0, Kind::WeakFinding, |stored| {
                let record: WeakFindingRecord = records::decode(stored.plaintext.expose())?;
                Noted::read(stored.id, record).map(Some)
            })
            .await
        };
        let listed = listed.await;
        let listed = entry.failed(&allowed, listed).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(listed)
    }

    /// Asks for a sweep, which begins within moments unless one runs already,
    /// and says how the last one went.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no policy lets the caller.
    pub async fn start_weak_sweep(&self, caller: &Arc<Caller>) -> Result<SweepView> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Start>(Target::system()).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        entry.rooms.weak.want_sweep();
        Ok(entry.rooms.weak.view())
    }

    /// Says how sweeps go, without asking for one.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no policy lets the caller.
    pub async fn weak_sweep(&self, caller: &Arc<Caller>) -> Result<SweepView> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Start>(Target::system()).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(entry.rooms.weak.view())
    }
}
