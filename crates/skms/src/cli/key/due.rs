//! `skms key due`: what the server is to do with keys, and when.

use clap::Args;
use skms_wire::native::due::{DueQuery, DueView};

use crate::cli::error::Result;
use crate::cli::{Global, duration, output};

/// Show what is due for keys: rotations, warnings, ends of periods,
/// destructions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    skms key due\n  \
    skms key due --within 7d --json")]
pub struct Due {
    /// How far ahead to look
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = duration::seconds)]
    within: u64,
    /// At most so many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u32>,
}

impl Due {
    /// Shows it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let query = DueQuery {
            within_seconds: Some(self.within),
            limit: self.limit,
        };
        let due = global.client()?.keys_due(&query).await?;
        global.show(&due, print)
    }
}

fn print(due: &DueView) -> Result<()> {
    let rows: Vec<_> = due
        .items
        .iter()
        .map(|item| {
            vec![
                item.at.to_string(),
                item.act.clone(),
                format!("{}/{}", item.keyring, item.key),
                item.version.to_string(),
                item.why.clone(),
            ]
        })
        .collect();
    output::table(&["AT", "ACT", "KEY", "VERSION", "WHY"], &rows)?;
    if due.more {
        output::line("There is more: look less far ahead, or ask for more with --limit.")?;
    }
    if !due.complete {
        output::line("Not every key has been looked at yet since the server was unsealed.")?;
    }
    Ok(())
}
