//! What stands on a compromised version beside other keys: its certificates,
//! authorities and what they issued, and the tokens of whoever signed in by
//! those certificates.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use skms_crypto::hash::sha256;
use skms_keys::{RevocationReason, UnixSeconds, VersionRef};
use skms_pki::Certificate;
use skms_pki::issue::{ProfileKind, Serial};
use skms_store::{Change, Kind, RecordId};

use super::cascade::Work;
use super::ledger::count;
use super::{exchanges, ssh, tokens, walk};
use crate::acts::authorities::unreadable;
use crate::acts::certificates::{Reached, Verdict, revoke_issued};
use crate::authority::issuing::key_name;
use crate::authority::{Authority, Issuer};
use crate::error::Result;
use crate::records;
use crate::records::authority::SigningKeyRecord;
use crate::records::certificate::{CertificateRecord, CertifiedKeyRecord, serial_name};
use crate::records::incident::Touched;
use crate::sessions::certified::named;
use crate::sessions::hex;

/// Certificates that one batch revokes.
const BATCH: usize = 32;
/// Records that one step reads.
const STEP: usize = 256;

/// Attends to what stands on a version that is compromised.
pub(super) async fn key(work: &mut Work<'_>, of: VersionRef) -> Result<()> {
    let rooms = Arc::clone(&work.entry.rooms);
    let Some((key, _)) = walk::read(&rooms, work.ledger.scope, of.key).await? else {
        return Ok(());
    };
    let Some(spki) = key.version(of.version)?.public_spki.clone() else {
        return exchanges::end(work, of, &HashSet::new()).await;
    };
    let namespace = work.ledger.record.namespace.clone();
    let mut proofs = Proofs::default();
    let own = certificates_of(work, &spki, of, &mut proofs).await?;
    work.note(own).await?;
    let id = of.key.to_string();
    let mut stopped = Vec::new();
    for authority in rooms.authorities.of(&namespace) {
        let issues =
            |issuer: &&Arc<Issuer>| issuer.key.id == id && issuer.key.version == of.version.0;
        let issuers: Vec<_> = authority.issuers.iter().filter(issues).cloned().collect();
        if issuers.is_empty() {
            continue;
        }
        let name = format!("{namespace}/{}", authority.record.name);
        stopped.push(stands_on("authority", &authority.id_text(), name, of));
        for issuer in issuers {
            issued(work, &authority, &issuer, &mut proofs).await?;
        }
    }
    let meant = |key: &SigningKeyRecord| key.id == id && key.version == of.version.0;
    for authority in rooms.ssh.of(&namespace) {
        if meant(&authority.record.key) {
            let name = format!("{namespace}/{}", authority.record.name);
            stopped.push(stands_on("ssh-authority", &authority.id_text(), name, of));
        }
    }
    if let Some(tsa) = rooms.tsas.on_key(&namespace, &id) {
        let name = format!("{namespace}/{}", tsa.record.name);
        stopped.push(stands_on("tsa", &tsa.id.to_string(), name, of));
    }
    stopped.retain(|one| !work.ledger.has_other(&one.kind, &one.id));
    work.note(stopped).await?;
    tokens::revoke(work, &proofs.principals).await?;
    exchanges::end(work, of, &proofs.certificates).await?;
    ssh::certificates(work, of, &spki).await
}

/// What proves nothing any more.
#[derive(Default)]
struct Proofs {
    /// SHA-256 of the certificates, in hex.
    certificates: HashSet<String>,
    /// Principals whom they let in.
    principals: BTreeSet<String>,
}

fn stands_on(kind: &str, id: &str, name: String, of: VersionRef) -> Touched {
    Touched {
        kind: kind.to_owned(),
        id: id.to_owned(),
        name,
        version: None,
        how: Some("stands-on".to_owned()),
        under: Some(of.to_string()),
        outcome: "stopped".to_owned(),
        owner: None,
        rotates: false,
        detail: None,
    }
}

fn certificate((record, serial): (&CertificateRecord, &str), how: &str, under: String) -> Touched {
    Touched {
        kind: "certificate".to_owned(),
        id: format!("{}/{serial}", record.authority),
        name: serial.to_owned(),
        version: None,
        how: Some(how.to_owned()),
        under: Some(under),
        outcome: "revoked".to_owned(),
        owner: None,
        rotates: false,
        detail: Some(format!(
            "profile {}, issued to {}",
            record.profile, record.issued_to
        )),
    }
}

