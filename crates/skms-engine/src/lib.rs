//! # The engine
//!
//! The one way through the house. Every act passes the same stations:
//! authenticate ([`Engine::authenticate_token`]) → resolve, metadata only →
//! authorise ([`gate`]) → key state and use count → act → re-check that the
//! key is still live → record → answer. Only here do a decision, a key and an
//! event come together.
//!
//! - [`operate`] is the walk of every use of key material; [`acts`] has one
//!   file for each act.
//! - An [`Authorized`] is made by the gate only, and every step that touches
//!   a target asks for it.
//! - An act that changes state commits its records and its event in one
//!   batch, then changes memory, then feeds the journal, then answers.
//!
//! What it is not: it parses nothing and formats nothing (the faces do), does
//! no cryptography (the crypto room does) and opens no socket.
//!
//! Standards: NIST SP 800-57 part 1 rev. 5 by way of the keys room, RFC 6962
//! leaves by way of the evidence room.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod act;
pub mod acts;
pub mod approvals;
mod authority;
mod by_id;
mod caller;
mod change;
mod clock;
pub mod courier;
mod credentials;
mod draft;
mod engine;
mod error;
mod filter;
mod gate;
mod groups;
mod idempotency;
mod in_memory;
mod jobs;
mod keychange;
mod lanes;
pub mod limits;
mod lineage;
mod notify;
mod opened;
pub mod operate;
mod page;
mod places;
pub mod probe;
mod quotas;
mod recorder;
mod records;
mod refusals;
mod restored;
mod rules;
mod sessions;
mod signing;
mod slow;
mod ssh;
mod stock;
mod suspended;
mod tail;
mod target;
mod trusts;
mod tsa;
mod unsealing;
mod use_event;
mod weak;
mod withdrawn;
pub mod words;

pub use act::Act;
pub use caller::{Authentication, Caller, Session};
pub use clock::Clock;
pub use engine::{Config, Engine, Files};
pub use error::{Error, Result};
pub use filter::EventFilter;
pub use gate::{Authorized, KeyRef, KeyTarget};
pub use idempotency::IdempotencyKey;
pub use lineage::descent::How;
pub use lineage::handed::Way;
pub use notify::Counts as NotificationCounts;
pub use opened::{KeyCell, KeySnapshot};
pub use page::{MAX_PAGE, Page};
pub use sessions::TOKEN_PREFIX;
pub use slow::Load;
pub use unsealing::{Initialised, SealStatus, UnsealProgress};
