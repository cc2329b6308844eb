//! Calls for rotation: somebody else found that a key needs a new version,
//! because a principal left, or a verdict said so.
//!
//! A call is a record until it is answered, by the batch that makes the
//! version. That version remembers what it was made for, so that the same event
//! calls once, however often it is told and whatever happens in between. A key
//! that got a new version since it was called for needs no other.

use serde::{Deserialize, Serialize};
use skms_crypto::hash::sha256;
use skms_keys::{Key, KeyId, NamespaceId, UnixSeconds, VersionNumber};
use skms_store::{Change, Kind, RecordId};

use super::order::Wanting;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{KeyRef, KeyTarget};
use crate::records::{self, Record, unhex};
use crate::sessions::hex;

/// Calls that are read at a time.
const PAGE: usize = 256;

/// What calls for a rotation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occasion<'a> {
    /// What it is known by: the same event has the same one, and no other has.
    pub(crate) identity: &'a str,
    /// In words, for the event of the rotation.
    pub(crate) reason: &'a str,
}

#[derive(Debug, Serialize, Deserialize)]
struct CallRecord {
    key: String,
    /// What the occasion is known by, as versions remember it.
    occasion: String,
    reason: String,
    at: i64,
    /// The newest version then.
    version: u32,
}

impl Record for CallRecord {
    const KIND: Kind = Kind::RotationCall;
}

/// A call that waits for its answer.
#[derive(Clone, Debug)]
pub(crate) struct OpenCall {
    pub(crate) id: RecordId,
    pub(crate) revision: u64,
    pub(crate) occasion: [u8; 16],
    pub(crate) reason: String,
    pub(crate) at: UnixSeconds,
    pub(crate) version: VersionNumber,
}

/// A call that is about to be made, to go into the batch of what calls.
pub(crate) struct Call {
    /// Its record; it is new, or the batch fails.
    pub(crate) change: Change,
    /// What has it answered once the batch is committed.
    pub(crate) made: Made,
}

/// A call whose batch is committed.
pub(crate) struct Made {
    key: KeyId,
    namespace: NamespaceId,
    open: OpenCall,
}

