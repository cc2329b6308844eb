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

/// A request makes and drops dozens of small buffers, some on one thread and
/// some on another, which this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
