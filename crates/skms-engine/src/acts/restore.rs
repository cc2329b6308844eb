//! Cancels scheduled destructions.

use std::sync::Arc;

use skms_keys::Versions;

use crate::act::act;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::KeyRef;
use crate::keychange::With;
use crate::opened::KeySnapshot;

act!(Restore, KeyRestore, "Cancels scheduled destructions.");

impl Engine {
    /// Cancels scheduled destructions.
    ///
    /// # Errors
    /// [`crate::Error::Key`] for versions that are not scheduled.
    pub async fn restore_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        versions: Versions,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Restore>(at).await?;
        entry
            .change_key(&allowed, With::default(), |key, now| {
                Ok(key.restore(versions, now)?)
            })
            .await
    }
}
