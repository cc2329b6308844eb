//! Reads and lists external authorities.

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
    /// One trust.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_trust(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.trust_target(namespace, name))
            .await?;
        let found = entry.trust(namespace, name);
        let found = entry.failed(&allowed, found).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        View::of(&found)
    }

    /// The trusts of a namespace that the caller may read, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_trusts(&self, caller: &Arc<Caller>, namespace: &str) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        if entry.rooms.places.namespace(namespace).is_none() {
            let absent = Err(Error::NotFound { what: "namespace" });
            return entry.failed(&allowed, absent).await;
        }
        let all = entry.rooms.trusts.of(namespace);
        let views = all.iter().filter(|one| {
            let resource =
                ResourceRef::trust(namespace, &one.record.name).stored(one.id.0, one.revision);
            entry.may_see(Action::TrustRead, &resource)
        });
        let views = views.map(|one| View::of(one)).collect::<Result<_>>()?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }
}
