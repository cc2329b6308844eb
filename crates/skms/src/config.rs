//! The server's configuration: a TOML file, then the environment, then flags;
//! each overrides the one before.

mod acme;
mod database;
mod notifications;
mod reach;
mod settings;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use skms_engine::limits::Rate;

pub use acme::{AcmeConfig, AcmeSettings};
pub use database::DatabaseUrl;
pub use notifications::{NotificationConfig, NotificationSettings, Security, SmtpConfig};
pub use reach::Reach;
pub use settings::{Settings, TlsSettings, UnsealSettings};

/// The port when nothing else is said.
pub const DEFAULT_PORT: u16 = 8200;

/// Why a configuration was not accepted; always the operator's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a setting that does not exist.
    #[error("{}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the line.
        reason: String,
    },
    /// A setting with a value that cannot be.
    #[error("{setting}: {reason}")]
    Value {
        /// The setting, as the file, environment or flag names it.
        setting: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// One thread for each core but one: the journal's thread, slow work and the
/// kernel's own want a core too, and threads that take turns on one cost more
/// than they bring.
fn default_workers() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    cores.saturating_sub(1).max(1)
}

fn value(setting: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Value {
        setting,
        reason: reason.into(),
    }
}

/// Everything the server needs to know before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The addresses to listen at.
    pub listen: Vec<SocketAddr>,
    /// The addresses at which what authorities publish is served over plain
    /// HTTP, and nothing else.
    pub publish: Vec<SocketAddr>,
    /// Where the database, the journal and the self-made certificate live.
    pub data_dir: PathBuf,
    /// Threads that serve connections.
    pub workers: usize,
    /// The PostgreSQL database, where the store is not a file in `data_dir`.
    pub database: Option<skms_store::postgres::Options>,
    /// How connections are protected.
    pub tls: TlsConfig,
    /// What a client may ask for.
    pub limits: Limits,
    /// How much is logged.
    pub log: LogLevel,
    /// A key file that unseals the server as it starts.
    pub unseal_key_file: Option<PathBuf>,
    /// What is kept in memory.
    pub memory: MemoryConfig,
    /// How ACME is served.
    pub acme: AcmeConfig,
    /// Where notifications may go.
    pub notifications: NotificationConfig,
}

/// What is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryConfig {
    /// Keys at most, beyond those that are in use.
    pub keys: usize,
    /// RSA-2048 keys that are made ahead at most; a quarter as many RSA-3072
    /// and a sixteenth RSA-4096.
    pub rsa_stock: usize,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            keys: 100_000,
            rsa_stock: 256,
        }
    }
}

/// How connections are protected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsConfig {
    /// The certificate chain (PEM), leaf first, and its private key (PEM).
    /// Without them the server makes its own under the data directory.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Authorities (PEM) of client certificates. Without them any certificate
    /// is let through to the look-up of registered ones.
    pub client_ca: Option<PathBuf>,
    /// Names and addresses for a self-made certificate, beyond localhost.
    pub names: Vec<String>,
}

/// What a client may ask for, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once; more wait to be accepted.
    pub connections: usize,
    /// Connections open at once from one address (IPv6: one /64); more are
    /// closed.
    pub connections_per_source: usize,
    /// Requests that one worker has under way; more are turned away.
    pub requests_per_worker: usize,
    /// Requests a second of one principal for whom nothing else is set;
    /// `None` for any number.
    pub rate: Option<Rate>,
    /// Requests a second from one address that is nobody yet.
    pub strangers: Rate,
    /// Slow work (RSA, key generation, Argon2id) that would wait longer than
    /// this is turned away.
    pub slow_wait: Duration,
    /// Bytes that all large bodies under way may take together.
    pub body_memory_bytes: usize,
    /// Bytes in a request's body.
    pub body_bytes: usize,
    /// For the TLS handshake.
    pub handshake_timeout: Duration,
    /// For a request's head to arrive, counted from the end of the request
    /// before it on an HTTP/1.1 connection.
    pub header_timeout: Duration,
    /// For a request's body to arrive.
    pub body_timeout: Duration,
    /// For an answer to be ready.
    pub answer_timeout: Duration,
    /// A connection without requests is closed after this.
    pub idle_timeout: Duration,
    /// For open requests to finish when the server stops.
    pub drain_timeout: Duration,
}

/// Connections open at once when nothing is said.
const CONNECTIONS: usize = 16_384;

/// Three quarters for one source, so that it does not shut out the others.
/// Few connections are not worth dividing: there only the whole is limited.
const fn per_source(connections: usize) -> usize {
    if connections < 1024 {
        usize::MAX
    } else {
        connections / 4 * 3
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            connections_per_source: per_source(CONNECTIONS),
            requests_per_worker: 2048,
            rate: None,
            strangers: Rate {
                per_second: 200,
                burst: 1000,
            },
            slow_wait: Duration::from_secs(15),
            body_memory_bytes: 256 * 1024 * 1024,
            body_bytes: 1024 * 1024,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(120),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// The least grave message that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// Only what needs somebody's attention.
    Error,
    /// And what may soon.
    Warn,
    /// And starting, stopping and the like.
    #[default]
    Info,
    /// And every request.
    Debug,
}

impl LogLevel {
    /// The level's name in settings and log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    fn parse(text: &str) -> Result<Self, ConfigError> {
        [Self::Error, Self::Warn, Self::Info, Self::Debug]
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or_else(|| value("log", "it is error, warn, info or debug"))
    }
}
