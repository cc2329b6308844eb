//! Reads and lists authorities.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_policy::{Action, ResourceRef};

use super::{List, Read, View};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::target::Target;

impl Engine {
    /// One authority.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_authority(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.authority_target(namespace, name))
            .await?;
        let found = entry.authority(namespace, name);
        let found = entry.failed(&allowed, found).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        View::try_from(found.as_ref())
    }

    /// The authorities of a namespace that the caller may read, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_authorities(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
    ) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        if entry.rooms.places.namespace(namespace).is_none() {
            let absent = Err(Error::NotFound { what: "namespace" });
            return entry.failed(&allowed, absent).await;
        }
        let views = entry
            .rooms
            .authorities
            .of(namespace)
            .iter()
            .filter(|authority| {
                let resource = ResourceRef::authority(namespace, &authority.record.name)
                    .stored(authority.id.0, authority.revision);
                entry.may_see(Action::AuthorityRead, &resource)
            })
            .map(|authority| View::try_from(authority.as_ref()))
            .collect::<Result<_>>()?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }
}
