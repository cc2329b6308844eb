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
//! ```no_run
//! use skms_client::wire::SecretB64;
//! use skms_client::wire::native::operations::EncryptRequest;
//! use skms_client::{Client, Config};
//!
//! # async fn encrypts() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::new("https://kms.example.org:8200".parse()?);
//! // The only authority that may have certified this server.
//! config.ca_pem = Some(std::fs::read("ca.pem")?);
//! let client = Client::new(config)?;
//! let request = EncryptRequest {
//!     plaintext: SecretB64::new(b"4111 1111 1111 1111".to_vec()),
//!     ..EncryptRequest::default()
//! };
//! let sealed = client.encrypt("default", "orders", &request).await?;
//! println!("{}", sealed.ciphertext);
//! # Ok(()) }
//! ```
//!
//! Whole programs, which the tests run against a server: a key's life
//! (`examples/keys.rs`), the key exchange (`examples/exchange.rs`), and a file
//! in the age format (`examples/files.rs`).
//!
//! Standards: RFC 9110 (HTTP), RFC 9112, RFC 9113, RFC 8446 (TLS 1.3),
//! RFC 6750 (bearer tokens), RFC 9457 (problem details), HTML (server-sent
//! events), C2SP age (files).
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod calls;
mod config;
mod connection;
mod error;
pub mod exchange;
pub mod file;
mod follow;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod retry;
pub mod sealing;
pub mod settings;
mod sse;
mod tls;
mod transport;

pub use address::Address;
pub use config::{Config, Identity};
pub use connection::Peer;
pub use error::{Error, Result};
pub use follow::{EventSelection, Following};
pub use retry::Retry;
pub use transport::Client;

pub use skms_wire as wire;
