//! SSH certificate authorities, what they issued, and what they revoked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::authority::SigningKeyRecord;
use super::der::Der;

/// An SSH authority's record, with its roles.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SshAuthorityRecord {
    pub(crate) name: String,
    /// "user" or "host".
    pub(crate) certificate_type: String,
    pub(crate) key: SigningKeyRecord,
    /// The key as SSH encodes it.
    pub(crate) public: Der,
    pub(crate) created_at: i64,
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, SshRoleRecord>,
}

/// What certificates of a role are like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SshRoleRecord {
    pub(crate) principals: Vec<String>,
    pub(crate) default_principals: Vec<String>,
    pub(crate) default_seconds: u64,
    pub(crate) max_seconds: u64,
    pub(crate) extensions: Vec<String>,
    pub(crate) allowed_extensions: Vec<String>,
    pub(crate) force_command: Option<String>,
    pub(crate) source_addresses: Vec<String>,
    pub(crate) verify_required: bool,
    pub(crate) key_types: Vec<String>,
    pub(crate) key_id: String,
}

impl Record for SshAuthorityRecord {
    const KIND: Kind = Kind::SshAuthority;
}

/// A certificate's record: written with it and never again. It is looked up
/// by authority and serial number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SshCertificateRecord {
    /// The authority's identifier.
    pub(crate) authority: String,
    /// The certificate as SSH encodes it.
    pub(crate) certificate: Der,
    pub(crate) role: String,
    pub(crate) issued_at: i64,
    pub(crate) issued_to: String,
}

impl Record for SshCertificateRecord {
    const KIND: Kind = Kind::SshCertificate;
}

/// One entry of an authority's revocation list, for ever.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SshRevocationRecord {
    /// The authority's identifier.
    pub(crate) authority: String,
    pub(crate) what: SshRevoked,
    pub(crate) revoked_at: i64,
    pub(crate) revoked_by: String,
}

/// What an entry names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SshRevoked {
    /// A certificate by its serial number, in decimal: it may be larger than
    /// what every reader of JSON reads.
    Serial(String),
    /// Certificates by their key identifier.
    KeyId(String),
    /// A key by the SHA-256 of its encoding, in hexadecimal.
    Key(String),
}

impl Record for SshRevocationRecord {
    const KIND: Kind = Kind::SshRevocation;
}

/// The name under which a certificate is looked up.
pub(crate) fn certificate_name(authority: &str, serial: u64) -> String {
    format!("{authority}/{serial}")
}

/// The name under which a revocation is looked up: each is there once.
pub(crate) fn revocation_name(authority: &str, what: &SshRevoked) -> String {
    match what {
        SshRevoked::Serial(one) => format!("{authority}/serial/{one}"),
        SshRevoked::KeyId(one) => format!("{authority}/key-id/{one}"),
        SshRevoked::Key(one) => format!("{authority}/key/{one}"),
    }
}
