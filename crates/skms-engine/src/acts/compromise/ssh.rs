//! SSH certificates that a compromised version stands behind: those that an
//! authority on it issued, and those of its own public half.
//!
//! The list of an authority whose key is compromised names that key from the
//! batch that marked it on (`acts::ssh::compromised`), and with it all that it
//! ever signed. Those of the public half are revoked here, by the key, so that
//! nothing is certified for it any more either.

use std::sync::Arc;

use skms_keys::VersionRef;

use super::cascade::Work;
use super::ledger::count;
use crate::acts::ssh::{Issued, additions, issued};
use crate::error::Result;
use crate::records::authority::SigningKeyRecord;
use crate::records::incident::Touched;
use crate::records::ssh::SshRevoked;
use crate::sessions::hex;
use crate::ssh::SshAuthority;

/// Certificates that one page has.
const BATCH: usize = 256;

/// Attends to the SSH certificates of a version.
pub(super) async fn certificates(work: &mut Work<'_>, of: VersionRef, spki: &[u8]) -> Result<()> {
    let namespace = work.ledger.record.namespace.clone();
    let rooms = Arc::clone(&work.entry.rooms);
    if rooms.ssh.of(&namespace).is_empty() {
        return Ok(());
    }
    if work.ssh.is_none() {
        let all = issued(&rooms, &namespace, work.entry.now(), usize::MAX);
        work.ssh = Some(all.await?.0);
    }
    let id = of.key.to_string();
    let on = |key: &SigningKeyRecord| key.id == id && key.version == of.version.0;
    let mut by_authority: Vec<Arc<SshAuthority>> = Vec::new();
    let mut touched = Vec::new();
    for one in work.ssh.iter().flatten() {
        let own = one.subject.spki() == spki;
        let how = match on(&one.authority.record.key) {
            true => "issued",
            false if own => "certifies",
            false => continue,
        };
        if own && by_authority.iter().all(|by| by.id != one.authority.id) {
            by_authority.push(Arc::clone(&one.authority));
        }
        let entry = shown(one, how, of);
        if !work.ledger.has_other(&entry.kind, &entry.id) {
            touched.push(entry);
        }
    }
    if work.dry.is_none() {
        for authority in by_authority {
            revoke(work, &authority, spki).await?;
        }
    }
    while !touched.is_empty() {
        let rest = touched.split_off(touched.len().min(BATCH));
        work.tell(std::mem::replace(&mut touched, rest)).await?;
    }
    Ok(())
}

fn shown(one: &Issued, how: &str, of: VersionRef) -> Touched {
    Touched {
        kind: "ssh-certificate".to_owned(),
        id: one.id(),
        name: one.name(),
        version: None,
        how: Some(how.to_owned()),
        under: Some(of.to_string()),
        outcome: "revoked".to_owned(),
        owner: None,
        rotates: false,
        detail: Some(format!("role {}, issued to {}", one.role, one.issued_to)),
    }
}

/// Has an authority's list name a public key, if it does not yet.
async fn revoke(work: &mut Work<'_>, authority: &Arc<SshAuthority>, spki: &[u8]) -> Result<()> {
    let rooms = Arc::clone(&work.entry.rooms);
    let key = skms_pki::ssh::PublicKey::from_spki(spki).map_err(crate::acts::ssh::refused)?;
    let what = vec![SshRevoked::Key(hex(&key.sha256()))];
    let (at, by) = (work.entry.now().0, work.ledger.record.by.clone());
    let guard = rooms.lock_changes().await;
    let (new, mut changes) = additions(&rooms, authority, what, (at, &by)).await?;
    if new.is_empty() {
        return Ok(());
    }
    let event = work.event(&[])?;
    let (more, record, done) = work.ledger.enter(Vec::new(), count(&[]))?.split();
    changes.extend(more);
    let committed = match rooms.recorder.commit(changes, &event, true).await {
        Ok(committed) => committed,
        Err(error) => {
            drop(guard);
            rooms.reread(&error).await;
            return Err(error);
        }
    };
    authority.revoked.take(&new)?;
    drop(guard);
    work.ledger.committed(record, done);
    rooms.recorder.settle(committed).await
}
