//! Rotates a key: a new version protects, the ones before go on processing.

use std::sync::Arc;

use skms_keys::{Origin, UnixSeconds};

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
    let before = snapshot.key();
    let ready = before
        .check_rotation(entry.now())
        .map_err(Error::from)
        .and_then(|()| not_an_authoritys(entry, &snapshot));
    entry.failed_key(allowed, ready).await?;
    let material = generate(&entry.rooms, before.algorithm).await?;
    let newest = before.newest()?.number;
    let number = skms_keys::VersionNumber(newest.0.saturating_add(1));
    let with = With {
        also: vec![put_material(&entry.rooms, before, number, &material)?],
        ..With::default()
    };
    let version = new_version(&material, Origin::Generated, activate_at)?;
    drop(material);
    entry
        .change_key(allowed, with, move |key, now| {
            // Someone else rotated while the material was made.
            if key.newest()?.number != newest {
                return Err(Error::Conflict);
            }
            Ok(key.rotate(version, now)?)
        })
        .await
}
