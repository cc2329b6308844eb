//! ACME (RFC 8555) without its transport: what is identified, by which keys,
//! what proves control of an identifier, and which state follows which.
//!
//! Everything here is a value or a pure function. Messages are read and
//! written in the wire room, accounts and orders kept by the engine, and
//! challenges asked for over sockets elsewhere; what came back is judged here.
//!
//! Standards: RFC 8555, 8737 (tls-alpn-01), 8738 (addresses), 9773 (renewal
//! information), 7638 (thumbprints), 7518 and 8037 (signatures).

mod challenge;
mod identifier;
mod key;
mod renewal;
mod state;
mod tls_alpn;

pub use challenge::{ChallengeKind, KeyAuthorization, dns_name};
pub use identifier::{Identifier, names_of};
pub use key::{AccountKey, SignatureAlgorithm};
pub use renewal::{cert_id, window};
pub use state::{AccountStatus, AuthorizationStatus, ChallengeStatus, OrderStatus};
pub use tls_alpn::{answers, server_name};
