//! Lets compromised versions process for a while, so that their data is re-encrypted.

use std::sync::Arc;

use skms_keys::{UnixSeconds, Versions};

use crate::act::act;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::KeyRef;
use crate::keychange::With;
use crate::opened::KeySnapshot;

act!(
    RecoveryGrant,
    KeyRecoveryGrant,
    "Lets compromised versions process for a while, so that their data is re-encrypted."
);

impl Engine {
    /// Lets compromised versions process for a while, so that their data is re-encrypted.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for an end in the past or over thirty days off;
    /// [`crate::Error::Key`] for versions that are not compromised.
    pub async fn grant_recovery(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        versions: Versions,
        until: UnixSeconds,
        reason: &str,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<RecoveryGrant>(at).await?;
        let by = entry.caller.session.principal.id().to_owned();
        entry
            .change_key(&allowed, With::default(), |key, now| {
                Ok(key.grant_recovery(versions, until, &by, reason, now)?)
            })
            .await
    }
}
