//! # The evidence room
//!
//! What is kept of every act: [`Event`]s and their one encoding, the salted
//! [`leaf`] that the log commits to, and the [`Frontier`] of the tree that the
//! leaves grow into.
//!
//! What it is not: it writes no files, signs no checkpoints, draws no salts;
//! the journal is the store's, randomness is passed in. It takes no secrets:
//! an event has no field that a request's content fits in, its details are
//! under keys of a closed list ([`DetailKey`]), and its texts are bounded.
//!
//! Standards: RFC 6962 section 2.1 (the tree), RFC 8259 (JSON), RFC 3339
//! (times).

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod detail;
mod encode;
mod error;
mod event;
mod frontier;
pub mod leaf;
mod text;
pub mod time;
mod use_event;

pub use detail::{DetailKey, DetailValue, Details};
pub use encode::FORMAT;
pub use error::{Error, Result};
pub use event::{Event, EventId, Outcome, Target};
pub use frontier::Frontier;
pub use leaf::{commitment, leaf_hash};
pub use text::{MAX_TEXT_LEN, Text};
pub use use_event::UseEvent;
