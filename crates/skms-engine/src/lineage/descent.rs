//! Descents: one record for each version that depends on a version of another
//! key, by which a cascade goes down from that; and epochs, which say that a
//! version is compromised and which whoever makes a dependent compares and sets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skms_keys::{Key, Taint, Version, VersionNumber, VersionRef};
use skms_store::sealed::Record as Stored;
use skms_store::{Change, Kind, RecordId};

use super::{Barred, Lineage, Node};
use crate::engine::Rooms;
use crate::error::Result;
use crate::records::key::{VersionRecordRef, taint_from, taint_name};
use crate::records::{self, Record};

/// In what way a version depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It was agreed on by it with a peer.
    Agreed,
    /// It was derived from it.
    Derived,
    /// It was brought in wrapped by it.
    Unwrapped,
    /// It left the house wrapped by it.
    Wrapped,
}

impl How {
    /// A word for people and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agreed => "agreed",
            Self::Derived => "derived",
            Self::Unwrapped => "unwrapped",
            Self::Wrapped => "wrapped",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct DescentRecord {
    parent: VersionRecordRef,
    child: VersionRecordRef,
    how: How,
}

impl Record for DescentRecord {
    const KIND: Kind = Kind::Descent;
}

/// That a version is compromised, and that this reaches what depends on it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EpochRecord {
    pub(crate) version: VersionRecordRef,
    pub(crate) at: i64,
    /// How far it reaches, where not to all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) taint: Option<String>,
}

impl Record for EpochRecord {
    const KIND: Kind = Kind::Epoch;
}

/// A version that depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descent {
    pub(crate) child: VersionRef,
    pub(crate) how: How,
}

/// What ties a version to the ones it depends on, to go into the batch that
/// makes it so.
pub(crate) struct Tie {
    pub(crate) changes: Vec<Change>,
    pub(crate) above: Tied,
}

/// What a version is being tied to. Keeps it in memory until the version is.
pub(crate) struct Tied {
    node: Arc<Node>,
    namespace: [u8; 16],
}

impl Tied {
    /// Whether a compromise came in between.
    ///
    /// # Errors
    /// [`crate::Error::AncestorCompromised`]; what the store says.
    pub(crate) async fn check(&self, rooms: &Rooms) -> Result<()> {
        let parent = self.node.of();
        for of in std::iter::once(parent).chain(self.node.ancestors()?) {
            if epoch(rooms, self.namespace, of).await?.is_some() {
                return Err(Barred::By(of).into());
            }
        }
        Ok(())
    }
}

fn group(parent: VersionRef) -> String {
    parent.to_string()
}

fn name(parent: VersionRef, child: VersionRef) -> String {
    format!("{parent}/{child}")
}

fn epoch_id(rooms: &Rooms, namespace: [u8; 16], of: VersionRef) -> Result<RecordId> {
    let id = rooms.store.id_of(namespace, Kind::Epoch, &of.to_string())?;
    Ok(id)
}

/// The record that says that a version is compromised, if there is one.
pub(crate) async fn epoch(
    rooms: &Rooms,
    namespace: [u8; 16],
    of: VersionRef,
) -> Result<Option<Stored>> {
    let id = epoch_id(rooms, namespace, of)?;
    Ok(rooms.store.get(namespace, Kind::Epoch, id).await?)
}

/// How far the compromise of a version reaches, if it is compromised.
pub(crate) async fn taint(
    rooms: &Rooms,
    namespace: [u8; 16],
    of: VersionRef,
) -> Result<Option<Taint>> {
    let Some(stored) = epoch(rooms, namespace, of).await? else {
        return Ok(None);
    };
    let record: EpochRecord = records::decode(stored.plaintext.expose())?;
    taint_from(record.taint.as_deref()).map(Some)
}

/// The changes that set the epochs of the versions of a key that have become
/// compromised with `after`.
pub(crate) async fn epochs(
    rooms: &Rooms,
    before: &Key,
    after: &Key,
    at: i64,
) -> Result<Vec<Change>> {
    let namespace = after.namespace.0;
    let mut changes = Vec::new();
    for version in &after.versions {
        let known = before
            .version(version.number)
            .ok()
            .filter(|one| one.taints());
        if known.is_some_and(|known| known.taint >= version.taint) || !version.taints() {
            continue;
        }
        let of = VersionRef {
            key: after.id,
            version: version.number,
        };
        // Further than before, perhaps.
        let stored = epoch(rooms, namespace, of).await?;
        changes.push(Change::Put {
            namespace,
            kind: Kind::Epoch,
            id: epoch_id(rooms, namespace, of)?,
            name: None,
            expected: stored.map(|stored| stored.revision),
            plaintext: records::encode(&EpochRecord {
                version: of.into(),
                at,
                taint: taint_name(version.taint).map(str::to_owned),
            })?,
        });
    }
    Ok(changes)
}

