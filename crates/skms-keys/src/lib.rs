//! # The keys room
//!
//! Namespaces, keyrings, keys and their versions: what they are, what may be
//! done with them in which state, and how one state leads to another. The
//! transition table and the permission table are data ([`transitions`],
//! [`permissions`]); every act on a key and every use of one follows them.
//!
//! What it is not: it holds no key material, does no cryptography, reads no
//! clock, draws no randomness and does no I/O; all of that is passed in or
//! done above. Its types know no wire or storage format; [`KeyParts`] is all
//! there is to store.
//!
//! Standards: NIST SP 800-57 part 1 rev. 5 (states in section 7, cryptoperiods
//! in section 5.3), RFC 5280 section 5.3.1 (revocation reasons), SP 800-38D
//! section 8.3 (the limit on uses with random nonces), crontab(5) (schedules).

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod change;
mod due;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod ids;
mod key;
mod keyring;
mod live;
mod name;
mod namespace;
mod occasion;
mod operation;
pub mod permissions;
mod permits;
mod reason;
mod reserve;
mod rules;
pub mod schedule;
mod state;
mod time;
pub mod transitions;
mod version;
mod warn;

pub use change::{Cause, Changed, Transition, Versions};
pub use due::{Due, DueAct, Why};
pub use error::{Error, Result};
pub use ids::{KeyId, KeyringId, NamespaceId};
pub use key::{
    Key, KeyParts, KeyUpdate, MAX_FIELD_LEN, MAX_MESSAGE_LEN, MAX_RECOVERY_SECONDS, MAX_TAGS,
    MAX_VERSIONS, MAX_WRAPPINGS, NewKey, Permit, Revoke,
};
pub use keyring::{Defaults, Keyring};
pub use live::{Drain, InFlight, Live};
pub use name::Name;
pub use namespace::{Namespace, NamespaceState};
pub use occasion::{Occasion, Occasions};
pub use operation::Operation;
pub use permits::{VersionPermits, Window};
pub use reason::RevocationReason;
pub use reserve::{MAX_BLOCK, MAX_BYTE_BLOCK, Refill, Taken, UseReserve, counted_bytes};
pub use rules::{
    DEFAULT_DESTROY_WINDOW_SECONDS, Legacy, MAX_DESTROY_WINDOW_SECONDS, MAX_SPREAD_SECONDS,
    MIN_ROTATION_SECONDS, Rules,
};
pub use schedule::{Cron, Schedule, Zone};
pub use state::{KeyState, OperationClass};
pub use time::UnixSeconds;
pub use transitions::Event;
pub use version::{
    NewVersion, Origin, RecoveryGrant, Revocation, Taint, Version, VersionNumber, VersionRef,
};
