//! Reads, lists and deletes time-stamping authorities.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_policy::{Action, ResourceRef};
use skms_store::{Change, Kind};

use super::{List, Manage, Read, View};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::target::Target;

impl Engine {
    /// One time-stamping authority.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_tsa(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.tsa_target(namespace, name))
            .await?;
        let found = entry.tsa(namespace, name);
        let found = entry.failed(&allowed, found).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(View::from(found.as_ref()))
    }

    /// The time-stamping authorities of a namespace that the caller may read,
    /// by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_tsas(&self, caller: &Arc<Caller>, namespace: &str) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        if entry.rooms.places.namespace(namespace).is_none() {
            let absent = Err(Error::NotFound { what: "namespace" });
            return entry.failed(&allowed, absent).await;
        }
        let all = entry.rooms.tsas.of(namespace);
        let views = all.iter().filter(|one| {
            let resource =
                ResourceRef::tsa(namespace, &one.record.name).stored(one.id.0, one.revision);
            entry.may_see(Action::TsaRead, &resource)
        });
        let views = views.map(|one| View::from(one.as_ref())).collect();
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }

    /// Deletes a time-stamping authority; its key and certificate stay.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn delete_tsa(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(entry.tsa_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let tsa = entry.tsa(namespace, name)?;
            let gone = Change::Delete {
                namespace: tsa.namespace.0,
                kind: Kind::Tsa,
                id: tsa.id,
                expected: tsa.revision,
            };
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            entry
                .change(guard, vec![gone], event, move |rooms, _| {
                    rooms.tsas.remove(&namespace, &name);
                    Ok(())
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}
