//! `skms storage`: the keys beneath the store, and its proof.

use clap::Subcommand;

use super::Global;
use super::error::{CliError, Result};
use super::exit::Exit;
use super::{output, progress};

/// Rotate the keys beneath the store, and verify it.
#[derive(Debug, Subcommand)]
pub enum Storage {
    /// Begin a new storage key; records move over to it in the background
    RotateKey,
    /// Replace the root key and wrap it to every seal anew
    RotateRoot,
    /// Open every record and check every head; exits with 5 on any fault
    Verify,
}

impl Storage {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::RotateKey => {
                let work = client.rotate_storage_key();
                let answer = progress::wait("Rotating the storage key", work).await?;
                global.show(&answer, |answer| {
                    output::line(format!(
                        "The storage key's term is now {}; {} records move over.",
                        answer.term, answer.records_remaining
                    ))
                })
            }
            Self::RotateRoot => {
                let answer = progress::wait("Rotating the root key", client.rotate_root()).await?;
                global.show(&answer, |answer| {
                    output::line(format!(
                        "The root key's generation is now {}, wrapped to {} seals.",
                        answer.generation, answer.seals
                    ))
                })
            }
            Self::Verify => {
                let report = progress::wait("Verifying the store", client.verify_storage()).await?;
                global.show(&report, |report| {
                    output::line(format!(
                        "{} records and {} events checked.",
                        report.records, report.journal_entries
                    ))?;
                    report
                        .faults
                        .iter()
                        .try_for_each(|fault| output::line(format!("  fault: {fault}")))
                })?;
                if report.intact {
                    return Ok(());
                }
                Err(
                    CliError::new(Exit::Verification, "the store does not verify")
                        .hint("stop using it and restore a backup"),
                )
            }
        }
    }
}
