//! The database's address and password on their way from a setting to the
//! store: neither is ever printed, since the address may hold the password.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use skms_store::postgres::Options;
use zeroize::Zeroizing;

use super::{ConfigError, value};

/// The address of a PostgreSQL database as it was given.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct DatabaseUrl(Zeroizing<String>);

impl From<String> for DatabaseUrl {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(text.to_owned()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(<redacted>)")
    }
}

impl DatabaseUrl {
    /// As it was given; not to be shown.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// How to open it, with this password where the address has none.
    ///
    /// # Errors
    /// [`ConfigError::Value`], without the address.
    pub fn options(&self, password: Option<&Password>) -> Result<Options, ConfigError> {
        Options::parse(&self.0, password.map(|password| password.0.as_str()))
            .map_err(|error| value("database", error.to_string()))
    }
}

/// The database's password. Copied and compared like every other setting;
/// erased when dropped, and shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;

    #[test]
    fn it_comes_from_every_source_and_shows_in_none() {
        let file: Settings =
            toml::from_str("database = 'postgres://skms:in-the-file@127.0.0.1/skms'").unwrap();
        let environment = Settings::from_environment(|name| match name {
            "SKMS_DATABASE" => Some("postgres://skms@127.0.0.1/other".to_owned()),
            "PGPASSWORD" => Some("in-the-environment".to_owned()),
            _ => None,
        });
        for settings in [&file, &environment] {
            assert!(!format!("{settings:?}").contains("in-the"));
        }
        let both = file.clone().overridden_by(environment);
        let config = both.resolve().unwrap();
        let shown = format!("{config:?}");
        assert!(shown.contains("database other at 127.0.0.1"), "{shown}");
        assert!(!shown.contains("in-the"), "{shown}");
        assert!(file.resolve().unwrap().database.is_some());
    }

    #[test]
    fn a_bad_address_is_refused_without_showing_it() {
        for address in ["mysql://u:hunter2@h/d", "postgres://u:hunter2@h:x/d"] {
            let settings: Settings = toml::from_str(&format!("database = '{address}'")).unwrap();
            let error = settings.resolve().unwrap_err().to_string();
            assert!(error.starts_with("database: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
