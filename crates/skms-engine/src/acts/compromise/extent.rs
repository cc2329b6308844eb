//! How far a compromise would go, before anybody orders it: for rules, which go
//! no further by themselves than their limits say, and never to what the server
//! stands on.

use std::collections::HashSet;

use skms_keys::{Key, KeyId, VersionRef};
use skms_policy::ROOT_NAMESPACE;
use skms_store::RecordId;

use super::walk::{self, Fate, Rings, Walk};
use super::{Cascade, PART, Reach};
use crate::caller::Caller;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::lineage::Barred;
use crate::records::authority::SigningKeyRecord;

/// Dependents that one step reads.
const BATCH: usize = 256;
/// Dependents that are looked at for one count, those that are compromised
/// already included.
const LOOKED_AT: usize = 20_000;

/// How many other keys would be marked with a key, as far as a compromise
/// reaches. Counts to one more than `most`, and no further.
///
/// # Errors
/// What the store says.
pub(crate) async fn extent(
    entry: &Entry,
    (namespace, id): (&str, KeyId),
    reach: Reach,
    most: usize,
) -> Result<usize> {
    let rooms = &entry.rooms;
    let Some(place) = rooms.places.namespace(namespace) else {
        return Ok(0);
    };
    let scope = place.id.0;
    let Some((key, _)) = walk::read(rooms, scope, id).await? else {
        return Ok(0);
    };
    let asking = as_cascade(entry)?;
    let rings = Rings::of(rooms, namespace);
    let mut walk = Walk::new(scope, reach, &to_be_marked(&key, reach));
    let (mut keys, mut looked_at) = (HashSet::new(), 0_usize);
    loop {
        let found = walk.next(rooms, BATCH).await?;
        if found.is_empty() {
            return Ok(keys.len());
        }
        looked_at = looked_at.saturating_add(found.len());
        let ids = found.iter().map(|one| one.child.key);
        let read = walk::read_each(rooms, scope, ids).await?;
        let mut on = Vec::with_capacity(found.len());
        for (of, read) in found.iter().map(|one| one.child).zip(read) {
            let fate = match &read {
                None => Fate::Already,
                Some((below, revision)) => {
                    let target = walk::target(rings.at(below), below, *revision);
                    walk::fate(&asking, &target, below, of)?
                }
            };
            if fate == Fate::Compromised && of.key != key.id {
                keys.insert(of.key);
            }
            if fate != Fate::Spared {
                on.push(of);
            }
        }
        if keys.len() > most || looked_at > LOOKED_AT {
            return Ok(most.saturating_add(1));
        }
        walk.below(rooms, &on).await?;
        tokio::task::yield_now().await;
    }
}

/// Whether a compromise of a key of the root namespace would reach one that an
/// authority there stands on, which certify the server's listener, its exchanges
/// and its administrators. Asked from those upwards, since little is above each.
///
/// # Errors
/// [`Error::Busy`] where what is above one is being read; what the store says.
pub(crate) async fn reaches_an_authority(entry: &Entry, key: KeyId, reach: Reach) -> Result<bool> {
    let rooms = &entry.rooms;
    let Some(place) = rooms.places.namespace(ROOT_NAMESPACE) else {
        return Ok(false);
    };
    if reach == Reach::None {
        return Ok(false);
    }
    let (scope, asking) = (place.id.0, as_cascade(entry)?);
    let rings = Rings::of(rooms, ROOT_NAMESPACE);
    for id in keys_of_authorities(rooms) {
        let Some((below, revision)) = walk::read(rooms, scope, id).await? else {
            continue;
        };
        let target = walk::target(rings.at(&below), &below, revision);
        if asking.is_forbidden::<Cascade>(&target) {
            continue;
        }
        for version in below.versions.iter().filter(|one| !one.is_compromised()) {
            let above = match reach {
                Reach::All => {
                    let of = VersionRef {
                        key: id,
                        version: version.number,
                    };
                    match rooms.lineage.node(rooms, scope, of).await?.ancestors() {
                        Ok(above) => above,
                        Err(Barred::Unread) => return Err(Error::Busy),
                        // It cannot be told, so it is taken for reached.
                        Err(_) => return Ok(true),
                    }
                }
                _ => version.parents().collect(),
            };
            if above.iter().any(|of| of.key == key) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Policy is asked as the cascade asks it.
fn as_cascade(entry: &Entry) -> Result<Entry> {
    Ok(Entry {
        caller: Caller::system(PART)?,
        ..entry.clone()
    })
}

/// The versions that an order for all of them would change something about.
fn to_be_marked(key: &Key, reach: Reach) -> Vec<VersionRef> {
    let taint = reach.taint();
    let marked = key
        .versions
        .iter()
        .filter(|version| !version.is_compromised() || version.taint < taint);
    let of = marked.map(|version| VersionRef {
        key: key.id,
        version: version.number,
    });
    of.collect()
}

/// The keys that authorities of the root namespace stand on: of certificates,
/// OCSP responses, SSH and time-stamps.
fn keys_of_authorities(rooms: &Rooms) -> HashSet<KeyId> {
    let mut all: Vec<RecordId> = Vec::new();
    let mut take = |key: &SigningKeyRecord| all.extend(key.id.parse::<RecordId>().ok());
    for authority in rooms.authorities.of(ROOT_NAMESPACE) {
        let record = &authority.record;
        take(&record.key);
        record.issuers.iter().for_each(|one| take(&one.key));
        record.rules.ocsp_signer.iter().for_each(&mut take);
    }
    for authority in rooms.ssh.of(ROOT_NAMESPACE) {
        take(&authority.record.key);
    }
    for authority in rooms.tsas.of(ROOT_NAMESPACE) {
        take(&authority.record.key);
    }
    all.into_iter().map(|id| KeyId(id.0)).collect()
}
