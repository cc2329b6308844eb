//! Messages of the key exchange (docs/exchange.md), in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::keys::KeyView;
use super::terms::KeyUse;
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

/// Asks for a key that is bound to the TLS connection which this comes by.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BindKeyRequest {
    /// The new key's keyring.
    pub keyring: String,
    /// The new key's name.
    pub name: String,
    /// Its algorithm, a symmetric one.
    #[schema(example = "AES-256-GCM")]
    pub algorithm: String,
    /// What it may be used for; what is usual if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Vec<KeyUse>>,
    /// How long it is to last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
    /// 32 random bytes.
    pub nonce: Bytes,
    /// The client's MAC (docs/exchange.md).
    pub mac: Bytes,
}

/// A key that is bound to a TLS connection, and what the client derives it
/// with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BindKeyResponse {
    /// The key.
    pub key: KeyView,
    /// The version that was made.
    pub version: u32,
    /// How long it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
    /// Its bytes.
    pub length_bytes: u32,
    /// 32 random bytes.
    pub nonce: Bytes,
    /// The server's MAC (docs/exchange.md).
    pub mac: Bytes,
}
