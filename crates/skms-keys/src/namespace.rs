//! Tenants.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::ids::NamespaceId;
use crate::name::Name;
use crate::time::UnixSeconds;

/// Whether a namespace is open for business.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NamespaceState {
    /// Its keys can be used.
    Active,
    /// None of its keys can be used until it is resumed.
    Suspended,
}

impl NamespaceState {
    /// Its name: "active" or "suspended".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            NamespaceState::Active => "active",
            NamespaceState::Suspended => "suspended",
        }
    }
}

impl fmt::Display for NamespaceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for NamespaceState {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [NamespaceState::Active, NamespaceState::Suspended]
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or(Error::UnknownName("namespace state"))
    }
}

/// A tenant: keyrings, keys, policies and principals that nobody outside it
/// sees.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Namespace {
    /// Names it for ever.
    pub id: NamespaceId,
    /// What it is called now.
    pub name: Name,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Whether its keys can be used.
    pub state: NamespaceState,
}

impl Namespace {
    /// The name of the namespace that every server starts with.
    pub const ROOT: &'static str = "root";

    /// A new, active namespace.
    #[must_use]
    pub fn create(id: NamespaceId, name: Name, now: UnixSeconds) -> Self {
        Self {
            id,
            name,
            created_at: now,
            state: NamespaceState::Active,
        }
    }

    /// Whether its keys can be used.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == NamespaceState::Active
    }

    /// The same namespace, with all use of its keys held back.
    #[must_use]
    pub fn suspend(&self) -> Self {
        Self {
            state: NamespaceState::Suspended,
            ..self.clone()
        }
    }

    /// The same namespace, open again.
    #[must_use]
    pub fn resume(&self) -> Self {
        Self {
            state: NamespaceState::Active,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspending_and_resuming_change_the_state_only() {
        let name = Name::new(Namespace::ROOT).unwrap();
        let open = Namespace::create(NamespaceId([1; 16]), name, UnixSeconds(9));
        assert!(open.is_active());
        assert!(!open.suspend().is_active());
        assert_eq!(open.suspend().resume(), open);
        for state in [NamespaceState::Active, NamespaceState::Suspended] {
            assert_eq!(state.name().parse::<NamespaceState>().unwrap(), state);
        }
        assert!("closed".parse::<NamespaceState>().is_err());
    }
}
