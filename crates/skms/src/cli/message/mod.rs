//! `skms message`: sealed to other clients, past the server.

mod key;
mod letter;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use skms_client::sealing::{Correspondent, Suite, suite};

use super::Global;
use super::error::{CliError, Result};
use super::input;

/// The longest file of certificates or keys that is read, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Seal messages to other clients, and open theirs; the server never sees them.
///
/// Needs a client certificate of a principal (--client-cert, --client-key) and
/// the server's authority (--ca-file).
#[derive(Debug, Subcommand)]
pub enum Message {
    /// Make a sealing key; it stays in its file
    Keygen(key::Keygen),
    /// Publish a sealing key in the directory, certified by one's certificate
    Publish(key::Publish),
    /// List one's own published sealing keys
    List,
    /// Take one's published sealing key back
    Withdraw,
    /// Look up somebody's sealing key, and judge it
    Lookup(letter::Lookup),
    /// Seal a file or standard input to somebody
    Seal(letter::Seal),
    /// Open a sealed message
    Open(letter::Open),
}

impl Message {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Keygen(keygen) => keygen.run(global),
            Self::Publish(publish) => publish.run(global).await,
            Self::List => key::list(global).await,
            Self::Withdraw => key::withdraw(global).await,
            Self::Lookup(lookup) => lookup.run(global).await,
            Self::Seal(seal) => seal.run(global).await,
            Self::Open(open) => open.run(global).await,
        }
    }
}

/// Whom one believes.
#[derive(Debug, Args)]
pub struct Anchors {
    /// The authorities that certify the others (PEM); may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    anchors: Vec<PathBuf>,
}

impl Anchors {
    fn correspondent(&self, global: &Global) -> Result<Correspondent> {
        let mut anchors = Vec::new();
        for path in &self.anchors {
            anchors.extend_from_slice(&input::read(path, FILE_MAX)?);
            anchors.push(b'\n');
        }
        correspondent(global, &anchors)
    }
}

/// Which sealing keys will do.
#[derive(Debug, Args)]
pub struct Suites {
    /// Also a sealing key that a quantum computer opens
    #[arg(long)]
    classical: bool,
}

impl Suites {
    fn accepted(&self) -> &'static [Suite] {
        match self.classical {
            true => &suite::ALL,
            false => &suite::POST_QUANTUM,
        }
    }
}

fn correspondent(global: &Global, anchors: &[u8]) -> Result<Correspondent> {
    let (certificates, key, server) = global.exchange_identity()?;
    Correspondent::from_pem(&certificates, &key, &server, anchors)
        .map_err(|error| CliError::usage(error.to_string()))
}

/// Where the statements of a key are kept: beside it.
fn statements_of(key: &Path) -> PathBuf {
    let mut path = key.as_os_str().to_owned();
    path.push(".statements");
    PathBuf::from(path)
}
