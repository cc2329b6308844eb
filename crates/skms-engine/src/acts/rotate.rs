//! Rotates a key: a new version protects, the ones before go on processing.

use std::sync::Arc;

use skms_keys::{Changed, Key, NewVersion, Origin, UnixSeconds, VersionNumber};
use skms_store::Change;

use super::create_key::{generate, new_version, put_material};
use crate::act::{Act, act};
use crate::authority::Authority;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::keychange::With;
use crate::opened::KeySnapshot;

act!(Rotate, KeyRotate, "Adds a version to a key.");

impl Engine {
    /// Adds a version, in use at once or from `activate_at`.
    ///
    /// # Errors
    /// [`Error::Key`] for a suspended, withdrawn, expired or dying key.
    pub async fn rotate_key(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        activate_at: Option<UnixSeconds>,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Rotate>(at).await?;
        rotate(&entry, &allowed, activate_at).await
    }
}

/// Rotating a key deactivates the version before. An authority's would sign no
/// more revocation lists for what it issued.
fn not_an_authoritys(entry: &Entry, snapshot: &KeySnapshot) -> Result<()> {
    let id = snapshot.key().id.to_string();
    let namespace = snapshot.at().namespace;
    let stands_on = |authority: &Arc<Authority>| {
        let mut issuers = authority.issuers.iter();
        authority.record.key.id == id || issuers.any(|issuer| issuer.key.id == id)
    };
    let found = entry
        .rooms
        .authorities
        .of(namespace)
        .into_iter()
        .find(stands_on);
    let ssh = entry.rooms.ssh.of(namespace);
    if let Some(authority) = ssh.iter().find(|one| one.record.key.id == id) {
        return Err(Error::KeyForbids(format!(
            "the SSH authority {} stands on this key: make another one on a new key, and let \
             servers trust both until the certificates of this one have ended",
            authority.record.name
        )));
    }
    if let Some(tsa) = entry.rooms.tsas.on_key(namespace, &id) {
        return Err(Error::KeyForbids(format!(
            "the time-stamping authority {} stands on this key: make another one on a new key",
            tsa.record.name
        )));
    }
    match found {
        None => Ok(()),
        Some(authority) => Err(Error::KeyForbids(format!(
            "the authority {} stands on this key: renew it on a new key instead",
            authority.record.name
        ))),
    }
}

/// As [`Engine::rotate_key`], for whoever is authorised already.
pub(crate) async fn rotate<A: Act>(
    entry: &Entry,
    allowed: &Authorized<A, KeyTarget>,
    activate_at: Option<UnixSeconds>,
) -> Result<Arc<KeySnapshot>> {
    let snapshot = allowed.target().snapshot();
    let ready = check(entry, &snapshot);
    entry.failed_key(allowed, ready).await?;
    let (material, next) = next(entry, &snapshot, activate_at).await?;
    let with = With {
        also: vec![material],
        ..With::default()
    };
    let rotated = entry
        .change_key(allowed, with, move |key, now| next.follow(key, now))
        .await?;
    entry.rooms.weak.made(&rotated);
    Ok(rotated)
}

/// Whether the key may get a new version.
pub(crate) fn check(entry: &Entry, snapshot: &KeySnapshot) -> Result<()> {
    snapshot.key().check_rotation(entry.now())?;
    not_an_authoritys(entry, snapshot)
}

/// The version that is to follow another one.
pub(crate) struct Next {
    after: VersionNumber,
    version: NewVersion,
}

/// Makes material for a key's next version: the change that stores it, and what
/// makes a version of it.
pub(crate) async fn next(
    entry: &Entry,
    snapshot: &KeySnapshot,
    activate_at: Option<UnixSeconds>,
) -> Result<(Change, Next)> {
    let key = snapshot.key();
    let material = generate(&entry.rooms, key.algorithm).await?;
    let next = Next {
        after: key.newest()?.number,
        version: new_version(&material, Origin::Generated, activate_at)?,
    };
    let put = put_material(&entry.rooms, key, next.number(), &material)?;
    Ok((put, next))
}

impl Next {
    /// Its number.
    pub(crate) fn number(&self) -> VersionNumber {
        VersionNumber(self.after.0.saturating_add(1))
    }

    /// Rotates the key.
    ///
    /// # Errors
    /// [`Error::Conflict`] where somebody else rotated it while the material was
    /// made.
    pub(crate) fn follow(self, key: &Key, now: UnixSeconds) -> Result<Changed> {
        if key.newest()?.number != self.after {
            return Err(Error::Conflict);
        }
        Ok(key.rotate(self.version, now)?)
    }
}