impl Lineage {
    /// What ties `child` to `parent`: the descent, unless there is one already,
    /// and that neither the parent nor anything above it is compromised when
    /// the batch is committed.
    ///
    /// # Errors
    /// [`crate::Error::KeyForbids`] where the child would depend on too much;
    /// what the store says.
    pub(crate) async fn tie(
        &self,
        rooms: &Rooms,
        namespace: [u8; 16],
        (parent, child, how): (VersionRef, VersionRef, How),
    ) -> Result<Tie> {
        let node = self.node(rooms, namespace, parent).await?;
        let mut changes = Vec::new();
        for ancestor in std::iter::once(parent).chain(self.above(&node, child)?) {
            changes.push(Change::Absent {
                kind: Kind::Epoch,
                id: epoch_id(rooms, namespace, ancestor)?,
            });
        }
        let name = name(parent, child);
        let known = rooms.store.find(namespace, Kind::Descent, &name).await?;
        if known.is_none() {
            changes.push(Change::Put {
                namespace,
                kind: Kind::Descent,
                id: rooms
                    .store
                    .id_in(namespace, Kind::Descent, &group(parent))?,
                name: Some(name),
                expected: None,
                plaintext: records::encode(&DescentRecord {
                    parent: parent.into(),
                    child: child.into(),
                    how,
                })?,
            });
        }
        Ok(Tie {
            changes,
            above: Tied { node, namespace },
        })
    }
}

/// What depends on a version by itself, a page at a time.
pub(crate) async fn below(
    rooms: &Rooms,
    namespace: [u8; 16],
    parent: VersionRef,
    after: Option<RecordId>,
    limit: usize,
) -> Result<(Vec<Descent>, Option<RecordId>)> {
    let group = group(parent);
    let page = rooms
        .store
        .scan_in(namespace, Kind::Descent, &group, after, limit)
        .await?;
    let next = (page.len() == limit)
        .then(|| page.last().map(|record| record.id))
        .flatten();
    let mut found = Vec::with_capacity(page.len());
    for stored in page {
        let record: DescentRecord = records::decode(stored.plaintext.expose())?;
        if record.parent == parent.into() {
            found.push(Descent {
                child: record.child.into_domain()?,
                how: record.how,
            });
        }
    }
    Ok((found, next))
}

/// Which of these versions something depends on.
pub(crate) async fn any_below(
    rooms: &Rooms,
    namespace: [u8; 16],
    parents: &[VersionRef],
) -> Result<Vec<bool>> {
    let groups: Vec<String> = parents.iter().copied().map(group).collect();
    let any = rooms.store.any_in(namespace, Kind::Descent, &groups);
    Ok(any.await?)
}

/// Whether anything depends on a version by itself.
pub(crate) async fn is_above(rooms: &Rooms, namespace: [u8; 16], of: VersionRef) -> Result<bool> {
    let (found, more) = below(rooms, namespace, of, None, 1).await?;
    Ok(!found.is_empty() || more.is_some())
}

/// The change that forgets that a version depends on another.
pub(crate) async fn untie(
    rooms: &Rooms,
    namespace: [u8; 16],
    (parent, child): (VersionRef, VersionRef),
) -> Result<Option<Change>> {
    let name = name(parent, child);
    let found = rooms.store.find(namespace, Kind::Descent, &name).await?;
    Ok(found.map(|stored| Change::Delete {
        namespace,
        kind: Kind::Descent,
        id: stored.id,
        expected: stored.revision,
    }))
}

/// In what way a version depends on one of [`Version::parents`].
pub(crate) fn how_on(version: &Version, parent: VersionRef) -> How {
    how(version)
        .filter(|(from, _)| *from == parent)
        .map_or(How::Wrapped, |(_, how)| how)
}

/// How a new version depends on what it comes from.
pub(crate) const fn how(version: &Version) -> Option<(VersionRef, How)> {
    use skms_keys::Origin;
    match version.origin {
        Origin::Generated | Origin::Imported => None,
        Origin::Agreed { key, version, .. } => Some((VersionRef { key, version }, How::Agreed)),
        Origin::Derived(parent) => Some((parent, How::Derived)),
        Origin::Unwrapped(parent) => Some((parent, How::Unwrapped)),
    }
}

/// The first version of a key that is about to be made.
pub(crate) const fn first(key: &Key) -> VersionRef {
    VersionRef {
        key: key.parts().id,
        version: VersionNumber::FIRST,
    }
}
