//! Schedules versions for destruction; they do nothing from now on.

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
    Destroy,
    KeyDestroy,
    "Schedules versions for destruction; they do nothing from now on."
);

impl Engine {
    /// Schedules versions for destruction; they do nothing from now on.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for a window shorter than the key's rules say;
    /// [`crate::Error::Key`] when nothing is left to destroy.
    pub async fn destroy_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        versions: Versions,
        window_seconds: Option<u64>,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Destroy>(at).await?;
        entry
            .change_key(&allowed, With::default(), |key, now| {
                Ok(key.schedule_destroy(versions, window_seconds, now)?)
            })
            .await
    }
}
