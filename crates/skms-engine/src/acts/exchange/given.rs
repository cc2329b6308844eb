//! Who was given which version: the record and the event of a distribution, in
//! one batch, before message 2 leaves.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_store::{Change, Kind, RecordId};

use super::Distribute;
use crate::caller::Authentication;
use crate::change::to_the_end;
use crate::draft::{EventDraft, Final};
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyTarget, Membership};
use crate::opened::InUse;
use crate::records;
use crate::records::group::{HolderRecord, holder_name};

/// How often a record is written that others write at the same time: further
/// requests of the same client.
const TRIES: usize = 16;

/// Records that the caller has the version that is in use, with the act's
/// event.
///
/// Changes of groups take the change lock whole. So who was a member when it
/// was asked under the shared one still is when this is durable, and once a
/// removal has returned there is nobody who was asked before it.
///
/// # Errors
/// As [`Entry::still_a_member`]; what the store refuses.
pub(super) async fn record(
    entry: &Entry,
    allowed: &Authorized<Distribute, KeyTarget>,
    membership: Option<&Membership>,
    in_use: &InUse,
    (event, exchange): (EventDraft, String),
) -> Result<()> {
    let version = in_use.version();
    let shared = entry.rooms.share_changes().await;
    entry.still_a_member(allowed, membership, version).await?;
    let principal = &entry.caller.session.principal;
    let certificate = match &entry.caller.session.authentication {
        Authentication::Certificate { fingerprint } => fingerprint.clone(),
        _ => return Err(Error::Internal("an exchange without a certificate")),
    };
    let snapshot = allowed.target().snapshot();
    let now = entry.now().0;
    let record = HolderRecord {
        key: snapshot.id_text().to_owned(),
        version: version.0,
        namespace: principal.namespace().to_owned(),
        name: principal.id().to_owned(),
        group: membership.map(|one| (one.group.id_text(), one.group.record.name.clone())),
        first_at: now,
        last_at: now,
        certificate,
        exchange,
    };
    let scope = snapshot.key().namespace.0;
    let rooms = Arc::clone(&entry.rooms);
    let event = event.finish();
    to_the_end(async move {
        let _shared = shared;
        for _ in 0..TRIES {
            match write(&rooms, scope, &record, &event).await {
                Err(Error::Conflict) => {}
                other => return other,
            }
        }
        Err(Error::Busy)
    })
    .await
}

async fn write(rooms: &Rooms, scope: [u8; 16], new: &HolderRecord, event: &Final) -> Result<()> {
    let name = holder_name(&new.key, new.version, (&new.namespace, &new.name));
    let mut record = new.clone();
    let (id, expected) = match rooms.store.find(scope, Kind::Holder, &name).await? {
        None => (RecordId::random()?, None),
        Some(stored) => {
            let before: HolderRecord = records::decode(stored.plaintext.expose())?;
            record.first_at = before.first_at;
            record.last_at = record.last_at.max(before.last_at);
            (stored.id, Some(stored.revision))
        }
    };
    let put = Change::Put {
        namespace: scope,
        kind: Kind::Holder,
        id,
        name: Some(name),
        expected,
        plaintext: records::encode(&record)?,
    };
    let committed = rooms.recorder.commit(vec![put], event, false).await?;
    rooms.recorder.settle(committed).await
}

/// The event of a distribution.
pub(super) fn event(
    entry: &Entry,
    allowed: &Authorized<Distribute, KeyTarget>,
    membership: Option<&Membership>,
    in_use: &InUse,
) -> Result<EventDraft> {
    let event = EventDraft::of_key(entry, allowed, Outcome::Success)?.versions([in_use.version()]);
    Ok(match membership {
        Some(membership) => event.group(&membership.group),
        None => event,
    })
}
