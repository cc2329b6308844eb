//! `skms serve`.

use std::path::{Path, PathBuf};

use clap::Args;
use skms_wire::SecretText;

use super::error::{CliError, Result, with_causes};
use super::exit::Exit;
use crate::config::{DatabaseUrl, Settings, TlsSettings, UnsealSettings};
use crate::net::{Dev, Options, ServeError};

/// Run the server until it is told to stop.
#[derive(Debug, Args)]
pub struct Serve {
    /// A configuration file (TOML)
    #[arg(long, short = 'c', env = "SKMS_SERVER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// An address to listen at, such as 127.0.0.1:8200; may be repeated
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// An address to serve revocation lists, OCSP and authorities'
    /// certificates at over plain HTTP, such as 0.0.0.0:8280; may be repeated
    #[arg(long, value_name = "ADDR")]
    publish: Vec<String>,
    /// Where the store and the journal are
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The PostgreSQL database that holds the store, such as
    /// postgres://skms@host/skms; otherwise it is a file in the data directory
    #[arg(long, value_name = "URL", conflicts_with = "dev")]
    database: Option<DatabaseUrl>,
    /// The server's certificate chain (PEM); its own is made if absent
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The authorities of client certificates (PEM)
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// A name or address for the server's own certificate; may be repeated
    #[arg(long, value_name = "NAME")]
    tls_name: Vec<String>,
    /// A key file to unseal with at start
    #[arg(long, value_name = "FILE")]
    unseal_key_file: Option<PathBuf>,
    /// How much to log: error, warn, info or debug
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// Serve a throw-away store, unsealed: for trying out, on loopback
    #[arg(long, conflicts_with = "data_dir")]
    dev: bool,
    /// The throw-away server's root token; otherwise one is made and shown
    #[arg(
        long,
        value_name = "TOKEN",
        requires = "dev",
        env = "SKMS_DEV_ROOT_TOKEN",
        hide_env_values = true
    )]
    dev_root_token: Option<String>,
    /// Speak TLS in the throw-away server too
    #[arg(long, requires = "dev")]
    dev_tls: bool,
}

impl Serve {
    /// Serves until a signal says to stop.
    pub fn run(self) -> Result<()> {
        let options = Options {
            dev: self.dev.then(|| Dev {
                root_token: self.dev_root_token.clone().map(SecretText::new),
                tls: self.dev_tls,
            }),
        };
        let config = settings(self.config.as_deref())?
            .overridden_by(self.flags())
            .resolve()
            .map_err(|error| CliError::usage(error.to_string()))?;
        crate::net::run(config, options).map_err(explain)
    }

    fn flags(self) -> Settings {
        Settings {
            listen: (!self.listen.is_empty()).then_some(self.listen),
            publish: (!self.publish.is_empty()).then_some(self.publish),
            data_dir: self.data_dir,
            database: self.database,
            log: self.log,
            tls: TlsSettings {
                certificate: self.tls_certificate,
                key: self.tls_key,
                client_ca: self.client_ca,
                names: (!self.tls_name.is_empty()).then_some(self.tls_name),
            },
            unseal: UnsealSettings {
                key_file: self.unseal_key_file,
            },
            ..Settings::default()
        }
    }
}

/// What the file and the environment say.
pub fn settings(file: Option<&Path>) -> Result<Settings> {
    let from_file = match file {
        Some(path) => {
            Settings::from_file(path).map_err(|error| CliError::usage(error.to_string()))?
        }
        None => Settings::default(),
    };
    let environment = Settings::from_environment(|name| std::env::var(name).ok());
    Ok(from_file.overridden_by(environment))
}

fn explain(error: ServeError) -> CliError {
    use skms_engine::Error as Engine;
    let exit = match &error {
        ServeError::Engine(Engine::NotInitialised) => Exit::Sealed,
        ServeError::Unseal { .. } => Exit::Verification,
        ServeError::PlainBeyondLoopback { .. } | ServeError::DevToken(_) => Exit::Usage,
        _ => Exit::Failure,
    };
    let hint = match &error {
        ServeError::Engine(Engine::NotInitialised) => {
            Some("set it up with `skms init --data-dir DIR`, or try `skms serve --dev`")
        }
        ServeError::Listen { .. } => Some("choose another address with --listen"),
        _ => None,
    };
    let report = CliError::new(exit, with_causes(&error));
    match hint {
        Some(hint) => report.hint(hint),
        None => report,
    }
}
