//! `skms file encrypt`.

use std::path::PathBuf;

use clap::Args;
use skms_client::file::{Armor, seal};

use super::{In, Recipients, explain, is_offered, open, threads};
use crate::cli::error::Result;
use crate::cli::target::Target;
use crate::cli::{Global, output, progress};

/// Encrypt a file for keys of the server and other recipients, into the age
/// format.
#[derive(Debug, Args)]
pub struct Encrypt {
    #[command(flatten)]
    input: In,
    #[command(flatten)]
    recipients: Recipients,
    /// Write text instead of bytes
    #[arg(long, short = 'a')]
    armor: bool,
    /// Write to this file (mode 0600, all or nothing); standard output if left
    /// out or `-`
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, short = 'f')]
    force: bool,
}

impl Encrypt {
    /// Encrypts.
    pub async fn run(self, global: &Global) -> Result<()> {
        is_offered()?;
        let path = self.input.path();
        let (mut source, length) = open(path)?;
        let out = self.out.as_deref();
        let mut to = match self.armor {
            true => Target::of_text(out, self.force)?,
            false => Target::of_bytes(out, self.force, "an age file")?,
        };
        let (key, stanzas) = self.recipients.wrap(global, None).await?;
        let bar = progress::Bytes::new("Encrypting", length);
        let told = |count| bar.add(count);
        let count = if self.armor {
            let mut armor = Armor::new(&mut to)?;
            let count = seal(&key, &stanzas, &mut source, &mut armor, threads(), &told)
                .map_err(|error| explain(error, path))?;
            armor.finish()?;
            count
        } else {
            seal(&key, &stanzas, &mut source, &mut to, threads(), &told)
                .map_err(|error| explain(error, path))?
        };
        to.finish()?;
        drop(bar);
        if global.json && self.out.is_some() {
            return output::json(&serde_json::json!({
                "bytes": count,
                "recipients": stanzas.len(),
            }));
        }
        Ok(())
    }
}
