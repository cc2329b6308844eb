//! How keys are named on the command line: `KEYRING/NAME`, or `NAME` in the
//! keyring `default`.

use std::fmt;
use std::str::FromStr;

/// The keyring when none is named.
const DEFAULT_KEYRING: &str = "default";

/// A key's name and its keyring's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// The keyring.
    pub keyring: String,
    /// The key within it.
    pub name: String,
}

impl FromStr for KeyName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (keyring, name) = text.split_once('/').unwrap_or((DEFAULT_KEYRING, text));
        if keyring.is_empty() || name.is_empty() || name.contains('/') {
            return Err("write it as KEYRING/NAME, or NAME in the keyring default".to_owned());
        }
        Ok(Self {
            keyring: keyring.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.keyring, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_or_two_parts() {
        let key: KeyName = "orders".parse().unwrap();
        assert_eq!(
            (key.keyring.as_str(), key.name.as_str()),
            ("default", "orders")
        );
        let key: KeyName = "pay/orders".parse().unwrap();
        assert_eq!(key.to_string(), "pay/orders");
        for bad in ["", "/", "a/", "/b", "a/b/c"] {
            assert!(bad.parse::<KeyName>().is_err(), "{bad}");
        }
    }
}
