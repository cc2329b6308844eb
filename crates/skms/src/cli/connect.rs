//! From flags, environment and configuration file to a client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use skms_client::{Client, Config, Identity};
use skms_wire::SecretText;
use zeroize::Zeroizing;

use super::error::{CliError, Result};
use super::input;
use super::settings::Settings;

/// Where the server is when nobody says.
const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";

/// The longest certificate or key file read, in bytes.
const PEM_MAX: u64 = 1 << 20;

/// Options of every command that talks to a server.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Server options")]
pub struct Connection {
    /// The server's address [default: https://127.0.0.1:8200]
    #[arg(
        long,
        global = true,
        env = "SKMS_ADDR",
        value_name = "URL",
        hide_env_values = true
    )]
    pub address: Option<String>,
    /// The authority that issued the server's certificate (PEM)
    #[arg(
        long,
        global = true,
        env = "SKMS_CACERT",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub ca_file: Option<PathBuf>,
    /// A file that holds the token; otherwise SKMS_TOKEN is used
    #[arg(
        long,
        global = true,
        env = "SKMS_TOKEN_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub token_file: Option<PathBuf>,
    /// The namespace [default: root]
    #[arg(
        long,
        short = 'n',
        global = true,
        env = "SKMS_NAMESPACE",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub namespace: Option<String>,
    /// A client certificate to be known by (PEM)
    #[arg(
        long,
        global = true,
        env = "SKMS_CLIENT_CERT",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub client_cert: Option<PathBuf>,
    /// The client certificate's private key (PEM)
    #[arg(
        long,
        global = true,
        env = "SKMS_CLIENT_KEY",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub client_key: Option<PathBuf>,
    /// How long a call may take, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
}

impl Connection {
    /// A client of the server that is meant.
    pub fn client(&self) -> Result<Client> {
        let settings = Settings::load(|name| std::env::var(name).ok())?;
        Ok(Client::new(self.config(settings)?)?)
    }

    fn config(&self, settings: Settings) -> Result<Config> {
        let address = self
            .address
            .as_deref()
            .or(settings.address.as_deref())
            .unwrap_or(DEFAULT_ADDRESS);
        let mut config = Config::new(address.parse()?);
        if let Some(path) = self.ca_file.as_deref().or(settings.ca_file.as_deref()) {
            config.ca_pem = Some(std::mem::take(&mut *input::read(path, PEM_MAX)?));
        }
        config.token = self.token(settings.token_file.as_deref())?;
        let certificate = self
            .client_cert
            .as_deref()
            .or(settings.client_certificate.as_deref());
        let key = self
            .client_key
            .as_deref()
            .or(settings.client_key.as_deref());
        config.identity = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(Identity {
                certificates_pem: std::mem::take(&mut *input::read(certificate, PEM_MAX)?),
                private_key_pem: Zeroizing::new(std::mem::take(&mut *input::read(key, PEM_MAX)?)),
            }),
            _ => {
                return Err(CliError::usage(
                    "a client certificate and its key belong together",
                ));
            }
        };
        if let Some(namespace) = self.namespace.as_deref().or(settings.namespace.as_deref()) {
            namespace.clone_into(&mut config.namespace);
        }
        config.timeout = Duration::from_secs(self.timeout.max(1));
        Ok(config)
    }

    /// The flag's file, then the environment, then the settings' file.
    fn token(&self, from_settings: Option<&Path>) -> Result<Option<SecretText>> {
        if let Some(path) = &self.token_file {
            return input::secret_file(path).map(Some);
        }
        if let Ok(token) = std::env::var("SKMS_TOKEN")
            && !token.is_empty()
        {
            return Ok(Some(SecretText::new(token)));
        }
        from_settings.map(input::secret_file).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_settings() {
        let connection = Connection {
            address: Some("https://flag:1".into()),
            ..Connection::default()
        };
        let settings = Settings {
            address: Some("https://file:2".into()),
            namespace: Some("team-a".into()),
            ..Settings::default()
        };
        let config = connection.config(settings).unwrap();
        assert_eq!(config.address.to_string(), "https://flag:1");
        assert_eq!(config.namespace, "team-a");
        let config = Connection::default().config(Settings::default()).unwrap();
        assert_eq!(config.address.to_string(), DEFAULT_ADDRESS);
    }

    #[test]
    fn half_an_identity_and_missing_files_are_refused() {
        let half = Settings {
            client_key: Some("k".into()),
            ..Settings::default()
        };
        assert!(Connection::default().config(half).is_err());
        let missing = Settings {
            ca_file: Some("/nonexistent/ca.pem".into()),
            ..Settings::default()
        };
        assert!(Connection::default().config(missing).is_err());
    }
}
