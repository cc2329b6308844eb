//! What one source says about the configuration, and how the sources make up
//! the whole.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use skms_engine::limits::Rate;

use super::database::{DatabaseUrl, Password};
use super::{
    AcmeSettings, ConfigError, DEFAULT_PORT, Limits, LogLevel, MemoryConfig, NotificationSettings,
    ServerConfig, TlsConfig, value,
};

/// Most RSA keys that are made ahead.
const RSA_STOCK_MAX: usize = 65_536;

/// Most threads that serve connections.
const WORKERS_MAX: usize = 1024;

/// Settings from one source; what it does not say is left to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// As [`ServerConfig::listen`]; a bare address gets the default port.
    pub listen: Option<Vec<String>>,
    /// As [`ServerConfig::publish`]; addresses with their ports.
    pub publish: Option<Vec<String>>,
    /// As [`ServerConfig::data_dir`].
    pub data_dir: Option<PathBuf>,
    /// The address of a PostgreSQL database, as [`ServerConfig::database`].
    pub database: Option<DatabaseUrl>,
    /// A password for it where the address has none. From the environment
    /// alone: a file has `password_file` in the address.
    #[serde(skip)]
    pub database_password: Option<Password>,
    /// As [`ServerConfig::log`].
    pub log: Option<String>,
    /// As [`ServerConfig::workers`].
    pub workers: Option<usize>,
    /// As [`ServerConfig::tls`].
    pub tls: TlsSettings,
    /// As [`ServerConfig::limits`].
    pub limits: LimitSettings,
    /// How the server unseals itself.
    pub unseal: UnsealSettings,
    /// What is kept in memory.
    pub memory: MemorySettings,
    /// How ACME is served.
    pub acme: AcmeSettings,
    /// Where notifications may go.
    pub notifications: NotificationSettings,
}

/// The `[memory]` table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemorySettings {
    /// As [`MemoryConfig::keys`].
    pub keys: Option<usize>,
    /// As [`MemoryConfig::rsa_stock`].
    pub rsa_stock: Option<usize>,
}

/// The `[tls]` table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// The certificate chain, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Authorities of client certificates, PEM.
    pub client_ca: Option<PathBuf>,
    /// Names for a self-made certificate.
    pub names: Option<Vec<String>>,
}

/// The `[limits]` table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// As [`Limits::connections`].
    pub connections: Option<usize>,
    /// As [`Limits::connections_per_source`].
    pub connections_per_source: Option<usize>,
    /// As [`Limits::requests_per_worker`].
    pub requests_per_worker: Option<usize>,
    /// As [`Limits::rate`].
    pub principal_requests_per_second: Option<u32>,
    /// As many at once; a second's if left out.
    pub principal_burst: Option<u32>,
    /// As [`Limits::strangers`].
    pub stranger_requests_per_second: Option<u32>,
    /// As many at once; a second's if left out.
    pub stranger_burst: Option<u32>,
    /// As [`Limits::slow_wait`].
    pub slow_wait_seconds: Option<u64>,
    /// As [`Limits::body_memory_bytes`].
    pub body_memory_bytes: Option<usize>,
    /// As [`Limits::body_bytes`].
    pub body_bytes: Option<usize>,
    /// As [`Limits::handshake_timeout`].
    pub handshake_timeout_seconds: Option<u64>,
    /// As [`Limits::header_timeout`].
    pub header_timeout_seconds: Option<u64>,
    /// As [`Limits::body_timeout`].
    pub body_timeout_seconds: Option<u64>,
    /// As [`Limits::answer_timeout`].
    pub answer_timeout_seconds: Option<u64>,
    /// As [`Limits::idle_timeout`].
    pub idle_timeout_seconds: Option<u64>,
    /// As [`Limits::drain_timeout`].
    pub drain_timeout_seconds: Option<u64>,
}

/// The `[unseal]` table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnsealSettings {
    /// A key file that unseals the server as it starts.
    pub key_file: Option<PathBuf>,
}

