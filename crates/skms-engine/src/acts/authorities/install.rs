//! Gives an authority a certificate that was issued elsewhere: its first one,
//! one for a newer version of its key, or one more for the same.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_pki::Certificate;
use skms_pki::signature::{Standard, Verify as _};
use skms_store::{Change, Kind};

use super::create::spki;
use super::{Install, View, unreadable};
use crate::authority::{Authority, load};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::authority::{AuthorityRecord, IssuerRecord, SigningKeyRecord};
use crate::records::der::Der;

/// The most certificates of a chain.
const CHAIN_MAX: usize = 16;

impl Engine {
    /// Installs a certificate with those above it (DER), nearest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is for another name or key, is no authority's,
    /// or is not signed by the next one of the chain.
    pub async fn install_authority_certificate(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        chain: Vec<Vec<u8>>,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Install>(entry.authority_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let authority = entry.authority(namespace, name)?;
            let key = entry
                .authority_key::<Install>(&authority, &authority.record.key)
                .await?;
            let snapshot = key.target().snapshot();
            let signing = check(
                &authority,
                &spki(&key, &authority.record.key)?,
                &chain,
                &entry,
            )?;
            let mut record = authority.record.clone();
            let mut chain = chain.into_iter().map(Der);
            let certificate = chain
                .next()
                .ok_or(Error::Internal("a chain that was checked"))?;
            if signing == record.key {
                record.request = None;
            }
            add(&mut record, &signing, certificate, chain.collect());
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?.also_key(&snapshot);
            put(&entry, guard, &authority, record, Vec::new(), event).await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

/// Adds a certified key. One that is certified already gets a newer certificate in place of the old, which goes on as a cross-certificate until
/// it ends.
pub(super) fn add(
    record: &mut AuthorityRecord,
    key: &SigningKeyRecord,
    certificate: Der,
    chain: Vec<Der>,
) -> u32 {
    if let Some(known) = record.issuers.iter_mut().find(|one| one.key == *key) {
        let before = std::mem::replace(&mut known.certificate, certificate);
        if before != known.certificate && !known.cross.contains(&before) {
            known.cross.push(before);
        }
        known.chain = chain;
        return known.number;
    }
    let number = record.issuers.last().map_or(1, |last| last.number + 1);
    record.issuers.push(IssuerRecord {
        number,
        key: key.clone(),
        certificate,
        chain,
        cross: Vec::new(),
        ocsp: None,
    });
    number
}

/// Commits an authority's new record, first of the batch.
pub(crate) async fn put(
    entry: &Entry,
    held: impl Send + 'static,
    authority: &Arc<Authority>,
    record: AuthorityRecord,
    also: Vec<Change>,
    event: EventDraft,
) -> Result<View> {
    let mut changes = vec![Change::Put {
        namespace: authority.namespace.0,
        kind: Kind::Authority,
        id: authority.id,
        name: Some(record.name.clone()),
        expected: Some(authority.revision),
        plaintext: records::encode(&record)?,
    }];
    changes.extend(also);
    let before = Arc::clone(authority);
    entry
        .change(held, changes, event, move |rooms, revisions| {
            let known = |number| before.known(number);
            let after = load::authority(
                before.id,
                revisions.first().copied().unwrap_or_default(),
                before.namespace,
                Arc::clone(&before.namespace_name),
                record,
                known,
            )?;
            let view = View::try_from(&after)?;
            let more = after.issuers.len() > before.issuers.len();
            rooms.authorities.put(after);
            if more {
                // As for an authority that is made.
                rooms.sessions.end_any(&rooms.trusts.ids());
            }
            Ok(view)
        })
        .await
}

/// Which of the authority's keys the chain's first certificate is for: the
/// newest or one that is certified already. Everything else about it is as an
/// authority's must be.
fn check(
    authority: &Authority,
    newest: &[u8],
    chain: &[Vec<u8>],
    entry: &Entry,
) -> Result<SigningKeyRecord> {
    let bad = |text: &str| Error::Invalid(text.to_owned());
    if chain.is_empty() || chain.len() > CHAIN_MAX {
        return Err(bad("the chain is of 1 to 16 certificates"));
    }
    let chain: Vec<Certificate<'_>> = chain
        .iter()
        .map(|der| Certificate::from_der(der).map_err(unreadable))
        .collect::<Result<_>>()?;
    let own = chain.first().ok_or_else(|| bad("an empty chain"))?;
    if own.subject().as_der() != authority.record.subject.0 {
        return Err(bad("the certificate is for another name"));
    }
    if !own.is_ca() {
        return Err(bad("the certificate is no authority's"));
    }
    if own.not_after().0 <= entry.now().0 {
        return Err(bad("the certificate has ended"));
    }
    for pair in chain.windows(2) {
        let [below, above] = pair else { continue };
        let named = below.issuer().matches(above.subject());
        let signed = Standard.verify(above.public_key(), below.signed()).is_ok();
        if !named || !above.is_ca() || !signed {
            return Err(bad(
                "each certificate of the chain is signed by the one after it",
            ));
        }
    }
    let spki = own.public_key().der;
    if spki == newest {
        return Ok(authority.record.key.clone());
    }
    authority
        .issuers
        .iter()
        .find(|issuer| issuer.pki.spki == spki)
        .map(|issuer| issuer.key.clone())
        .ok_or_else(|| bad("the certificate is for another key"))
}
