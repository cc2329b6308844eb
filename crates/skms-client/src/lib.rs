//! The client room: a typed client of the native HTTP face.
//!
//! What it is: connections (HTTP/1.1 kept alive, HTTP/2 where the server has
//! it, TLS 1.3), retries where a retry cannot do a thing twice, one method for
//! each route of [`skms_wire::native::routes`], and the encryption of files
//! under data keys that the server keeps.
//!
//! What it is not: it keeps no keys and prints nothing; of configuration it
//! reads the one file that says where the server is ([`settings`]), when asked.
//!
//! Standards: RFC 9110 (HTTP), RFC 9112, RFC 9113, RFC 8446 (TLS 1.3),
//! RFC 6750 (bearer tokens), RFC 9457 (problem details), C2SP age (files).
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod calls;
mod config;
mod connection;
mod error;
pub mod exchange;
pub mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod retry;
pub mod settings;
mod tls;
mod transport;

pub use address::Address;
pub use config::{Config, Identity};
pub use connection::Peer;
pub use error::{Error, Result};
pub use retry::Retry;
pub use transport::Client;

pub use skms_wire as wire;
