//! From flags, environment and configuration file to a client.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use skms_client::settings::{Overrides, Resolved, Token};
use skms_client::{Client, Config, Identity, Retry};
use skms_pki::{Certificate, pem};
use zeroize::Zeroizing;

use super::error::{CliError, Result};
use super::{input, output};

/// The longest certificate or key file read, in bytes.
const PEM_MAX: u64 = 1 << 20;

/// A client certificate with those above it, its private key, an authority.
pub type ExchangeFiles = (Vec<u8>, Zeroizing<Vec<u8>>, Vec<u8>);

/// Options of every command that talks to a server.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Server options")]
pub struct Connection {
    /// The server's address [SKMS_ADDR] [default: https://127.0.0.1:8200]
    #[arg(long, global = true, value_name = "URL")]
    pub address: Option<String>,
    /// The authority that issued the server's certificate (PEM) [SKMS_CACERT]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The authority that certifies the server in key exchanges (PEM), where
    /// somebody else ends TLS on the way [SKMS_EXCHANGE_CACERT] [default: the
    /// CA file]
    #[arg(long, global = true, value_name = "FILE")]
    pub exchange_ca_file: Option<PathBuf>,
    /// A file that holds the token [SKMS_TOKEN_FILE]; or the token in SKMS_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The namespace [SKMS_NAMESPACE] [default: root]
    #[arg(long, short = 'n', global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// A client certificate to be known by (PEM) [SKMS_CLIENT_CERT]
    #[arg(long, global = true, value_name = "FILE")]
    pub client_cert: Option<PathBuf>,
    /// The client certificate's private key (PEM) [SKMS_CLIENT_KEY]
    #[arg(long, global = true, value_name = "FILE")]
    pub client_key: Option<PathBuf>,
    /// The request for approval that was approved, where a policy has the act
    /// wait for that; several with commas
    #[arg(long, global = true, value_name = "ID")]
    pub approval: Option<String>,
    /// Why, for those who are to approve
    #[arg(long, global = true, value_name = "TEXT")]
    pub approval_reason: Option<String>,
    /// How long a call may take, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
}

/// A variable of the environment; an empty one counts as absent.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Connection {
    /// A client of the server that is meant.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::new(self.config(variable)?)?)
    }

    /// A client that tries everything once.
    pub fn client_without_retries(&self) -> Result<Client> {
        let mut config = self.config(variable)?;
        config.retry = Retry::NEVER;
        Ok(Client::new(config)?)
    }

    /// A client that takes for the server whom the exchange's authority
    /// certified, and nobody else.
    pub fn exchange_client(&self) -> Result<Client> {
        let mut config = self.config(variable)?;
        if let Some(path) = self.resolve(variable)?.exchange_ca_file {
            config.ca_pem = Some(std::mem::take(&mut *input::read(&path, PEM_MAX)?));
        }
        Ok(Client::new(config)?)
    }

    /// The namespace that is meant.
    pub fn namespace(&self) -> Result<String> {
        Ok(self.resolve(variable)?.namespace)
    }

    /// The files of the client certificate and of its key, if they are named.
    pub fn identity_files(&self) -> Result<Option<(PathBuf, PathBuf)>> {
        Ok(self.resolve(variable)?.identity)
    }

    /// What a key exchange needs: the client certificate with those above it,
    /// its private key, and the server's authority (PEM each).
    pub fn exchange_identity(&self) -> Result<ExchangeFiles> {
        let config = self.config(variable)?;
        let identity = config.identity.ok_or_else(|| {
            CliError::usage("a key exchange needs a client certificate")
                .hint("--client-cert and --client-key; `skms cert issue --principal` makes one")
        })?;
        let authority = self.resolve(variable)?.exchange_ca_file.ok_or_else(|| {
            CliError::usage("a key exchange needs the server's authority")
                .hint("--ca-file or --exchange-ca-file: the system's authorities do not count here")
        })?;
        Ok((
            identity.certificates_pem,
            identity.private_key_pem,
            std::mem::take(&mut *input::read(&authority, PEM_MAX)?),
        ))
    }

    fn resolve(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Resolved> {
        let said = Overrides {
            address: self.address.clone(),
            ca_file: self.ca_file.clone(),
            exchange_ca_file: self.exchange_ca_file.clone(),
            token_file: self.token_file.clone(),
            namespace: self.namespace.clone(),
            client_certificate: self.client_cert.clone(),
            client_key: self.client_key.clone(),
        };
        Resolved::new(&said, variable).map_err(|error| CliError::usage(error.to_string()))
    }

    /// Flags, then the environment, then the file.
    fn config(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Config> {
        let resolved = self.resolve(variable)?;
        let mut config = Config::new(resolved.address.parse()?);
        if let Some(path) = resolved.ca_file {
            config.ca_pem = Some(std::mem::take(&mut *input::read(&path, PEM_MAX)?));
        }
        config.token = match resolved.token {
            Some(Token::Text(token)) => Some(token),
            Some(Token::File(path)) => Some(input::secret_file(&path)?),
            None => None,
        };
        if let Some((certificate, key)) = resolved.identity {
            let certificates_pem = std::mem::take(&mut *input::read(&certificate, PEM_MAX)?);
            // One that has ended closes the connection to whom it shows.
            let has_token = config.token.is_some();
            if !warn_of_end(&certificates_pem, has_token)? || !has_token {
                config.identity = Some(Identity {
                    certificates_pem,
                    private_key_pem: input::read(&key, PEM_MAX)?,
                });
            }
        }
        config.namespace = resolved.namespace;
        config.approvals.clone_from(&self.approval);
        config.approval_reason.clone_from(&self.approval_reason);
        config.timeout = Duration::from_secs(self.timeout.max(1));
        Ok(config)
    }
}

/// Says so when a client certificate has ended, or when less than a third of
/// its time is left; whether it has ended. What cannot be read is left to the
/// handshake.
fn warn_of_end(certificates: &[u8], has_token: bool) -> Result<bool> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let times = std::str::from_utf8(certificates)
        .ok()
        .and_then(|text| pem::decode(pem::CERTIFICATE, text).ok())
        .and_then(|all| {
            let read = Certificate::from_der(all.first()?).ok()?;
            Some((read.not_before().0, read.not_after().0))
        });
    let Some(times) = times else {
        return Ok(false);
    };
    if let Some(warning) = ending(times, now, has_token) {
        output::note(warning)?;
    }
    Ok(times.1 < now)
}

