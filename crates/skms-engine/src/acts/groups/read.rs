//! Reads and lists groups.

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
    /// One group.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_group(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.group_target(namespace, name))
            .await?;
        let found = async {
            let group = entry.group(namespace, name)?;
            let key = group.snapshot(&entry.rooms).await?;
            View::of(&group, &key)
        };
        let found = found.await;
        let view = entry.failed(&allowed, found).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(view)
    }

    /// The groups of a namespace that the caller may read, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_groups(&self, caller: &Arc<Caller>, namespace: &str) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let listed = async {
            if entry.rooms.places.namespace(namespace).is_none() {
                return Err(Error::NotFound { what: "namespace" });
            }
            let mut views = Vec::new();
            for group in entry.rooms.groups.of(namespace) {
                let resource = ResourceRef::key_group(namespace, &group.record.name)
                    .stored(group.id.0, group.revision);
                if entry.may_see(Action::GroupRead, &resource) {
                    let key = group.snapshot(&entry.rooms).await?;
                    views.push(View::of(&group, &key)?);
                }
            }
            Ok(views)
        };
        let listed = listed.await;
        let views = entry.failed(&allowed, listed).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }
}
