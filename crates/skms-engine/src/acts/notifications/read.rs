//! Reads and lists channels.

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
    /// One channel.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_channel(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.channel_target(namespace, name))
            .await?;
        let found = entry.channel(namespace, name);
        let view = found.and_then(|channel| View::of(&entry, &channel));
        let view = entry.failed(&allowed, view).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(view)
    }

    /// The channels of a namespace that the caller may read, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one not visible.
    pub async fn list_channels(&self, caller: &Arc<Caller>, namespace: &str) -> Result<Vec<View>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let listed = (|| {
            if entry.rooms.places.namespace(namespace).is_none() {
                return Err(Error::NotFound { what: "namespace" });
            }
            let all = entry.rooms.channels.of(namespace);
            let visible = all.iter().filter(|channel| {
                let resource = ResourceRef::channel(namespace, &channel.record.name)
                    .stored(channel.id.0, channel.revision);
                entry.may_see(Action::NotificationRead, &resource)
            });
            visible.map(|channel| View::of(&entry, channel)).collect()
        })();
        let views = entry.failed(&allowed, listed).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(views)
    }
}
