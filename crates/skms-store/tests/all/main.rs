//! The store room from outside: through its public interface, and through
//! its files, as an attacker or a failing disk would change them.

#![allow(clippy::unwrap_used, missing_docs)]

mod backup;
mod common;
mod crash;
mod full_disk;
mod journal;
mod live;
mod migrate;
mod model;
mod outbox;
mod rotation;
mod sealed;
mod simulated;
mod sqlite;
mod stolen;
mod tamper;
