//! A key that signs OCSP responses for an issuer, and its certificate for that.

use skms_keys::UnixSeconds;
use skms_pki::Certificate;
use skms_pki::issue::{Serial, SigningScheme};

use super::{Issuer, load};
use crate::error::{Error, Result};
use crate::records::authority::{DelegateRecord, SigningKeyRecord};

/// Seconds before its end from which on a certificate signs nothing more.
const MARGIN: i64 = 60;

/// Who signs OCSP responses for an issuer.
pub(crate) struct Delegate {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: SigningKeyRecord,
    serial: Serial,
    not_before: UnixSeconds,
    not_after: UnixSeconds,
}

impl Delegate {
    /// What the record says.
    ///
    /// # Errors
    /// [`Error::Record`] for a certificate that does not read.
    pub(crate) fn read(record: &DelegateRecord) -> Result<Self> {
        let certificate = record.certificate.0.clone();
        let damaged = |_| Error::Record {
            kind: "authority",
            reason: "OCSP signer".to_owned(),
        };
        let read = Certificate::from_der(&certificate).map_err(damaged)?;
        let serial = Serial::from_contents(read.serial())?;
        let (not_before, not_after) = (read.not_before().0, read.not_after().0);
        Ok(Self {
            serial,
            not_before: UnixSeconds(not_before),
            not_after: UnixSeconds(not_after),
            certificate,
            key: record.key.clone(),
        })
    }

    /// How it signs.
    pub(crate) fn scheme(&self) -> Result<SigningScheme> {
        load::scheme(&self.key)
    }

    /// Whether its certificate counts: begun, not ended, not revoked.
    pub(crate) fn is_good(&self, issuer: &Issuer, now: UnixSeconds) -> bool {
        self.not_before <= now
            && now.0 < self.not_after.0.saturating_sub(MARGIN)
            && !self.is_withdrawn(issuer)
    }

    /// Whether its certificate is revoked or on hold.
    pub(crate) fn is_withdrawn(&self, issuer: &Issuer) -> bool {
        let revoked = issuer.revoked.get(&self.serial);
        revoked.is_some_and(|one| one.stands())
    }

    /// Whether two thirds of its time are over.
    pub(crate) fn is_old(&self, now: UnixSeconds) -> bool {
        let third = self.not_after.0.saturating_sub(self.not_before.0) / 3;
        now.0 >= self.not_after.0.saturating_sub(third)
    }
}
