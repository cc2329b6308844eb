//! The PostgreSQL backend against a real, private server: the suite, who may
//! open it, and what it does when the server goes away.
//!
//! `cargo xtask test` starts the server and names it in `SKMS_TEST_POSTGRES`
//! (an address), with its certificates' folder in
//! `SKMS_TEST_POSTGRES_FOLDER`. Without them the tests say so and pass.

#![allow(clippy::unwrap_used, missing_docs, clippy::print_stderr)]

mod away;
mod moving;
mod open;
mod place;
mod proxy;
mod suite;
