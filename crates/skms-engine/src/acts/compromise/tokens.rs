//! The tokens that fall with certificates that prove nothing any more: those
//! that their principals made since the compromise, those that were made with
//! these, and so on.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use skms_store::{Change, Kind, RecordId};

use super::cascade::Work;
use super::ledger::count;
use crate::error::{Error, Result};
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::incident::Touched;
use crate::records::token::TokenRecord;

/// Records that one step reads.
const STEP: usize = 256;
/// Tokens that one batch revokes.
const BATCH: usize = 64;

/// Revokes them, `principals` being those of the incident's namespace whom the
/// certificates let in. What was made with another token is found by that one's
/// identifier, in any namespace, and not by a name that others may have.
pub(super) async fn revoke(work: &mut Work<'_>, principals: &BTreeSet<String>) -> Result<()> {
    if principals.is_empty() {
        return Ok(());
    }
    let rooms = Arc::clone(&work.entry.rooms);
    loop {
        // Their sessions have ended: whoever was making another is through
        // after this, and nobody begins.
        if work.dry.is_none() {
            drop(rooms.lock_changes().await);
        }
        let found = find(work, principals).await?;
        if found.is_empty() {
            return Ok(());
        }
        for some in found.chunks(BATCH) {
            revoke_some(work, some).await?;
        }
    }
}

/// Those that are there, one after the other as they were made.
async fn find(work: &Work<'_>, principals: &BTreeSet<String>) -> Result<Vec<RecordId>> {
    let record = &work.ledger.record;
    let since = record.since.unwrap_or(i64::MIN);
    let (mut found, mut made_with) = (Vec::new(), HashMap::<String, Vec<RecordId>>::new());
    let mut after = None;
    loop {
        let store = &work.entry.rooms.store;
        let page = store.scan(SYSTEM_SCOPE, Kind::Token, after, STEP).await?;
        let last = page.len() < STEP;
        after = page.last().map(|record| record.id);
        for stored in page {
            let token: TokenRecord = records::decode(stored.plaintext.expose())?;
            let maker_in = token.created_in.as_ref().unwrap_or(&token.namespace);
            if principals.contains(&token.created_by)
                && *maker_in == record.namespace
                && token.created_at >= since
            {
                found.push(stored.id);
            } else if let Some(maker) = (token.created_with.as_deref())
                .and_then(|credential| credential.strip_prefix("token:"))
            {
                let made = made_with.entry(maker.to_owned()).or_default();
                made.push(stored.id);
            }
        }
        if last {
            break;
        }
    }
    // Some may be gone since before a crash, and what they made not.
    let gone = made_with
        .keys()
        .filter(|id| work.ledger.has_other("token", id));
    let gone: Vec<String> = gone.cloned().collect();
    for id in gone {
        found.extend(made_with.remove(&id).unwrap_or_default());
    }
    let mut seen = 0;
    while let Some(id) = found.get(seen) {
        let made = made_with.remove(&id.to_string()).unwrap_or_default();
        found.extend(made);
        seen += 1;
    }
    found.retain(|id| !work.ledger.has_other("token", &id.to_string()));
    Ok(found)
}

async fn revoke_some(work: &mut Work<'_>, some: &[RecordId]) -> Result<()> {
    let rooms = Arc::clone(&work.entry.rooms);
    let (mut changes, mut touched, mut gone) = (Vec::new(), Vec::new(), HashSet::new());
    let mut places = Vec::new();
    for id in some {
        let Some(stored) = rooms.store.get(SYSTEM_SCOPE, Kind::Token, *id).await? else {
            continue;
        };
        let token: TokenRecord = records::decode(stored.plaintext.expose())?;
        gone.insert(*id);
        changes.push(Change::Delete {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Token,
            id: *id,
            expected: stored.revision,
        });
        if let Some(place) = rooms.places.namespace(&token.namespace) {
            places.push((place.id, *id));
        }
        touched.push(Touched {
            kind: "token".to_owned(),
            id: id.to_string(),
            name: token.principal,
            version: None,
            how: Some("made-by".to_owned()),
            under: Some(token.created_by),
            outcome: "revoked".to_owned(),
            owner: None,
            rotates: false,
            detail: None,
        });
    }
    if work.dry.is_some() {
        return work.note(touched).await;
    }
    if changes.is_empty() {
        return Ok(());
    }
    let event = work.event(&touched)?;
    let counted = count(&touched);
    let (more, record, done) = work.ledger.enter(touched, counted)?.split();
    changes.extend(more);
    match work.commit(changes, event, true).await {
        Ok(()) => work.ledger.committed(record, done),
        // One was revoked meanwhile: they are looked for again.
        Err(Error::Conflict) => return Ok(()),
        Err(error) => {
            rooms.sessions.end_any(&gone);
            return Err(error);
        }
    }
    rooms.sessions.end_any(&gone);
    for (place, id) in places {
        rooms.quotas.gone(place, id);
    }
    Ok(())
}
