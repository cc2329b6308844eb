//! Events that a key has a new version made for, beside its dates and counts.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// What happens elsewhere and makes a new version worth having.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Occasion {
    /// Who answers for the key has no credential left.
    OwnerLeft,
    /// Somebody who was given the newest version's material, or secrets that it
    /// gave, has no credential left.
    HolderLeft,
    /// The algorithm of the newest version is withdrawn, and has a successor.
    AlgorithmWithdrawn,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OwnerLeft, Self::HolderLeft, Self::AlgorithmWithdrawn];

    /// Its name, as options and messages have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OwnerLeft => "owner-left",
            Self::HolderLeft => "holder-left",
            Self::AlgorithmWithdrawn => "algorithm-withdrawn",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Occasion {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidRules`] for a name that is none.
    fn from_str(name: &str) -> Result<Self, Error> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.name() == name)
            .ok_or(Error::InvalidRules(
                "a key rotates on owner-left, holder-left or algorithm-withdrawn",
            ))
    }
}

/// A set of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Occasions(u8);

impl Occasions {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Whether it has one.
    #[must_use]
    pub const fn has(self, one: Occasion) -> bool {
        self.0 & one.bit() != 0
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that it has.
    pub fn iter(self) -> impl Iterator<Item = Occasion> {
        Occasion::ALL.into_iter().filter(move |one| self.has(*one))
    }
}

impl FromIterator<Occasion> for Occasions {
    fn from_iter<I: IntoIterator<Item = Occasion>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |bits, one| bits | one.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        for one in Occasion::ALL {
            let set: Occasions = [one, one].into_iter().collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), [one]);
            assert_eq!(one.name().parse::<Occasion>().unwrap(), one);
        }
        assert!(Occasions::NONE.is_empty());
        assert!("left".parse::<Occasion>().is_err());
    }
}
