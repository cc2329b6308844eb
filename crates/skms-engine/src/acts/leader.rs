//! With which key another one rotates: checked when that is written.

use skms_keys::{Key, KeyId, NamespaceId, Rules, VersionNumber};
use tokio::sync::OwnedMutexGuard;

use super::read_key::Read;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::jobs::agenda::stored_key;

/// Keys in a row that rotate one with the other.
const MAX_CHAIN: usize = 16;

/// A key that another one may rotate with, as it is now.
pub(crate) struct Leader {
    /// Its newest version that is or was in use.
    pub(crate) newest: Option<VersionNumber>,
    /// Held until the rule is committed: two rules that are written at once
    /// could close a circle that neither closes alone.
    pub(crate) writing: OwnedMutexGuard<()>,
}

/// The key that `rules` name to rotate with, if they do: it is in the same
/// namespace, the caller may read it, and `follower` does not lead it in turn.
///
/// # Errors
/// [`Error::NotFound`] for an absent one and one that is not visible;
/// [`Error::Invalid`] for a circle, or a row that is too long.
pub(crate) async fn of(
    entry: &Entry,
    namespace: NamespaceId,
    rules: &Rules,
    follower: Option<KeyId>,
) -> Result<Option<Leader>> {
    let Some(leader) = rules.rotate_with else {
        return Ok(None);
    };
    let writing = std::sync::Arc::clone(&entry.rooms.leaders)
        .lock_owned()
        .await;
    let key = visible(entry, namespace, leader).await?;
    let newest = key.newest_in_use();
    let mut next = Some(key);
    for _ in 0..MAX_CHAIN {
        let Some(key) = next else {
            return Ok(Some(Leader { newest, writing }));
        };
        if Some(key.id) == follower {
            return Err(Error::Invalid(
                "these keys would rotate one another in a circle".into(),
            ));
        }
        next = match key.rules.rotate_with {
            Some(leader) => stored_key(&entry.rooms, namespace, leader).await?,
            None => None,
        };
    }
    Err(Error::Invalid(
        "at most 16 keys in a row rotate one with the other".into(),
    ))
}

async fn visible(entry: &Entry, namespace: NamespaceId, leader: KeyId) -> Result<Key> {
    let absent = Error::NotFound {
        what: "key to rotate with",
    };
    let Some(key) = stored_key(&entry.rooms, namespace, leader).await? else {
        return Err(absent);
    };
    let Some((namespace, keyring)) = entry.rooms.places.names_of(namespace, key.keyring) else {
        return Err(absent);
    };
    let at = KeyRef {
        namespace: &namespace,
        keyring: &keyring,
        name: key.name.as_str(),
    };
    match entry.authorize_key::<Read>(at).await {
        Ok(_) => Ok(key),
        Err(Error::NotFound { .. }) => Err(absent),
        Err(other) => Err(other),
    }
}
