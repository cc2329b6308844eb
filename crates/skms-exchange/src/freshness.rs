//! What is too old, and what was here before.

use skms_pki::Moment;

use crate::error::{Error, Result};

/// The longest window that may be set, in seconds.
pub const MAX_WINDOW_SECONDS: u32 = 600;
/// The greatest skew that may be set, in seconds.
pub const MAX_SKEW_SECONDS: u32 = 300;

/// How long a replay entry stays, in seconds from its message's time: the
/// greatest window and twice the greatest skew, whatever is set, so that
/// neither a longer window set later nor a clock set back by a skew lets a
/// message in again.
pub const RETENTION_SECONDS: u32 = MAX_WINDOW_SECONDS + 2 * MAX_SKEW_SECONDS;

/// How old a message may be, and how far two clocks may be apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    window: i64,
    skew: i64,
}

impl Default for Freshness {
    /// Two minutes, and one.
    fn default() -> Self {
        Self {
            window: 120,
            skew: 60,
        }
    }
}

impl Freshness {
    /// Another window and skew, in seconds.
    ///
    /// # Errors
    /// [`Error::Input`] over [`MAX_WINDOW_SECONDS`] or [`MAX_SKEW_SECONDS`], or
    /// for a window of zero.
    pub fn new(window_seconds: u32, skew_seconds: u32) -> Result<Self> {
        let sound =
            (1..=MAX_WINDOW_SECONDS).contains(&window_seconds) && skew_seconds <= MAX_SKEW_SECONDS;
        match sound {
            true => Ok(Self {
                window: window_seconds.into(),
                skew: skew_seconds.into(),
            }),
            false => Err(Error::Input("a window or skew that is not allowed")),
        }
    }

    /// Whether a message of this time may be taken now.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::FromTheFuture`].
    pub(crate) fn check(self, time: Moment, now: Moment) -> Result<()> {
        let age = now.0.saturating_sub(time.0);
        if age < -self.skew {
            return Err(Error::FromTheFuture);
        }
        if age > self.window + self.skew {
            return Err(Error::Stale);
        }
        Ok(())
    }

    /// The last moment for the answer to what one sent oneself at `time`.
    pub(crate) fn answer_until(self, time: Moment) -> Moment {
        Moment(time.0.saturating_add(self.window))
    }

    /// The last moment for the confirmation of an answer of this time.
    pub(crate) fn confirm_until(self, time: Moment) -> Moment {
        Moment(time.0.saturating_add(self.window + self.skew))
    }
}

/// Whether an entry was in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was not, and is now.
    First,
    /// It was there.
    Again,
}

/// What is remembered of a message 1.
///
/// It is made of the initiator's certificate and nonce, both under its
/// signature, and not of the message's bytes: who reshapes a signature without
/// breaking it (ECDSA's s for -s) has another message, and the same entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplayEntry {
    pub(crate) id: [u8; 32],
    pub(crate) until: Moment,
}

impl ReplayEntry {
    pub(crate) fn new(id: [u8; 32], time: Moment) -> Self {
        let until = Moment(time.0.saturating_add(RETENTION_SECONDS.into()));
        Self { id, until }
    }

    /// What is looked up.
    #[must_use]
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// The last moment at which it is needed.
    #[must_use]
    pub fn until(&self) -> Moment {
        self.until
    }
}

/// Remembers messages.
///
/// Contract:
/// - *Atomic*: looking up and recording are one step. Of any number of callers
///   with one entry at once, one is told [`Seen::First`].
/// - *Durable*: `First` is not answered before the entry would survive a crash
///   and the loss of power.
/// - *Lasting*: an entry stays at least until [`ReplayEntry::until`].
/// - *Shared*: all servers that answer to one name have one store.
/// - *Closed*: a store that lost its entries says so by an error, to everyone,
///   for [`RETENTION_SECONDS`].
///
/// A store that is asked asynchronously needs no implementation: ask it about
/// [`crate::responder::Received::replay_entry`] and hand its answer to
/// [`crate::responder::Received::admit`].
pub trait ReplayStore {
    /// Why it could not be asked.
    type Error;

    /// Records an entry, and tells whether it was there.
    ///
    /// # Errors
    /// The store's own; the exchange is then refused.
    fn record(&self, entry: &ReplayEntry) -> std::result::Result<Seen, Self::Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_ends_where_it_says() {
        let fresh = Freshness::default();
        let check = |time: i64| fresh.check(Moment(time), Moment(10_000));
        assert_eq!(check(10_060), Ok(()));
        assert_eq!(check(10_061), Err(Error::FromTheFuture));
        assert_eq!(check(9_820), Ok(()));
        assert_eq!(check(9_819), Err(Error::Stale));
        let extreme = fresh.check(Moment(i64::MAX / 2), Moment(i64::MIN));
        assert_eq!(extreme, Err(Error::FromTheFuture));
        assert!(Freshness::new(601, 0).is_err());
        assert!(Freshness::new(0, 0).is_err());
        assert!(Freshness::new(600, 301).is_err());
    }

    #[test]
    fn an_entry_outlives_every_window_that_can_be_set() {
        let longest = Freshness::new(MAX_WINDOW_SECONDS, MAX_SKEW_SECONDS).unwrap();
        let sent = Moment(10_000);
        let entry = ReplayEntry::new([0; 32], sent);
        // The last moment that takes the message, and a clock set back by then.
        let last = Moment(sent.0 + i64::from(MAX_WINDOW_SECONDS + MAX_SKEW_SECONDS));
        assert_eq!(longest.check(sent, last), Ok(()));
        assert_eq!(longest.check(sent, Moment(last.0 + 1)), Err(Error::Stale));
        assert!(entry.until().0 >= last.0 + i64::from(MAX_SKEW_SECONDS));
    }
}
