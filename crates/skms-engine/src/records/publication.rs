//! How far the numbers of an issuer's revocation lists have got.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;

/// The last number that was used up.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PublicationRecord {
    pub(crate) last: u64,
}

impl PublicationRecord {
    /// The name under which an issuer's is looked up.
    pub(crate) fn name(issuer: &str) -> String {
        format!("publication/{issuer}")
    }
}

impl Record for PublicationRecord {
    const KIND: Kind = Kind::Setting;
}
