//! A principal that authenticates by a TLS client certificate.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;

/// A registered certificate, looked up by its fingerprint; a principal whose
/// certificates an authority of the namespace issues, looked up by both; or one
/// that a trust of the namespace knows by a name, likewise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PrincipalRecord {
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// SHA-256 of the certificate's DER, in lower-case hex; empty where an
    /// authority vouches.
    pub(crate) fingerprint: String,
    /// The identifier of the authority that vouches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<String>,
    /// The identifier of the trust that vouches, and for whom, in its form's one
    /// way of writing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trust: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<String>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: Option<i64>,
}

impl Record for PrincipalRecord {
    const KIND: Kind = Kind::Principal;
}
