//! The `skms` binary: server, command line, and what ties them together.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod faces;
mod net;

fn main() {}