impl Settings {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`ConfigError::Read`], or [`ConfigError::Syntax`] with the line.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Reads `SKMS_LISTEN`, `SKMS_PUBLISH`, `SKMS_DATA_DIR`, `SKMS_DATABASE`,
    /// `PGPASSWORD`, `SKMS_LOG`,
    /// `SKMS_TLS_CERTIFICATE`, `SKMS_TLS_KEY`, `SKMS_CLIENT_CA`,
    /// `SKMS_TLS_NAMES` and `SKMS_UNSEAL_KEY_FILE` through `variable`.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let list = |name: &str| {
            variable(name).map(|text| {
                text.split(',')
                    .map(|part| part.trim().to_owned())
                    .filter(|part| !part.is_empty())
                    .collect()
            })
        };
        let path = |name: &str| variable(name).map(PathBuf::from);
        Self {
            listen: list("SKMS_LISTEN"),
            publish: list("SKMS_PUBLISH"),
            data_dir: path("SKMS_DATA_DIR"),
            database: variable("SKMS_DATABASE").map(DatabaseUrl::from),
            database_password: variable("PGPASSWORD").map(Password::from),
            log: variable("SKMS_LOG"),
            workers: None,
            tls: TlsSettings {
                certificate: path("SKMS_TLS_CERTIFICATE"),
                key: path("SKMS_TLS_KEY"),
                client_ca: path("SKMS_CLIENT_CA"),
                names: list("SKMS_TLS_NAMES"),
            },
            limits: LimitSettings::default(),
            unseal: UnsealSettings {
                key_file: path("SKMS_UNSEAL_KEY_FILE"),
            },
            memory: MemorySettings::default(),
            acme: AcmeSettings::default(),
            notifications: NotificationSettings::default(),
        }
    }

    /// What `other` says, and where it says nothing, what this says.
    #[must_use]
    pub fn overridden_by(self, other: Self) -> Self {
        Self {
            listen: other.listen.or(self.listen),
            publish: other.publish.or(self.publish),
            data_dir: other.data_dir.or(self.data_dir),
            database: other.database.or(self.database),
            database_password: other.database_password.or(self.database_password),
            log: other.log.or(self.log),
            workers: other.workers.or(self.workers),
            tls: TlsSettings {
                certificate: other.tls.certificate.or(self.tls.certificate),
                key: other.tls.key.or(self.tls.key),
                client_ca: other.tls.client_ca.or(self.tls.client_ca),
                names: other.tls.names.or(self.tls.names),
            },
            limits: self.limits.overridden_by(&other.limits),
            unseal: UnsealSettings {
                key_file: other.unseal.key_file.or(self.unseal.key_file),
            },
            memory: MemorySettings {
                keys: other.memory.keys.or(self.memory.keys),
                rsa_stock: other.memory.rsa_stock.or(self.memory.rsa_stock),
            },
            acme: self.acme.overridden_by(other.acme),
            notifications: self.notifications.overridden_by(other.notifications),
        }
    }

    /// Fills in the defaults and checks the whole.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for the first setting that cannot be.
    pub fn resolve(self) -> Result<ServerConfig, ConfigError> {
        let listen = match self.listen {
            None => vec![SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT))],
            Some(texts) if texts.is_empty() => {
                return Err(value("listen", "it names no address"));
            }
            Some(texts) => texts
                .iter()
                .map(|text| parse_listen(text))
                .collect::<Result<_, _>>()?,
        };
        let identity = match (self.tls.certificate, self.tls.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(value("tls", "certificate and key belong together")),
        };
        Ok(ServerConfig {
            listen,
            publish: self
                .publish
                .unwrap_or_default()
                .iter()
                .map(|text| {
                    text.parse().map_err(|_| {
                        value("publish", format!("{text:?} is no address with its port"))
                    })
                })
                .collect::<Result<_, _>>()?,
            data_dir: self
                .data_dir
                .unwrap_or_else(|| PathBuf::from("./skms-data")),
            database: self
                .database
                .map(|url| url.options(self.database_password.as_ref()))
                .transpose()?,
            tls: TlsConfig {
                identity,
                client_ca: self.tls.client_ca,
                names: self.tls.names.unwrap_or_default(),
            },
            workers: match self.workers {
                Some(workers) if (1..=WORKERS_MAX).contains(&workers) => workers,
                Some(_) => return Err(value("workers", "it is from 1 to 1024")),
                None => super::default_workers(),
            },
            limits: self.limits.resolve()?,
            log: match self.log {
                Some(text) => LogLevel::parse(&text)?,
                None => LogLevel::default(),
            },
            unseal_key_file: self.unseal.key_file,
            memory: self.memory.resolve()?,
            acme: self.acme.resolve()?,
            notifications: self.notifications.resolve()?,
        })
    }
}

