//! Messages of the key exchange (docs/exchange.md), in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::keys::KeyView;
use crate::Bytes;

/// A message of the exchange: message 1, or message 3.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeMessage {
    /// The message, as docs/exchange.md has it.
    pub message: Bytes,
}

/// The answer to message 1.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ExchangeReply {
    /// Message 2, as docs/exchange.md has it.
    pub message: Bytes,
    /// Revocation lists (DER) of those who certified the server, as far as they
    /// are published here. They are signed; a client still has to judge them.
    pub crls: Vec<Bytes>,
}

/// An agreed key that is in use now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ExchangeConfirmed {
    /// The key.
    pub key: KeyView,
}
