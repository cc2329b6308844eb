//! `skms backup`: a copy of everything, made while the server works, and the
//! proof that it is whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use skms_store::backup::{
    BackupKeys, BackupProgress, BackupReport, Inspected, Opening, Verified, inspect,
};
use skms_wire::Moment;

use super::Global;
use super::error::{CliError, Result, with_causes};
use super::exit::Exit;
use super::output::{self, NewFile};
use super::progress;
use super::secrets::{Secrets, Tried};

/// Make and verify backups.
#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Write a backup of a running server to a file (mode 0600, all or nothing)
    Create(Create),
    /// Check a backup's file; with a seal's secret also that all of it opens
    Verify(Verify),
}

/// Write a backup of a running server to a file.
#[derive(Debug, Args)]
pub struct Create {
    /// The file
    file: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
}

/// Check a backup's file.
#[derive(Debug, Args)]
pub struct Verify {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    secrets: Secrets,
}

/// What is said about a backup.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    #[serde(flatten)]
    backup: &'a BackupReport,
    /// Whether a seal's secret opened all of it.
    opened: bool,
}

impl Backup {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Create(create) => create.run(global).await,
            Self::Verify(verify) => verify.run(global).await,
        }
    }
}

impl Create {
    async fn run(self, global: &Global) -> Result<()> {
        if self.file.exists() && !self.force {
            return Err(
                CliError::usage(format!("{} exists already", self.file.display()))
                    .hint("choose another name, or add --force"),
            );
        }
        if output::is_no_file(&self.file) {
            return Err(
                output::no_file(&self.file).hint("a backup is read back once it is written")
            );
        }
        let client = global.client()?;
        let mut file = NewFile::create(&self.file)?;
        let counted = progress::Bytes::new("Copying", None);
        client
            .backup(|piece| {
                counted.add(piece.len() as u64);
                file.write_all(piece)
            })
            .await?;
        // It gets its name once it was read back and found whole.
        let inspected = inspected(file.written()?)?;
        file.finish()?;
        show(global, &self.file, &inspected, None)
    }
}

impl Verify {
    async fn run(self, global: &Global) -> Result<()> {
        if !self.secrets.given() {
            let inspected = inspected(&self.file)?;
            return show(global, &self.file, &inspected, None);
        }
        let opening = Opening::of(&self.file).map_err(|error| unsound(&error))?;
        let keys = open(&opening, &self.secrets).await?;
        let verified = keys.verify(&self.file).map_err(|error| unsound(&error))?;
        show(global, &self.file, opening.inspected(), Some(&verified))
    }
}

/// Opens a backup with a seal's secret.
pub async fn open(opening: &Opening, secrets: &Secrets) -> Result<BackupKeys> {
    secrets
        .open(async |given| {
            Ok(match opening.submit(given).await? {
                BackupProgress::Waiting { have, need } => Tried::Waiting(have, need),
                BackupProgress::Open(keys) => Tried::Open(keys),
            })
        })
        .await
}

/// Checks a file without a secret.
pub fn inspected(path: &Path) -> Result<Inspected> {
    inspect(path).map_err(|error| unsound(&error))
}

/// A backup that is not to be used.
pub fn unsound(error: &skms_store::Error) -> CliError {
    match error {
        skms_store::Error::Io { .. } => CliError::usage(with_causes(error)),
        _ => CliError::new(Exit::Verification, with_causes(error))
            .hint("do not use this backup; take another"),
    }
}

/// A time in milliseconds as people and programs read it.
pub fn when(milliseconds: i64) -> String {
    Moment::from_unix_ms(milliseconds).to_string()
}

fn show(
    global: &Global,
    file: &Path,
    inspected: &Inspected,
    verified: Option<&Verified>,
) -> Result<()> {
    let report = Report {
        file,
        backup: &inspected.report,
        opened: verified.is_some(),
    };
    global.show(&report, |report| {
        let (manifest, summary) = (&report.backup.manifest, &report.backup.summary);
        let rows: Vec<String> = summary
            .rows
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        let seals: Vec<String> = inspected
            .seals
            .iter()
            .map(|seal| format!("{} ({})", seal.name, seal.kind.name()))
            .collect();
        output::fields(&[
            ("file", file.display().to_string()),
            ("bytes", report.backup.bytes.to_string()),
            ("install", manifest.install.clone()),
            ("made", when(manifest.created_at_ms)),
            ("by version", plain(&manifest.server_version)),
            ("commit", summary.commits.to_string()),
            ("events", summary.events.to_string()),
            (
                "last event",
                summary.last_event_at_ms.map(when).unwrap_or_default(),
            ),
            ("records", rows.join(", ")),
            ("opens with", seals.join(", ")),
        ])?;
        output::line(match verified {
            Some(verified) => format!(
                "Sound: {} records and {} events opened and agree.",
                verified.records, verified.events
            ),
            None => "Whole: nothing in the file is damaged. Give a seal's secret to prove that \
                     it opens."
                .to_owned(),
        })
    })
}

/// What a file says, without anything that a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}
