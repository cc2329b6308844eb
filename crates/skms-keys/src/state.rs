//! The states of a key version, and the two classes of what is done with it.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Where a key version stands (SP 800-57 part 1 rev. 5, section 7).
///
/// The standard's states are of a single key; ours has versions, and each is
/// a key in the standard's sense.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum KeyState {
    /// Generated, not yet authorised for use (section 7.1).
    PreActivation,
    /// In use (section 7.2).
    Active,
    /// Held back for a while; comes back, or not (section 7.3).
    Suspended,
    /// Protects nothing new, still processes what it protected (section 7.4).
    Deactivated,
    /// Known, or thought to be known, to somebody else (section 7.5).
    Compromised,
    /// The material is gone (section 7.6).
    Destroyed,
}

impl KeyState {
    /// Every state, in the order of the standard.
    pub const ALL: [KeyState; 6] = [
        KeyState::PreActivation,
        KeyState::Active,
        KeyState::Suspended,
        KeyState::Deactivated,
        KeyState::Compromised,
        KeyState::Destroyed,
    ];

    /// Its name: "pre-activation", "active", "suspended", "deactivated",
    /// "compromised" or "destroyed".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            KeyState::PreActivation => "pre-activation",
            KeyState::Active => "active",
            KeyState::Suspended => "suspended",
            KeyState::Deactivated => "deactivated",
            KeyState::Compromised => "compromised",
            KeyState::Destroyed => "destroyed",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyState {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or(Error::UnknownName("key state"))
    }
}

/// What an operation does with cryptographic protection (SP 800-57 part 1,
/// section 5.3.5: the originator applies it, the recipient processes it).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum OperationClass {
    /// Applies protection: encrypts, signs, wraps.
    Protect,
    /// Processes what is protected already: decrypts, verifies, unwraps.
    Process,
}

impl OperationClass {
    /// Both classes.
    pub const ALL: [OperationClass; 2] = [OperationClass::Protect, OperationClass::Process];

    /// Its name: "protect" or "process".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OperationClass::Protect => "protect",
            OperationClass::Process => "process",
        }
    }
}

impl fmt::Display for OperationClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for OperationClass {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|class| class.name() == name)
            .ok_or(Error::UnknownName("operation class"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_to_one() {
        for state in KeyState::ALL {
            assert_eq!(state.name().parse::<KeyState>().unwrap(), state);
        }
        for class in OperationClass::ALL {
            assert_eq!(class.name().parse::<OperationClass>().unwrap(), class);
        }
        assert!("Active".parse::<KeyState>().is_err());
        assert!("".parse::<OperationClass>().is_err());
    }
}
