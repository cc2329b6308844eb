//! Who was given which version of a key.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::{Key, UnixSeconds, VersionNumber};
use skms_store::{Change, Kind, RecordId};

use super::{Holders, Read};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::Result;
use crate::gate::{Entry, KeyRef};
use crate::groups::Group;
use crate::page::Page;
use crate::records;
use crate::records::group::HolderRecord;

/// Records that one step of forgetting reads.
const STEP: usize = 256;

/// By what somebody has a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is a member of the key's group.
    Member,
    /// It was, when it was given the version, and is none now.
    Removed,
    /// A policy permitted it (`key.distribute`).
    Policy,
}

/// What is told about somebody who has a version.
#[derive(Clone, Debug)]
pub struct HolderView {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: VersionNumber,
    /// By what it has it.
    pub standing: Standing,
    /// The name of the group whose member it was.
    pub group: Option<String>,
    /// When it was given the version first.
    pub first_at: UnixSeconds,
    /// And last.
    pub last_at: UnixSeconds,
    /// SHA-256 of the certificate that it showed the last time, in hex.
    pub certificate: String,
    /// SHA-256 of the message that brought the key the last time, in hex.
    pub exchange: String,
}

impl HolderView {
    fn of(record: HolderRecord, group: Option<&Group>) -> Self {
        let member = group.is_some_and(|group| {
            let who = (record.namespace.as_str(), record.name.as_str());
            group.member(who).is_some()
        });
        Self {
            standing: match (member, &record.group) {
                (true, _) => Standing::Member,
                (false, Some(_)) => Standing::Removed,
                (false, None) => Standing::Policy,
            },
            group: record.group.map(|(_, name)| name),
            namespace: record.namespace,
            name: record.name,
            version: VersionNumber(record.version),
            first_at: UnixSeconds(record.first_at),
            last_at: UnixSeconds(record.last_at),
            certificate: record.certificate,
            exchange: record.exchange,
        }
    }
}

impl Engine {
    /// Who was given a version of a key by the key exchange, whether as a
    /// member of its group or because a policy permitted it; each principal
    /// once a version, in order of the records' identifiers.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] for an absent key and one not visible.
    pub async fn key_holders(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        page: &Page,
    ) -> Result<(Vec<HolderView>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize_key::<Holders>(at).await?;
        let snapshot = allowed.target().snapshot();
        let scope = snapshot.key().namespace.0;
        let listed = list(&entry, (at.namespace, scope), snapshot.id_text(), page).await;
        let listed = entry.failed_key(&allowed, listed).await?;
        entry
            .record(EventDraft::of_key(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(listed)
    }

    /// As [`Engine::key_holders`], of the key that a group shares.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] for an absent group and one not visible.
    pub async fn group_holders(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        page: &Page,
    ) -> Result<(Vec<HolderView>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.group_target(namespace, name))
            .await?;
        let listed = async {
            let group = entry.group(namespace, name)?;
            let place = (namespace, group.namespace.0);
            list(&entry, place, &group.record.key_id, page).await
        };
        let listed = listed.await;
        let listed = entry.failed(&allowed, listed).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(listed)
    }
}

async fn list(
    entry: &Entry,
    (namespace, scope): (&str, [u8; 16]),
    key: &str,
    page: &Page,
) -> Result<(Vec<HolderView>, Option<RecordId>)> {
    let rooms = &entry.rooms;
    let group = rooms.groups.on_key(namespace, key);
    page.collect(&rooms.store, scope, Kind::Holder, |stored| {
        let record: HolderRecord = records::decode(stored.plaintext.expose())?;
        let ours = record.key == key;
        Ok(ours.then(|| HolderView::of(record, group.as_deref())))
    })
    .await
}

/// Forgets who was given a key: it is about to be deleted, and every version of
/// it is destroyed. The caller holds the key's lock.
pub(crate) async fn forget_holders(rooms: &Rooms, key: &Key) -> Result<()> {
    // One that could never leave has none.
    if !key.exportable {
        return Ok(());
    }
    let (scope, id) = (key.namespace.0, key.id.to_string());
    let mut after = None;
    loop {
        let step = rooms.store.scan(scope, Kind::Holder, after, STEP).await?;
        let last = step.len() < STEP;
        after = step.last().map(|record| record.id);
        let mut changes = Vec::new();
        for stored in step {
            let record: HolderRecord = records::decode(stored.plaintext.expose())?;
            if record.key == id {
                changes.push(Change::Delete {
                    namespace: scope,
                    kind: Kind::Holder,
                    id: stored.id,
                    expected: stored.revision,
                });
            }
        }
        if !changes.is_empty() {
            rooms.store.commit(changes, None).await?;
        }
        if last {
            return Ok(());
        }
    }
}
