//! `skms file decrypt`.

use std::path::PathBuf;

use clap::Args;
use skms_client::file::SealedFile;

use super::{In, Opener, explain, is_offered, open, threads};
use crate::cli::error::Result;
use crate::cli::target::Target;
use crate::cli::{Global, output, progress};

/// Decrypt a file in the age format. The file says which key it is of.
///
/// A file appears only when all of it was found authentic. To standard output
/// each part goes as soon as it was found authentic; what was written before
/// an error must not be used.
#[derive(Debug, Args)]
pub struct Decrypt {
    #[command(flatten)]
    input: In,
    #[command(flatten)]
    opener: Opener,
    /// Write to this file (mode 0600, all or nothing); standard output if left
    /// out or `-`
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, short = 'f')]
    force: bool,
}

impl Decrypt {
    /// Decrypts.
    pub async fn run(self, global: &Global) -> Result<()> {
        is_offered()?;
        let path = self.input.path();
        let (source, length) = open(path)?;
        let sealed = SealedFile::read(source).map_err(|error| explain(error, path))?;
        let mut to = Target::of_bytes(self.out.as_deref(), self.force, "a decrypted file")?;
        let key = self.opener.key(&sealed, global, path).await?;
        let bar = progress::Bytes::new("Decrypting", length);
        let count = sealed
            .open(&key, &mut to, threads(), &|count| bar.add(count))
            .map_err(|error| explain(error, path))?;
        to.finish()?;
        drop(bar);
        if global.json && self.out.is_some() {
            return output::json(&serde_json::json!({ "bytes": count }));
        }
        Ok(())
    }
}
