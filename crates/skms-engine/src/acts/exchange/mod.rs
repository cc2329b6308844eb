//! The server's side of the authenticated key exchange (docs/exchange.md): a
//! client proves who it is by its certificate, and agrees on a new key with the
//! server or has one sealed to it.
//!
//! The protocol is the exchange room's. Here are its surroundings: the
//! server's own identity ([`identity`]), whom it trusts ([`trust`]), the
//! replay entries ([`replay`]), and the acts that policy decides on:
//! [`Agree`] and [`Distribute`]. [`Bind`] is for clients whose TLS connection
//! proves already who they are ([`bind`]).

mod bind;
mod confirm;
mod given;
mod identity;
mod refused;
mod replay;
mod request;
mod trust;

use std::net::IpAddr;
use std::sync::Arc;

use crate::act::{MemberAct, act};
use crate::opened::KeySnapshot;

pub use bind::BoundKey;
pub use skms_exchange::channel::{Answered, Asked, Channel};
pub use skms_exchange::{Agreement, KeyName, NONCE, Uses};

pub(crate) use identity::{Identities, certified_by, lists_of};
pub(crate) use replay::close as close_replays;
pub(crate) use trust::Anchored;

act!(Agree, KeyExchange, "Agrees on a new key with a client.");
act!(
    Distribute,
    KeyDistribute,
    "Seals a key to the client that asks for it."
);
act!(
    Bind,
    KeyExchange,
    "Agrees on a key with a client, bound to its TLS connection."
);
act!(
    Confirm,
    KeyExchange,
    "Brings an agreed key into use, once its client has confirmed it."
);

impl MemberAct for Distribute {}

/// Where a message came from.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The peer's address, where there is one.
    pub source: Option<IpAddr>,
    /// The request's identifier.
    pub request_id: String,
    /// Whether it came over TLS.
    pub tls: bool,
}

/// What is answered to message 1.
pub struct Replied {
    /// Message 2.
    pub message: Vec<u8>,
    /// Revocation lists (DER) by which the client knows that the server's
    /// certificate is not revoked, as far as they are published here.
    pub lists: Vec<Vec<u8>>,
}

/// A key that was confirmed.
pub struct Confirmed {
    /// The key, now active.
    pub key: Arc<KeySnapshot>,
}