impl MemorySettings {
    fn resolve(&self) -> Result<MemoryConfig, ConfigError> {
        let usual = MemoryConfig::default();
        let keys = self.keys.unwrap_or(usual.keys);
        if keys == 0 {
            return Err(value("memory.keys", "it is at least one"));
        }
        let rsa_stock = self.rsa_stock.unwrap_or(usual.rsa_stock);
        if rsa_stock > RSA_STOCK_MAX {
            return Err(value("memory.rsa_stock", "it is at most 65536"));
        }
        Ok(MemoryConfig { keys, rsa_stock })
    }
}

impl LimitSettings {
    fn overridden_by(&self, other: &Self) -> Self {
        macro_rules! each {
            ($($field:ident),+) => { Self { $($field: other.$field.or(self.$field)),+ } };
        }
        each!(
            connections,
            connections_per_source,
            requests_per_worker,
            principal_requests_per_second,
            principal_burst,
            stranger_requests_per_second,
            stranger_burst,
            slow_wait_seconds,
            body_memory_bytes,
            body_bytes,
            handshake_timeout_seconds,
            header_timeout_seconds,
            body_timeout_seconds,
            answer_timeout_seconds,
            idle_timeout_seconds,
            drain_timeout_seconds
        )
    }

    fn resolve(&self) -> Result<Limits, ConfigError> {
        let default = Limits::default();
        let seconds = |setting: &'static str, given: Option<u64>, otherwise: Duration| match given {
            None => Ok(otherwise),
            Some(0) => Err(value(setting, "it is at least one second")),
            Some(seconds) if seconds > 86_400 => Err(value(setting, "it is at most a day")),
            Some(seconds) => Ok(Duration::from_secs(seconds)),
        };
        let connections = self.connections.unwrap_or(default.connections);
        if connections == 0 {
            return Err(value("limits.connections", "it is at least one"));
        }
        let body_bytes = self.body_bytes.unwrap_or(default.body_bytes);
        if !(1024..=64 * 1024 * 1024).contains(&body_bytes) {
            return Err(value("limits.body_bytes", "it is from 1024 to 67108864"));
        }
        let connections_per_source = self
            .connections_per_source
            .unwrap_or_else(|| super::per_source(connections));
        if connections_per_source == 0 {
            return Err(value("limits.connections_per_source", "it is at least one"));
        }
        let requests_per_worker = self
            .requests_per_worker
            .unwrap_or(default.requests_per_worker);
        if !(1..=1_000_000).contains(&requests_per_worker) {
            return Err(value(
                "limits.requests_per_worker",
                "it is from 1 to 1000000",
            ));
        }
        let body_memory_bytes = self.body_memory_bytes.unwrap_or(default.body_memory_bytes);
        if body_memory_bytes < body_bytes {
            return Err(value(
                "limits.body_memory_bytes",
                "it is at least limits.body_bytes",
            ));
        }
        Ok(Limits {
            connections,
            connections_per_source,
            requests_per_worker,
            rate: rate(
                [
                    "limits.principal_requests_per_second",
                    "limits.principal_burst",
                ],
                self.principal_requests_per_second,
                self.principal_burst,
            )?,
            strangers: rate(
                [
                    "limits.stranger_requests_per_second",
                    "limits.stranger_burst",
                ],
                self.stranger_requests_per_second,
                self.stranger_burst,
            )?
            .unwrap_or(default.strangers),
            slow_wait: seconds(
                "limits.slow_wait_seconds",
                self.slow_wait_seconds,
                default.slow_wait,
            )?,
            body_memory_bytes,
            body_bytes,
            handshake_timeout: seconds(
                "limits.handshake_timeout_seconds",
                self.handshake_timeout_seconds,
                default.handshake_timeout,
            )?,
            header_timeout: seconds(
                "limits.header_timeout_seconds",
                self.header_timeout_seconds,
                default.header_timeout,
            )?,
            body_timeout: seconds(
                "limits.body_timeout_seconds",
                self.body_timeout_seconds,
                default.body_timeout,
            )?,
            answer_timeout: seconds(
                "limits.answer_timeout_seconds",
                self.answer_timeout_seconds,
                default.answer_timeout,
            )?,
            idle_timeout: seconds(
                "limits.idle_timeout_seconds",
                self.idle_timeout_seconds,
                default.idle_timeout,
            )?,
            drain_timeout: seconds(
                "limits.drain_timeout_seconds",
                self.drain_timeout_seconds,
                default.drain_timeout,
            )?,
        })
    }
}

