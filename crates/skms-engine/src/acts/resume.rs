//! Resumes suspended versions of a key.

use std::sync::Arc;

use skms_keys::Versions;

use crate::act::act;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::KeyRef;
use crate::keychange::With;
use crate::opened::KeySnapshot;

act!(Resume, KeyResume, "Resumes suspended versions of a key.");

impl Engine {
    /// Resumes suspended versions of a key.
    ///
    /// # Errors
    /// [`crate::Error::Key`] for versions that are not suspended.
    pub async fn resume_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        versions: Versions,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Resume>(at).await?;
        entry
            .change_key(&allowed, With::default(), |key, now| {
                Ok(key.resume(versions, now)?)
            })
            .await
    }
}
