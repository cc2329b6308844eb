//! Deletes the record of a key whose every version is destroyed.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_store::{Change, Kind, RecordId};

use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::KeyRef;
use crate::opened::lock_key;

act!(
    DeleteKey,
    KeyDelete,
    "Deletes the record of a destroyed key."
);

impl Engine {
    /// Deletes a key's record; its name is free again. Its events stay.
    ///
    /// # Errors
    /// [`crate::Error::Key`] while any version still has material.
    pub async fn delete_key(&self, caller: &Arc<Caller>, at: KeyRef<'_>) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<DeleteKey>(at).await?;
        let (cell, guard) = lock_key(&entry.rooms, allowed.target()).await?;
        let snapshot = cell.snapshot();
        let deletable = snapshot.key().check_deletable().map_err(Error::from);
        entry.failed_key(&allowed, deletable).await?;
        let change = Change::Delete {
            namespace: snapshot.key().namespace.0,
            kind: Kind::Key,
            id: RecordId(snapshot.key().id.0),
            expected: snapshot.revision(),
        };
        let event = EventDraft::of_key(&entry, &allowed, Outcome::Success)?;
        entry
            .change(guard, vec![change], event, move |rooms, _| {
                rooms.keys.remove(snapshot.at());
                let key = snapshot.key();
                rooms.quotas.gone(key.namespace, RecordId(key.id.0));
                Ok(())
            })
            .await
    }
}
