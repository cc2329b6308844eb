//! Sealing keys: made here, published, listed, taken back.

use std::path::PathBuf;

use clap::Args;
use skms_client::sealing::{
    Algorithm, Format, KeyMaterial, MAX_VALIDITY_SECONDS, SealingKey, Suite, suite,
};
use skms_pki::pem;
use skms_wire::Bytes;
use skms_wire::native::directory::{PublishStatementRequest, StatementView};

use super::{FILE_MAX, correspondent, statements_of};
use crate::cli::error::{CliError, Result};
use crate::cli::{Global, duration, input, output, progress};

/// The label of a statement in PEM.
pub const STATEMENT: &str = "SKMS SEALING STATEMENT";

/// Make a sealing key: what is sealed to it opens with this file alone.
#[derive(Debug, Args)]
pub struct Keygen {
    /// Where to write it (PKCS #8 in PEM, mode 0600)
    #[arg(long, short = 'o', value_name = "FILE")]
    out: PathBuf,
    /// X-Wing, ML-KEM-1024 or ML-KEM-768; or X25519, EC-P256, EC-P384, EC-P521,
    /// which a quantum computer opens
    #[arg(long, short = 'a', value_name = "NAME", default_value = "X-Wing")]
    algorithm: String,
    /// A file with a passphrase to encrypt it with
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Keygen {
    pub fn run(self, global: &Global) -> Result<()> {
        // A key that is overwritten takes all that was sealed to it along.
        if self.out.exists() {
            let path = self.out.display();
            return Err(CliError::usage(format!("{path} exists already"))
                .hint("messages to that key would never open again: choose another name"));
        }
        let passphrase = self.passphrase_file.as_deref().map(input::secret_file);
        let passphrase = passphrase.transpose()?;
        let algorithm = self.algorithm.parse::<Algorithm>();
        let known =
            |one: &Algorithm| Suite::for_key(*one).is_ok_and(|suite| suite::ALL.contains(&suite));
        let algorithm = algorithm.ok().filter(known).ok_or_else(|| {
            CliError::usage(format!("{} is no algorithm to seal to", self.algorithm))
        })?;
        let key = KeyMaterial::generate(algorithm).map_err(failed)?;
        let secret = passphrase.as_ref().map(|text| text.expose().as_bytes());
        let written = key.export(Format::Pkcs8Pem, secret).map_err(failed)?;
        output::write_file(&self.out, written.expose())?;
        let shown = serde_json::json!({ "algorithm": algorithm.name(), "file": self.out });
        global.show(&shown, |_| {
            output::note(format!("{} in {}", algorithm.name(), self.out.display()))
        })
    }
}

fn failed(error: skms_crypto::Error) -> CliError {
    CliError::failure(error.to_string())
}

/// A sealing key from its file.
#[derive(Debug, Args)]
pub struct KeyFile {
    /// The sealing key that `keygen` made
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// A file with the passphrase that it is encrypted with
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl KeyFile {
    pub fn read(&self) -> Result<SealingKey> {
        let bytes = input::read(&self.key, FILE_MAX)?;
        let passphrase = self.passphrase_file.as_deref().map(input::secret_file);
        let passphrase = passphrase.transpose()?;
        let secret = passphrase.as_ref().map(|text| text.expose().as_bytes());
        let path = self.key.display();
        let key = KeyMaterial::import(&bytes, Format::Pkcs8Pem, None, secret).map_err(|error| {
            CliError::usage(format!(
                "{path} is not a sealing key, or not its passphrase: {error}"
            ))
        })?;
        SealingKey::new(&key).map_err(|error| CliError::usage(format!("{path}: {error}")))
    }

    /// The statements that were made of it.
    pub fn statements(&self) -> Result<Vec<Vec<u8>>> {
        let path = statements_of(&self.key);
        let text = input::read_text(&path, FILE_MAX)
            .map_err(|error| error.hint("`skms message publish` writes it beside the key"))?;
        pem::decode(STATEMENT, &text)
            .map_err(|_| CliError::usage(format!("{} has no statements", path.display())))
    }
}

/// Publish a sealing key: others can seal to it until it ends, is withdrawn, or
/// another one is published.
#[derive(Debug, Args)]
pub struct Publish {
    #[command(flatten)]
    file: KeyFile,
    /// How long others may seal to it, such as 30d; 366d at most
    #[arg(long, value_name = "TIME", value_parser = duration::seconds, default_value = "90d")]
    lifetime: u64,
}

impl Publish {
    pub async fn run(self, global: &Global) -> Result<()> {
        let seconds = u32::try_from(self.lifetime).ok();
        let seconds = seconds.filter(|seconds| *seconds <= MAX_VALIDITY_SECONDS);
        let seconds = seconds.ok_or_else(|| CliError::usage("a lifetime of more than 366d"))?;
        let (client, key) = (global.client()?, self.file.read()?);
        // Nobody else is judged here: the server's authority stands in.
        let (_, _, server) = global.exchange_identity()?;
        let by = correspondent(global, &server)?;
        let statement = by.state(&key, seconds);
        let statement = statement.map_err(|error| CliError::usage(error.to_string()))?;
        // First here: what is sealed to it opens with this alone.
        self.keep(&statement)?;
        let request = PublishStatementRequest {
            statement: Bytes::new(statement),
        };
        let work = client.publish_statement(&request);
        let view = progress::wait("Publishing", work).await?;
        global.show(&view, print)
    }

    fn keep(&self, statement: &[u8]) -> Result<()> {
        let path = statements_of(&self.file.key);
        let mut text = match path.exists() {
            true => input::read_text(&path, FILE_MAX)?,
            false => String::new(),
        };
        let one = pem::encode(STATEMENT, statement);
        text.push_str(&one.map_err(|error| CliError::failure(error.to_string()))?);
        output::write_file(&path, text.as_bytes())
    }
}

/// One's own statements.
pub async fn list(global: &Global) -> Result<()> {
    let all = global.client()?.own_statements().await?;
    global.show(&all, |all| {
        let rows: Vec<_> = all.statements.iter().map(row).collect();
        output::table(
            &["STATEMENT", "ALGORITHM", "STATUS", "PUBLISHED", "ENDS"],
            &rows,
        )
    })
}

/// Takes the present one back.
pub async fn withdraw(global: &Global) -> Result<()> {
    let view = global.client()?.withdraw_statement().await?;
    global.show(&view, print)
}

fn row(view: &StatementView) -> Vec<String> {
    vec![
        short(&view.hash),
        view.algorithm.clone().unwrap_or_default(),
        word(view.status),
        view.published_at.to_string(),
        view.not_after.to_string(),
    ]
}

fn print(view: &StatementView) -> Result<()> {
    output::line(format!(
        "{}: {}, until {}",
        short(&view.hash),
        word(view.status),
        view.not_after
    ))
}

/// Enough of a hash to tell a statement by.
fn short(hash: &str) -> String {
    hash.chars().take(16).collect()
}

fn word(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
