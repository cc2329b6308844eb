//! What the demo shows: two lines an act, or one JSON document.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::acts::Shown;
use super::stage::{self, Stage};
use crate::cli::error::{CliError, Result};
use crate::cli::exit::Exit;
use crate::cli::output;

/// One act as JSON.
#[derive(Serialize)]
struct Line {
    number: usize,
    title: &'static str,
    proved: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<String>,
    proof: String,
}

/// The whole as JSON.
#[derive(Serialize)]
struct Whole<'a> {
    acts: &'a [Line],
    proved: usize,
    of: usize,
    seconds: f64,
    folder: &'a Path,
    recheck: &'a [String],
}

/// Collects the acts and shows them.
pub struct Report {
    json: bool,
    colour: bool,
    of: usize,
    lines: Vec<Line>,
}

impl Report {
    /// A report of so many acts.
    pub fn new(json: bool, of: usize) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json,
            colour: !plain && std::io::stdout().is_terminal(),
            of,
            lines: Vec::new(),
        }
    }

    /// Says what is coming.
    pub fn begin(&self, stage: &Stage) -> Result<()> {
        if self.json {
            return Ok(());
        }
        output::line(format!(
            "SKMS {}: a real server, a real file ({}, {}), {} proofs\n",
            env!("CARGO_PKG_VERSION"),
            stage.file_name(),
            size(stage.file_length()),
            self.of
        ))
    }

    /// Shows an act: what was done, and its proof or why there is none.
    pub fn act(
        &mut self,
        number: usize,
        title: &'static str,
        outcome: stage::Result<Shown>,
    ) -> Result<()> {
        let line = match outcome {
            Ok(shown) => Line {
                number,
                title,
                proved: true,
                done: Some(shown.done),
                proof: shown.proof,
            },
            Err(error) => Line {
                number,
                title,
                proved: false,
                done: None,
                proof: error.to_string(),
            },
        };
        if !self.json {
            let (mark, colour) = if line.proved {
                ("✓", "32")
            } else {
                ("✗", "31")
            };
            let done = line.done.as_deref().unwrap_or("failed");
            let title = self.paint(&format!("{title:<12}"), "1");
            output::line(format!("{number:>3}  {title} {done}"))?;
            let proof = line.proof.replace('\n', "\n                  ");
            output::line(format!(
                "               {} {proof}",
                self.paint(mark, colour)
            ))?;
        }
        self.lines.push(line);
        Ok(())
    }

    /// Counts the proofs and says how to check them again.
    pub fn end(&self, took: Duration, folder: &Path, recheck: &[String]) -> Result<()> {
        let proved = self.lines.iter().filter(|line| line.proved).count();
        if self.json {
            output::json(&Whole {
                acts: &self.lines,
                proved,
                of: self.of,
                seconds: took.as_secs_f64(),
                folder,
                recheck,
            })?;
        } else {
            let count = format!("{proved}/{} proofs", self.of);
            let colour = if proved == self.of { "1;32" } else { "1;31" };
            output::line(format!(
                "\n{} in {:.1} s",
                self.paint(&count, colour),
                took.as_secs_f64()
            ))?;
            output::line("\nCheck the artefacts yourself:")?;
            for command in recheck {
                output::line(format!("  {command}"))?;
            }
        }
        if proved == self.of {
            return Ok(());
        }
        Err(CliError::new(
            Exit::Verification,
            format!("{} of {} proofs failed", self.of - proved, self.of),
        ))
    }

    fn paint(&self, text: &str, colour: &str) -> String {
        if self.colour {
            format!("\u{1b}[{colour}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A length in bytes, in words.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
