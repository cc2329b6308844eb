//! The way down from compromised versions, the same for the cascade and for
//! the dry run that shows it first.

use std::collections::{HashMap, HashSet, VecDeque};

use skms_keys::{Key, KeyId, KeyringId, NamespaceId, VersionNumber, VersionRef};
use skms_store::{Kind, RecordId};

use super::Cascade;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::lineage::descent::{self, Descent, How};
use crate::records;
use crate::records::incident::{IncidentRecord, Reach, Rotation, Touched};
use crate::records::key::KeyRecord;
use crate::target::Target;

/// Descents that one step reads.
const STEP: usize = 256;

/// A dependent that one came to.
pub(super) struct Found {
    pub(super) child: VersionRef,
    pub(super) under: VersionRef,
    pub(super) how: How,
}

/// Where the way down has led, and where it goes on.
pub(super) struct Walk {
    scope: [u8; 16],
    reach: Reach,
    /// Everything that was found.
    seen: HashSet<VersionRef>,
    open: VecDeque<VersionRef>,
    /// Where in those below the first of them one is.
    after: Option<RecordId>,
    ready: VecDeque<Found>,
}

impl Walk {
    pub(super) fn new(scope: [u8; 16], reach: Reach, roots: &[VersionRef]) -> Self {
        Self {
            scope,
            reach,
            seen: roots.iter().copied().collect(),
            open: match reach {
                Reach::None => VecDeque::new(),
                Reach::Direct | Reach::All => roots.iter().copied().collect(),
            },
            after: None,
            ready: VecDeque::new(),
        }
    }

    /// The next dependents, at most `most`; none at the end.
    pub(super) async fn next(&mut self, rooms: &Rooms, most: usize) -> Result<Vec<Found>> {
        while self.ready.len() < most {
            let Some(under) = self.open.front().copied() else {
                break;
            };
            let (found, next) = descent::below(rooms, self.scope, under, self.after, STEP).await?;
            self.after = next;
            if next.is_none() {
                self.open.pop_front();
            }
            for Descent { child, how } in found {
                if self.seen.insert(child) {
                    self.ready.push_back(Found { child, under, how });
                }
            }
        }
        let most = most.min(self.ready.len());
        Ok(self.ready.drain(..most).collect())
    }

    /// Goes on below these versions. Most have nothing below them, and are asked
    /// for that all at once.
    pub(super) async fn below(&mut self, rooms: &Rooms, of: &[VersionRef]) -> Result<()> {
        if self.reach == Reach::All {
            let any = descent::any_below(rooms, self.scope, of).await?;
            let on = of.iter().zip(any).filter(|(_, any)| *any);
            self.open.extend(on.map(|(of, _)| *of));
        }
        Ok(())
    }
}

/// The names of keyrings, by their identifiers.
pub(super) struct Rings {
    namespace: String,
    names: HashMap<KeyringId, String>,
}

impl Rings {
    pub(super) fn of(rooms: &Rooms, namespace: &str) -> Self {
        let place = rooms.places.namespace(namespace);
        let rings = place.iter().flat_map(|place| place.keyrings.values());
        Self {
            namespace: namespace.to_owned(),
            names: rings
                .map(|ring| (ring.ring.id, ring.ring.name.as_str().to_owned()))
                .collect(),
        }
    }

    /// Where a key is.
    pub(super) fn at<'a>(&'a self, key: &'a Key) -> KeyRef<'a> {
        KeyRef {
            namespace: &self.namespace,
            keyring: self.names.get(&key.keyring).map_or("", String::as_str),
            name: key.name.as_str(),
        }
    }
}

/// A key as its record says.
pub(super) async fn read(rooms: &Rooms, scope: [u8; 16], key: KeyId) -> Result<Option<(Key, u64)>> {
    let id = RecordId(key.0);
    let Some(stored) = rooms.store.get(scope, Kind::Key, id).await? else {
        return Ok(None);
    };
    let record: KeyRecord = records::decode(stored.plaintext.expose())?;
    Ok(Some((
        record.into_domain(id, NamespaceId(scope))?,
        stored.revision,
    )))
}

/// Keys as their records say, all read at once.
pub(super) async fn read_each(
    rooms: &Rooms,
    scope: [u8; 16],
    keys: impl Iterator<Item = KeyId>,
) -> Result<Vec<Option<(Key, u64)>>> {
    let ids: Vec<RecordId> = keys.map(|key| RecordId(key.0)).collect();
    let stored = rooms.store.get_each(scope, Kind::Key, &ids).await?;
    let read = stored.into_iter().map(|stored| {
        let Some(stored) = stored else {
            return Ok(None);
        };
        let record: KeyRecord = records::decode(stored.plaintext.expose())?;
        let key = record.into_domain(stored.id, NamespaceId(scope))?;
        Ok(Some((key, stored.revision)))
    });
    read.collect()
}

/// A key as policy sees it.
pub(super) fn target(at: KeyRef<'_>, key: &Key, revision: u64) -> Target {
    let algorithm = key.algorithm.name();
    Target::new_key(at, algorithm, &key.owner, key.exportable, &key.tags).stored(key.id.0, revision)
}

/// What is to become of a dependent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is marked.
    Compromised,
    /// It is marked already.
    Already,
    /// A policy stops the cascade here.
    Spared,
}

impl Fate {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Compromised => "compromised",
            Self::Already => "already",
            Self::Spared => "spared",
        }
    }
}

/// Asks the version's state, and policy.
pub(super) fn fate(entry: &Entry, target: &Target, key: &Key, of: VersionRef) -> Result<Fate> {
    let forbidden = || entry.is_forbidden::<Cascade>(target);
    fate_unless(key, of, forbidden)
}

pub(super) fn fate_unless(
    key: &Key,
    of: VersionRef,
    forbidden: impl FnOnce() -> bool,
) -> Result<Fate> {
    let version = key.version(of.version)?;
    Ok(if version.is_compromised() {
        Fate::Already
    } else if forbidden() {
        Fate::Spared
    } else {
        Fate::Compromised
    })
}

/// A dependent in the list of what was touched.
pub(super) fn touched(
    found: &Found,
    (at, key): (KeyRef<'_>, &Key),
    (fate, rotates): (Fate, bool),
) -> Touched {
    Touched {
        kind: "key".to_owned(),
        id: found.child.key.to_string(),
        name: path(at),
        version: Some(found.child.version.0),
        how: Some(found.how.word().to_owned()),
        under: Some(found.under.to_string()),
        outcome: fate.word().to_owned(),
        owner: Some(key.owner.clone()),
        rotates,
        detail: None,
    }
}

pub(super) fn path(at: KeyRef<'_>) -> String {
    format!("{}/{}/{}", at.namespace, at.keyring, at.name)
}

/// The versions that an incident began with.
pub(super) fn roots(record: &IncidentRecord) -> Result<Vec<VersionRef>> {
    let key = record
        .key_id
        .parse()
        .map_err(|_| Error::Internal("an incident of no key"))?;
    let versions = record.versions.iter();
    Ok(versions
        .map(|number| VersionRef {
            key,
            version: VersionNumber(*number),
        })
        .collect())
}

/// Whether a key is given a new version by an incident.
pub(super) fn rotates(key: &Key, rotation: Rotation) -> bool {
    match rotation {
        Rotation::None => false,
        Rotation::Rule => key.rules.rotates(),
        Rotation::All => true,
    }
}
