//! A principal that authenticates by a TLS client certificate.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;

/// A registered certificate. It is looked up by its fingerprint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PrincipalRecord {
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// SHA-256 of the certificate's DER, in lower-case hex.
    pub(crate) fingerprint: String,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: Option<i64>,
}

impl Record for PrincipalRecord {
    const KIND: Kind = Kind::Principal;
}
