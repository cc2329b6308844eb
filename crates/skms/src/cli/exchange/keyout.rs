//! Where a key goes of which there may be no second copy: no file that is there
//! is replaced unasked, and there is room for it before the server is asked.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::cli::error::Result;
use crate::cli::output::{self, Encoding, Out};
use crate::cli::target::Target;

/// Options for a key's way out.
#[derive(Debug, Args)]
pub struct KeyOut {
    /// Write the key to this file (mode 0600, all or nothing)
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, short = 'f', requires = "out")]
    force: bool,
    /// How to write it; by default raw into files, base64 otherwise
    #[arg(long, value_enum)]
    encoding: Option<Encoding>,
}

/// Room for a key.
pub struct Room {
    file: Option<Target>,
    encoding: Option<Encoding>,
}

impl KeyOut {
    /// Makes room for the key.
    ///
    /// # Errors
    /// There is such a file, and it is not to be replaced; it cannot be written.
    pub fn room(&self) -> Result<Room> {
        let out = self.out.as_deref();
        let file = out.map(|path| Target::of_text(Some(path), self.force));
        Ok(Room {
            file: file.transpose()?,
            encoding: self.encoding,
        })
    }
}

impl Room {
    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Writes the key.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn fill(self, key: &[u8]) -> Result<()> {
        let encoding = self.encoding;
        let Some(mut file) = self.file else {
            let out = None;
            return Out { out, encoding }.bytes(key, Encoding::Base64);
        };
        file.write_all(&output::encode(key, encoding.unwrap_or(Encoding::Raw)))?;
        file.finish()
    }
}
