//! Where the server is and how to be known there, as the programs of this
//! house find out: what was said on the command line wins over the
//! environment, and that over the configuration file. Only that file is read
//! here; those that it names are left to the program.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use skms_wire::SecretText;
use skms_wire::native::routes::DEFAULT_NAMESPACE;

/// Where the server is when nobody says.
pub const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";

/// What is wrong with the settings: the caller's mistake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file says something that it may not.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What, without a secret.
        reason: String,
    },
    /// A certificate without its key, or the other way round.
    #[error("a client certificate and its key belong together")]
    HalfAnIdentity,
}

type Result<T> = std::result::Result<T, SettingsError>;

/// What was said on the command line.
#[derive(Debug, Default)]
pub struct Overrides {
    /// The server's address.
    pub address: Option<String>,
    /// The authority that issued the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// The authority that certifies the server in key exchanges.
    pub exchange_ca_file: Option<PathBuf>,
    /// A file that holds a token.
    pub token_file: Option<PathBuf>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The client certificate.
    pub client_certificate: Option<PathBuf>,
    /// Its private key.
    pub client_key: Option<PathBuf>,
}

/// Where the token is.
#[derive(Debug)]
pub enum Token {
    /// Here.
    Text(SecretText),
    /// In a file.
    File(PathBuf),
}

/// What holds in the end.
#[derive(Debug)]
pub struct Resolved {
    /// The server's address, not parsed.
    pub address: String,
    /// The namespace.
    pub namespace: String,
    /// The authority that issued the server's certificate (PEM).
    pub ca_file: Option<PathBuf>,
    /// The authority that certifies the server in key exchanges (PEM), which is
    /// another one where somebody else ends TLS on the way; [`Self::ca_file`]
    /// where nobody says.
    pub exchange_ca_file: Option<PathBuf>,
    /// The token.
    pub token: Option<Token>,
    /// The client certificate (PEM) and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Resolved {
    /// Puts all three together. `variable` gives a variable of the environment
    /// that is not empty.
    ///
    /// # Errors
    /// The file is missing where it was named, or malformed; half an identity.
    pub fn new(said: &Overrides, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let file = Settings::load(&variable)?;
        let path = |said: &Option<PathBuf>, name: &str, file: Option<PathBuf>| {
            said.clone()
                .or_else(|| variable(name).map(PathBuf::from))
                .or(file)
        };
        let text = |said: &Option<String>, name: &str, file: Option<String>| {
            said.clone().or_else(|| variable(name)).or(file)
        };
        let certificate = path(
            &said.client_certificate,
            "SKMS_CLIENT_CERT",
            file.client_certificate,
        );
        let key = path(&said.client_key, "SKMS_CLIENT_KEY", file.client_key);
        let identity = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => return Err(SettingsError::HalfAnIdentity),
        };
        let token = match (&said.token_file, variable("SKMS_TOKEN")) {
            (None, Some(token)) => Some(Token::Text(SecretText::new(token))),
            _ => path(&said.token_file, "SKMS_TOKEN_FILE", file.token_file).map(Token::File),
        };
        let ca_file = path(&said.ca_file, "SKMS_CACERT", file.ca_file);
        let exchange = path(
            &said.exchange_ca_file,
            "SKMS_EXCHANGE_CACERT",
            file.exchange_ca_file,
        );
        Ok(Self {
            address: text(&said.address, "SKMS_ADDR", file.address)
                .unwrap_or_else(|| DEFAULT_ADDRESS.to_owned()),
            namespace: text(&said.namespace, "SKMS_NAMESPACE", file.namespace)
                .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            exchange_ca_file: exchange.or_else(|| ca_file.clone()),
            ca_file,
            token,
            identity,
        })
    }
}

/// What `~/.config/skms/config.toml` may say. A token is never in it, only the
/// name of a file that holds one.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    address: Option<String>,
    ca_file: Option<PathBuf>,
    exchange_ca_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    namespace: Option<String>,
    client_certificate: Option<PathBuf>,
    client_key: Option<PathBuf>,
}

impl Settings {
    /// Reads the file that `SKMS_CONFIG` names, which must exist, or the usual
    /// one, which need not.
    fn load(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
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
        let text = fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let mut settings = Self::parse(&text).map_err(|reason| SettingsError::Malformed {
            path: path.to_owned(),
            reason,
        })?;
        // Relative names are relative to the file that has them.
        let folder = path.parent().unwrap_or(Path::new("."));
        for file in [
            &mut settings.ca_file,
            &mut settings.exchange_ca_file,
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

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, "address = 'https://file:3'\nnamespace = 'team-a'").unwrap();
        let file = file.to_str().unwrap().to_owned();
        let variable = |name: &str| match name {
            "SKMS_CONFIG" => Some(file.clone()),
            "SKMS_ADDR" => Some("https://environment:2".to_owned()),
            "SKMS_TOKEN" => Some("t".to_owned()),
            _ => None,
        };
        let resolved = Resolved::new(&Overrides::default(), variable).unwrap();
        assert_eq!(resolved.address, "https://environment:2");
        assert_eq!(resolved.namespace, "team-a");
        assert!(matches!(resolved.token, Some(Token::Text(text)) if text.expose() == "t"));
        let said = Overrides {
            address: Some("https://said:1".into()),
            token_file: Some("named".into()),
            ..Overrides::default()
        };
        let resolved = Resolved::new(&said, variable).unwrap();
        assert_eq!(resolved.address, "https://said:1");
        assert!(matches!(resolved.token, Some(Token::File(path)) if path == Path::new("named")));
        let files = |said: &Overrides, variable: &dyn Fn(&str) -> Option<String>| {
            let resolved = Resolved::new(said, variable).unwrap();
            let text = |path: Option<PathBuf>| path.map(|path| path.display().to_string());
            (text(resolved.ca_file), text(resolved.exchange_ca_file))
        };
        let pair = |one: &str, other: &str| (Some(one.to_owned()), Some(other.to_owned()));
        let proxy = Overrides {
            ca_file: Some("proxy".into()),
            ..Overrides::default()
        };
        assert_eq!(files(&proxy, &|_| None), pair("proxy", "proxy"));
        let own = |name: &str| (name == "SKMS_EXCHANGE_CACERT").then(|| "own".to_owned());
        assert_eq!(files(&proxy, &own), pair("proxy", "own"));
        let nothing = Resolved::new(&Overrides::default(), |_| None).unwrap();
        assert_eq!(nothing.address, DEFAULT_ADDRESS);
        for half in ["SKMS_CLIENT_KEY", "SKMS_CLIENT_CERT"] {
            let one = |asked: &str| (asked == half).then(|| "file".to_owned());
            let refused = Resolved::new(&Overrides::default(), one);
            assert!(matches!(refused, Err(SettingsError::HalfAnIdentity)));
        }
    }
}
