//! The client against servers on loopback.
#![allow(clippy::unwrap_used, missing_docs)]

mod http;
mod support;
mod tls;
