//! Room kept back for what must always get through.
//!
//! A file of zeros beside the database. When the disk is full, an urgent
//! commit removes it and uses its room; it is made again when there is room.
//! On copy-on-write file systems and under quotas by file the freed room may
//! not reach the database; the documentation says so.

use std::path::PathBuf;

use crate::disk::Disk;
use crate::error::{Error, Result};

pub(super) struct Reserve {
    disk: Disk,
    path: PathBuf,
    bytes: u64,
    ready: bool,
}

impl Reserve {
    pub(super) const fn new(disk: Disk, path: PathBuf, bytes: u64) -> Self {
        Self {
            disk,
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
        if self.bytes == 0 || self.disk.len(&self.path).is_ok_and(|len| len == self.bytes) {
            self.ready = true;
            return Ok(());
        }
        let written = self.write();
        if written.is_err() {
            let _ = self.disk.remove(&self.path);
        }
        self.ready = written.is_ok();
        written
    }

    fn write(&self) -> Result<()> {
        let failed = |error| Error::io(format!("reserve {}", self.path.display()), error);
        // One of another size, or a part of one that a crash left.
        let _ = self.disk.remove(&self.path);
        let file = self.disk.create_new(&self.path).map_err(failed)?;
        let zeros = [0; 1 << 16];
        let mut offset = 0;
        while offset < self.bytes {
            let part = (self.bytes - offset).min(zeros.len() as u64);
            let slice = usize::try_from(part)
                .ok()
                .and_then(|part| zeros.get(..part))
                .unwrap_or_default();
            file.write_all_at(slice, offset).map_err(failed)?;
            offset += part;
        }
        file.sync_all().map_err(failed)
    }

    /// Gives the room to the database. False when it was spent already.
    pub(super) fn spend(&mut self) -> bool {
        let had = self.ready;
        self.ready = false;
        // Missing or not removable: then there is nothing to gain from it.
        let _ = self.disk.remove(&self.path);
        had
    }
}
