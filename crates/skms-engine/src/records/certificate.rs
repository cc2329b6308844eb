//! Certificates that were issued, what became of them, and whose key is whose.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use skms_keys::RevocationReason;
use skms_store::Kind;

use super::Record;
use super::authority::SigningKeyRecord;
use super::der::Der;

/// A certificate's record: written with it and never again. It is looked up
/// by issuer and serial number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CertificateRecord {
    /// The authority's identifier.
    pub(crate) authority: String,
    /// Which of its issuers.
    pub(crate) issuer: u32,
    pub(crate) certificate: Der,
    pub(crate) profile: String,
    /// The authority's own profile by which it was issued, based on `profile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) named: Option<String>,
    pub(crate) issued_at: i64,
    pub(crate) issued_to: String,
    /// The key kept here that it certifies, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject_key: Option<SubjectKeyRecord>,
}

/// A key kept here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubjectKeyRecord {
    pub(crate) keyring: String,
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) version: u32,
}

impl From<&SigningKeyRecord> for SubjectKeyRecord {
    fn from(key: &SigningKeyRecord) -> Self {
        Self {
            keyring: key.keyring.clone(),
            key: key.key.clone(),
            id: key.id.clone(),
            version: key.version,
        }
    }
}

impl Record for CertificateRecord {
    const KIND: Kind = Kind::Certificate;
}

/// That a certificate is revoked or on hold, or was on hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RevocationRecord {
    pub(crate) authority: String,
    pub(crate) issuer: u32,
    /// The serial number's contents in hex.
    pub(crate) serial: String,
    /// RFC 5280's name.
    pub(crate) reason: String,
    pub(crate) revoked_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) invalid_since: Option<i64>,
    /// When a hold ended: it is good again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) released_at: Option<i64>,
    /// When this record was last written.
    pub(crate) changed_at: i64,
    /// When the certificate ends, after which lists need not name it.
    pub(crate) not_after: i64,
    /// Identifiers of keys whose suspension holds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) by_keys: Vec<String>,
}

impl RevocationRecord {
    /// Whether the certificate never counts again: it is not on hold, nor was
    /// it only that.
    pub(crate) fn is_for_good(&self) -> bool {
        self.released_at.is_none() && self.reason != RevocationReason::CertificateHold.name()
    }
}

impl Record for RevocationRecord {
    const KIND: Kind = Kind::Revocation;
}

/// The certificates of one public key in a namespace. It is looked up by the
/// SHA-256 of the key's SubjectPublicKeyInfo.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CertifiedKeyRecord {
    pub(crate) certificates: Vec<CertifiedRecord>,
    /// Nothing is issued for it any more.
    pub(crate) compromised: bool,
    /// Identifiers of keys kept here, with this public half, that are
    /// suspended: no authority that holds issues for it meanwhile.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) suspended_by: BTreeSet<String>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CertifiedRecord {
    pub(crate) authority: String,
    pub(crate) issuer: u32,
    pub(crate) serial: String,
    pub(crate) not_after: i64,
}

impl Record for CertifiedKeyRecord {
    const KIND: Kind = Kind::CertifiedKey;
}

/// The name under which a certificate and its revocation are looked up.
pub(crate) fn serial_name(authority: &str, issuer: u32, serial: &str) -> String {
    format!("{authority}/{issuer}/{serial}")
}
