//! A revocation list of an external authority: verified once, when it comes,
//! and from then on looked up in memory.

use std::collections::HashSet;

use skms_pki::certificate::KeyUsage;
use skms_pki::path::validate;
use skms_pki::signature::{Standard, Verify as _};
use skms_pki::{Certificate, Crl, Evidence, Moment, Options};
use skms_store::RecordId;

use super::judge::LIMITS;
use crate::error::{Error, Result};
use crate::records::trust::{TrustListRecord, TrustRecord};

/// The longest list, in bytes of DER.
pub(crate) const LIST_MAX: usize = 4 << 20;

/// One list that counts.
pub(crate) struct TrustList {
    pub(crate) id: RecordId,
    pub(crate) revision: u64,
    pub(crate) record: TrustListRecord,
    pub(crate) issuer: String,
    /// Its number in hexadecimal, if it has one.
    pub(crate) number: Option<String>,
    pub(crate) this_update: i64,
    /// The last second that it counts for.
    pub(crate) next_update: i64,
    /// The issuer's name in DER.
    issuer_der: Vec<u8>,
    revoked: HashSet<Vec<u8>>,
}

impl TrustList {
    /// From its record.
    pub(crate) fn new((id, revision): (RecordId, u64), record: TrustListRecord) -> Result<Self> {
        let damaged = || Error::Record {
            kind: "trust list",
            reason: "list".to_owned(),
        };
        let list = Crl::from_der(&record.list.0).map_err(|_| damaged())?;
        let number = list.extensions().number.map(crate::sessions::hex);
        let revoked = list.entries().map(|entry| entry.serial.to_vec()).collect();
        Ok(Self {
            id,
            revision,
            issuer: list.issuer().to_string(),
            number,
            this_update: list.this_update().0,
            next_update: list.next_update().ok_or_else(damaged)?.0,
            issuer_der: list.issuer().as_der().to_vec(),
            revoked,
            record,
        })
    }

    /// How many certificates it names.
    pub(crate) fn len(&self) -> usize {
        self.revoked.len()
    }

    /// Whether it names this certificate, however old the list is: what was
    /// revoked stays so until a newer list of the same scope says otherwise.
    pub(crate) fn names(&self, link: &Link) -> bool {
        if !self.revoked.contains(&link.serial) {
            return false;
        }
        if self.issuer_der == link.issuer {
            return true;
        }
        let read = |der: &[u8]| skms_pki::issue::NameBuf::from_der(der).ok();
        match (read(&self.issuer_der), read(&link.issuer)) {
            (Some(own), Some(theirs)) => own.as_name().matches(&theirs.as_name()),
            _ => false,
        }
    }

    /// Whether it is of the issuer of this certificate.
    pub(crate) fn is_of(&self, issuer: &skms_pki::certificate::Name<'_>) -> bool {
        skms_pki::issue::NameBuf::from_der(&self.issuer_der)
            .is_ok_and(|own| own.as_name().matches(issuer))
    }
}

/// A certificate as its issuer's lists name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The issuer's name in DER.
    pub(crate) issuer: Vec<u8>,
    /// The contents of the serial number's INTEGER.
    pub(crate) serial: Vec<u8>,
}

impl Link {
    /// That of a certificate.
    pub(crate) fn of(certificate: &Certificate<'_>) -> Self {
        Self {
            issuer: certificate.issuer().as_der().to_vec(),
            serial: certificate.serial().to_vec(),
        }
    }
}

/// Whether a list is one that this authority, or one below it that the trust
/// knows, signed, and that can be relied on. Gives the key that signed it.
///
/// # Errors
/// [`Error::Invalid`], saying why not; [`Error::TooLarge`].
pub(crate) fn verify(trust: &TrustRecord, der: &[u8], now: i64) -> Result<Vec<u8>> {
    if der.len() > LIST_MAX {
        return Err(Error::TooLarge {
            what: "the size of a revocation list in bytes",
            limit: LIST_MAX as u64,
        });
    }
    let list = Crl::from_der(der).map_err(|error| Error::Invalid(error.to_string()))?;
    fit(&list, Moment(now))?;
    let anchors = read(&trust.anchors)?;
    let intermediates = read(&trust.intermediates)?;
    let mut why = "no certificate of the list's issuer is known: add it as an intermediate";
    for (certificate, is_anchor) in anchors
        .iter()
        .map(|one| (one, true))
        .chain(intermediates.iter().map(|one| (one, false)))
    {
        if !certificate.subject().matches(list.issuer()) {
            continue;
        }
        let usage = certificate.extensions().key_usage;
        if usage.is_some_and(|usage| !usage.contains(KeyUsage::CRL_SIGN)) {
            why = "its issuer's certificate may not sign revocation lists";
            continue;
        }
        let key = certificate.public_key();
        if Standard.verify(key, list.signed()).is_err() {
            why = "its signature does not hold";
            continue;
        }
        let evidence = Evidence {
            anchors: &anchors,
            intermediates: &intermediates,
            ..Evidence::default()
        };
        let options = Options {
            limits: LIMITS,
            ..Options::new(Moment(now))
        };
        if !is_anchor && validate(certificate, &evidence, &options).is_err() {
            why = "no valid path leads from its issuer to an anchor";
            continue;
        }
        return Ok(key.der.to_vec());
    }
    Err(Error::Invalid(format!("a revocation list: {why}")))
}

/// What kinds of list are taken.
fn fit(list: &Crl<'_>, now: Moment) -> Result<()> {
    let why = if list.is_delta() {
        "a delta; complete ones are needed"
    } else if list.is_indirect() || list.entries().any(|one| one.certificate_issuer.is_some()) {
        "one that names certificates of others"
    } else if list
        .extensions()
        .point
        .is_some_and(|one| one.only_attributes)
    {
        "one of attribute certificates"
    } else if list.has_unknown_critical() {
        "one with a critical extension that is not understood"
    } else if list.next_update().is_none() {
        "one that does not say when the next one will be (nextUpdate)"
    } else if list.this_update() > now {
        "one of the future"
    } else {
        return Ok(());
    };
    Err(Error::Invalid(format!("a revocation list: {why}")))
}

/// The certificates of a record.
pub(crate) fn read(ders: &[crate::records::der::Der]) -> Result<Vec<Certificate<'_>>> {
    ders.iter()
        .map(|der| {
            Certificate::from_der(&der.0).map_err(|_| Error::Record {
                kind: "trust",
                reason: "certificate".to_owned(),
            })
        })
        .collect()
}
