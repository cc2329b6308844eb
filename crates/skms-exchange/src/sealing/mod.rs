//! Messages from one client to another, sealed to a certified key with the
//! sender bound in: docs/sealing.md.
//!
//! The recipient: a [`SealingKey`], [`state`] it in a statement, publish that;
//! later [`Recipient::open`]. The sender: [`Statement::receive`] what the
//! directory gave, [`StatusQuery::receive`] what it says of it, [`seal`]. The
//! directory: [`Statement::receive`], [`StatusAnswer::plan`].
//!
//! Nothing here does I/O, and the identity key is elsewhere: what is to be
//! signed goes out, and the signature comes back.

mod open;
mod party;
mod seal;
pub(crate) mod sealed;
mod state;
pub(crate) mod statement;
pub(crate) mod status;

pub use open::{Opened, Opening, Recipient};
pub use party::{CertifiedParty, name_of, principal_name};
pub use seal::{MAX_CONTENT, MAX_SEALED, UnsignedSealed, seal};
pub use sealed::{MessageId, Peeked};
pub use state::{SealingKey, UnsignedStatement, Validity, state};
pub use statement::{Described, MAX_VALIDITY_SECONDS, Statement, Wanted};
pub use status::{Status, StatusAnswer, StatusQuery, Verdict};

use crate::message::Digest;
use crate::schedule::hash;

/// The external data of a statement's signature.
pub(crate) const STATEMENT: &str = "skms-sealing-v1 statement";
/// The external data of a sealed message's signature.
pub(crate) const MESSAGE: &str = "skms-sealing-v1 message";
/// The external data of the signature of what the directory says.
pub(crate) const STATUS: &str = "skms-sealing-v1 status";
const STATEMENT_HASH: &[u8] = b"skms-sealing-v1 statement hash";
const INFO: &[u8] = b"skms-sealing-v1 hpke";
const COMMIT: &[u8] = b"skms-sealing-v1 commit";

/// The types of the three messages: none is one of the exchange's.
pub(crate) const STATEMENT_TYPE: u64 = 4;
pub(crate) const MESSAGE_TYPE: u64 = 5;
pub(crate) const STATUS_TYPE: u64 = 6;

/// Seconds that two clocks may be apart.
pub const SKEW_SECONDS: u32 = 60;

/// What a statement is known by: a hash of its payload, and not of its bytes,
/// so that a signature that somebody reshaped makes no other statement of it.
pub(crate) fn statement_hash(payload: &[u8]) -> Digest {
    hash(&[STATEMENT_HASH, payload])
}

/// HPKE's info: to which statement, and by whose certificate.
pub(crate) fn info(statement: &Digest, sender: &Digest) -> Vec<u8> {
    [INFO, statement, sender].concat()
}
