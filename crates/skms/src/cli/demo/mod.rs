//! `skms demo`: the main job on a real server and a real file. Every act runs
//! this same binary's own commands against a server that it starts over TLS,
//! and proves its result; failures are provoked on purpose and must happen.

mod acts;
mod attacks;
mod recheck;
mod report;
mod stage;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;

use super::Global;
use super::error::{CliError, Result};
use super::exit::Exit;
use report::Report;
use stage::Stage;

/// Show the main job on a real server and a real file, with proofs.
#[derive(Debug, Args)]
#[command(
    after_help = "It starts a server of its own on loopback and stops it at the end; \
    the artefacts stay in the folder, to be checked with openssl. Exits with 5 if a proof fails."
)]
pub struct Demo {
    /// The file to work on; one is brought along
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where the artefacts go
    #[arg(long, value_name = "DIR", default_value = "skms-demo")]
    folder: PathBuf,
    /// Keep the server's store too, in the folder
    #[arg(long)]
    keep: bool,
}

/// What is done in an act, and its proof.
type Act = fn(&mut Stage) -> stage::Result<acts::Shown>;

/// The acts, in order. Each stands on those before it.
const ACTS: &[(&str, Act)] = &[
    ("Start", acts::start),
    ("Keys", acts::keys),
    ("Encrypt", acts::encrypt),
    ("Tamper", attacks::tamper),
    ("Sign", acts::sign),
    ("Agree", acts::agree),
    ("Encapsulate", acts::encapsulate),
    ("Intrude", attacks::intrude),
    ("Rotate", acts::rotate),
    ("Revoke", attacks::revoke),
    ("Crash", attacks::crash),
    ("Search", attacks::search),
];

impl Demo {
    /// Runs every act.
    pub async fn run(self, global: &Global) -> Result<()> {
        if skms_crypto::fips::module().is_some() {
            return Err(CliError::usage(
                "the demo shows algorithms that are not covered by the FIPS 140-3 module of this build",
            )
            .hint("run it with an ordinary build"));
        }
        let json = global.json;
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stopped);
        let mut work = tokio::task::spawn_blocking(move || self.perform(json, flag));
        tokio::select! {
            done = &mut work => return finished(done),
            _ = tokio::signal::ctrl_c() => stopped.store(true, Ordering::SeqCst),
        }
        // The act under way ends at its next command; then all is put away.
        finished(work.await)
    }

    fn perform(self, json: bool, stopped: Arc<AtomicBool>) -> Result<()> {
        let started = Instant::now();
        let mut report = Report::new(json, ACTS.len());
        let mut stage = Stage::set(self.file.as_deref(), self.folder, self.keep, stopped)?;
        report.begin(&stage)?;
        for (number, (title, act)) in ACTS.iter().enumerate() {
            let outcome = act(&mut stage);
            if stage.is_stopped() {
                drop(stage);
                return Err(CliError::new(
                    Exit::Interrupted,
                    "stopped; the server is gone",
                ));
            }
            report.act(number + 1, title, outcome)?;
        }
        let recheck = recheck::commands(&stage);
        let folder = stage.close()?;
        report.end(started.elapsed(), &folder, &recheck)
    }
}

fn finished(done: std::result::Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    done.unwrap_or_else(|_| Err(CliError::failure("the demo broke off; this is a defect")))
}
