//! Sockets: listening, TLS, connections and their limits, signals, the log.
//! What arrives is handed to a face; nothing here knows what a key is.

mod accept;
mod acme;
pub mod certificate;
mod connection;
mod dev;
pub mod listener;
pub mod load;
pub mod log;
mod notify;
mod peer;
mod reach;
mod rest;
pub mod serve;
mod signals;
pub mod sources;
mod tls;
pub mod usage;
mod watched;
mod worker;

pub use connection::Peer;
pub use serve::{Dev, Options, ServeError, run};
