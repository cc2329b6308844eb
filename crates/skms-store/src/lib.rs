//! # The store room
//!
//! Sealed records, blind indexes, heads and seals over a small transactional
//! [`Store`], and the [`Journal`] with its files. What leaves this room for a
//! disk is sealed; what comes back is checked.
//!
//! What it is not: it knows no keys' states, no policies and no events'
//! meanings. To it a record is bytes with a namespace, a kind, an id, a
//! revision and perhaps a name.
//!
//! Three layers, and what copies them:
//!
//! - [`store`] and [`journal`] are the traits: what SQLite and files do now
//!   and PostgreSQL can do as well. Nothing in them is particular to either.
//! - [`sqlite`] and [`file_journal`] implement them; `conformance` (a feature) is the
//!   one suite both kinds of implementation must pass.
//! - [`backup`] copies both into one file and back.
//! - [`sealed`] lies above any `Store` and does all the sealing once.
//!
//! Standards: AES-256-GCM-SIV (RFC 8452), HKDF (RFC 5869), HMAC (RFC 2104),
//! Argon2id (RFC 9106), X-Wing (draft-connolly-cfrg-xwing-kem).

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod backup;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod disk;
pub mod durability;
pub mod error;
pub mod file_journal;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod hex;
pub mod journal;
pub mod migrate;
pub mod postgres;
pub mod priority;
pub mod sealed;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod sqlite;
pub mod store;

pub use disk::Disk;
pub use error::{Conflict, Error, Result};
pub use file_journal::FileJournal;
pub use journal::{Entry, Journal, Stored, Ticket};
pub use postgres::PostgresStore;
pub use sealed::{Change, NewSeal, SealInput, Sealed, SealedStore};
pub use sqlite::SqliteStore;
pub use store::{Kind, RecordId, Store};
