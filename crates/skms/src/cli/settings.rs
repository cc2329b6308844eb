//! The command line's configuration file: where the server is and how to be
//! known there. Flags win over the environment, the environment over the file.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{CliError, Result};

/// What `~/.config/skms/config.toml` may say. A token is never in it, only the
/// name of a file that holds one.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The server's address.
    pub address: Option<String>,
    /// The authority that issued the server's certificate (PEM).
    pub ca_file: Option<PathBuf>,
    /// A file that holds a token.
    pub token_file: Option<PathBuf>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The client certificate (PEM).
    pub client_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub client_key: Option<PathBuf>,
}

impl Settings {
    /// Reads the file that `SKMS_CONFIG` names, which must exist, or the usual
    /// one, which need not.
    pub fn load(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        if let Some(path) = variable("SKMS_CONFIG") {
            return Self::read(Path::new(&path));
        }
        let Some(base) = variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".config")))
        else {
            return Ok(Self::default());
        };
        let path = base.join("skms/config.toml");
        if path.exists() {
            Self::read(&path)
        } else {
            Ok(Self::default())
        }
    }

    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .map_err(|error| CliError::usage(format!("cannot read {}: {error}", path.display())))?;
        let mut settings = Self::parse(&text)
            .map_err(|reason| CliError::usage(format!("{}: {reason}", path.display())))?;
        // Relative names are relative to the file that has them.
        let folder = path.parent().unwrap_or(Path::new("."));
        for file in [
            &mut settings.ca_file,
            &mut settings.token_file,
            &mut settings.client_certificate,
            &mut settings.client_key,
        ]
        .into_iter()
        .flatten()
        {
            *file = folder.join(&*file);
        }
        Ok(settings)
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            if text.lines().any(|line| {
                line.trim_start().starts_with("token ") || line.trim_start().starts_with("token=")
            }) {
                // The parser would quote the line, and with it the token.
                return "a token does not belong in this file; name a file with token_file".into();
            }
            error.to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_knows_and_refuses_the_rest() {
        let settings = Settings::parse("address = 'https://kms:1'\ntoken_file = 't'").unwrap();
        assert_eq!(settings.address.as_deref(), Some("https://kms:1"));
        assert!(Settings::parse("adress = 'x'").is_err());
        let error = Settings::parse("token = 'hunter2'").unwrap_err();
        assert!(
            !error.contains("hunter2") && error.contains("token_file"),
            "{error}"
        );
    }

    #[test]
    fn a_named_file_must_exist_and_the_usual_one_need_not() {
        let nothing = |_: &str| None;
        assert_eq!(Settings::load(nothing).unwrap(), Settings::default());
        let missing =
            |name: &str| (name == "SKMS_CONFIG").then(|| "/nonexistent/c.toml".to_owned());
        assert!(Settings::load(missing).is_err());
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        let usual = |name: &str| (name == "HOME").then(|| home.clone());
        assert_eq!(Settings::load(usual).unwrap(), Settings::default());
        fs::create_dir_all(folder.path().join(".config/skms")).unwrap();
        let file = folder.path().join(".config/skms/config.toml");
        fs::write(file, "ca_file = 'ca.pem'").unwrap();
        let read = Settings::load(usual).unwrap();
        assert_eq!(
            read.ca_file,
            Some(folder.path().join(".config/skms/ca.pem"))
        );
    }
}