/// The certificates of a public key. The batch that marked its version revoked
/// them.
async fn certificates_of(
    work: &Work<'_>,
    spki: &[u8],
    of: VersionRef,
    proofs: &mut Proofs,
) -> Result<Vec<Touched>> {
    let (rooms, scope) = (&work.entry.rooms, work.ledger.scope);
    let found = rooms
        .store
        .find(scope, Kind::CertifiedKey, &key_name(spki))
        .await?;
    let Some(stored) = found else {
        return Ok(Vec::new());
    };
    let known: CertifiedKeyRecord = records::decode(stored.plaintext.expose())?;
    let mut all = Vec::new();
    for one in known.certificates {
        let name = serial_name(&one.authority, one.issuer, &one.serial);
        let Some(stored) = rooms.store.find(scope, Kind::Certificate, &name).await? else {
            continue;
        };
        let record: CertificateRecord = records::decode(stored.plaintext.expose())?;
        proofs.take(&record, &work.ledger.record.namespace)?;
        let touched = certificate((&record, &one.serial), "certifies", of.to_string());
        if !work.ledger.has_other(&touched.kind, &touched.id) {
            all.push(touched);
        }
    }
    Ok(all)
}

impl Proofs {
    /// Adds a certificate, and the principal that it lets in.
    fn take(&mut self, record: &CertificateRecord, namespace: &str) -> Result<()> {
        let der = &record.certificate.0;
        self.certificates.insert(hex(&sha256(&[der])));
        if record.profile == ProfileKind::Principal.name() {
            let read = Certificate::from_der(der).map_err(unreadable)?;
            self.principals
                .extend(named(&read, namespace).map(str::to_owned));
        }
        Ok(())
    }
}

/// Revokes what an issuer whose key is compromised issued, and ends the sessions
/// on it. No list by that key says so any more; what is asked of this server
/// does.
async fn issued(
    work: &mut Work<'_>,
    authority: &Authority,
    issuer: &Issuer,
    proofs: &mut Proofs,
) -> Result<()> {
    let (rooms, scope) = (Arc::clone(&work.entry.rooms), work.ledger.scope);
    let id = authority.id_text();
    let mut after = None;
    loop {
        let page = rooms
            .store
            .scan(scope, Kind::Certificate, after, STEP)
            .await?;
        let last = page.len() < STEP;
        after = page.last().map(|record| record.id);
        let mut ours = Vec::new();
        for stored in page {
            let record: CertificateRecord = records::decode(stored.plaintext.expose())?;
            if record.authority == id && record.issuer == issuer.number {
                proofs.take(&record, &authority.namespace_name)?;
                ours.push((stored.id, record));
            }
        }
        for chunk in ours.chunks(BATCH) {
            revoke_all(work, chunk).await?;
        }
        if last {
            return Ok(());
        }
    }
}

async fn revoke_all(work: &mut Work<'_>, chunk: &[(RecordId, CertificateRecord)]) -> Result<()> {
    let rooms = Arc::clone(&work.entry.rooms);
    let namespace = work.ledger.record.namespace.clone();
    if work.dry.is_some() {
        let mut touched = Vec::new();
        for (_, record) in chunk {
            touched.extend(of_issuer(work, record)?);
        }
        return work.note(touched).await;
    }
    let verdict = Verdict {
        reason: RevocationReason::CaCompromise,
        at: work.entry.now(),
        invalid_since: work.ledger.record.since.map(UnixSeconds),
    };
    let guard = rooms.lock_revocations().await;
    let (mut reached, mut touched) = (Reached::default(), Vec::new());
    for (id, record) in chunk {
        revoke_issued(&rooms, &namespace, (*id, record), verdict, &mut reached).await?;
        touched.extend(of_issuer(work, record)?);
    }
    if touched.is_empty() && reached.len() == 0 {
        return Ok(());
    }
    let mut changes: Vec<Change> = std::mem::take(&mut reached.changes);
    let event = work.event(&touched)?;
    let counted = count(&touched);
    let (more, record, done) = work.ledger.enter(touched, counted)?.split();
    changes.extend(more);
    let committed = rooms.recorder.commit(changes, &event, true).await;
    let committed = match committed {
        Ok(committed) => committed,
        Err(error) => {
            drop(guard);
            rooms.reread(&error).await;
            return Err(error);
        }
    };
    reached.put_in_force(&rooms, &committed.revisions);
    drop(guard);
    work.ledger.committed(record, done);
    rooms.recorder.settle(committed).await
}

/// A certificate of an issuer whose key is compromised, unless it was come to
/// before.
fn of_issuer(work: &Work<'_>, record: &CertificateRecord) -> Result<Option<Touched>> {
    let read = Certificate::from_der(&record.certificate.0).map_err(unreadable)?;
    let serial = Serial::from_contents(read.serial())?;
    let serial = hex(serial.as_bytes());
    let under = format!("{}/{}", record.authority, record.issuer);
    let one = certificate((record, &serial), "issued", under);
    Ok((!work.ledger.has_other(&one.kind, &one.id)).then_some(one))
}
