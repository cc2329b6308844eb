//! Names that people give to namespaces, keyrings and keys.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A name: 1 to 128 characters out of `A-Z a-z 0-9 . _ -`, not starting with
/// `.` or `-`.
///
/// So a name is one path segment, needs no escaping in a URL, a shell or a
/// log, cannot be taken for an option, and has one spelling only. Names are
/// case-sensitive.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

/// The most characters a name may have.
const MAX_LEN: usize = 128;

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// [`Error::InvalidName`] when it breaks the rule above.
    pub fn new(name: &str) -> Result<Self> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        if name.is_empty()
            || name.len() > MAX_LEN
            || name.starts_with(['.', '-'])
            || !name.bytes().all(allowed)
        {
            return Err(Error::InvalidName);
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_kept_as_they_are() {
        let longest = "x".repeat(MAX_LEN);
        for name in ["a", "Root", "team-a", "_x", "0", "a.b_c-d", &longest] {
            assert_eq!(Name::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn bad_names_are_refused() {
        let too_long = "x".repeat(MAX_LEN + 1);
        for name in [
            "", ".", "..", ".a", "-a", "a/b", "a b", "a\n", "a\0", "é", "a%2f", "a:b", &too_long,
        ] {
            assert!(Name::new(name).is_err(), "{name:?}");
        }
    }
}
