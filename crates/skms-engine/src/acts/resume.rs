//! Resumes suspended versions of a key.

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

act!(Resume, KeyResume, "Resumes suspended versions of a key.");

impl Engine {
    /// Resumes suspended versions of a key, and ends the holds of certificates
    /// that suspending them began.
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
        let work = |key: &Key, now: UnixSeconds| Ok(key.resume(versions, now)?);
        let snapshot = allowed.target().snapshot();
        let versions = &snapshot.key().versions;
        if versions.iter().any(|one| one.public_spki.is_some()) {
            return reaching(&entry, &allowed, (Fate::Released, false), work).await;
        }
        entry.change_key(&allowed, With::default(), work).await
    }
}
