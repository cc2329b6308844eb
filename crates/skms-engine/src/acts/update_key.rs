//! Changes a key's owner, tags, rules or minimum versions.

use std::sync::Arc;

use skms_evidence::DetailKey;
use skms_keys::{KeyUpdate, VersionNumber};

use super::leader::{self, Leader};
use crate::act::act;
use crate::acts::reencryption::{self, Evidence};
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::keychange::With;
use crate::opened::KeySnapshot;

act!(
    Update,
    KeyUpdate,
    "Changes a key's owner, tags, rules or minimum versions."
);

impl Engine {
    /// Changes a key's owner, tags, rules or minimum versions. The oldest version
    /// that processes is raised on evidence that nothing needs an older one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for rules that cannot hold; [`Error::KeyForbids`]
    /// for a shorter window before a destruction; [`Error::NoEvidence`].
    pub async fn update_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        update: KeyUpdate,
        minimum_decrypt: Option<VersionNumber>,
        minimum_encrypt: Option<VersionNumber>,
        evidence: Option<Evidence>,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Update>(at).await?;
        let snapshot = allowed.target().snapshot();
        let mut said = Vec::new();
        let present = snapshot.key().minimum_decrypt_version;
        // What is no raise needed no evidence.
        let unshown = minimum_decrypt.filter(|minimum| *minimum <= present);
        if let Some(minimum) = minimum_decrypt {
            let of = (at.namespace, snapshot.key());
            let shown = reencryption::shows(&entry, of, minimum, evidence).await;
            said = entry.failed_key(&allowed, shown).await?;
            said.push((DetailKey::MinimumDecryptVersion, minimum.0.into()));
        }
        if let Some(minimum) = minimum_encrypt {
            said.push((DetailKey::MinimumEncryptVersion, minimum.0.into()));
        }
        let leader = leader(&entry, &allowed, &update).await;
        let leader = entry.failed_key(&allowed, leader).await?;
        let (newest, writing) = match leader {
            Some(leader) => (leader.newest, Some(leader.writing)),
            None => (None, None),
        };
        let with = With {
            leaders: writing,
            said,
            ..With::default()
        };
        entry
            .change_key(&allowed, with, move |key, now| {
                if unshown.is_some_and(|minimum| minimum > key.minimum_decrypt_version) {
                    return Err(Error::Conflict);
                }
                let shorter = update.rules.is_some_and(|rules| {
                    rules.destroy_window_seconds < key.rules.destroy_window_seconds
                });
                if shorter {
                    return Err(Error::KeyForbids(
                        "the window before a destruction can be lengthened, not shortened".into(),
                    ));
                }
                // Whether that closes a circle was asked of what it had then.
                let led = update.rules.map(|rules| rules.rotate_with);
                if newest.is_none()
                    && led.is_some_and(|led| led.is_some() && led != key.rules.rotate_with)
                {
                    return Err(Error::Conflict);
                }
                let (key, mut transitions) = key.update(update, now)?;
                let (key, more) =
                    key.set_minimum_versions(minimum_decrypt, minimum_encrypt, now)?;
                transitions.extend(more);
                Ok(match newest {
                    Some(newest) => (key.follow(newest, now)?.0, transitions),
                    None => (key, transitions),
                })
            })
            .await
    }
}

/// The key that another one is to rotate with from now on.
async fn leader(
    entry: &Entry,
    allowed: &Authorized<Update, KeyTarget>,
    update: &KeyUpdate,
) -> Result<Option<Leader>> {
    let snapshot = allowed.target().snapshot();
    let key = snapshot.key();
    match &update.rules {
        Some(rules) if rules.rotate_with != key.rules.rotate_with => {
            leader::of(entry, key.namespace, rules, Some(key.id)).await
        }
        _ => Ok(None),
    }
}
