//! Certifies another authority: one of the namespace, which gets a
//! cross-certificate, or any by its request.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_pki::Csr;
use skms_pki::issue::{ProfileKind, Request};
use skms_store::Change;

use super::create::waiting;
use super::{Certify, Extent, Update, profile, span, unreadable};
use crate::acts::certificates;
use crate::authority::issuing::{self, Draft, Wanted};
use crate::authority::load;
use crate::authority::signer::Signer;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::idempotency::Once;
use crate::records;
use crate::records::authority::AuthorityRecord;
use crate::records::certificate::CertificateRecord;
use crate::records::der::Der;
use crate::weak::Lenience;

/// Who is to be certified.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An authority of the namespace, by name.
    Authority(String),
    /// Whoever made this certification request (DER).
    Request(Vec<u8>),
}

impl Engine {
    /// Certifies another authority.
    ///
    /// # Errors
    /// [`Error::Pki`] for a request whose proof of possession does not hold,
    /// and for what cannot stand below this authority.
    pub async fn certify_authority(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        subject: Subject,
        extent: Extent,
    ) -> Result<certificates::View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Certify>(entry.authority_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let authority = entry.authority(namespace, name)?;
            let issuer = authority.current().ok_or_else(|| waiting(&authority))?;
            let key = entry
                .authority_key::<Certify>(&authority, &issuer.key)
                .await?;
            let claim = match entry
                .once::<CertificateRecord>(authority.namespace.0)
                .await?
            {
                Once::First(claim) => claim,
                Once::Again(id, record) => {
                    entry.record_again(&allowed, id).await?;
                    return certificates::View::of(&authority, &record);
                }
            };
            let profile = profile(ProfileKind::Intermediate, &extent);
            let mut request = request(&entry, namespace, &subject).await?;
            (request.not_before, request.not_after) =
                span(&profile, entry.now(), extent.lifetime_seconds);
            let signer = Signer::take(&entry, &key, &issuer.key).await?;
            let wanted = Wanted {
                kind: ProfileKind::Intermediate,
                named: None,
                profile: &profile,
                request: &request,
                subject_key: None,
            };
            let mut draft = issuing::issue(&entry, (&authority, issuer), &signer, wanted).await?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .also_key(&key.target().snapshot())
                .certificate(&draft);
            let crossed = match &subject {
                Subject::Authority(other) => Some(cross(&entry, namespace, other, &mut draft)?),
                Subject::Request(_) => None,
            };
            draft
                .changes
                .extend(claim.remember(draft.id, &draft.record)?);
            let Draft {
                changes, record, ..
            } = draft;
            let view = certificates::View::of(&authority, &record)?;
            let at = 2;
            entry
                .change(
                    (guard, claim, signer),
                    changes,
                    event,
                    move |rooms, revisions| {
                        if let Some((other, record)) = crossed {
                            let revision = revisions.get(at).copied().unwrap_or_default();
                            let known = |number| other.known(number);
                            rooms.authorities.put(load::authority(
                                other.id,
                                revision,
                                other.namespace,
                                Arc::clone(&other.namespace_name),
                                record,
                                known,
                            )?);
                        }
                        Ok(view)
                    },
                )
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

/// What is to be certified.
async fn request(entry: &Entry, namespace: &str, subject: &Subject) -> Result<Request> {
    match subject {
        Subject::Request(der) => {
            let csr = Csr::from_der(der).map_err(unreadable)?;
            let verified = csr.verify().map_err(unreadable)?;
            let spki = verified.csr().public_key().der;
            entry.admit_public(spki, Lenience::None).await?;
            Ok(Request::from_csr(&verified)?)
        }
        Subject::Authority(name) => {
            let allowed = entry
                .authorize::<Update>(entry.authority_target(namespace, name))
                .await?;
            let other = entry.authority(namespace, name);
            let other = entry.failed(&allowed, other).await?;
            let issuer = other.current().ok_or_else(|| waiting(&other))?;
            Ok(Request::cross(&issuer.certificate()?))
        }
    }
}

type Crossed = (Arc<crate::authority::Authority>, AuthorityRecord);

/// Adds the certificate to those of the authority that it is for; its change
/// comes third.
fn cross(entry: &Entry, namespace: &str, name: &str, draft: &mut Draft) -> Result<Crossed> {
    let other = entry.authority(namespace, name)?;
    let mut record = other.record.clone();
    let current = record
        .issuers
        .last_mut()
        .ok_or(Error::Internal("an authority without an issuer"))?;
    current.cross.push(Der(draft.record.certificate.0.clone()));
    draft.changes.push(Change::Put {
        namespace: other.namespace.0,
        kind: skms_store::Kind::Authority,
        id: other.id,
        name: Some(record.name.clone()),
        expected: Some(other.revision),
        plaintext: records::encode(&record)?,
    });
    Ok((other, record))
}
