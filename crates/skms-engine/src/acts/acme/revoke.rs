//! Revocation by whoever has the account or the certificate's key (RFC 8555,
//! section 7.6).

use skms_keys::RevocationReason;
use skms_pki::Certificate;
use skms_pki::acme::{AuthorizationStatus, Identifier};
use skms_pki::issue::Serial;
use skms_store::Kind;

use super::entering::{Entrant, Known, open, principal_of};
use super::orders::OrderView;
use super::{Place, Refusal};
use crate::acts::authorities::unreadable;
use crate::acts::certificates::{Revoke, find};
use crate::authority::Authority;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::acme::OrderRecord;
use crate::records::certificate::CertificateRecord;

/// Orders that one step of looking for authorizations reads.
const STEP: usize = 256;

impl Engine {
    /// Revokes a certificate (DER). Whoever signed has its key, or the account
    /// that ordered it, or an account that has proved control of all of its
    /// names. That the key is compromised only the key itself can say: it
    /// reaches further than the certificate.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`], [`Refusal::AlreadyRevoked`],
    /// [`Refusal::BadReason`]; [`Error::NotFound`] for a certificate that this
    /// authority did not issue.
    pub async fn acme_revoke(
        &self,
        place: Place<'_>,
        entrant: &Entrant,
        der: &[u8],
        reason: Option<u8>,
    ) -> Result<()> {
        let entry = self.enter(&entrant.caller)?;
        let authority = open(&entry.rooms, place)?;
        let allowed = entry.authorize_as_account::<Revoke>(&authority).await?;
        let done = async {
            let reason = reason_of(reason)?;
            if reason == RevocationReason::KeyCompromise && entrant.account.is_some() {
                return Err(Refusal::BadReason
                    .because("reason 1 has to be signed by the certificate's own key"));
            }
            let unreadable = |_| Refusal::Malformed.because("certificate: malformed");
            let certificate = Certificate::from_der(der).map_err(unreadable)?;
            let serial = Serial::from_contents(certificate.serial())
                .map_err(|_| Refusal::Malformed.because("certificate: its serial number"))?;
            let (_, record) = find(&entry.rooms, &authority, &serial).await?;
            if record.certificate.0 != der {
                return Err(Error::NotFound {
                    what: "certificate",
                });
            }
            let may = match &entrant.account {
                None => certificate.public_key().der == entrant.key.spki(),
                Some(known) => self.may_revoke(&entry, &authority, known, &record).await?,
            };
            if !may {
                return Err(Refusal::Unauthorized
                    .because("neither the certificate's key nor an account that has its names"));
            }
            let issuer = authority.issuer(record.issuer);
            let before = issuer.and_then(|issuer| issuer.revoked.get(&serial));
            if before.is_some_and(|one| one.stands()) {
                return Err(Refusal::AlreadyRevoked.because("the certificate is revoked already"));
            }
            self.revoke_as(&entry, &allowed, place, serial, (reason, None))
                .await
                .map(drop)
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Whether an account ordered a certificate, or holds valid authorizations for
    /// every name in it.
    async fn may_revoke(
        &self,
        entry: &Entry,
        authority: &Authority,
        known: &Known,
        record: &CertificateRecord,
    ) -> Result<bool> {
        let account = known.id.to_string();
        if record.issued_to == principal_of(&account) {
            return Ok(true);
        }
        let certificate = Certificate::from_der(&record.certificate.0).map_err(unreadable)?;
        let names = certificate.extensions().subject_alt_name;
        let mut wanted = Vec::new();
        for name in names.iter().flat_map(|all| all.iter()) {
            use skms_pki::certificate::GeneralName;
            let identifier = match name {
                GeneralName::Dns(text) => Identifier::new("dns", text).ok(),
                ref other => other.ip().map(Identifier::Ip),
            };
            // A name of a form that nobody proves control of here.
            let Some(identifier) = identifier else {
                return Ok(false);
            };
            wanted.push(identifier);
        }
        if wanted.is_empty() {
            return Ok(false);
        }
        // Nothing but walking over them tells which orders are an account's.
        self.acme_traffic().order(known.id, entry.now_ms)?;
        let _walk = self.acme_traffic().walks.acquire().await;
        let scope = authority.namespace.0;
        let mut after = None;
        while !wanted.is_empty() {
            let page = entry
                .rooms
                .store
                .scan(scope, Kind::AcmeOrder, after, STEP)
                .await?;
            after = page.last().map(|stored| stored.id);
            if after.is_none() {
                break;
            }
            for stored in page {
                let order: OrderRecord = records::decode(stored.plaintext.expose())?;
                if order.account != account || order.authority != authority.id_text() {
                    continue;
                }
                let view = OrderView::of(stored.id, &order, entry.now())?;
                let valid = |one: &Identifier| {
                    view.authorizations.iter().any(|authorization| {
                        authorization.status == AuthorizationStatus::Valid
                            && authorization.identifier == *one
                    })
                };
                wanted.retain(|one| !valid(one));
            }
        }
        Ok(wanted.is_empty())
    }
}

/// The reasons that holders of certificates may give.
fn reason_of(code: Option<u8>) -> Result<RevocationReason> {
    match code {
        None | Some(0) => Ok(RevocationReason::Unspecified),
        Some(1) => Ok(RevocationReason::KeyCompromise),
        Some(3) => Ok(RevocationReason::AffiliationChanged),
        Some(4) => Ok(RevocationReason::Superseded),
        Some(5) => Ok(RevocationReason::CessationOfOperation),
        Some(_) => Err(Refusal::BadReason.because("reasons here are 0, 1, 3, 4 and 5")),
    }
}