/// A rate of so many a second and so many at once, from the settings so named.
fn rate(
    [rate, burst_setting]: [&'static str; 2],
    per_second: Option<u32>,
    burst: Option<u32>,
) -> Result<Option<Rate>, ConfigError> {
    match (per_second, burst) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(value(burst_setting, format!("it needs {rate} beside it"))),
        (Some(per_second), burst) => Rate::new(per_second, burst.unwrap_or(per_second))
            .map(Some)
            .map_err(|error| value(rate, error.to_string())),
    }
}

/// An address with or without a port; no host names, which could change.
fn parse_listen(text: &str) -> Result<SocketAddr, ConfigError> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    match bare.unwrap_or(text) {
        "localhost" => Ok(SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT))),
        bare => bare
            .parse::<IpAddr>()
            .map(|ip| SocketAddr::new(ip, DEFAULT_PORT))
            .map_err(|_| {
                value(
                    "listen",
                    format!("{text} is not an address such as 127.0.0.1:8200 or [::]:8200"),
                )
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn nothing_said_gives_the_defaults() {
        let config = Settings::default().resolve().unwrap();
        assert_eq!(config.listen, ["127.0.0.1:8200".parse().unwrap()]);
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.log, LogLevel::Info);
    }

    #[test]
    fn later_sources_win() {
        let file = toml(
            "listen = ['10.0.0.1:1', '::1']\ndata_dir = '/a'\nlog = 'warn'\n\
             [limits]\nbody_bytes = 2048\nidle_timeout_seconds = 5\n\
             principal_requests_per_second = 100\nstranger_requests_per_second = 5\n\
             stranger_burst = 50\n\
             [tls]\ncertificate = 'c'\nkey = 'k'\n[unseal]\nkey_file = 'u'",
        )
        .unwrap();
        let environment = Settings::from_environment(|name| match name {
            "SKMS_DATA_DIR" => Some("/b".to_owned()),
            "SKMS_TLS_NAMES" => Some("kms.example, 10.0.0.1".to_owned()),
            _ => None,
        });
        let flags = Settings {
            listen: Some(vec!["[::]:9".to_owned()]),
            ..Settings::default()
        };
        let config = file
            .overridden_by(environment)
            .overridden_by(flags)
            .resolve()
            .unwrap();
        assert_eq!(config.listen, ["[::]:9".parse().unwrap()]);
        assert_eq!(config.data_dir, PathBuf::from("/b"));
        assert_eq!(config.log, LogLevel::Warn);
        assert_eq!(config.limits.body_bytes, 2048);
        assert_eq!(config.limits.idle_timeout, Duration::from_secs(5));
        assert_eq!(config.limits.rate, Rate::new(100, 100).ok());
        assert_eq!(config.limits.strangers, Rate::new(5, 50).unwrap());
        assert_eq!(config.tls.names, ["kms.example", "10.0.0.1"]);
        assert_eq!(config.unseal_key_file, Some(PathBuf::from("u")));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        assert!(toml("listn = []").is_err());
        assert!(toml("[limits]\nbody = 1").is_err());
        for (text, setting) in [
            ("listen = []", "listen"),
            ("listen = ['kms.example:1']", "listen"),
            ("listen = ['127.0.0.1:99999']", "listen"),
            ("log = 'loud'", "log"),
            ("[tls]\nkey = 'k'", "tls"),
            ("[limits]\nconnections = 0", "limits.connections"),
            ("workers = 0", "workers"),
            ("workers = 1025", "workers"),
            ("[memory]\nkeys = 0", "memory.keys"),
            ("[memory]\nrsa_stock = 65537", "memory.rsa_stock"),
            ("[limits]\nbody_bytes = 1", "limits.body_bytes"),
            ("[limits]\nrequests_per_worker = 0", "limits.requests"),
            (
                "[limits]\nconnections_per_source = 0",
                "limits.connections_per",
            ),
            (
                "[limits]\nbody_memory_bytes = 9",
                "limits.body_memory_bytes",
            ),
            ("[limits]\nprincipal_burst = 9", "limits.principal_burst"),
            (
                "[limits]\nstranger_requests_per_second = 0",
                "limits.stranger_requests_per_second",
            ),
            (
                "[limits]\nbody_timeout_seconds = 0",
                "limits.body_timeout_seconds",
            ),
        ] {
            let error = toml(text).unwrap().resolve().unwrap_err();
            assert!(error.to_string().starts_with(setting), "{text}: {error}");
        }
    }
}
