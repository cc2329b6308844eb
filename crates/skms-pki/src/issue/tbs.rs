//! What is to be signed: it exists only if it was found fit.

use crate::certificate::Certificate;
use crate::time::Moment;

use super::der;
use super::error::IssueError;
use super::lint::{self, Issuing};
use super::scheme::SigningScheme;
use super::serial::Serial;

/// A TBSCertificate that was read again by the strict reader, linted, and found
/// valid below its authority. Sign [`Self::tbs`] with the authority's key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToBeSigned {
    tbs: Vec<u8>,
    scheme: SigningScheme,
    authority_spki: Vec<u8>,
    serial: Serial,
    not_before: Moment,
    not_after: Moment,
}

/// A certificate around bytes that nobody has signed yet, for reading.
pub(crate) fn unsigned(tbs: &[u8], scheme: SigningScheme) -> Vec<u8> {
    der::sequence(&[tbs, &scheme.identifier(), &der::bit_string(&[])])
}

impl ToBeSigned {
    /// Lints; the only way to one.
    pub(super) fn linted(
        tbs: Vec<u8>,
        scheme: SigningScheme,
        authority_spki: &[u8],
        serial: Serial,
        issuing: &Issuing,
    ) -> Result<Self, IssueError> {
        let der = unsigned(&tbs, scheme);
        let findings = lint::certificate(&der, issuing);
        if !findings.is_empty() {
            return Err(IssueError::Unfit(findings));
        }
        let read = Certificate::from_der(&der)?;
        let (not_before, not_after) = (read.not_before(), read.not_after());
        if read.serial() != serial.as_bytes() {
            return Err(IssueError::Input("another serial number than its own"));
        }
        Ok(Self {
            tbs,
            scheme,
            authority_spki: authority_spki.to_vec(),
            serial,
            not_before,
            not_after,
        })
    }

    /// The bytes to be signed, as they stand.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// How they are to be signed.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.scheme
    }

    /// The certificate's serial number.
    #[must_use]
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// The certificate's first valid second.
    #[must_use]
    pub fn not_before(&self) -> Moment {
        self.not_before
    }

    /// The certificate's last valid second.
    #[must_use]
    pub fn not_after(&self) -> Moment {
        self.not_after
    }

    /// The certificate's DER, once the signature is there; it is checked.
    ///
    /// # Errors
    /// [`IssueError::Signature`] if it is not the authority's over these bytes.
    pub fn signed(&self, signature: &[u8]) -> Result<Vec<u8>, IssueError> {
        self.scheme
            .assemble(&self.authority_spki, &self.tbs, signature)
    }
}
