//! `skms key lineage`: what a key depends on and what depends on it.

mod fold;
mod svg;
mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use skms_wire::native::incidents::LineageQuery;

use crate::cli::error::Result;
use crate::cli::keyname::KeyName;
use crate::cli::{Global, output};

/// How a lineage is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A tree
    #[default]
    Text,
    /// A picture
    Svg,
}

/// Show what a key depends on and what depends on it: keys, certificates,
/// authorities, principals, tokens, recipients.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    skms key lineage master\n  \
    skms key lineage master --format svg -o master.svg\n  \
    skms key lineage master --json")]
pub struct Lineage {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// How to show it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// At most so many things; what is beyond is counted
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u32>,
    /// Where to write it; standard output if left out
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Lineage {
    /// Shows it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let (keyring, name) = (&self.key.keyring, &self.key.name);
        let query = LineageQuery { limit: self.limit };
        let lineage = client.key_lineage(keyring, name, &query).await?;
        global.show(&lineage, |lineage| {
            let shown = match self.format {
                Format::Text => text::tree(lineage),
                Format::Svg => svg::picture(&fold::fold(lineage, fold::READABLE)),
            };
            match &self.out {
                Some(path) => output::write_file(path, shown.as_bytes()),
                None => output::line(shown.trim_end()),
            }
        })
    }
}
