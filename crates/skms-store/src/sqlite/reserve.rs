//! Room kept back for what must always get through.
//!
//! A file of zeros beside the database. When the disk is full, an urgent
//! commit removes it and uses its room; it is made again when there is room.
//! On copy-on-write file systems and under quotas by file the freed room may
//! not reach the database; the documentation says so.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use crate::error::{Error, Result};

pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    ready: bool,
}

impl Reserve {
    pub(super) const fn new(path: PathBuf, bytes: u64) -> Self {
        Self {
            path,
            bytes,
            ready: false,
        }
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.ready
    }

    /// Makes the file, or keeps the one that is there.
    pub(super) fn fill(&mut self) -> Result<()> {
        if self.bytes == 0 || fs::metadata(&self.path).is_ok_and(|file| file.len() == self.bytes) {
            self.ready = true;
            return Ok(());
        }
        let written = self.write();
        if written.is_err() {
            let _ = fs::remove_file(&self.path);
        }
        self.ready = written.is_ok();
        written
    }

    fn write(&self) -> Result<()> {
        let failed = |error| Error::io(format!("reserve {}", self.path.display()), error);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(failed)?;
        let zeros = [0; 1 << 16];
        let mut left = self.bytes;
        while left > 0 {
            let part = left.min(zeros.len() as u64);
            let slice = usize::try_from(part)
                .ok()
                .and_then(|part| zeros.get(..part))
                .unwrap_or_default();
            file.write_all(slice).map_err(failed)?;
            left -= part;
        }
        file.sync_all().map_err(failed)
    }

    /// Gives the room to the database. False when it was spent already.
    pub(super) fn spend(&mut self) -> bool {
        let had = self.ready;
        self.ready = false;
        // Missing or not removable: then there is nothing to gain from it.
        let _ = fs::remove_file(&self.path);
        had
    }
}
