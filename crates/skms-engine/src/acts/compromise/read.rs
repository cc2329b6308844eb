//! Reading incidents: how far they have come, what they touched, their report.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::UnixSeconds;
use skms_store::{Kind, RecordId};

use super::{Read, ledger};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::page::Page;
use crate::records;
use crate::records::incident::{Counts, IncidentRecord, Reach, Rotation, Touched};
use crate::signing::{self, SigningKey};
use crate::target::Target;

/// What is told about an incident.
#[derive(Clone, Debug)]
pub struct IncidentView {
    /// Its identifier.
    pub id: RecordId,
    /// The keyring of the key that was compromised.
    pub keyring: String,
    /// The key.
    pub key: String,
    /// Its identifier.
    pub key_id: String,
    /// Its versions.
    pub versions: Vec<u32>,
    /// RFC 5280's reason.
    pub revocation_reason: String,
    /// Why, in words.
    pub reason: String,
    /// Since when somebody else may have had it.
    pub since: Option<UnixSeconds>,
    /// When it was in force.
    pub at: UnixSeconds,
    /// Who said so.
    pub by: String,
    /// How far it reaches.
    pub reach: Reach,
    /// What is given new versions.
    pub rotation: Rotation,
    /// How much was touched, so far.
    pub counts: Counts,
    /// Entries of what was touched, so far.
    pub touched: u64,
    /// When everything was done.
    pub finished_at: Option<UnixSeconds>,
    /// The signed report, once everything was.
    pub report: Option<String>,
    /// Why the rest could not be done when it was last tried.
    pub trouble: Option<String>,
}

impl IncidentView {
    pub(super) fn of(id: RecordId, record: IncidentRecord) -> Self {
        Self {
            id,
            keyring: record.keyring,
            key: record.key,
            key_id: record.key_id,
            versions: record.versions,
            revocation_reason: record.revocation_reason,
            reason: record.reason,
            since: record.since.map(UnixSeconds),
            at: UnixSeconds(record.at),
            by: record.by,
            reach: record.reach,
            rotation: record.rotation,
            counts: record.counts,
            touched: record.touched,
            finished_at: record.finished_at.map(UnixSeconds),
            report: record.report,
            trouble: None,
        }
    }
}

impl Engine {
    /// The incidents of a namespace, in the order in which they began.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no policy lets the caller read them.
    pub async fn list_incidents(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        page: &Page,
    ) -> Result<(Vec<IncidentView>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(Target::namespace(namespace))
            .await?;
        let listed = async {
            let scope = scope(&entry, namespace)?;
            page.collect(&entry.rooms.store, scope, Kind::Incident, |stored| {
                let mut record: IncidentRecord = records::decode(stored.plaintext.expose())?;
                // Long, and there with the incident itself.
                record.report = None;
                let mut view = IncidentView::of(stored.id, record);
                view.trouble = entry.rooms.incidents.why(view.id);
                Ok(Some(view))
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

    /// An incident.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_incident(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        id: RecordId,
    ) -> Result<IncidentView> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(Target::namespace(namespace))
            .await?;
        let found = find(&entry, namespace, id).await;
        let (_, record) = entry.failed(&allowed, found).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        let mut view = IncidentView::of(id, record);
        view.trouble = entry.rooms.incidents.why(id);
        Ok(view)
    }

    /// What an incident touched, in the order in which it did: at most `limit`
    /// entries from an entry of a page on, and where it goes on.
    ///
    /// # Errors
    /// As [`Engine::read_incident`].
    pub async fn incident_touched(
        &self,
        caller: &Arc<Caller>,
        (namespace, id): (&str, RecordId),
        (mut page, mut entry_of): (u32, usize),
        limit: usize,
    ) -> Result<(Vec<Touched>, Option<(u32, usize)>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(Target::namespace(namespace))
            .await?;
        let found = async {
            let (scope, record) = find(&entry, namespace, id).await?;
            let mut found = Vec::new();
            while page < record.pages {
                let touched = ledger::read_page(&entry.rooms, scope, id, page).await?;
                for one in touched.into_iter().skip(entry_of) {
                    if found.len() == limit {
                        return Ok((found, Some((page, entry_of))));
                    }
                    found.push(one);
                    entry_of += 1;
                }
                (page, entry_of) = (page + 1, 0);
            }
            Ok((found, None))
        };
        let found = found.await;
        let found = entry.failed(&allowed, found).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(found)
    }

    /// The public key by which reports are checked.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no policy lets the caller read incidents.
    pub async fn incident_key(&self, caller: &Arc<Caller>, namespace: &str) -> Result<SigningKey> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(Target::namespace(namespace))
            .await?;
        let key = signing::public_key(&entry.rooms).await;
        let key = entry.failed(&allowed, key).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(key)
    }
}

fn scope(entry: &Entry, namespace: &str) -> Result<[u8; 16]> {
    let place = entry.rooms.places.namespace(namespace);
    let place = place.ok_or(Error::NotFound { what: "namespace" })?;
    Ok(place.id.0)
}

async fn find(entry: &Entry, namespace: &str, id: RecordId) -> Result<([u8; 16], IncidentRecord)> {
    let scope = scope(entry, namespace)?;
    let found = entry.rooms.store.get(scope, Kind::Incident, id).await?;
    let stored = found.ok_or(Error::NotFound { what: "incident" })?;
    Ok((scope, records::decode(stored.plaintext.expose())?))
}
