//! Changes a key's owner, tags, rules or minimum versions.

use std::sync::Arc;

use skms_keys::{KeyUpdate, VersionNumber};

use crate::act::act;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::KeyRef;
use crate::keychange::With;
use crate::opened::KeySnapshot;

act!(
    Update,
    KeyUpdate,
    "Changes a key's owner, tags, rules or minimum versions."
);

impl Engine {
    /// Changes a key's owner, tags, rules or minimum versions.
    ///
    /// # Errors
    /// [`Error::Invalid`] for rules that cannot hold; [`Error::KeyForbids`]
    /// for a shorter window before a destruction.
    pub async fn update_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        update: KeyUpdate,
        minimum_decrypt: Option<VersionNumber>,
        minimum_encrypt: Option<VersionNumber>,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Update>(at).await?;
        entry
            .change_key(&allowed, With::default(), |key, now| {
                let shorter = update.rules.is_some_and(|rules| {
                    rules.destroy_window_seconds < key.rules.destroy_window_seconds
                });
                if shorter {
                    return Err(Error::KeyForbids(
                        "the window before a destruction can be lengthened, not shortened".into(),
                    ));
                }
                let (key, mut transitions) = key.update(update, now)?;
                let (key, more) =
                    key.set_minimum_versions(minimum_decrypt, minimum_encrypt, now)?;
                transitions.extend(more);
                Ok((key, transitions))
            })
            .await
    }
}
