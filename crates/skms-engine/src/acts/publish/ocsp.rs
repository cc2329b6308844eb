//! OCSP (RFC 6960): an answer that was signed before is given again; others are
//! signed by the delegate that the authority has, or by its own key.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::{RevocationReason, UnixSeconds};
use skms_pki::issue::Serial;
use skms_pki::issue::ocsp::{Answer, CertIdBuf, Responder, failure};
use skms_pki::ocsp::{CertId, Failure, OcspRequest, SingleStatus};
use skms_store::Kind;

use super::{Publish, find};
use crate::authority::issuing::moment;
use crate::authority::published::Document;
use crate::authority::signer::Signer;
use crate::authority::{Authority, Issuer, lists};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::records::authority::SigningKeyRecord;
use crate::records::certificate::serial_name;
use crate::sessions::hex;

/// The most certificates of one OCSP request.
const ASKED_MAX: usize = 16;

/// What an OCSP responder answers.
pub enum OcspAnswer {
    /// A signed response.
    Signed(Arc<Document>),
    /// Why there is none: an unsigned response.
    Refused(Vec<u8>),
}

impl Engine {
    /// Answers an OCSP request (DER) for an issuer (RFC 6960). What was signed
    /// before is given again until half of its time is over; with a nonce it
    /// is signed anew. `may_sign` is asked before a key is used.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an issuer that does not exist; those of
    /// `may_sign`. Everything else is an answer.
    pub async fn ocsp(
        &self,
        (namespace, name, number): (&str, &str, u32),
        request: &[u8],
        may_sign: impl FnOnce() -> Result<()>,
    ) -> Result<OcspAnswer> {
        let rooms = match self.rooms() {
            Ok(rooms) => rooms,
            Err(_) => return Ok(OcspAnswer::Refused(failure(Failure::TryLater))),
        };
        let (authority, issuer) = find(&rooms, namespace, name, number)?;
        let refused = |why| Ok(OcspAnswer::Refused(failure(why)));
        let Ok(asked) = OcspRequest::from_der(request) else {
            return refused(Failure::MalformedRequest);
        };
        if asked.unknown_critical || asked.requests.len() > ASKED_MAX {
            return refused(Failure::MalformedRequest);
        }
        if let ([one], None) = (asked.requests.as_slice(), asked.nonce) {
            let id = CertIdBuf::from(one);
            if let Some(ready) = issuer.published.response(&id, rooms.clock.now()) {
                return Ok(OcspAnswer::Signed(ready));
            }
        }
        let own = issuer.certificate()?;
        let ours = |id: &CertId<'_>| id.names_issuer(&own) == Some(true);
        if !asked.requests.iter().all(ours) {
            return refused(Failure::Unauthorized);
        }
        may_sign()?;
        match respond(self, &authority, &issuer, &asked).await {
            Ok(response) => Ok(OcspAnswer::Signed(response)),
            Err(_) => refused(Failure::TryLater),
        }
    }
}

/// Whoever signs an issuer's responses, with its key in use.
pub(super) struct Signing {
    key: Authorized<Publish, KeyTarget>,
    signer: Signer,
    responder: Responder,
}

impl Signing {
    /// The issuer's delegate, where it has one whose certificate and key are
    /// good, else the issuer itself; for so many responses.
    ///
    /// # Errors
    /// What the key's state or limits say.
    pub(super) async fn take(
        entry: &Entry,
        authority: &Authority,
        issuer: &Issuer,
        responses: u64,
    ) -> Result<Self> {
        if let Some(delegate) = &issuer.delegate
            && authority.record.rules.ocsp_signer.as_ref() == Some(&delegate.key)
            && delegate.is_good(issuer, entry.now())
        {
            let responder = Responder::delegated(delegate.certificate.clone(), delegate.scheme()?)?;
            let taken = Self::with(entry, authority, &delegate.key, responder, responses).await;
            // One that is suspended does not stop what its authority can say.
            if taken.is_ok() {
                return taken;
            }
        }
        let responder = Responder::authority(&issuer.pki)?;
        Self::with(entry, authority, &issuer.key, responder, responses).await
    }

    async fn with(
        entry: &Entry,
        authority: &Authority,
        record: &SigningKeyRecord,
        responder: Responder,
        responses: u64,
    ) -> Result<Self> {
        let key = super::key_of(entry, authority, record)
            .await?
            .ok_or(Error::NotFound { what: "key" })?;
        let signer = Signer::take_many(entry, &key, record, responses).await?;
        Ok(Self {
            key,
            signer,
            responder,
        })
    }

