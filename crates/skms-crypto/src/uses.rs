//! What a key may be used for.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// One thing a key may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Use {
    /// Encrypt data.
    Encrypt,
    /// Decrypt data.
    Decrypt,
    /// Wrap other keys.
    Wrap,
    /// Unwrap other keys.
    Unwrap,
    /// Sign.
    Sign,
    /// Verify signatures.
    Verify,
    /// Compute a message authentication code.
    Mac,
    /// Verify a message authentication code.
    MacVerify,
    /// Derive other keys (HKDF).
    Derive,
    /// Agree on a shared secret (Diffie-Hellman).
    Agree,
    /// Encapsulate a shared secret (KEM).
    Encapsulate,
    /// Decapsulate a shared secret (KEM).
    Decapsulate,
}

impl Use {
    /// Every use there is.
    #[must_use]
    pub const fn all() -> &'static [Use] {
        &[
            Use::Encrypt,
            Use::Decrypt,
            Use::Wrap,
            Use::Unwrap,
            Use::Sign,
            Use::Verify,
            Use::Mac,
            Use::MacVerify,
            Use::Derive,
            Use::Agree,
            Use::Encapsulate,
            Use::Decapsulate,
        ]
    }

    /// Its name, lower case: "encrypt", "mac-verify".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Use::Encrypt => "encrypt",
            Use::Decrypt => "decrypt",
            Use::Wrap => "wrap",
            Use::Unwrap => "unwrap",
            Use::Sign => "sign",
            Use::Verify => "verify",
            Use::Mac => "mac",
            Use::MacVerify => "mac-verify",
            Use::Derive => "derive",
            Use::Agree => "agree",
            Use::Encapsulate => "encapsulate",
            Use::Decapsulate => "decapsulate",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Use {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Use::all()
            .iter()
            .copied()
            .find(|one| one.name().eq_ignore_ascii_case(name))
            .ok_or(Error::UnknownName("use"))
    }
}

/// A set of uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Uses(u16);

impl Uses {
    /// No use at all.
    pub const EMPTY: Uses = Uses(0);

    /// The set of the given uses.
    #[must_use]
    pub const fn of(uses: &[Use]) -> Uses {
        let mut bits = 0;
        let mut index = 0;
        while index < uses.len() {
            bits |= uses[index].bit();
            index += 1;
        }
        Uses(bits)
    }

    /// Whether `one` is in the set.
    #[must_use]
    pub const fn contains(self, one: Use) -> bool {
        self.0 & one.bit() != 0
    }

    /// Whether everything in this set is in `other` too.
    #[must_use]
    pub const fn is_subset_of(self, other: Uses) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether the set has nothing in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Uses) -> Uses {
        Uses(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Uses) -> Uses {
        Uses(self.0 & other.0)
    }

    /// The uses in the set, in the order of [`Use::all`].
    pub fn iter(self) -> impl Iterator<Item = Use> {
        Use::all()
            .iter()
            .copied()
            .filter(move |&one| self.contains(one))
    }

    /// Keeps signing apart from everything that acts as a private decryption.
    ///
    /// SP 800-57 part 1, section 5.2: a key is used for one purpose only. A
    /// key that signs and also decrypts, unwraps, agrees or decapsulates can
    /// be made to sign through its other use, or the reverse.
    ///
    /// # Errors
    /// [`Error::RefusedByPolicy`] when the set mixes the two.
    pub fn check_separation(self) -> Result<()> {
        const RECEIVING: Uses =
            Uses::of(&[Use::Decrypt, Use::Unwrap, Use::Agree, Use::Decapsulate]);
        if self.contains(Use::Sign) && !self.intersection(RECEIVING).is_empty() {
            return Err(Error::RefusedByPolicy(
                "one key may not both sign and decrypt, unwrap, agree or decapsulate",
            ));
        }
        Ok(())
    }
}

impl FromIterator<Use> for Uses {
    fn from_iter<I: IntoIterator<Item = Use>>(uses: I) -> Self {
        Uses(uses.into_iter().fold(0, |bits, one| bits | one.bit()))
    }
}

impl fmt::Debug for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Use::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_exactly_what_they_were_given() {
        for &one in Use::all() {
            let set = Uses::of(&[one]);
            assert_eq!(set.iter().collect::<Vec<_>>(), [one]);
            assert_eq!(one.name().parse::<Use>().unwrap(), one);
        }
        let all: Uses = Use::all().iter().copied().collect();
        assert_eq!(all.iter().count(), Use::all().len());
        assert!(Uses::of(&[Use::Sign]).is_subset_of(all));
        assert!(!all.is_subset_of(Uses::of(&[Use::Sign])));
        assert!("delete".parse::<Use>().is_err());
    }

    #[test]
    fn signing_is_kept_apart() {
        for other in [Use::Decrypt, Use::Unwrap, Use::Agree, Use::Decapsulate] {
            assert!(Uses::of(&[Use::Sign, other]).check_separation().is_err());
            assert!(Uses::of(&[other]).check_separation().is_ok());
        }
        assert!(
            Uses::of(&[Use::Sign, Use::Verify])
                .check_separation()
                .is_ok()
        );
        assert!(
            Uses::of(&[Use::Verify, Use::Encrypt])
                .check_separation()
                .is_ok()
        );
    }
}
