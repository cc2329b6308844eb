//! Suspends versions of a key: they do nothing until they are resumed.

use std::sync::Arc;

use skms_keys::Versions;

use crate::act::act;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::KeyRef;
use crate::keychange::With;
use crate::opened::KeySnapshot;

act!(
    Suspend,
    KeySuspend,
    "Suspends versions of a key: they do nothing until they are resumed."
);

impl Engine {
    /// Suspends versions of a key: they do nothing until they are resumed.
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
        let with = With {
            urgent: true,
            ..With::default()
        };
        entry
            .change_key(&allowed, with, |key, now| Ok(key.suspend(versions, now)?))
            .await
    }
}