    /// Signs what is said about these certificates now.
    pub(super) async fn sign(
        &self,
        entry: &Entry,
        authority: &Authority,
        answers: &[(CertIdBuf, SingleStatus)],
        nonce: Option<&[u8]>,
    ) -> Result<Document> {
        let now = entry.rooms.clock.now();
        let seconds = i64::try_from(authority.rules.ocsp_seconds).unwrap_or(i64::MAX);
        let until = UnixSeconds(now.0.saturating_add(seconds));
        let answers: Vec<Answer> = answers
            .iter()
            .map(|(id, status)| Answer {
                id: id.clone(),
                status: *status,
                this_update: moment(now),
                next_update: Some(moment(until)),
                archive_cutoff: None,
            })
            .collect();
        let planned = self.responder.plan(moment(now), &answers, nonce)?;
        let signature = self.signer.sign(entry, planned.tbs()).await?;
        Ok(Document::new(planned.signed(&signature)?, now, until))
    }

    /// Tells of so many certificates that something was signed about.
    pub(super) async fn record(
        &self,
        entry: &Entry,
        authority: &Authority,
        count: u64,
    ) -> Result<()> {
        let event = EventDraft::of_key(entry, &self.key, Outcome::Success)?
            .authority(authority)
            .detail(DetailKey::Count, count);
        entry.record(event).await
    }
}

/// Signs an OCSP response, as the server itself.
async fn respond(
    engine: &Engine,
    authority: &Authority,
    issuer: &Issuer,
    asked: &OcspRequest<'_>,
) -> Result<Arc<Document>> {
    let entry = engine.enter(&Caller::system("ocsp")?)?;
    let signing = Signing::take(&entry, authority, issuer, 1).await?;
    // Again, if something changed while it was made.
    for _ in 0..3 {
        let epoch = issuer.revoked.epoch();
        let mut answers = Vec::with_capacity(asked.requests.len());
        for id in &asked.requests {
            let status = status(&entry.rooms, authority, issuer, id).await?;
            answers.push((CertIdBuf::from(id), status));
        }
        let response = signing.sign(&entry, authority, &answers, asked.nonce);
        let response = Arc::new(response.await?);
        signing
            .record(&entry, authority, answers.len() as u64)
            .await?;
        let current = || issuer.revoked.epoch() == epoch;
        // Of what was never issued there is no end: nothing of it is kept.
        let issued = answers
            .iter()
            .all(|(_, status)| *status != SingleStatus::Unknown);
        let kept = match (asked.requests.as_slice(), asked.nonce) {
            ([one], None) if issued => match Serial::from_contents(one.serial) {
                Ok(serial) => {
                    let id = CertIdBuf::from(one);
                    issuer
                        .published
                        .keep(id, serial, Arc::clone(&response), current)
                }
                Err(_) => current(),
            },
            _ => current(),
        };
        if kept {
            return Ok(response);
        }
    }
    Err(Error::Busy)
}

/// What is said of a certificate that was issued.
pub(super) fn known_status(issuer: &Issuer, serial: &Serial) -> SingleStatus {
    match issuer.revoked.get(serial).filter(|entry| entry.stands()) {
        None => SingleStatus::Good,
        Some(entry) => SingleStatus::Revoked {
            date: moment(entry.at),
            reason: (entry.reason != RevocationReason::Unspecified)
                .then(|| lists::reason(entry.reason)),
        },
    }
}

/// What is known about a certificate. Good is said only of what was issued.
async fn status(
    rooms: &Rooms,
    authority: &Authority,
    issuer: &Issuer,
    id: &CertId<'_>,
) -> Result<SingleStatus> {
    let Ok(serial) = Serial::from_contents(id.serial) else {
        return Ok(SingleStatus::Unknown);
    };
    let said = known_status(issuer, &serial);
    if said != SingleStatus::Good {
        return Ok(said);
    }
    let name = serial_name(&authority.id_text(), issuer.number, &hex(serial.as_bytes()));
    let scope = authority.namespace.0;
    let known = rooms.store.find(scope, Kind::Certificate, &name).await?;
    Ok(match known {
        Some(_) => SingleStatus::Good,
        None => SingleStatus::Unknown,
    })
}