/// What an occasion is remembered by.
fn remembered(identity: &str) -> [u8; 16] {
    let digest = sha256(&[b"rotation\0", identity.as_bytes()]);
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

/// The call for a rotation of `key`, or `None` where this occasion called for
/// it before.
///
/// # Errors
/// What the store says.
pub(crate) async fn call(rooms: &Rooms, key: &Key, occasion: Occasion<'_>) -> Result<Option<Call>> {
    let known = remembered(occasion.identity);
    if key.was_made_for(&known) {
        return Ok(None);
    }
    let name = format!("{}/{}", key.id, hex(&known));
    let id = rooms
        .store
        .id_of(key.namespace.0, Kind::RotationCall, &name)?;
    let found = rooms
        .store
        .get(key.namespace.0, Kind::RotationCall, id)
        .await?;
    if found.is_some() {
        return Ok(None);
    }
    let open = OpenCall {
        id,
        revision: 0,
        occasion: known,
        reason: occasion.reason.chars().take(200).collect(),
        at: rooms.clock.now(),
        version: key.newest()?.number,
    };
    let record = CallRecord {
        key: key.id.to_string(),
        occasion: hex(&known),
        reason: open.reason.clone(),
        at: open.at.0,
        version: open.version.0,
    };
    Ok(Some(Call {
        change: Change::Put {
            namespace: key.namespace.0,
            kind: Kind::RotationCall,
            id,
            name: None,
            expected: None,
            plaintext: records::encode(&record)?,
        },
        made: Made {
            key: key.id,
            namespace: key.namespace,
            open,
        },
    }))
}

impl Made {
    /// Has the call answered; its record was committed at `revision`.
    pub(crate) fn note(self, rooms: &Rooms, revision: u64) {
        let open = OpenCall {
            revision,
            ..self.open
        };
        rooms.agenda.called(self.key, self.namespace, open);
    }
}

/// Calls for a rotation of a key, durably before this returns, and does not
/// wait for it. Whether this occasion is new.
///
/// # Errors
/// What the store says.
pub(crate) async fn rotate_for_event(
    rooms: &Rooms,
    cell: &KeyTarget,
    occasion: Occasion<'_>,
) -> Result<bool> {
    let snapshot = cell.snapshot();
    let Some(Call { change, made }) = call(rooms, snapshot.key(), occasion).await? else {
        return Ok(false);
    };
    match rooms.store.commit(vec![change], None).await {
        Ok(committed) => {
            made.note(rooms, committed.revisions.first().copied().unwrap_or(1));
            Ok(true)
        }
        // Somebody else told of it at the same time.
        Err(skms_store::Error::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Engine {
    /// Calls for a rotation of a key: for parts of the server that find out that
    /// it needs a new version. Durable before this returns; whether the occasion
    /// is new. The event of the rotation has the reason.
    ///
    /// # Errors
    /// [`Error::Sealed`]; [`Error::NotFound`] for an absent key; what the store
    /// says.
    pub async fn call_for_rotation(
        &self,
        at: KeyRef<'_>,
        identity: &str,
        reason: &str,
    ) -> Result<bool> {
        let rooms = self.rooms()?;
        let found = rooms.keys.resolve(&rooms, at).await?;
        let cell = found.ok_or(Error::NotFound { what: "key" })?;
        rotate_for_event(&rooms, &cell, Occasion { identity, reason }).await
    }
}

/// Reads every call that waits for its answer into the index: after an unseal,
/// and with each walk, for what a commit of unknown outcome left.
pub(super) async fn load(rooms: &Rooms) -> Result<()> {
    let mut after = None;
    loop {
        let page = rooms
            .store
            .scan_all(Kind::RotationCall, after, PAGE)
            .await?;
        let Some((_, last)) = page.last() else {
            return Ok(());
        };
        after = Some(last.id);
        for (namespace, stored) in page {
            let record: CallRecord = records::decode(stored.plaintext.expose())?;
            let key: KeyId = record.key.parse().map_err(|_| damaged("key"))?;
            let occasion = unhex(&record.occasion)
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| damaged("occasion"))?;
            let open = OpenCall {
                id: stored.id,
                revision: stored.revision,
                occasion,
                reason: record.reason,
                at: UnixSeconds(record.at),
                version: VersionNumber(record.version),
            };
            rooms.agenda.called(key, NamespaceId(namespace), open);
        }
    }
}

fn damaged(reason: &str) -> Error {
    Error::Record {
        kind: "rotation call",
        reason: reason.to_owned(),
    }
}

impl OpenCall {
    /// The change that ends it.
    pub(super) const fn answered(&self, namespace: NamespaceId) -> Change {
        Change::Delete {
            namespace: namespace.0,
            kind: Kind::RotationCall,
            id: self.id,
            expected: self.revision,
        }
    }
}

/// Forgets calls of a key whose records are gone: they were answered by a batch
/// that was committed although whoever made it was told of trouble.
pub(super) async fn forget_answered(rooms: &Rooms, of: Wanting) -> Result<()> {
    let mut gone = Vec::new();
    for call in rooms.agenda.calls_of(of.key) {
        let (namespace, kind) = (of.namespace.0, Kind::RotationCall);
        if rooms.store.get(namespace, kind, call.id).await?.is_none() {
            gone.push(call.id);
        }
    }
    rooms.agenda.answered(of.key, &gone);
    Ok(())
}

/// The changes that forget what calls for a key that is about to be deleted.
pub(crate) fn forget(rooms: &Rooms, key: &Key) -> Vec<Change> {
    let calls = rooms.agenda.calls_of(key.id);
    calls
        .iter()
        .map(|call| call.answered(key.namespace))
        .collect()
}
