//! Renewal information (RFC 9773): when to renew, and which certificate an
//! order takes the place of.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use skms_keys::UnixSeconds;
use skms_pki::acme::{self, OrderStatus};
use skms_pki::issue::Serial;
use skms_pki::{Certificate, Moment};
use skms_store::{Change, Kind, RecordId};

use super::entering::{open, principal_of};
use super::orders::{self, OrderView, Stored};
use super::{Place, Refusal};
use crate::acts::authorities::unreadable;
use crate::acts::certificates::{View, find};
use crate::authority::Authority;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::acme::OrderRecord;
use crate::records::certificate::CertificateRecord;

impl Engine {
    /// When a certificate should be renewed, first and last second.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that this authority did not issue.
    pub async fn acme_renewal(
        &self,
        place: Place<'_>,
        certificate: &str,
    ) -> Result<(UnixSeconds, UnixSeconds)> {
        let rooms = self.rooms()?;
        let authority = open(&rooms, place)?;
        let record = named(&rooms, &authority, certificate).await?;
        let view = View::of(&authority, &record)?;
        let moment = |at: UnixSeconds| Moment(at.0);
        let revoked = view.revocation.map(|(_, at, _)| moment(at));
        let (start, end) = acme::window(moment(view.not_before), moment(view.not_after), revoked);
        Ok((UnixSeconds(start.0), UnixSeconds(end.0)))
    }
}

/// The certificate that RFC 9773 calls so.
async fn named(rooms: &Rooms, authority: &Authority, text: &str) -> Result<CertificateRecord> {
    let missing = || Error::NotFound {
        what: "certificate",
    };
    let (_, serial) = text.split_once('.').ok_or_else(missing)?;
    let serial = URL_SAFE_NO_PAD.decode(serial).map_err(|_| missing())?;
    let serial = Serial::from_contents(&serial).map_err(|_| missing())?;
    let (_, record) = find(rooms, authority, &serial).await?;
    let certificate = Certificate::from_der(&record.certificate.0).map_err(unreadable)?;
    // The serial number alone does not say by which key.
    if acme::cert_id(&certificate).as_deref() != Some(text) {
        return Err(missing());
    }
    Ok(record)
}

/// Whether a new order of the account may take the place of a certificate; the
/// changes that make room for it.
pub(super) async fn may_replace(
    entry: &Entry,
    authority: &Authority,
    account: RecordId,
    certificate: &str,
) -> Result<Option<Change>> {
    let wrong = || Refusal::Malformed.because("replaces: no certificate of this account");
    let record = match named(&entry.rooms, authority, certificate).await {
        Err(Error::NotFound { .. }) => return Err(wrong()),
        other => other?,
    };
    if record.issued_to != principal_of(&account.to_string()) {
        return Err(wrong());
    }
    let Some(name) = OrderRecord::name(&authority.id_text(), Some(certificate)) else {
        return Ok(None);
    };
    let scope = authority.namespace.0;
    let Some(found) = entry
        .rooms
        .store
        .find(scope, Kind::AcmeOrder, &name)
        .await?
    else {
        return Ok(None);
    };
    let mut before = Stored {
        id: found.id,
        revision: found.revision,
        record: records::decode(found.plaintext.expose())?,
    };
    if OrderView::of(before.id, &before.record, entry.now())?.status != OrderStatus::Invalid {
        return Err(Refusal::AlreadyReplaced.because("another order takes its place already"));
    }
    // It has ended: writing that down makes room.
    OrderStatus::Invalid
        .name()
        .clone_into(&mut before.record.status);
    orders::put(authority, before.id, Some(before.revision), &before.record).map(Some)
}
