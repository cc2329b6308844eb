//! Rotates a key: a new version protects, the ones before go on processing. It
//! is of the key's algorithm, or of another that does what the key is for.

use std::sync::Arc;

use skms_crypto::Algorithm;
use skms_evidence::{DetailKey, DetailValue};
use skms_keys::{Changed, Key, NewVersion, Occasion, Origin, UnixSeconds, VersionNumber};
use skms_store::Change;

use super::create_key::{generate, new_version, put_material};
use crate::act::{Act, act};
use crate::authority::Authority;
use crate::caller::Caller;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::keychange::With;
use crate::opened::KeySnapshot;
use crate::withdrawn::Succession;

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
        self.rotate_key_into(caller, at, None, activate_at).await
    }

    /// As [`Engine::rotate_key`], with a version of another algorithm if one is
    /// named, which the key has from then on. Policy has to permit that on the
    /// key as it is and as it becomes.
    ///
    /// # Errors
    /// As there; [`Error::Key`] for an algorithm that does not do what the key is
    /// for.
    pub async fn rotate_key_into(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        algorithm: Option<Algorithm>,
        activate_at: Option<UnixSeconds>,
    ) -> Result<Arc<KeySnapshot>> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Rotate>(at).await?;
        if let Some(algorithm) = algorithm {
            entry.authorize_algorithm(&allowed, algorithm).await?;
        }
        rotate(&entry, &allowed, algorithm, activate_at).await
    }
}

/// Rotating a key deactivates the version before. An authority's would sign no
/// more revocation lists for what it issued.
fn not_an_authoritys(rooms: &Rooms, namespace: &str, key: &Key) -> Result<()> {
    let id = key.id.to_string();
    let stands_on = |authority: &Arc<Authority>| {
        let mut issuers = authority.issuers.iter();
        authority.record.key.id == id || issuers.any(|issuer| issuer.key.id == id)
    };
    let found = rooms.authorities.of(namespace).into_iter().find(stands_on);
    let ssh = rooms.ssh.of(namespace);
    if let Some(authority) = ssh.iter().find(|one| one.record.key.id == id) {
        return Err(Error::KeyForbids(format!(
            "the SSH authority {} stands on this key: make another one on a new key, and let \
             servers trust both until the certificates of this one have ended",
            authority.record.name
        )));
    }
    if let Some(tsa) = rooms.tsas.on_key(namespace, &id) {
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
    algorithm: Option<Algorithm>,
    activate_at: Option<UnixSeconds>,
) -> Result<Arc<KeySnapshot>> {
    follow(entry, allowed, (algorithm, activate_at), Vec::new()).await
}

/// As [`rotate`], in use at once, with what the event says beside.
pub(crate) async fn rotate_saying<A: Act>(
    entry: &Entry,
    allowed: &Authorized<A, KeyTarget>,
    said: Vec<(DetailKey, DetailValue)>,
) -> Result<Arc<KeySnapshot>> {
    follow(entry, allowed, (None, None), said).await
}

async fn follow<A: Act>(
    entry: &Entry,
    allowed: &Authorized<A, KeyTarget>,
    (algorithm, activate_at): (Option<Algorithm>, Option<UnixSeconds>),
    said: Vec<(DetailKey, DetailValue)>,
) -> Result<Arc<KeySnapshot>> {
    let snapshot = allowed.target().snapshot();
    let ready = check(entry, &snapshot, algorithm);
    let algorithm = entry.failed_key(allowed, ready).await?;
    let (material, next) = next(entry, &snapshot, algorithm, activate_at).await?;
    let with = With {
        also: vec![material],
        said: [said, next.said(&snapshot)].concat(),
        ..With::default()
    };
    let rotated = entry
        .change_key(allowed, with, move |key, now| next.follow(key, now))
        .await?;
    entry.rooms.weak.made(&rotated);
    Ok(rotated)
}

/// Whether the key may get a new version. Gives of which algorithm: the one that
/// is wanted, or the key's own, or what took the place of that if it is withdrawn
/// and the key's rules say that it rotates then.
pub(crate) fn check(
    entry: &Entry,
    snapshot: &KeySnapshot,
    wanted: Option<Algorithm>,
) -> Result<Algorithm> {
    let (rooms, key) = (&entry.rooms, snapshot.key());
    key.check_rotation(entry.now())?;
    not_an_authoritys(rooms, snapshot.at().namespace, key)?;
    let algorithm = match (wanted, succession(rooms, key)) {
        (Some(wanted), _) => {
            fits(key, wanted)?;
            wanted
        }
        (None, Some(Succession { successor, .. })) => {
            // It is the withdrawal that is to be seen to, by whoever hears of it.
            fits(key, successor).map_err(|unfit| {
                let own = key.algorithm;
                Error::KeyForbids(format!("{own} is withdrawn, and its successor: {unfit}"))
            })?;
            successor
        }
        (None, None) => key.algorithm,
    };
    rooms.withdrawn.admits_version(algorithm)?;
    Ok(algorithm)
}

/// What took the place of a key's algorithm, for a key that rotates then.
pub(crate) fn succession(rooms: &Rooms, key: &Key) -> Option<Succession> {
    let follows = key.rules.rotate_on.has(Occasion::AlgorithmWithdrawn);
    rooms.withdrawn.successor(key.algorithm).filter(|_| follows)
}

/// Whether a key would get a version of this algorithm by itself, if its own were
/// withdrawn now and this the successor.
pub(crate) fn would_follow(
    rooms: &Rooms,
    namespace: &str,
    key: &Key,
    successor: Algorithm,
    now: UnixSeconds,
) -> bool {
    key.leaves_withdrawn_algorithm()
        && key.check_rotation(now).is_ok()
        && fits(key, successor).is_ok()
        && not_an_authoritys(rooms, namespace, key).is_ok()
}

/// Whether a version of the key may be of an algorithm.
fn fits(key: &Key, algorithm: Algorithm) -> Result<()> {
    if algorithm != key.algorithm {
        key.check_algorithm(algorithm)?;
        skms_crypto::fips::ensure_uses(algorithm, key.uses)?;
    }
    Ok(())
}

/// The version that is to follow another one.
pub(crate) struct Next {
    after: VersionNumber,
    algorithm: Algorithm,
    version: NewVersion,
}

/// Makes material for a key's next version, of the algorithm that [`check`] gave:
/// the change that stores it, and what makes a version of it.
pub(crate) async fn next(
    entry: &Entry,
    snapshot: &KeySnapshot,
    algorithm: Algorithm,
    activate_at: Option<UnixSeconds>,
) -> Result<(Change, Next)> {
    let key = snapshot.key();
    let material = generate(&entry.rooms, algorithm).await?;
    let next = Next {
        after: key.newest()?.number,
        algorithm,
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

    /// What the event says about it: its algorithm, where that is another.
    pub(crate) fn said(&self, snapshot: &KeySnapshot) -> Vec<(DetailKey, DetailValue)> {
        let changes = self.algorithm != snapshot.key().algorithm;
        let said = changes.then(|| (DetailKey::Algorithm, self.algorithm.name().into()));
        said.into_iter().collect()
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
        Ok(key.rotate_into(self.algorithm, self.version, now)?)
    }
}
