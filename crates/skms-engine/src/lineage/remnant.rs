//! What is left of a deleted key that others depend on: what its versions
//! depended on themselves. Whoever has the material of something above it can
//! still work out what is below it, so that a compromise goes through it as if
//! it were there.
//!
//! With the last that depends on it, it goes.

use std::collections::hash_map::{Entry, HashMap};
use std::collections::{HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use skms_keys::{Key, KeyId, Version, VersionRef};
use skms_store::{Change, Kind, RecordId};

use super::descent::{self, How};
use crate::engine::Rooms;
use crate::error::Result;
use crate::records::key::VersionRecordRef;
use crate::records::{self, Record};

/// The record; it has the key's identifier.
#[derive(Debug, Serialize, Deserialize)]
struct RemnantRecord {
    versions: Vec<VersionRemnant>,
}

impl Record for RemnantRecord {
    const KIND: Kind = Kind::Remnant;
}

#[derive(Debug, Serialize, Deserialize)]
struct VersionRemnant {
    number: u32,
    parents: Vec<Parent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spared_from: Vec<VersionRecordRef>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Parent {
    of: VersionRecordRef,
    how: How,
}

impl From<&Version> for VersionRemnant {
    fn from(version: &Version) -> Self {
        let parent = |of| Parent {
            how: descent::how_on(version, of),
            of: of.into(),
        };
        let spared = version.spared_from.iter().copied();
        Self {
            number: version.number.0,
            parents: version.parents().map(parent).collect(),
            spared_from: spared.map(VersionRecordRef::from).collect(),
        }
    }
}

/// What a version of a deleted key depended on.
#[derive(Debug, Default)]
pub(crate) struct Remnant {
    pub(crate) parents: Vec<(VersionRef, How)>,
    /// What does not count against it.
    pub(crate) spared: Vec<VersionRef>,
}

impl VersionRemnant {
    fn into_domain(self) -> Result<Remnant> {
        let parent = |one: Parent| Ok((one.of.into_domain()?, one.how));
        let spared = self.spared_from.into_iter();
        Ok(Remnant {
            parents: self
                .parents
                .into_iter()
                .map(parent)
                .collect::<Result<_>>()?,
            spared: spared
                .map(VersionRecordRef::into_domain)
                .collect::<Result<_>>()?,
        })
    }
}

async fn record(
    rooms: &Rooms,
    namespace: [u8; 16],
    key: KeyId,
) -> Result<Option<(RemnantRecord, u64)>> {
    let id = RecordId(key.0);
    let Some(stored) = rooms.store.get(namespace, Kind::Remnant, id).await? else {
        return Ok(None);
    };
    let record = records::decode(stored.plaintext.expose())?;
    Ok(Some((record, stored.revision)))
}

/// What a version depended on whose key's record is gone: nothing, unless that
/// was kept.
pub(crate) async fn read(rooms: &Rooms, namespace: [u8; 16], of: VersionRef) -> Result<Remnant> {
    let record = record(rooms, namespace, of.key).await?;
    let versions = record.map(|(record, _)| record.versions);
    let meant = |one: &VersionRemnant| one.number == of.version.0;
    match versions.into_iter().flatten().find(meant) {
        Some(version) => version.into_domain(),
        None => Ok(Remnant::default()),
    }
}

/// The changes that a key leaves behind that is about to be deleted: of each
/// version that something depends on it is kept what that depends on itself,
/// the others are forgotten. Its epochs stay.
pub(crate) async fn leave(rooms: &Rooms, key: &Key) -> Result<Vec<Change>> {
    let namespace = key.namespace.0;
    let (mut kept, mut going) = (Vec::new(), Going::default());
    for version in &key.versions {
        let of = VersionRef {
            key: key.id,
            version: version.number,
        };
        if version.parents().next().is_none() {
            continue;
        }
        if descent::is_above(rooms, namespace, of).await? {
            kept.push(VersionRemnant::from(version));
        } else {
            going.untie(rooms, namespace, of, version.parents()).await?;
        }
    }
    let mut changes = going.finish(rooms, namespace).await?;
    if !kept.is_empty() {
        changes.push(Change::Put {
            namespace,
            kind: Kind::Remnant,
            id: RecordId(key.id.0),
            name: None,
            expected: None,
            plaintext: records::encode(&RemnantRecord { versions: kept })?,
        });
    }
    Ok(changes)
}

/// What goes with a version that nothing depends on, upwards through what is
/// only kept for it.
#[derive(Default)]
struct Going {
    changes: Vec<Change>,
    untied: HashSet<(VersionRef, VersionRef)>,
    open: VecDeque<VersionRef>,
    remnants: HashMap<KeyId, Option<(RemnantRecord, u64)>>,
}

impl Going {
    async fn untie(
        &mut self,
        rooms: &Rooms,
        namespace: [u8; 16],
        child: VersionRef,
        parents: impl Iterator<Item = VersionRef>,
    ) -> Result<()> {
        for parent in parents {
            if self.untied.insert((parent, child)) {
                let change = descent::untie(rooms, namespace, (parent, child)).await?;
                self.changes.extend(change);
                self.open.push_back(parent);
            }
        }
        Ok(())
    }

    async fn finish(mut self, rooms: &Rooms, namespace: [u8; 16]) -> Result<Vec<Change>> {
        while let Some(of) = self.open.pop_front() {
            let Some(remnant) = self.take(rooms, namespace, of).await? else {
                continue;
            };
            let parents = remnant.into_domain()?.parents.into_iter();
            let parents = parents.map(|(parent, _)| parent);
            self.untie(rooms, namespace, of, parents).await?;
        }
        for (key, remnant) in self.remnants {
            let Some((record, expected)) = remnant else {
                continue;
            };
            let (kind, id) = (Kind::Remnant, RecordId(key.0));
            self.changes.push(match record.versions.is_empty() {
                true => Change::Delete {
                    namespace,
                    kind,
                    id,
                    expected,
                },
                false => Change::Put {
                    namespace,
                    kind,
                    id,
                    name: None,
                    expected: Some(expected),
                    plaintext: records::encode(&record)?,
                },
            });
        }
        Ok(self.changes)
    }

    /// What is left of a version, if its key is deleted and all that depends on
    /// it goes.
    async fn take(
        &mut self,
        rooms: &Rooms,
        namespace: [u8; 16],
        of: VersionRef,
    ) -> Result<Option<VersionRemnant>> {
        if let Entry::Vacant(unread) = self.remnants.entry(of.key) {
            unread.insert(record(rooms, namespace, of.key).await?);
        }
        let untied = &self.untied;
        let Some(Some((record, _))) = self.remnants.get_mut(&of.key) else {
            return Ok(None);
        };
        let at = (record.versions.iter()).position(|one| one.number == of.version.0);
        let Some(at) = at else { return Ok(None) };
        let limit = untied.len() + 1;
        let (below, more) = descent::below(rooms, namespace, of, None, limit).await?;
        let goes = |one: &descent::Descent| untied.contains(&(of, one.child));
        if more.is_some() || !below.iter().all(goes) {
            return Ok(None);
        }
        Ok(Some(record.versions.swap_remove(at)))
    }
}
