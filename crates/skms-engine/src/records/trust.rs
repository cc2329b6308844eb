//! An external authority that is trusted to say who principals are, and the
//! revocation lists that were imported for it.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::der::Der;

/// A trust's record. Its anchors and its form of identity never change:
/// principals are bound to what they were when they were bound.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TrustRecord {
    pub(crate) name: String,
    pub(crate) anchors: Vec<Der>,
    pub(crate) intermediates: Vec<Der>,
    /// The name of an `Identity`.
    pub(crate) identity: String,
    /// The name of a `Checking`; by whether there are lists if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checking: Option<String>,
    pub(crate) created_at: i64,
}

impl Record for TrustRecord {
    const KIND: Kind = Kind::Trust;
}

/// A revocation list that was verified when it was imported.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TrustListRecord {
    /// The trust's identifier.
    pub(crate) trust: String,
    pub(crate) list: Der,
    /// The public key that signed it, as SubjectPublicKeyInfo.
    pub(crate) signer: Der,
    pub(crate) imported_at: i64,
}

impl Record for TrustListRecord {
    const KIND: Kind = Kind::TrustList;
}
