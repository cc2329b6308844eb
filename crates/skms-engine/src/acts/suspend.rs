//! Suspends versions of a key: they do nothing until they are resumed.

use std::sync::Arc;

use skms_keys::{Key, UnixSeconds, Versions};

use crate::act::act;
use crate::acts::revoke::reaching;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::KeyRef;
use crate::keychange::{Fate, With};
use crate::opened::KeySnapshot;

act!(
    Suspend,
    KeySuspend,
    "Suspends versions of a key: they do nothing until they are resumed."
);

impl Engine {
    /// Suspends versions of a key: they do nothing until they are resumed. Their
    /// certificates are on hold as long where their authority says so.
    ///
    /// # Errors
    /// [`crate::Error::Key`] for versions beyond suspending.
    pub async fn suspend_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        versions: Versions,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Suspend>(at).await?;
        let work = |key: &Key, now: UnixSeconds| Ok(key.suspend(versions, now)?);
        let authorities = entry.rooms.authorities.of(at.namespace);
        if authorities.iter().any(|one| one.rules.hold_suspended) {
            return reaching(&entry, &allowed, (Fate::Held, true), work).await;
        }
        // Waits for nobody's revocations.
        let with = With {
            urgent: true,
            ..With::default()
        };
        entry.change_key(&allowed, with, work).await
    }
}
