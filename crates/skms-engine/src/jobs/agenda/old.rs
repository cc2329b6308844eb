//! Versions that were replaced and have processed for the last time: they are
//! scheduled for destruction as their key's rule says, with its window, unless
//! something that lives still needs them.

use skms_evidence::{DetailKey, DetailValue};
use skms_keys::{DueAct, Key, KeyState, Version, VersionNumber, VersionRef, Versions, Why};
use skms_store::Kind;

use super::{Attended, stored_key};
use crate::act::act;
use crate::authority::issuing::key_name;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyTarget};
use crate::keychange::With;
use crate::lineage::descent;
use crate::records;
use crate::records::certificate::{CertifiedKeyRecord, RevocationRecord, serial_name};

act!(
    DestroyOld,
    KeyDestroy,
    "Schedules the destruction of a version that was replaced."
);
act!(
    Keep,
    KeyWarn,
    "Says why a version that was replaced is kept."
);

/// Dependents that are read at a time.
const PAGE: usize = 64;

/// What became of a key's old versions.
pub(super) struct Old {
    pub(super) attended: Attended,
    /// Whether some have to stay: that is looked at again later.
    pub(super) kept: bool,
}

/// Schedules what is due for that.
pub(super) async fn destroy(entry: &Entry, cell: &KeyTarget) -> Result<Old> {
    let mut old = Old {
        attended: Attended::Nothing,
        kept: false,
    };
    let snapshot = cell.snapshot();
    let due = snapshot.key().due(entry.now());
    let due = due.iter().filter(|item| item.act == DueAct::DestroyOld);
    for number in due.map(|item| item.version) {
        let version = snapshot.key().version(number)?;
        if let Some(by) = needed(&entry.rooms, snapshot.key(), version, entry.now().0).await? {
            old.kept = true;
            if !version.warned.contains(&Why::DestroyOldAfter) {
                keep(entry, cell, number, &by).await?;
                old.attended = Attended::Changed;
            }
            continue;
        }
        let allowed = entry.authorize_as_system::<DestroyOld>(cell)?;
        let with = With {
            said: vec![(DetailKey::Reason, Why::DestroyOldAfter.name().into())],
            ..With::default()
        };
        entry
            .change_key(&allowed, with, move |key, now| {
                let due = key.due(now);
                let still = |item: &skms_keys::Due| {
                    item.act == DueAct::DestroyOld && item.version == number
                };
                match due.iter().any(still) {
                    true => Ok(key.schedule_destroy(Versions::One(number), None, now)?),
                    false => Err(Error::Conflict),
                }
            })
            .await?;
        old.attended = Attended::Changed;
    }
    Ok(old)
}

/// Says once that a version is kept, and for what.
async fn keep(entry: &Entry, cell: &KeyTarget, number: VersionNumber, by: &str) -> Result<()> {
    let allowed = entry.authorize_as_system::<Keep>(cell)?;
    let reason = format!("{}: kept, {by}", Why::DestroyOldAfter.name());
    let said: Vec<(DetailKey, DetailValue)> = vec![
        (DetailKey::Reason, reason.into()),
        (DetailKey::Versions, number.0.to_string().into()),
    ];
    let with = With {
        said,
        ..With::default()
    };
    entry
        .change_key(&allowed, with, move |key, now| {
            Ok(key.note_warned(&[(number, Why::DestroyOldAfter)], now)?)
        })
        .await?;
    Ok(())
}

/// What still needs a version, in words: a version of another key that comes
/// from it or left the house under it, or a certificate of its public half.
async fn needed(rooms: &Rooms, key: &Key, version: &Version, now: i64) -> Result<Option<String>> {
    let parent = VersionRef {
        key: key.id,
        version: version.number,
    };
    let mut after = None;
    loop {
        let (page, next) = descent::below(rooms, key.namespace.0, parent, after, PAGE).await?;
        for child in page {
            let found = stored_key(rooms, key.namespace, child.child.key).await?;
            let lives = found
                .as_ref()
                .and_then(|key| key.version(child.child.version).ok());
            if lives.is_some_and(|child| child.state != KeyState::Destroyed) {
                let how = child.how.word();
                return Ok(Some(format!("key {} was {how} with it", child.child)));
            }
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    let Some(spki) = &version.public_spki else {
        return Ok(None);
    };
    let scope = key.namespace.0;
    let name = key_name(spki);
    let Some(stored) = rooms.store.find(scope, Kind::CertifiedKey, &name).await? else {
        return Ok(None);
    };
    let known: CertifiedKeyRecord = records::decode(stored.plaintext.expose())?;
    for one in known.certificates.iter().filter(|one| one.not_after > now) {
        let name = serial_name(&one.authority, one.issuer, &one.serial);
        let stored = rooms.store.find(scope, Kind::Revocation, &name).await?;
        let gone = match stored {
            None => false,
            Some(stored) => {
                let record: RevocationRecord = records::decode(stored.plaintext.expose())?;
                record.is_for_good()
            }
        };
        if !gone {
            return Ok(Some(format!("certificate {} is valid", one.serial)));
        }
    }
    Ok(None)
}
