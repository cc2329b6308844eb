//! Deletes the record of a key whose every version is destroyed.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_store::{Change, Kind, RecordId};

use crate::act::act;
use crate::acts::groups::forget_holders;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::KeyRef;
use crate::jobs::agenda::calls;
use crate::lineage::{handed, remnant};
use crate::opened::lock_key;

act!(
    DeleteKey,
    KeyDelete,
    "Deletes the record of a destroyed key."
);

impl Engine {
    /// Deletes a key's record, and who was given it; its name is free again.
    /// Its events stay, and what it depended on where something depends on it.
    ///
    /// # Errors
    /// [`crate::Error::Key`] while any version still has material;
    /// [`crate::Error::NotEmpty`] while a group shares it.
    pub async fn delete_key(&self, caller: &Arc<Caller>, at: KeyRef<'_>) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<DeleteKey>(at).await?;
        // No group comes to share it meanwhile.
        let shared = entry.rooms.share_changes().await;
        let (cell, guard) = lock_key(&entry.rooms, allowed.target()).await?;
        let snapshot = cell.snapshot();
        let deletable = async {
            snapshot.key().check_deletable()?;
            let groups = &entry.rooms.groups;
            if groups.on_key(at.namespace, snapshot.id_text()).is_some() {
                return Err(Error::NotEmpty(
                    "a group shares the key: delete the group first",
                ));
            }
            forget_holders(&entry.rooms, snapshot.key()).await?;
            // Whoever was making another dependent of it is through.
            if !cell.is_drained() {
                return Err(Error::Busy);
            }
            let mut changes = remnant::leave(&entry.rooms, snapshot.key()).await?;
            changes.extend(handed::forget(&entry.rooms, snapshot.key()).await?);
            Ok(changes)
        };
        let deletable = deletable.await;
        let mut changes = entry.failed_key(&allowed, deletable).await?;
        changes.extend(calls::forget(&entry.rooms, snapshot.key()));
        changes.push(Change::Delete {
            namespace: snapshot.key().namespace.0,
            kind: Kind::Key,
            id: RecordId(snapshot.key().id.0),
            expected: snapshot.revision(),
        });
        let event = EventDraft::of_key(&entry, &allowed, Outcome::Success)?;
        entry
            .change((guard, shared), changes, event, move |rooms, _| {
                rooms.keys.remove(snapshot.at());
                let key = snapshot.key();
                rooms.agenda.forget(key.id);
                rooms.quotas.gone(key.namespace, RecordId(key.id.0));
                Ok(())
            })
            .await
    }
}
