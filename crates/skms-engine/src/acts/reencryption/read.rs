//! Reading and listing jobs.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_policy::{Action, ResourceRef};
use skms_store::{Kind, RecordId};

use super::{List, Read, View};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::page::Page;
use crate::records;
use crate::records::reencryption::JobRecord;
use crate::target::Target;

impl Engine {
    /// One job.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one, one whose key is gone, and one not
    /// visible.
    pub async fn read_job(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        id: RecordId,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let (allowed, job) = entry.authorize_job::<Read>(namespace, id).await?;
        let event = EventDraft::of_key(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Job, id.to_string());
        entry.record(event).await?;
        Ok(View::of(id, job.record))
    }

    /// A page of the jobs of a namespace that the caller may read, in the order
    /// in which they were made, and where the next one begins. A page may be
    /// shorter than was asked for.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_jobs(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        page: &Page,
    ) -> Result<(Vec<View>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let listed = async {
            let place = entry.rooms.places.namespace(namespace);
            let place = place.ok_or(Error::NotFound { what: "namespace" })?;
            let store = &entry.rooms.store;
            let (found, next) = page
                .collect(store, place.id.0, Kind::Reencryption, |stored| {
                    let record: JobRecord = records::decode(stored.plaintext.expose())?;
                    Ok(Some(View::of(stored.id, record)))
                })
                .await?;
            let mut seen = Vec::with_capacity(found.len());
            for job in found {
                let at = crate::gate::KeyRef {
                    namespace,
                    keyring: &job.keyring,
                    name: &job.key,
                };
                let cell = entry.rooms.keys.resolve(&entry.rooms, at).await?;
                let snapshot = cell.map(|cell| cell.snapshot());
                let visible = match &snapshot {
                    // Another key that was made under the name of the job's own.
                    Some(key) if key.id_text() != job.key_id => false,
                    Some(key) => entry.may_see(Action::JobRead, &key.resource()),
                    None => entry.may_see(
                        Action::JobRead,
                        &ResourceRef::key(namespace, &job.keyring, &job.key),
                    ),
                };
                if visible {
                    seen.push(job);
                }
            }
            Ok((seen, next))
        };
        let listed = listed.await;
        let listed = entry.failed(&allowed, listed).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(listed)
    }
}
