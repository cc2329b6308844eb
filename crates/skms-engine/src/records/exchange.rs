//! What is kept of key exchanges: that a message was here, and what waits for
//! its confirmation.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::der::Der;

/// That a message 1 was here.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReplayRecord {
    /// When it is forgotten, in seconds since the Unix epoch.
    pub(crate) ends_at: i64,
}

impl Record for ReplayRecord {
    const KIND: Kind = Kind::ExchangeReplay;
}

/// An agreement that waits for message 3.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ExchangeRecord {
    /// When the wait ends, in seconds since the Unix epoch.
    pub(crate) ends_at: i64,
    /// The names of the key that it activates.
    pub(crate) namespace: String,
    pub(crate) keyring: String,
    pub(crate) key: String,
    /// The key's identifier: another one of that name is not meant.
    pub(crate) id: String,
    /// The initiator's certificate (DER): it must still be good.
    pub(crate) certificate: Der,
    /// What waits, as the exchange room writes it.
    pub(crate) waiting: Der,
}

impl Record for ExchangeRecord {
    const KIND: Kind = Kind::Exchange;
}
