//! `skms weak`: keys that are known to be compromised, or weak.

mod check;
mod list;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skms_wire::native::weak::{WeakFindingView, WeakSweepView};

use super::Global;
use super::error::Result;
use super::output;

pub use check::Check;

/// Find keys that are known to be compromised, or weak.
#[derive(Debug, Subcommand)]
pub enum Weak {
    /// List what was found about the namespace's keys and certificates
    List,
    /// Look at keys, certificates and requests in a file, without a server
    Check(Check),
    /// Have every stored public key looked at, and say how the last time went
    Sweep(Sweep),
    /// Import, list, remove and build lists of known keys
    #[command(subcommand)]
    Blocklist(Blocklist),
}

/// Have every stored public key looked at, and say how the last time went.
#[derive(Debug, Args)]
pub struct Sweep {
    /// Only say how the last time went
    #[arg(long)]
    status: bool,
}

/// Import, list, remove and build lists of known keys.
#[derive(Debug, Subcommand)]
pub enum Blocklist {
    /// Put a list in force, in the place of one of the same name
    Import {
        /// The list's file
        file: PathBuf,
    },
    /// List the lists in force
    List,
    /// Remove a list
    Remove {
        /// Its name
        name: String,
    },
    /// Make a list's file of keys, of hashes, or of others' lists
    Build(Box<list::Build>),
}

impl Weak {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::List => {
                let client = global.client()?;
                let all = super::every(async |page| client.weak_findings(&page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    output::table(&["GRAVITY", "DETECTOR", "KIND", "NAME", "WHAT"], &rows)
                })
            }
            Self::Check(check) => check.run(global),
            Self::Sweep(Sweep { status }) => {
                let client = global.client()?;
                let view = match status {
                    true => client.weak_sweep().await?,
                    false => client.start_weak_sweep().await?,
                };
                global.show(&view, sweep)
            }
            Self::Blocklist(command) => command.run(global).await,
        }
    }
}

impl Blocklist {
    async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Import { file } => list::import(global, &file).await,
            Self::List => list::list(global).await,
            Self::Remove { name } => {
                global.client()?.remove_blocklist(&name).await?;
                global.show(&serde_json::json!({ "removed": name }), |_| {
                    output::line("The list is removed. What was found by it stays on record.")
                })
            }
            Self::Build(build) => build.run(global),
        }
    }
}

fn row(one: &WeakFindingView) -> Vec<String> {
    let version = one.version.map(|version| format!(" version {version}"));
    vec![
        one.gravity.clone(),
        one.detector.clone(),
        one.kind.clone(),
        format!("{}{}", one.name, version.unwrap_or_default()),
        one.words.clone(),
    ]
}

fn sweep(view: &WeakSweepView) -> Result<()> {
    let state = match view.running {
        true => "a sweep runs or is about to",
        false => "none runs",
    };
    let ended = view.ended_at.map(|at| at.to_string());
    output::fields(&[
        ("now", state.to_owned()),
        ("last ended", ended.unwrap_or_else(|| "never".to_owned())),
        ("public keys", view.looked_at.to_string()),
        ("RSA moduli", view.moduli.to_string()),
        ("new findings", view.found.to_string()),
    ])
}
