//! The transition table: from which state which event leads where.
//!
//! It is data. Acts look their step up in it and take no other; the tests
//! compare it, pair by pair, with the standard's text.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::state::KeyState;

/// What moves a version from one state to another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Event {
    /// It may be used from now on.
    Activate,
    /// Its use is held back.
    Suspend,
    /// A held version goes back into use.
    Resume,
    /// A held version that was never active waits for its activation again.
    Await,
    /// It protects nothing more.
    Deactivate,
    /// It is known, or thought to be known, to somebody else.
    Compromise,
    /// Its material is erased.
    Destroy,
}

impl Event {
    /// Every event there is.
    pub const ALL: [Event; 7] = [
        Event::Activate,
        Event::Suspend,
        Event::Resume,
        Event::Await,
        Event::Deactivate,
        Event::Compromise,
        Event::Destroy,
    ];

    /// Its name, lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Event::Activate => "activate",
            Event::Suspend => "suspend",
            Event::Resume => "resume",
            Event::Await => "await",
            Event::Deactivate => "deactivate",
            Event::Compromise => "compromise",
            Event::Destroy => "destroy",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Event {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|event| event.name() == name)
            .ok_or(Error::UnknownName("event"))
    }
}

/// Where a row of the table comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The transition of that number in SP 800-57 part 1 rev. 5, section 7.
    Standard(u8),
    /// Our own, and why it is safe.
    House(&'static str),
}

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The state it leaves.
    pub from: KeyState,
    /// What happens.
    pub event: Event,
    /// The state it enters.
    pub to: KeyState,
    /// Who says so.
    pub source: Source,
}

const fn row(from: KeyState, event: Event, to: KeyState, number: u8) -> Row {
    let source = Source::Standard(number);
    Row {
        from,
        event,
        to,
        source,
    }
}

const fn house(from: KeyState, event: Event, to: KeyState, why: &'static str) -> Row {
    let source = Source::House(why);
    Row {
        from,
        event,
        to,
        source,
    }
}

use KeyState::{Active, Compromised, Deactivated, Destroyed, PreActivation, Suspended};

/// Every step a version can take. What is not here is refused.
///
/// Transition 1 of the standard is the creation of a version and leaves no
/// state. Our own rows add three things that it does not draw: *suspend* must
/// get through wherever a version can be used or soon will be; a revoked key
/// must not come into use later by its date; and a compromise found after the
/// destruction is recorded (section 7.6 asks for that in words).
///
/// Which way a version leaves the suspended state is for its dates to say,
/// and [`crate::Key::resume`] asks them: one that was never active waits
/// again, one that was deactivated or replaced does not come back into use.
pub const TABLE: &[Row] = &[
    row(PreActivation, Event::Destroy, Destroyed, 2),
    row(PreActivation, Event::Compromise, Compromised, 3),
    row(PreActivation, Event::Activate, Active, 4),
    house(
        PreActivation,
        Event::Suspend,
        Suspended,
        "suspending a whole key must stop a version that would come into use meanwhile",
    ),
    house(
        PreActivation,
        Event::Deactivate,
        Deactivated,
        "revoking a whole key must stop a version that would come into use later; \
         it has protected nothing, so there is nothing it can process",
    ),
    row(Active, Event::Destroy, Destroyed, 5),
    row(Active, Event::Compromise, Compromised, 6),
    row(Active, Event::Suspend, Suspended, 7),
    row(Active, Event::Deactivate, Deactivated, 8),
    row(Suspended, Event::Destroy, Destroyed, 9),
    row(Suspended, Event::Resume, Active, 10),
    row(Suspended, Event::Compromise, Compromised, 11),
    row(Suspended, Event::Deactivate, Deactivated, 12),
    house(
        Suspended,
        Event::Await,
        PreActivation,
        "the way back for a version that was suspended before its activation",
    ),
    row(Deactivated, Event::Destroy, Destroyed, 13),
    row(Deactivated, Event::Compromise, Compromised, 14),
    house(
        Deactivated,
        Event::Suspend,
        Suspended,
        "suspending a whole key must also stop decryption with its older versions; \
         a suspended version may do less than a deactivated one, never more",
    ),
    row(Compromised, Event::Destroy, Destroyed, 15),
    house(
        Destroyed,
        Event::Compromise,
        Destroyed,
        "a compromise found after the destruction is recorded; the state is final",
    ),
];

const STATES: usize = KeyState::ALL.len();
const EVENTS: usize = Event::ALL.len();

/// The table by index, so that a look-up is one load.
const NEXT: [[Option<KeyState>; EVENTS]; STATES] = {
    let mut next = [[None; EVENTS]; STATES];
    let mut index = 0;
    while index < TABLE.len() {
        let row = &TABLE[index];
        assert!(
            next[row.from as usize][row.event as usize].is_none(),
            "two rows for one state and event"
        );
        next[row.from as usize][row.event as usize] = Some(row.to);
        index += 1;
    }
    next
};

/// The state that `event` leads to from `from`; `None` if it may not happen.
#[must_use]
pub const fn next(from: KeyState, event: Event) -> Option<KeyState> {
    NEXT[from as usize][event as usize]
}
