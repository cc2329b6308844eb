//! `skms migrate`: a store from a file to PostgreSQL, or back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use skms_store::migrate::{Moved, migrate};
use skms_store::postgres::is_address;
use skms_store::{Error, PostgresStore, SqliteStore, Store};

use super::Global;
use super::error::{CliError, Result, with_causes};
use super::exit::Exit;
use super::{output, progress};
use crate::config::{DatabaseUrl, Settings};

/// Move a store between a file and a PostgreSQL database, while no server
/// runs on either. Records are copied as they lie, sealed; no secret is
/// needed. The journal is not moved: it stays in the data directory.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  skms migrate --from /var/lib/skms/skms.db \\\n    \
    --to 'postgres://skms@db.example/skms?password_file=/etc/skms/db-password'\n\n\
    When it was interrupted, run it again: until it has finished, the target \
    cannot be opened."
)]
pub struct Migrate {
    /// The store to copy: a data directory, its skms.db, or postgres://…
    #[arg(long, value_name = "PATH or URL")]
    from: DatabaseUrl,
    /// Where it goes: a data directory, a new skms.db, or postgres://…
    #[arg(long, value_name = "PATH or URL")]
    to: DatabaseUrl,
}

/// What was moved.
#[derive(Serialize)]
struct Report {
    install: String,
    rows: BTreeMap<&'static str, u64>,
    rows_in_all: u64,
    rows_found_in_the_target: u64,
    sealed_bytes: u64,
    top_head_revision: u64,
    sha256: String,
}

impl From<Moved> for Report {
    fn from(moved: Moved) -> Self {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let rows = moved.rows.iter();
        Self {
            install: hex(&moved.install),
            rows_in_all: moved.rows.values().sum(),
            rows: rows.map(|(kind, count)| (kind.name(), *count)).collect(),
            rows_found_in_the_target: moved.resumed,
            sealed_bytes: moved.bytes,
            top_head_revision: moved.top_revision,
            sha256: hex(&moved.digest),
        }
    }
}

impl Migrate {
    /// Moves it, and says what was proven.
    pub async fn run(self, global: &Global) -> Result<()> {
        let from = open(&self.from, "--from", true).await?;
        let to = open(&self.to, "--to", false).await?;
        let moving = migrate(from.as_ref(), to.as_ref(), |_| {});
        let moved = progress::wait("Moving the store", moving).await;
        let closed = (from.close().await, to.close().await);
        let moved = moved.map_err(explain)?;
        closed.0.and(closed.1).map_err(explain)?;
        global.show(&Report::from(moved), print)
    }
}

async fn open(place: &DatabaseUrl, flag: &'static str, source: bool) -> Result<Arc<dyn Store>> {
    let failed = |error: Error| {
        let report = explain(error);
        CliError::new(report.exit, format!("{flag}: {}", report.message))
    };
    if is_address(place.text()) {
        let environment = Settings::from_environment(|name| std::env::var(name).ok());
        let options = place
            .options(environment.database_password.as_ref())
            .map_err(|error| CliError::usage(format!("{flag}: {error}")))?;
        return Ok(Arc::new(
            PostgresStore::open(options).await.map_err(failed)?,
        ));
    }
    let path = file(Path::new(place.text()));
    if source && !path.exists() {
        return Err(CliError::usage(format!(
            "{flag}: there is no store at {}",
            path.display()
        )));
    }
    Ok(Arc::new(SqliteStore::open(path).map_err(failed)?))
}

/// A data directory stands for the file in it.
fn file(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => path.join("skms.db"),
        false => path.to_owned(),
    }
}

fn explain(error: Error) -> CliError {
    let exit = match &error {
        Error::NotEmpty | Error::NotInitialised | Error::Incomplete => Exit::State,
        Error::Differs | Error::HeadReplayed => Exit::Verification,
        _ => Exit::Failure,
    };
    CliError::new(exit, with_causes(&error))
}

fn print(report: &Report) -> Result<()> {
    for (kind, count) in &report.rows {
        output::line(format!("  {count:>9} {kind}"))?;
    }
    output::line(format!(
        "{} rows with {} sealed bytes are on both sides, heads and header included; all of them",
        report.rows_in_all, report.sealed_bytes
    ))?;
    output::line(format!(
        "together have the SHA-256 {} on both.",
        report.sha256
    ))?;
    output::line(format!(
        "Install {}, top head at revision {}.",
        report.install, report.top_head_revision
    ))?;
    output::line(
        "\nThe source was left as it is. Do not serve it again once the target has been served:\n\
         the journal knows which one is newer, and refuses the other.",
    )
}