fn ending((first, last): (i64, i64), now: i64, has_token: bool) -> Option<String> {
    let left = last.saturating_sub(now);
    if left < 0 {
        let instead = match has_token {
            true => "the token is used instead",
            false => "a token is the way in",
        };
        return Some(format!(
            "warning: the client certificate has ended; {instead}"
        ));
    }
    let third = last.saturating_sub(first) / 3;
    (left < third).then(|| {
        let (days, hours) = (left / 86_400, left % 86_400 / 3600);
        format!(
            "warning: the client certificate ends in {days} days and {hours} hours; \
             `skms cert renew --own` renews it"
        )
    })
}

#[cfg(test)]
mod tests {
    use skms_client::settings::DEFAULT_ADDRESS;

    use super::*;

    #[test]
    fn a_certificate_that_has_ended_does_not_stand_in_the_tokens_way() {
        let folder = tempfile::tempdir().unwrap();
        let mut ended = rcgen::CertificateParams::default();
        ended.not_before = rcgen::date_time_ymd(2020, 1, 1);
        ended.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let ended = ended.self_signed(&rcgen::KeyPair::generate().unwrap());
        let (file, key) = (
            folder.path().join("ended.pem"),
            folder.path().join("key.pem"),
        );
        std::fs::write(&file, ended.unwrap().pem()).unwrap();
        std::fs::write(&key, "a key").unwrap();
        let connection = Connection {
            client_cert: Some(file),
            client_key: Some(key),
            ..Connection::default()
        };
        let token = |name: &str| (name == "SKMS_TOKEN").then(|| "t".to_owned());
        assert!(connection.config(token).unwrap().identity.is_none());
        // Without one there is nothing else to show.
        assert!(connection.config(|_| None).unwrap().identity.is_some());
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "address = 'https://file:3'\nnamespace = 'team-a'").unwrap();
        let file = file.to_str().unwrap().to_owned();
        let variable = |name: &str| match name {
            "SKMS_CONFIG" => Some(file.clone()),
            "SKMS_ADDR" => Some("https://environment:2".to_owned()),
            "SKMS_TOKEN" => Some("t".to_owned()),
            _ => None,
        };
        let config = Connection::default().config(variable).unwrap();
        assert_eq!(config.address.to_string(), "https://environment:2");
        assert_eq!(config.namespace, "team-a");
        assert_eq!(config.token.unwrap().expose(), "t");
        let flags = Connection {
            address: Some("https://flag:1".into()),
            token_file: Some("/nonexistent/token".into()),
            ..Connection::default()
        };
        assert!(
            flags.config(variable).is_err(),
            "the named token file is used"
        );
        let flags = Connection {
            token_file: None,
            ..flags
        };
        assert_eq!(
            flags.config(variable).unwrap().address.to_string(),
            "https://flag:1"
        );
        let nothing = Connection::default().config(|_| None).unwrap();
        assert_eq!(nothing.address.to_string(), DEFAULT_ADDRESS);
    }

    #[test]
    fn a_certificate_that_ends_soon_is_warned_of() {
        let life = (0, 90 * 86_400);
        assert_eq!(ending(life, 60 * 86_400 - 1, true), None);
        let soon = ending(life, 61 * 86_400, true).unwrap();
        assert!(
            soon.contains("29 days") && soon.contains("renew --own"),
            "{soon}"
        );
        for (has_token, instead) in [(true, "instead"), (false, "way in")] {
            let ended = ending(life, life.1 + 1, has_token).unwrap();
            assert!(ended.contains("has ended") && ended.contains(instead));
        }
    }

    #[test]
    fn half_an_identity_and_missing_files_are_refused() {
        for name in [
            "SKMS_CLIENT_KEY",
            "SKMS_CLIENT_CERT",
            "SKMS_CACERT",
            "SKMS_TOKEN_FILE",
        ] {
            let one = |asked: &str| (asked == name).then(|| "/nonexistent/file".to_owned());
            assert!(Connection::default().config(one).is_err(), "{name}");
        }
    }
}
