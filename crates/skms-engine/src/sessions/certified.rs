//! Certificates that authorities of ours issued to principals. Such a
//! certificate is believed because it is in the store, byte for byte, as issued;
//! a signature that somebody made with a stolen key of the authority is not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use skms_keys::UnixSeconds;
use skms_pki::Certificate;
use skms_pki::certificate::GeneralName;
use skms_pki::issue::{AltName, ProfileKind, Serial, principal_uri};
use skms_policy::PrincipalKind;
use skms_store::{Kind, RecordId};

use super::{SYSTEM_SCOPE, TRIES, bucket, hex, principal, slot, vouched_name};
use crate::authority::{Authority, Issuer};
use crate::caller::{Authentication, Session};
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::records;
use crate::records::certificate::{CertificateRecord, serial_name};
use crate::records::principal::PrincipalRecord;

/// Keeps these credentials apart from the others in the map of sessions.
const CERTIFIED: char = 'a';

/// The kind of principal in the names of such certificates.
pub(crate) const PRINCIPAL: &str = "certificate";

/// The session of whoever holds a certificate that an authority of the
/// namespace issued.
pub(super) async fn session(
    rooms: &Rooms,
    namespace: &str,
    fingerprint: &str,
    der: &[u8],
) -> Result<Arc<Session>> {
    let slot = slot(CERTIFIED, &format!("{namespace}/{fingerprint}"));
    if let Some(known) = rooms.sessions.known(&slot) {
        return Ok(known);
    }
    for _ in 0..TRIES {
        let seen = rooms.sessions.ended.load(Ordering::SeqCst);
        let (records, session) = look_up(rooms, namespace, fingerprint, der).await?;
        if let Some(kept) = rooms.sessions.keep(&slot, records, session, seen) {
            return Ok(kept);
        }
    }
    Err(Error::Busy)
}

async fn look_up(
    rooms: &Rooms,
    namespace: &str,
    fingerprint: &str,
    der: &[u8],
) -> Result<(Vec<RecordId>, Session)> {
    let read = Certificate::from_der(der).map_err(|_| Error::Unauthenticated)?;
    let serial = Serial::from_contents(read.serial()).map_err(|_| Error::Unauthenticated)?;
    for authority in rooms.authorities.of(namespace) {
        for issuer in &authority.issuers {
            if issuer.pki.name.as_der() != read.issuer().as_der()
                || rooms.authorities.is_withdrawn(issuer)
            {
                continue;
            }
            let issued = issued(rooms, &authority, issuer, &serial, der).await?;
            if let Some(certificate) = issued {
                return vouched(rooms, &authority, certificate, (fingerprint, &read)).await;
            }
        }
    }
    Err(Error::Unauthenticated)
}

/// The record of this very certificate, if this issuer issued it to a principal
/// and it is good.
async fn issued(
    rooms: &Rooms,
    authority: &Authority,
    issuer: &Issuer,
    serial: &Serial,
    der: &[u8],
) -> Result<Option<RecordId>> {
    let text = hex(serial.as_bytes());
    let name = serial_name(&authority.id_text(), issuer.number, &text);
    let scope = authority.namespace.0;
    let Some(stored) = rooms.store.find(scope, Kind::Certificate, &name).await? else {
        return Ok(None);
    };
    let record: CertificateRecord = records::decode(stored.plaintext.expose())?;
    let revoked = issuer.revoked.get(serial).is_some_and(|one| one.stands());
    let good =
        record.certificate.0 == der && record.profile == ProfileKind::Principal.name() && !revoked;
    Ok(good.then_some(stored.id))
}

/// The session of the principal that the certificate names, if it is registered
/// with the authority.
async fn vouched(
    rooms: &Rooms,
    authority: &Authority,
    certificate: RecordId,
    (fingerprint, read): (&str, &Certificate<'_>),
) -> Result<(Vec<RecordId>, Session)> {
    let now = rooms.clock.now().0;
    if !(read.not_before().0..=read.not_after().0).contains(&now) {
        return Err(Error::Unauthenticated);
    }
    let namespace = &*authority.namespace_name;
    let id = named(read, namespace).ok_or(Error::Unauthenticated)?;
    let name = vouched_name(namespace, &authority.id_text(), id);
    let found = rooms
        .store
        .find(SYSTEM_SCOPE, Kind::Principal, &name)
        .await?;
    let stored = found.ok_or(Error::Unauthenticated)?;
    let record: PrincipalRecord = records::decode(stored.plaintext.expose())?;
    let same = record.name == id
        && record.namespace == namespace
        && record.authority == Some(authority.id_text());
    if !same {
        return Err(Error::Unauthenticated);
    }
    let principal = principal(PrincipalKind::Certificate, namespace, id, &record.groups)?;
    let bucket = bucket(rooms, &principal);
    // The last second of a certificate still counts.
    let ends = read.not_after().0.saturating_add(1);
    let ends = record.expires_at.map_or(ends, |end| end.min(ends));
    let session = Session::new(
        Arc::new(principal),
        Authentication::Certificate {
            fingerprint: fingerprint.to_owned(),
        },
        Some(UnixSeconds(ends)),
        bucket,
    );
    Ok((vec![stored.id, certificate, authority.id], session))
}

/// The groups of a principal that is registered with an authority; none while
/// it is not.
pub(crate) async fn groups(
    rooms: &Rooms,
    authority: &Authority,
    id: &str,
) -> Result<BTreeSet<String>> {
    let name = vouched_name(&authority.namespace_name, &authority.id_text(), id);
    let found = rooms
        .store
        .find(SYSTEM_SCOPE, Kind::Principal, &name)
        .await?;
    let Some(stored) = found else {
        return Ok(BTreeSet::new());
    };
    let record: PrincipalRecord = records::decode(stored.plaintext.expose())?;
    Ok(record.groups)
}

/// The principal of the namespace that a certificate names: by one URI, which is
/// all of its names.
pub(crate) fn named<'a>(read: &Certificate<'a>, namespace: &str) -> Option<&'a str> {
    let mut names = read.extensions().subject_alt_name?.iter();
    let (Some(GeneralName::Uri(uri)), None) = (names.next(), names.next()) else {
        return None;
    };
    let id = uri.rsplit_once('/')?.1;
    let expected = principal_uri(namespace, PRINCIPAL, id).ok()?;
    (expected == AltName::Uri(uri.to_owned())).then_some(id)
}
