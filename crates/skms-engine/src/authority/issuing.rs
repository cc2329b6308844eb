//! Issuing one certificate: the profile plans it, the authority's key signs
//! it, and what has to be stored with it comes back. Nothing that was signed
//! leaves before that is durable.

use skms_crypto::hash::sha256;
use skms_crypto::rand;
use skms_keys::UnixSeconds;
use skms_pki::issue::{Profile, ProfileKind, Request, Serial};
use skms_pki::{Certificate, Moment};
use skms_store::{Change, Kind, RecordId};

use super::signer::Signer;
use super::{Authority, Issuer};
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::certificate::{
    CertificateRecord, CertifiedKeyRecord, CertifiedRecord, SubjectKeyRecord, serial_name,
};
use crate::records::der::Der;
use crate::sessions::hex;

/// The most certificates of one public key that have not ended: a revocation
/// reaches all of them in one batch.
const CERTIFICATES_MAX: usize = 1000;

/// What is to be issued.
pub(crate) struct Wanted<'a> {
    pub(crate) kind: ProfileKind,
    /// The authority's own profile, if it is by one.
    pub(crate) named: Option<String>,
    pub(crate) profile: &'a Profile,
    pub(crate) request: &'a Request,
    /// The key kept here that it is for.
    pub(crate) subject_key: Option<SubjectKeyRecord>,
}

/// A certificate that is signed and not yet anybody's.
pub(crate) struct Draft {
    pub(crate) serial: Serial,
    pub(crate) id: RecordId,
    pub(crate) record: CertificateRecord,
    /// Its record, and that of its key's certificates.
    pub(crate) changes: Vec<Change>,
}

/// The engine's time as certificates have it.
pub(crate) fn moment(at: UnixSeconds) -> Moment {
    Moment(at.0)
}

/// Signs one certificate.
///
/// # Errors
/// [`Error::Pki`] for what the profile or the authority does not allow;
/// [`Error::KeyForbids`] for a key that is known to be compromised, or is
/// suspended where the authority holds certificates for that, and while
/// the authority's own certificate, or one above it, is revoked or on hold.
pub(crate) async fn issue(
    entry: &Entry,
    (authority, issuer): (&Authority, &Issuer),
    signer: &Signer,
    wanted: Wanted<'_>,
) -> Result<Draft> {
    if entry.rooms.authorities.is_withdrawn(issuer) {
        return Err(Error::KeyForbids(
            "the authority's own certificate, or one above it, is revoked or on hold".into(),
        ));
    }
    let serial = Serial::from_random(rand::array()?);
    let now = entry.now();
    let planned = wanted
        .profile
        .plan(&issuer.pki, wanted.request, serial, moment(now))?;
    let serial_text = hex(serial.as_bytes());
    let signature = signer.sign(entry, planned.tbs()).await?;
    let der = planned.signed(&signature)?;
    let not_after = Certificate::from_der(&der)
        .map_err(skms_pki::issue::IssueError::from)?
        .not_after();
    let certified = CertifiedRecord {
        authority: authority.id_text(),
        issuer: issuer.number,
        serial: serial_text.clone(),
        not_after: not_after.0,
    };
    let of_key = certified_key(entry, authority, &wanted.request.spki, certified).await?;
    let record = CertificateRecord {
        authority: authority.id_text(),
        issuer: issuer.number,
        certificate: Der(der),
        profile: wanted.kind.name().to_owned(),
        named: wanted.named,
        issued_at: now.0,
        issued_to: entry.caller.session.principal.id().to_owned(),
        subject_key: wanted.subject_key,
    };
    // Shown where lists go on: it begins with the time, not with a count.
    let id = RecordId::at(entry.now_ms)?;
    let put = Change::Put {
        namespace: authority.namespace.0,
        kind: Kind::Certificate,
        id,
        name: Some(serial_name(&record.authority, record.issuer, &serial_text)),
        expected: None,
        plaintext: records::encode(&record)?,
    };
    Ok(Draft {
        serial,
        id,
        record,
        changes: vec![put, of_key],
    })
}

/// The name under which what is known about a public key is looked up.
pub(crate) fn key_name(spki: &[u8]) -> String {
    hex(&sha256(&[spki]))
}

/// Adds a certificate to those of its key, and lets go of those that ended.
async fn certified_key(
    entry: &Entry,
    authority: &Authority,
    spki: &[u8],
    certified: CertifiedRecord,
) -> Result<Change> {
    let name = key_name(spki);
    let scope = authority.namespace.0;
    let found = entry
        .rooms
        .store
        .find(scope, Kind::CertifiedKey, &name)
        .await?;
    let (id, expected, mut record) = match found {
        None => (
            RecordId::at(entry.now_ms)?,
            None,
            CertifiedKeyRecord::default(),
        ),
        Some(stored) => {
            let record: CertifiedKeyRecord = records::decode(stored.plaintext.expose())?;
            (stored.id, Some(stored.revision), record)
        }
    };
    if record.compromised {
        return Err(Error::KeyForbids(
            "this public key is compromised: a certificate of it was revoked for that".into(),
        ));
    }
    if authority.rules.hold_suspended && !record.suspended_by.is_empty() {
        return Err(Error::KeyForbids(
            "a key kept here with this public half is suspended".into(),
        ));
    }
    let now = entry.now().0;
    record.certificates.retain(|one| one.not_after >= now);
    if record.certificates.len() >= CERTIFICATES_MAX {
        return Err(Error::TooLarge {
            what: "the number of certificates of one public key",
            limit: CERTIFICATES_MAX as u64,
        });
    }
    record.certificates.push(certified);
    Ok(Change::Put {
        namespace: scope,
        kind: Kind::CertifiedKey,
        id,
        name: Some(name),
        expected,
        plaintext: records::encode(&record)?,
    })
}
