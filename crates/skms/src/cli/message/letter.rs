//! Messages: to whom, sealed, opened.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use skms_client::sealing::{MAX_CONTENT, MAX_SEALED, Opening, Recipient, name};
use skms_wire::{Moment, SecretB64};

use super::key::{KeyFile, STATEMENT};
use super::{Anchors, Suites};
use crate::cli::error::{CliError, Result};
use crate::cli::output::{self, Encoding, Out, hex};
use crate::cli::{Global, duration, input, progress};

/// Look up somebody's sealing key: the chain, the lists and the signatures are
/// judged here, with the authorities given.
#[derive(Debug, Args)]
pub struct Lookup {
    /// The principal
    principal: String,
    #[command(flatten)]
    anchors: Anchors,
    #[command(flatten)]
    suites: Suites,
}

/// What is shown of a sealing key that holds.
#[derive(Serialize)]
struct Shown {
    name: String,
    /// What its statement is known by.
    statement: String,
    algorithm: String,
    status: &'static str,
    not_before: Moment,
    not_after: Moment,
}

impl Lookup {
    pub async fn run(self, global: &Global) -> Result<()> {
        let by = self.anchors.correspondent(global)?;
        let client = global.client()?;
        let work = client.look_up(&by, &self.principal, self.suites.accepted());
        let found = progress::wait("Looking up", work).await?;
        let about = found.statement.described();
        let shown = Shown {
            name: about.name.clone(),
            statement: hex(&about.hash),
            algorithm: found.statement.suite().kem.algorithm().name().to_owned(),
            status: found.verdict.status.name(),
            not_before: Moment::from_unix_seconds(about.not_before.0),
            not_after: Moment::from_unix_seconds(about.not_after.0),
        };
        global.show(&shown, |shown| {
            output::line(format!(
                "{}: {}, {}, until {}",
                shown.name, shown.algorithm, shown.status, shown.not_after
            ))
        })?;
        let good = found.verdict.status.ensure_good();
        good.map_err(|error| skms_client::Error::Sealing { error }.into())
    }
}

/// Seal a file or standard input to somebody: nobody else can open it, not even
/// who sealed it.
#[derive(Debug, Args)]
pub struct Seal {
    /// The principal that is to open it
    principal: String,
    /// What to seal, up to 16 MiB; standard input if left out
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    anchors: Anchors,
    #[command(flatten)]
    suites: Suites,
    #[command(flatten)]
    out: Out,
}

impl Seal {
    pub async fn run(self, global: &Global) -> Result<()> {
        let by = self.anchors.correspondent(global)?;
        let content = input::read(&self.file, MAX_CONTENT as u64)
            .map_err(|error| error.hint("seal the key of an encrypted file: docs/sealing.md"))?;
        let client = global.client()?;
        let suites = self.suites.accepted();
        let work = client.seal_to(&by, &self.principal, suites, &content);
        let (message, id) = progress::wait("Sealing", work).await?;
        self.out.bytes(&message, Encoding::Base64)?;
        output::note(format!("message {}", hex(&id)))
    }
}

/// Open a sealed message: by whom it is and for whom is checked first.
#[derive(Debug, Args)]
pub struct Open {
    /// The message; standard input if left out
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    key: KeyFile,
    #[command(flatten)]
    anchors: Anchors,
    /// By whom it has to be: a principal, or a name that is a URI
    #[arg(long, value_name = "WHO")]
    from: Option<String>,
    /// How old it may be, such as 1h
    #[arg(long, value_name = "TIME", value_parser = duration::seconds)]
    max_age: Option<u64>,
    #[command(flatten)]
    out: Out,
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Said {
    /// The sender's name.
    from: String,
    /// The same message again has the same.
    id: String,
    /// When, by the sender's clock.
    time: Moment,
    /// The statement that it was sealed to.
    statement: String,
    /// The content, base64; not where it went to a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<SecretB64>,
}

impl Open {
    pub async fn run(self, global: &Global) -> Result<()> {
        let by = self.anchors.correspondent(global)?;
        let recipient = Recipient::new(self.key.read()?, &self.key.statements()?);
        let recipient = recipient.map_err(|error| {
            CliError::usage(format!("{error} in the {STATEMENT}s beside it"))
                .hint("`skms message publish` makes one")
        })?;
        // Base64 is a third longer.
        let message = input::read_either(&self.file, MAX_SEALED as u64 * 3 / 2)?;
        let from = self.from.as_deref().map(|who| sender(global, who));
        let from = from.transpose()?;
        let max_age = self.max_age.map(u32::try_from).transpose();
        let opening = Opening {
            from: from.as_deref(),
            max_age_seconds: max_age.map_err(|_| CliError::usage("an age beyond all ages"))?,
            ..Opening::default()
        };
        let client = global.client()?;
        let work = client.open_message(&by, &recipient, &message, opening);
        let opened = progress::wait("Opening", work).await?;
        let content = opened.content.expose();
        if self.out.out.is_some() || !global.json {
            self.out.bytes(content, Encoding::Raw)?;
        }
        let said = Said {
            from: opened.sender.name().to_owned(),
            id: hex(&opened.id),
            time: Moment::from_unix_seconds(opened.time.0),
            statement: hex(&opened.statement),
            content: (self.out.out.is_none()).then(|| SecretB64::from(content.to_vec())),
        };
        if global.json {
            return output::json(&said);
        }
        output::note(format!(
            "from {}, {}, message {}",
            said.from, said.time, said.id
        ))
    }
}

/// A name, as it is or by the principal that has it.
fn sender(global: &Global, who: &str) -> Result<String> {
    if who.contains(':') {
        return Ok(who.to_owned());
    }
    name(&global.namespace()?, who).map_err(|error| CliError::usage(error.to_string()))
}
