//! The `skms` binary: server, command line, and what ties them together.
//!
//! [`cli`] parses the command line and calls a server; [`net`] and [`faces`]
//! are that server: sockets, and thin adapters around the engine; [`config`]
//! is how it is told what to do. No cryptography, policy or state lives here.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cli;
mod config;
mod faces;
mod net;

fn main() -> std::process::ExitCode {
    cli::main()
}
