//! Certificates that are to be renewed, and whoever holds one. As with
//! principals (`sessions/certified.rs`), a certificate is believed because it
//! is in the store, byte for byte, as issued.

use std::net::IpAddr;
use std::sync::Arc;

use skms_crypto::hash::sha256;
use skms_keys::UnixSeconds;
use skms_pki::Certificate;
use skms_pki::issue::Serial;
use skms_policy::{Principal, PrincipalKind};
use skms_store::Kind;

use super::{Label, Open, open};
use crate::acts::acme;
use crate::acts::authorities::unreadable;
use crate::authority::Issuer;
use crate::authority::issuing::key_name;
use crate::caller::{Authentication, Caller, Session};
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::records;
use crate::records::certificate::{CertificateRecord, CertifiedKeyRecord, serial_name};
use crate::records::unhex;
use crate::sessions::hex;

/// A certificate that may be renewed: by this profile, neither revoked nor at
/// its end when it was looked up.
pub(super) struct Held {
    pub(super) der: Vec<u8>,
    serial: Serial,
    issuer: Arc<Issuer>,
}

impl Held {
    /// Whether it still is not revoked.
    pub(super) fn is_good(&self) -> bool {
        let revoked = self.issuer.revoked.get(&self.serial);
        !revoked.is_some_and(|one| one.stands())
    }

    /// The name by which the log knows its holder.
    fn principal(&self) -> String {
        format!("est:{}", hex(self.serial.as_bytes()))
    }
}

impl Engine {
    /// The calls of whoever has proved to hold the key of a certificate (DER),
    /// if that is enough to renew it here.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the authority is not open for this profile;
    /// [`Error::RateLimited`]; [`Error::Sealed`].
    pub async fn est_holder(
        &self,
        label: Label<'_>,
        der: &[u8],
        source: Option<IpAddr>,
        request_id: &str,
    ) -> Result<Option<Arc<Caller>>> {
        let rooms = self.rooms()?;
        let open = open(&rooms, label)?;
        if !open.opening.renewal_by_certificate {
            return Ok(None);
        }
        let Some(held) = shown(&rooms, &open, der).await? else {
            return Ok(None);
        };
        let authority = &open.authority;
        let namespace = &*authority.namespace_name;
        let principal = Principal::new(PrincipalKind::Holder, namespace, held.principal())?;
        let limits = rooms.limits(namespace);
        let bucket = rooms.limiter.bucket(&principal, limits.as_deref());
        let read = Certificate::from_der(der).map_err(unreadable)?;
        // The last second of a certificate still counts.
        let ends = read.not_after().0.saturating_add(1);
        let authentication = Authentication::Holder {
            authority: authority.id_text(),
            fingerprint: hex(&sha256(&[der])),
        };
        Ok(Some(Arc::new(Caller {
            session: Arc::new(Session::new(
                Arc::new(principal),
                authentication,
                Some(UnixSeconds(ends)),
                bucket,
            )),
            source,
            request_id: request_id.to_owned(),
            tls: true,
            idempotency: None,
            calling: crate::approvals::Calling::default(),
        })))
    }
}

/// The certificate that somebody showed, if this authority issued it by this
/// profile and it is good.
pub(super) async fn shown(rooms: &Rooms, open: &Open, der: &[u8]) -> Result<Option<Held>> {
    let Ok(read) = Certificate::from_der(der) else {
        return Ok(None);
    };
    let Ok(serial) = Serial::from_contents(read.serial()) else {
        return Ok(None);
    };
    for issuer in &open.authority.issuers {
        if issuer.pki.name.as_der() != read.issuer().as_der() {
            continue;
        }
        let found = issued(rooms, (open, issuer), &serial).await?;
        if let Some(held) = found.filter(|held| held.der == der) {
            return Ok(Some(held));
        }
    }
    Ok(None)
}

/// The good certificates of a public key that this authority issued by this
/// profile.
pub(super) async fn of_key(rooms: &Rooms, open: &Open, spki: &[u8]) -> Result<Vec<Held>> {
    let authority = &open.authority;
    let scope = authority.namespace.0;
    let name = key_name(spki);
    let Some(stored) = rooms.store.find(scope, Kind::CertifiedKey, &name).await? else {
        return Ok(Vec::new());
    };
    let known: CertifiedKeyRecord = records::decode(stored.plaintext.expose())?;
    let own = authority.id_text();
    let mut all = Vec::new();
    for one in known.certificates.iter().filter(|one| one.authority == own) {
        let serial = unhex(&one.serial).and_then(|bytes| Serial::from_contents(&bytes).ok());
        let (Some(issuer), Some(serial)) = (authority.issuer(one.issuer), serial) else {
            continue;
        };
        all.extend(issued(rooms, (open, issuer), &serial).await?);
    }
    Ok(all)
}

async fn issued(
    rooms: &Rooms,
    (open, issuer): (&Open, &Arc<Issuer>),
    serial: &Serial,
) -> Result<Option<Held>> {
    let authority = &open.authority;
    let text = hex(serial.as_bytes());
    let name = serial_name(&authority.id_text(), issuer.number, &text);
    let scope = authority.namespace.0;
    let Some(stored) = rooms.store.find(scope, Kind::Certificate, &name).await? else {
        return Ok(None);
    };
    let record: CertificateRecord = records::decode(stored.plaintext.expose())?;
    let gave = open.gave(&record);
    let held = Held {
        der: record.certificate.0,
        serial: *serial,
        issuer: Arc::clone(issuer),
    };
    let read = Certificate::from_der(&held.der).map_err(unreadable)?;
    let dates = read.not_before().0..=read.not_after().0;
    let good = gave
        && !rooms.authorities.is_withdrawn(issuer)
        // Control of its names was proved over ACME, and is to be proved again.
        && !record.issued_to.starts_with(acme::ACCOUNT)
        && dates.contains(&rooms.clock.now().0)
        && held.is_good();
    Ok(good.then_some(held))
}

/// What a renewal was refused for when it was not there any more.
pub(super) fn gone() -> Error {
    Error::Invalid("the certificate to be renewed is revoked or at its end".into())
}
