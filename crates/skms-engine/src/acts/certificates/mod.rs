//! Certificates of the authorities: issue, read, list, revoke, hold, release.

mod compromise;
mod issue;
mod read;
mod revoke;
mod suspension;

use skms_crypto::hash::sha256;
use skms_keys::{RevocationReason, UnixSeconds};
use skms_pki::Certificate;
use skms_pki::issue::{AltName, Serial};

use crate::act::act;
use crate::acts::authorities::unreadable;
use crate::authority::{Authority, Revocation};
use crate::error::{Error, Result};
use crate::records::certificate::{CertificateRecord, SubjectKeyRecord};
use crate::records::unhex;

pub use crate::authority::named::ProfileChoice;
pub(crate) use issue::{Alone, Beside, issue};
pub use issue::{Issued, NewCertificate, SubjectKey};
pub(crate) use read::find;
pub(crate) use read::find_certificate;
pub(crate) use revoke::{Reached, Verdict, revoke_key_of, revoke_one as revoke_issued};
pub(crate) use suspension::Suspension;

act!(Issue, CertificateIssue, "Issues a certificate.");
act!(Read, CertificateRead, "Reads a certificate.");
act!(List, CertificateList, "Lists an authority's certificates.");
act!(
    Revoke,
    CertificateRevoke,
    "Revokes or holds a certificate, or ends a hold."
);

/// Whether a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Good,
    /// It is on hold.
    OnHold,
    /// It is revoked for good.
    Revoked,
}

/// The key kept here that a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptKey {
    /// Its keyring.
    pub keyring: String,
    /// Its name when the certificate was issued.
    pub key: String,
    /// Its version.
    pub version: u32,
}

/// What is told about a certificate.
#[derive(Clone, Debug)]
pub struct View {
    /// Its serial number.
    pub serial: Serial,
    /// The name of the authority that issued it.
    pub authority: String,
    /// By which of its issuers.
    pub issuer: u32,
    /// The profile's name.
    pub profile: String,
    /// Whom it is for.
    pub subject: String,
    /// Its names.
    pub names: Vec<String>,
    /// Its first valid second.
    pub not_before: UnixSeconds,
    /// Its last valid second.
    pub not_after: UnixSeconds,
    /// SHA-256 of its DER.
    pub fingerprint: [u8; 32],
    /// Whether it is good.
    pub status: Status,
    /// Why it is not, when, and since when its key is not to be trusted.
    pub revocation: Option<(RevocationReason, UnixSeconds, Option<UnixSeconds>)>,
    /// The key kept here that it is for.
    pub key: Option<KeptKey>,
    /// Who asked for it.
    pub issued_to: String,
    /// When it was issued.
    pub issued_at: UnixSeconds,
    /// It and those above it (DER), nearest first.
    pub chain: Vec<Vec<u8>>,
}

impl View {
    /// What its record and its revocation say.
    pub(crate) fn of(authority: &Authority, record: &CertificateRecord) -> Result<Self> {
        let der = &record.certificate.0;
        let certificate = Certificate::from_der(der).map_err(unreadable)?;
        let serial = Serial::from_contents(certificate.serial())?;
        let issuer = authority.issuer(record.issuer);
        let revocation = issuer
            .and_then(|issuer| issuer.revoked.get(&serial))
            .filter(Revocation::stands);
        let names = certificate.extensions().subject_alt_name;
        let mut chain = vec![der.clone()];
        chain.extend(
            issuer
                .into_iter()
                .flat_map(|issuer| issuer.pki.chain.clone()),
        );
        Ok(Self {
            serial,
            authority: authority.record.name.clone(),
            issuer: record.issuer,
            profile: record.named.as_ref().unwrap_or(&record.profile).clone(),
            subject: certificate.subject().to_string(),
            names: names
                .iter()
                .flat_map(|all| all.iter())
                .filter_map(|name| AltName::from_general(&name).ok())
                .map(|name| name.to_string())
                .collect(),
            not_before: UnixSeconds(certificate.not_before().0),
            not_after: UnixSeconds(certificate.not_after().0),
            fingerprint: sha256(&[der]),
            status: match &revocation {
                None => Status::Good,
                Some(one) if one.reason == RevocationReason::CertificateHold => Status::OnHold,
                Some(_) => Status::Revoked,
            },
            revocation: revocation.map(|one| (one.reason, one.at, one.invalid_since)),
            key: record.subject_key.as_ref().map(KeptKey::from),
            issued_to: record.issued_to.clone(),
            issued_at: UnixSeconds(record.issued_at),
            chain,
        })
    }
}

/// A serial number as people write it: hexadecimal, with colons or without.
///
/// # Errors
/// [`Error::Invalid`] for what is none, zero, or longer than 20 octets.
fn serial(text: &str) -> Result<Serial> {
    let bad = || Error::Invalid("a serial number is hexadecimal, of 1 to 20 octets".into());
    let digits = text.replace(':', "");
    let even = match digits.len() % 2 {
        0 => digits,
        _ => format!("0{digits}"),
    };
    let bytes = unhex(&even).ok_or_else(bad)?;
    // As an INTEGER has it: as short as can be, and not negative.
    let start = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut contents = bytes.get(start..).unwrap_or_default().to_vec();
    if contents.first().is_some_and(|top| top & 0x80 != 0) {
        contents.insert(0, 0);
    }
    Serial::from_contents(&contents).map_err(|_| bad())
}

impl From<&SubjectKeyRecord> for KeptKey {
    fn from(record: &SubjectKeyRecord) -> Self {
        Self {
            keyring: record.keyring.clone(),
            key: record.key.clone(),
            version: record.version,
        }
    }
}

impl CertificateRecord {
    /// Its certificate's last valid second.
    pub(crate) fn ends(&self) -> Result<i64> {
        let read = Certificate::from_der(&self.certificate.0).map_err(unreadable)?;
        Ok(read.not_after().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_read_as_people_write_them() {
        let contents = |text| serial(text).unwrap().as_bytes().to_vec();
        assert_eq!(contents("4a:0B:01"), [0x4a, 0x0b, 1]);
        assert_eq!(contents("0004a"), [0x4a]);
        assert_eq!(contents("80"), [0, 0x80]);
        assert_eq!(contents(&"7f".repeat(20)), [0x7f; 20]);
        for bad in [
            "",
            "0",
            "zz",
            "4 a",
            "\u{e4}",
            &"7f".repeat(21),
            &"ff".repeat(20),
        ] {
            assert!(matches!(serial(bad), Err(Error::Invalid(_))), "{bad}");
        }
    }
}
