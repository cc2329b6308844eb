//! What a request under an idempotency key made.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use skms_store::Kind;

use super::Record;

/// The first answer's substance: the made object's record as it was made,
/// from which a face words the same answer again. Never a secret.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IdempotencyRecord {
    /// SHA-256 of the request, in lower-case hex.
    pub(crate) request: String,
    /// When it is forgotten, in seconds since the Unix epoch.
    pub(crate) ends_at: i64,
    /// The made object's identifier.
    pub(crate) id: String,
    /// Its record; null where the identifier is all that may be told again.
    pub(crate) made: Value,
}

impl Record for IdempotencyRecord {
    const KIND: Kind = Kind::Idempotency;
}
