//! Revokes versions of a key, with an RFC 5280 reason.

use std::sync::Arc;

use skms_keys::Revoke;

use crate::act::act;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::KeyRef;
use crate::keychange::With;
use crate::opened::KeySnapshot;

act!(
    RevokeKey,
    KeyRevoke,
    "Revokes versions of a key, with an RFC 5280 reason."
);

impl Engine {
    /// Revokes versions of a key, with an RFC 5280 reason.
    ///
    /// # Errors
    /// [`crate::Error::Key`] for versions beyond the reason.
    pub async fn revoke_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        revoke: Revoke,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<RevokeKey>(at).await?;
        let with = With {
            urgent: true,
            ..With::default()
        };
        entry
            .change_key(&allowed, with, |key, now| Ok(key.revoke(&revoke, now)?))
            .await
    }
}
