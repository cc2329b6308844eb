//! Key exchanges that wait for their confirmation, by certificates that prove
//! nothing any more or for a key that is compromised: they are ended. The key
//! that waited does nothing, and is destroyed when its wait is over.

use std::collections::HashSet;

use skms_crypto::hash::sha256;
use skms_keys::VersionRef;
use skms_store::{Change, Kind};

use super::cascade::Work;
use super::ledger::count;
use crate::error::{Error, Result};
use crate::places::{self, SYSTEM_SCOPE};
use crate::records::exchange::ExchangeRecord;
use crate::records::incident::Touched;
use crate::sessions::hex;

/// How often it is looked again when one was confirmed or ended meanwhile.
const TRIES: usize = 8;

/// Ends what waits by these certificates (SHA-256 of each), or for the key.
pub(super) async fn end(
    work: &mut Work<'_>,
    of: VersionRef,
    certificates: &HashSet<String>,
) -> Result<()> {
    for _ in 0..TRIES {
        match once(work, of, certificates).await {
            Err(Error::Conflict) => {}
            other => return other,
        }
    }
    Err(Error::Busy)
}

async fn once(work: &mut Work<'_>, of: VersionRef, certificates: &HashSet<String>) -> Result<()> {
    let store = &work.entry.rooms.store;
    let waiting = places::all::<ExchangeRecord>(store, SYSTEM_SCOPE).await?;
    let (mut changes, mut touched) = (Vec::new(), Vec::new());
    for (id, expected, record) in waiting {
        let key = record.id == of.key.to_string();
        let mut by = record.stands_on();
        let by = by.any(|der| certificates.contains(&hex(&sha256(&[der]))));
        let entry = Touched {
            kind: "exchange".to_owned(),
            id: id.to_string(),
            name: match record.namespace == work.ledger.record.namespace {
                true => format!("{}/{}/{}", record.namespace, record.keyring, record.key),
                // The names of its keys are a tenant's own business.
                false => record.namespace.clone(),
            },
            version: None,
            how: Some("waits".to_owned()),
            under: Some(of.to_string()),
            outcome: "ended".to_owned(),
            owner: None,
            rotates: false,
            detail: None,
        };
        if (key || by) && !work.ledger.has_other(&entry.kind, &entry.id) {
            changes.push(Change::Delete {
                namespace: SYSTEM_SCOPE,
                kind: Kind::Exchange,
                id,
                expected,
            });
            touched.push(entry);
        }
    }
    if touched.is_empty() || work.dry.is_some() {
        return work.note(touched).await;
    }
    let event = work.event(&touched)?;
    let counted = count(&touched);
    let (more, record, done) = work.ledger.enter(touched, counted)?.split();
    changes.extend(more);
    work.commit(changes, event, true).await?;
    work.ledger.committed(record, done);
    Ok(())
}
