//! Finalizing an order, and handing out its certificate.

use skms_evidence::DetailKey;
use skms_pki::acme::{OrderStatus, names_of};
use skms_pki::issue::{NameBuf, Profile, Serial};
use skms_pki::{Certificate, Csr, oid};
use skms_store::{Change, RecordId};

use super::entering::{Entrant, open};
use super::orders::{self, OrderView, Stored, own};
use super::{Opening, Place, Refusal, damaged};
use crate::acts::authorities::unreadable;
use crate::acts::certificates::{
    Beside, Issue, NewCertificate, ProfileChoice, SubjectKey, View, find, issue,
};
use crate::authority::Authority;
use crate::authority::doors::Door;
use crate::authority::issuing::Draft;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::records::unhex;
use crate::sessions::hex;

/// The order that a certificate is of, written in its batch: there is no
/// certificate without its order knowing, whatever crashes in between.
struct Finalized<'a> {
    authority: &'a Authority,
    order: &'a Stored,
}

impl Beside for Finalized<'_> {
    /// The authority may be closed by now, or open by another profile; and one
    /// of its own may say something else.
    fn admits(&self, authority: &Authority, profile: &ProfileChoice) -> Result<()> {
        let record = authority.record.acme.as_ref();
        record
            .filter(|record| record.profile == profile.name())
            .ok_or(Error::NotFound { what: "authority" })?;
        usable(authority, profile).map(drop)
    }

    fn changes(&self, draft: &Draft) -> Result<Vec<Change>> {
        let mut record = self.order.record.clone();
        OrderStatus::Valid.name().clone_into(&mut record.status);
        record.certificate = Some(hex(draft.serial.as_bytes()));
        let (id, revision) = (self.order.id, self.order.revision);
        Ok(vec![orders::put(
            self.authority,
            id,
            Some(revision),
            &record,
        )?])
    }

    fn event(&self, event: EventDraft) -> EventDraft {
        event.detail(DetailKey::Order, self.order.id.to_string())
    }
}

impl Engine {
    /// Issues the certificate of an order that is ready (RFC 8555, section
    /// 7.4). It is durable, and the order valid, when this returns.
    ///
    /// # Errors
    /// [`Refusal::OrderNotReady`]; [`Refusal::BadCsr`] for a request that is
    /// for other names than the order, or that the profile refuses.
    pub async fn acme_finalize(
        &self,
        place: Place<'_>,
        entrant: &Entrant,
        order: RecordId,
        csr: Vec<u8>,
    ) -> Result<OrderView> {
        let entry = self.enter(&entrant.caller)?;
        let authority = open(&entry.rooms, place)?;
        self.acme_traffic()
            .finalize(entrant.account()?.id, entry.now_ms)?;
        let allowed = entry.authorize_as_account::<Issue>(&authority).await?;
        let done = async {
            let stored = own(&entry, &authority, entrant, order).await?;
            let view = OrderView::of(order, &stored.record, entry.now())?;
            if view.status != OrderStatus::Ready {
                return Err(
                    Refusal::OrderNotReady.because(format!("the order is {}", view.status.name()))
                );
            }
            let record = authority.record.acme.as_ref();
            let opening = Opening::try_from(record.ok_or(Error::NotFound { what: "authority" })?)?;
            let subject = check(&csr, &view, entrant)?;
            let new = NewCertificate {
                profile: opening.profile,
                key: SubjectKey::Request(csr),
                subject: Some(subject),
                names: view
                    .authorizations
                    .iter()
                    .map(|one| one.identifier.alt_name())
                    .collect(),
                lifetime_seconds: None,
            };
            let beside = Finalized {
                authority: &authority,
                order: &stored,
            };
            match issue(&entry, &allowed, place, new, &beside).await {
                Ok(_) => {}
                // What it breaks is said by name; the order stays ready.
                Err(Error::Pki(why)) => return Err(Refusal::BadCsr.because(why.to_string())),
                Err(Error::KeyForbids(why)) => return Err(Refusal::BadCsr.because(why)),
                Err(other) => return Err(other),
            }
            let stored = own(&entry, &authority, entrant, order).await?;
            OrderView::of(order, &stored.record, entry.now())
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// The certificate of an order with those above it (DER), nearest first
    /// and without the root that clients have; by number, other chains to it.
    /// Says too how many other chains there are.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what is none of the account's own, and for an
    /// order that has no certificate yet.
    pub async fn acme_certificate(
        &self,
        place: Place<'_>,
        entrant: &Entrant,
        order: RecordId,
        number: usize,
    ) -> Result<(Vec<Vec<u8>>, usize)> {
        let entry = self.enter(&entrant.caller)?;
        let authority = open(&entry.rooms, place)?;
        let missing = || Error::NotFound {
            what: "certificate",
        };
        let stored = own(&entry, &authority, entrant, order).await?;
        let serial = stored.record.certificate.as_deref().ok_or_else(missing)?;
        let serial = unhex(serial)
            .and_then(|bytes| Serial::from_contents(&bytes).ok())
            .ok_or(damaged("serial number"))?;
        let (_, record) = find(&entry.rooms, &authority, &serial).await?;
        let mut chain = View::of(&authority, &record)?.chain;
        let issuer = authority.issuer(record.issuer);
        let cross = issuer.map_or(&[][..], |issuer| issuer.cross.as_slice());
        if number > 0 {
            // A cross-certificate leads to an authority that others trust.
            let other = cross.get(number - 1).ok_or_else(missing)?.clone();
            chain.truncate(1);
            chain.push(other);
        } else if chain.len() > 1
            && let Some(last) = chain.last()
            && Certificate::from_der(last)
                .map_err(unreadable)?
                .is_self_issued()
        {
            chain.pop();
        }
        Ok((chain, cross.len()))
    }
}

/// The profile by which certificates are given, as it is now; strangers are not told by which
/// others there are.
pub(super) fn usable(authority: &Authority, profile: &ProfileChoice) -> Result<Profile> {
    match authority.profile_at(Door::Acme, profile) {
        Ok((_, profile)) => Ok(profile),
        Err(Error::Invalid(_)) => Err(Refusal::Unauthorized
            .because("nothing is issued here now: the operator has to change the profile")),
        Err(other) => Err(other),
    }
}

/// The subject of the certificate: the request's common name and nothing else
/// of it, since nobody proved anything else.
fn check(csr: &[u8], order: &OrderView, entrant: &Entrant) -> Result<NameBuf> {
    let bad = |why: &str| Refusal::BadCsr.because(why);
    let read = Csr::from_der(csr).map_err(|error| bad(&error.to_string()))?;
    let verified = read.verify().map_err(|error| bad(&error.to_string()))?;
    let names = names_of(&verified).map_err(|error| bad(&error.to_string()))?;
    let ordered = order
        .authorizations
        .iter()
        .map(|one| one.identifier.clone());
    if names != ordered.collect() {
        return Err(bad("its names are not those of the order"));
    }
    let request = verified.csr();
    // RFC 8555, section 11.1: an account key is for nothing else.
    if request.public_key().der == entrant.key.spki() {
        return Err(bad("it is for the account's own key"));
    }
    let mut common = request
        .subject()
        .attributes()
        .filter(|one| one.kind == oid::COMMON_NAME)
        .filter_map(|one| one.text());
    match common.next() {
        None => Ok(NameBuf::empty()),
        Some(text) => NameBuf::common_name(&text.to_ascii_lowercase())
            .map_err(|error| bad(&error.to_string())),
    }
}
