//! Delegated OCSP signers (RFC 6960, section 4.2.2.2): the certificate of the
//! key that an authority lets sign its responses. It is issued as every other,
//! lasts two weeks, and is issued anew when two thirds of that are over.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_pki::issue::{ProfileKind, Request};
use tokio::sync::OwnedMutexGuard;

use super::{Publish, key_of};
use crate::acts::authorities::{put, unreadable};
use crate::authority::issuing::{self, Wanted};
use crate::authority::signer::Signer;
use crate::authority::{Authority, Issuer};
use crate::draft::EventDraft;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::opened::lock_key;
use crate::records::authority::{DelegateRecord, SigningKeyRecord};
use crate::records::certificate::SubjectKeyRecord;

/// Whether an issuer of the authority wants a delegate's certificate.
pub(super) fn due(entry: &Entry, authority: &Authority, issuer: &Issuer) -> bool {
    let Some(wanted) = &authority.record.rules.ocsp_signer else {
        return false;
    };
    issuer.delegate.as_ref().is_none_or(|delegate| {
        // One that was revoked or is on hold stays so until the key is set
        // again: whoever did that did not mean two weeks more.
        delegate.key != *wanted || !delegate.is_withdrawn(issuer) && delegate.is_old(entry.now())
    })
}

/// Issues it, and writes it into the authority's record in the same batch.
pub(super) async fn provide(entry: &Entry, authority: &Authority, number: u32) -> Result<()> {
    let guard = entry.rooms.lock_changes().await;
    let found = entry
        .rooms
        .authorities
        .by_id(&authority.namespace_name, &authority.id_text());
    let Some(authority) = found else {
        return Ok(());
    };
    let (Some(issuer), Some(wanted)) = (
        authority.issuer(number),
        authority.record.rules.ocsp_signer.clone(),
    ) else {
        return Ok(());
    };
    if !due(entry, &authority, issuer) {
        return Ok(());
    }
    let Some(key) = key_of(entry, &authority, &issuer.key).await? else {
        return Ok(());
    };
    let signer = Signer::take(entry, &key, &issuer.key).await?;
    let (spki, locked) = spki(entry, &authority, &wanted).await?;
    let profile = ProfileKind::OcspSigner.profile();
    let request = Request::new("CN=OCSP signer".parse().map_err(unreadable)?, spki);
    let wish = Wanted {
        kind: ProfileKind::OcspSigner,
        named: None,
        profile: &profile,
        request: &request,
        subject_key: Some(SubjectKeyRecord::from(&wanted)),
    };
    let draft = issuing::issue(entry, (&authority, issuer), &signer, wish).await?;
    let event = EventDraft::of_key(entry, &key, Outcome::Success)?
        .authority(&authority)
        .certificate(&draft);
    let mut record = authority.record.clone();
    let place = record.issuers.iter_mut().find(|one| one.number == number);
    let place = place.ok_or(Error::Internal("an issuer without a record"))?;
    place.ocsp = Some(DelegateRecord {
        certificate: draft.record.certificate.clone(),
        key: wanted,
    });
    put(
        entry,
        (guard, signer, locked),
        &authority,
        record,
        draft.changes,
        event,
    )
    .await
    .map(drop)
}

/// The delegate's public key, as long as its version may sign, with the lock
/// under which that stays so.
async fn spki(
    entry: &Entry,
    authority: &Arc<Authority>,
    wanted: &SigningKeyRecord,
) -> Result<(Vec<u8>, OwnedMutexGuard<()>)> {
    let Some(key) = key_of(entry, authority, wanted).await? else {
        return Err(Error::KeyForbids("the OCSP signer's key is gone".into()));
    };
    // It signs nothing here; a key that may not sign gets no certificate.
    let (_, locked) = lock_key(&entry.rooms, key.target()).await?;
    Signer::may::<Publish>(&key, wanted, entry.now())?;
    Ok((crate::acts::authorities::spki(&key, wanted)?, locked))
}
