//! OCSP responses signed ahead of being asked for (RFC 5019): of every
//! certificate that has not ended, where an authority wants it, so that a
//! responder's answer never waits for a key.

use std::sync::Arc;

use skms_keys::UnixSeconds;
use skms_pki::Certificate;
use skms_pki::issue::Serial;
use skms_pki::issue::ocsp::{CertIdBuf, CertIdHash};
use skms_store::{Kind, RecordId};

use super::ocsp::{Signing, known_status};
use crate::acts::authorities::unreadable;
use crate::authority::{Authority, Issuer};
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::certificate::CertificateRecord;

/// Certificates that one step reads, signs for and tells of.
const STEP: usize = 128;
/// Into how many parts the time of a response is divided: a walk begins with
/// each, and what is older than half of its time is signed anew.
const WALKS: u64 = 8;

impl Engine {
    /// Signs ahead what is due of every authority that wants it. Returns how
    /// many responses it signed.
    ///
    /// # Errors
    /// [`Error::Sealed`]; the first that an issuer ran into, after every other
    /// issuer had its turn.
    pub async fn presign_due(&self) -> Result<u64> {
        let entry = self.enter(&Caller::system("ocsp")?)?;
        let (mut signed, mut trouble) = (0, None);
        for authority in entry.rooms.authorities.all() {
            if !authority.rules.ocsp_presign {
                continue;
            }
            for issuer in &authority.issuers {
                let every = authority.rules.ocsp_seconds / WALKS;
                if !issuer.published.walk_begins(entry.now(), every) {
                    continue;
                }
                match walk(&entry, &authority, issuer).await {
                    Ok(count) => signed += count,
                    Err(Error::StateForbids { .. } | Error::Key(_) | Error::Pki(_)) => {}
                    Err(Error::Sealed) => return Err(Error::Sealed),
                    Err(other) => {
                        issuer.published.walk_failed();
                        trouble = trouble.or(Some(other));
                    }
                }
            }
        }
        trouble.map_or(Ok(signed), Err)
    }
}

/// Walks over the certificates of an issuer, for as many responses as are kept.
async fn walk(entry: &Entry, authority: &Authority, issuer: &Issuer) -> Result<u64> {
    let (mut after, mut signed) = (None, 0);
    while !issuer.published.is_full() {
        let page = entry
            .rooms
            .store
            .scan(authority.namespace.0, Kind::Certificate, after, STEP)
            .await?;
        let Some(last) = page.last() else { break };
        after = Some::<RecordId>(last.id);
        let mut wanted = Vec::new();
        for stored in &page {
            let record: CertificateRecord = records::decode(stored.plaintext.expose())?;
            if record.authority == authority.id_text() && record.issuer == issuer.number {
                wanted.extend(unsigned(&record, issuer, entry.now())?);
            }
        }
        signed += sign(entry, authority, issuer, wanted).await?;
        tokio::task::yield_now().await;
    }
    Ok(signed)
}

/// The certificate, unless it has ended or a response about it is young.
fn unsigned(
    record: &CertificateRecord,
    issuer: &Issuer,
    now: UnixSeconds,
) -> Result<Option<(CertIdBuf, Serial)>> {
    let certificate = Certificate::from_der(&record.certificate.0).map_err(unreadable)?;
    let serial = Serial::from_contents(certificate.serial())?;
    let pki = &issuer.pki;
    // The one that clients name certificates by (RFC 5019).
    let id = CertIdBuf::new(CertIdHash::Sha1, pki.name.as_der(), &pki.spki, &serial)?;
    let known = certificate.not_after().0 < now.0 || issuer.published.response(&id, now).is_some();
    Ok((!known).then_some((id, serial)))
}

async fn sign(
    entry: &Entry,
    authority: &Authority,
    issuer: &Issuer,
    wanted: Vec<(CertIdBuf, Serial)>,
) -> Result<u64> {
    if wanted.is_empty() {
        return Ok(0);
    }
    let count = wanted.len() as u64;
    let signing = Signing::take(entry, authority, issuer, count).await?;
    let mut signed = Vec::with_capacity(wanted.len());
    for (id, serial) in wanted {
        let epoch = issuer.revoked.epoch();
        let answers = [(id, known_status(issuer, &serial))];
        let response = signing.sign(entry, authority, &answers, None).await?;
        let [(id, _)] = answers;
        signed.push((id, serial, Arc::new(response), epoch));
    }
    // Told of before anybody is given one.
    signing.record(entry, authority, count).await?;
    for (id, serial, response, epoch) in signed {
        let current = || issuer.revoked.epoch() == epoch;
        issuer.published.keep(id, serial, response, current);
    }
    Ok(count)
}
