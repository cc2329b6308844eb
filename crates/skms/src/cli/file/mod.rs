//! `skms file`: files of any size in the age format.

mod decrypt;
mod encrypt;
mod named;
mod opener;
mod recipients;
mod show;

use std::io::Read;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use skms_client::file::FileError;
use skms_crypto::Algorithm;

use super::error::{CliError, Result};
use super::exit::Exit;
use super::{Global, input};

pub use opener::{Opener, open_with_key};
pub use recipients::Recipients;

/// How many keys of servers a file is encrypted for, and how many of a header's
/// are asked for: one from a stranger must not cause any number of requests.
const KEYS_MAX: usize = 8;

/// Encrypt and decrypt files of any size in the age format, under a key that
/// stays in the server. One request a file, whatever its size.
#[derive(Debug, Subcommand)]
pub enum File {
    /// Encrypt a file for keys of the server and other recipients
    Encrypt(encrypt::Encrypt),
    /// Decrypt a file
    Decrypt(decrypt::Decrypt),
    /// Say who can open a file; no server is asked
    Show(show::Show),
    /// Print a key as a recipient for `age -r` (or `skms file encrypt -r`)
    Recipient(named::Recipient),
    /// Print a key's identity for `age -d -i`, which is no secret
    Identity(named::Identity),
}

impl File {
    /// Does what was asked.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Encrypt(command) => command.run(global).await,
            Self::Decrypt(command) => command.run(global).await,
            Self::Show(command) => command.run(global),
            Self::Recipient(command) => command.run(global).await,
            Self::Identity(command) => command.run(global).await,
        }
    }
}

/// The file to read.
#[derive(Debug, Args)]
pub struct In {
    /// The file; standard input if left out or `-`
    #[arg(value_name = "FILE", conflicts_with = "input")]
    file: Option<PathBuf>,
    /// The same as FILE
    #[arg(long = "in", short = 'i', value_name = "FILE")]
    input: Option<PathBuf>,
}

impl In {
    /// Its name; `-` for standard input.
    fn path(&self) -> &Path {
        self.file
            .as_deref()
            .or(self.input.as_deref())
            .unwrap_or(Path::new("-"))
    }
}

/// What can be read by several threads in turn.
pub type Source = Box<dyn Read + Send>;

/// Opens the file or standard input, and says how long it is, if that is known.
pub fn open(path: &Path) -> Result<(Source, Option<u64>)> {
    if path == Path::new("-") {
        use std::io::IsTerminal as _;
        if std::io::stdin().is_terminal() {
            super::output::note("reading from the terminal; end with Ctrl-D")?;
        }
        return Ok((Box::new(std::io::stdin()), None));
    }
    let cannot = |error| CliError::usage(format!("cannot read {}: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let about = file.metadata().map_err(cannot)?;
    if about.is_dir() {
        return Err(CliError::usage(format!("{} is a folder", path.display()))
            .hint("pack it first: tar -c FOLDER | skms file encrypt …"));
    }
    let length = about.is_file().then_some(about.len());
    Ok((Box::new(file), length))
}

/// How many threads work on a file: one for each core.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// A build on the validated module has no age files: their cipher is not one
/// that it covers.
pub fn is_offered() -> Result<()> {
    if Algorithm::ChaCha20Poly1305.is_offered() {
        return Ok(());
    }
    Err(CliError::usage(
        "age files are encrypted with ChaCha20-Poly1305, which is not covered by the FIPS 140-3 module of this build",
    )
    .hint("up to 700 KiB are encrypted by the server: `skms encrypt`"))
}

/// What went wrong with a file, and what to make of it.
pub fn explain(error: FileError, path: &Path) -> CliError {
    let message = format!("{}: {error}", input::name(path));
    match error {
        FileError::Write(source) => source.into(),
        FileError::HeaderAltered => CliError::new(Exit::Verification, message),
        FileError::Altered { .. } | FileError::CutShort | FileError::Lengthened => {
            CliError::new(Exit::Verification, message)
                .hint("anything already written must not be used")
        }
        FileError::Library => CliError::failure(message),
        _ => CliError::usage(message),
    }
}
