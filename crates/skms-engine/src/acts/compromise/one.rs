//! A dependent by itself, with all that a change of a key brings along:
//! certificates, authorities, whoever is at work on it.

use skms_evidence::Outcome;
use skms_keys::{Key, Versions};

use super::cascade::Work;
use super::ledger::count;
use super::walk::{self, Fate, Found};
use super::{ATTEMPTS, Cascade, attend, revoke};
use crate::act::act;
use crate::acts::certificates::Verdict;
use crate::acts::rotate;
use crate::draft::EventDraft;
use crate::error::{Error, Result};
use crate::gate::KeyTarget;
use crate::keychange::{Fate as CertificatesFate, With};
use crate::records::incident::Touched;

act!(
    RotateCompromised,
    KeyRotate,
    "Gives a key a new version in place of a compromised one."
);

/// Marks one.
pub(super) async fn mark(work: &mut Work<'_>, found: &Found) -> Result<Fate> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match try_mark(work, found).await {
            // Changed or certified meanwhile: it is looked at again.
            Err(Error::Conflict | Error::Busy) if attempt < ATTEMPTS => {}
            Err(error @ (Error::Key(_) | Error::StateForbids { .. })) => {
                // Beyond it. That is told, and no reason to stop.
                let mut touched = nowhere(found);
                touched.detail = Some(error.to_string());
                work.tell(vec![touched]).await?;
                return Ok(Fate::Already);
            }
            other => return other,
        }
    }
}

/// Shows what would become of one.
pub(super) async fn show(work: &mut Work<'_>, found: &Found) -> Result<Fate> {
    let scope = work.ledger.scope;
    let Some((key, revision)) = walk::read(&work.entry.rooms, scope, found.child.key).await? else {
        return Ok(Fate::Already);
    };
    let target = walk::target(work.rings.at(&key), &key, revision);
    let fate = walk::fate(&work.entry, &target, &key, found.child)?;
    work.note(vec![walk::touched(
        found,
        (work.rings.at(&key), &key),
        (fate, work.rotates(&key)),
    )])
    .await?;
    if fate != Fate::Spared {
        attend::key(work, found.child).await?;
    }
    Ok(fate)
}

async fn try_mark(work: &mut Work<'_>, found: &Found) -> Result<Fate> {
    let scope = work.ledger.scope;
    let Some((key, _)) = walk::read(&work.entry.rooms, scope, found.child.key).await? else {
        // Deleted. What depends on it is still found below it.
        return Ok(Fate::Already);
    };
    let resolved = work
        .entry
        .rooms
        .keys
        .resolve(&work.entry.rooms, work.rings.at(&key))
        .await?;
    let Some(cell) = resolved.filter(|cell| cell.snapshot().key().id == key.id) else {
        return Err(Error::Busy);
    };
    let snapshot = cell.snapshot();
    let target = walk::target(snapshot.at(), snapshot.key(), snapshot.revision());
    let fate = walk::fate(&work.entry, &target, snapshot.key(), found.child)?;
    let key = (snapshot.at(), snapshot.key());
    let touched = walk::touched(found, key, (fate, work.rotates(snapshot.key())));
    match fate {
        Fate::Already => work.tell(vec![touched]).await?,
        Fate::Spared => spare(work, &cell, found, touched).await?,
        Fate::Compromised => compromise(work, &cell, found, touched).await?,
    }
    if fate != Fate::Spared {
        attend::key(work, found.child).await?;
    }
    Ok(fate)
}

async fn compromise(
    work: &mut Work<'_>,
    cell: &KeyTarget,
    found: &Found,
    touched: Touched,
) -> Result<()> {
    let record = &work.ledger.record;
    let versions = Versions::One(found.child.version);
    let revoke = revoke(work.id(), record, versions)?;
    let taint = record.reach.taint_below();
    let verdict = Verdict {
        reason: revoke.reason,
        at: work.entry.now(),
        invalid_since: revoke.compromise_occurred_at,
    };
    let touched = vec![touched];
    let counted = count(&touched);
    let (changes, record, done) = work.ledger.enter(touched, counted)?.split();
    let allowed = work.entry.authorize_as_system::<Cascade>(cell)?;
    let with = With {
        also: changes,
        urgent: true,
        certificates: Some(CertificatesFate::Revoked(verdict, versions)),
        revocations: Some(work.entry.rooms.lock_revocations().await),
        event: Some(
            EventDraft::of_key(&work.entry, &allowed, Outcome::Success)?.explained(work.said()),
        ),
        follows: true,
        ..With::default()
    };
    let changed = work.entry.change_key(&allowed, with, |key, now| {
        Ok(key.compromise(&revoke, taint, now)?)
    });
    changed.await?;
    work.ledger.committed(record, done);
    Ok(())
}

/// Notes that the cascade stops here: what is compromised above does not count
/// against the version any more.
async fn spare(
    work: &mut Work<'_>,
    cell: &KeyTarget,
    found: &Found,
    touched: Touched,
) -> Result<()> {
    let rooms = &work.entry.rooms;
    let node = rooms
        .lineage
        .node(rooms, work.ledger.scope, found.child)
        .await?;
    // Where too much is above it, it stays refused; the cascade goes on.
    let from = node.tainted_ancestors().unwrap_or_default();
    let touched = vec![touched];
    let counted = count(&touched);
    let (changes, record, done) = work.ledger.enter(touched, counted)?.split();
    let allowed = work.entry.authorize_as_system::<Cascade>(cell)?;
    let refused = Outcome::denied("a policy forbids key.cascade");
    let with = With {
        also: changes,
        event: Some(EventDraft::of_key(&work.entry, &allowed, refused)?.explained(work.said())),
        takes_nothing: true,
        ..With::default()
    };
    let (version, spared) = (found.child.version, from);
    let changed = work.entry.change_key(&allowed, with, |key, now| {
        Ok(key.spare(version, &spared, now)?)
    });
    changed.await?;
    work.ledger.committed(record, done);
    Ok(())
}

/// Gives a key a new version; says whether it could be.
pub(super) async fn rotate(work: &Work<'_>, key: &Key) -> Result<bool> {
    let rooms = &work.entry.rooms;
    let resolved = rooms.keys.resolve(rooms, work.rings.at(key)).await?;
    let Some(cell) = resolved.filter(|cell| cell.snapshot().key().id == key.id) else {
        return Ok(false);
    };
    let allowed = work.entry.authorize_as_system::<RotateCompromised>(&cell)?;
    if work.dry.is_some() {
        return Ok(rotate::check(&work.entry, &cell.snapshot(), None).is_ok());
    }
    match rotate::rotate_saying(&work.entry, &allowed, work.said()).await {
        Ok(_) => Ok(true),
        // Rotated by somebody else meanwhile, or not to be.
        Err(Error::Conflict | Error::Key(_) | Error::KeyForbids(_) | Error::Busy) => Ok(false),
        Err(error) => Err(error),
    }
}

fn nowhere(found: &Found) -> Touched {
    Touched {
        kind: "key".to_owned(),
        id: found.child.key.to_string(),
        name: String::new(),
        version: Some(found.child.version.0),
        how: Some(found.how.word().to_owned()),
        under: Some(found.under.to_string()),
        outcome: "failed".to_owned(),
        owner: None,
        rotates: false,
        detail: None,
    }
}
