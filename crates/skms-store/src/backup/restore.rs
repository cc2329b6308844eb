//! Putting a backup into an empty place.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::format::Part;
use super::mark::RestoreMark;
use super::read::{self, Inspected, Item, inspect};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::file_journal::survey::path_of;
use crate::sealed::header;
use crate::store::{Batch, MetaWrite, Row, Store, Write};

/// Bytes of rows written in one batch, at least one row.
const BATCH_BYTES: usize = 4 << 20;
/// Rows written in one batch.
const BATCH_ROWS: usize = 1024;

/// Restores a file into an empty store and an empty folder for the journal.
/// The file is checked whole before anything is written. The store cannot be
/// opened until its last batch, so what breaks off in between is not taken
/// for a store: remove it and begin again.
///
/// # Errors
/// As [`inspect`]; [`Error::Occupied`] when the store holds anything or the
/// folder any segment; the backend's.
pub async fn restore(
    path: &Path,
    store: &dyn Store,
    journal: &Path,
    mark: &RestoreMark,
    progress: impl FnMut(u64) + Send,
) -> Result<Inspected> {
    inspect(path)?;
    restore_into(path, store, journal, mark, progress).await
}

/// As [`restore`], for a file that [`inspect`] has just found whole.
///
/// # Errors
/// As [`restore`].
pub async fn restore_into(
    path: &Path,
    store: &dyn Store,
    journal: &Path,
    mark: &RestoreMark,
    mut progress: impl FnMut(u64) + Send,
) -> Result<Inspected> {
    check_empty(store, journal).await?;
    let mut segments = Segments::new(journal)?;
    let mut header = None;
    let mut batches = Batches::default();
    let mut reader = read::open(path)?;
    let mut gathered = read::Gathered::default();
    let inspected = loop {
        let item = reader.next()?;
        gathered.see(&item, reader.offset())?;
        progress(reader.offset());
        match item {
            Item::Header(bytes) => header = Some(bytes),
            Item::Rows(rows) => {
                for row in rows {
                    batches.take(store, row).await?;
                }
            }
            Item::Segment(part) => segments.write(&part)?,
            Item::End { bytes } => break gathered.finish(bytes)?,
            Item::Manifest(_) | Item::Summary(_) | Item::Digest { .. } => {}
        }
    };
    batches.flush(store).await?;
    segments.finish()?;
    let bytes = header.ok_or(Error::HeaderAltered)?;
    store
        .commit(Batch {
            meta: vec![
                MetaWrite {
                    name: header::NAME,
                    expected: None,
                    bytes,
                },
                mark.write(None)?,
            ],
            ..Batch::default()
        })
        .await?;
    Ok(inspected)
}

async fn check_empty(store: &dyn Store, journal: &Path) -> Result<()> {
    if store.meta(header::NAME).await?.is_some()
        || !store.snapshot().await?.next(1).await?.is_empty()
    {
        return Err(Error::Occupied("the database".to_owned()));
    }
    if path_of(journal, 1).exists() {
        return Err(Error::Occupied(journal.display().to_string()));
    }
    Ok(())
}

#[derive(Default)]
struct Batches {
    writes: Vec<Write>,
    bytes: usize,
}

impl Batches {
    async fn take(&mut self, store: &dyn Store, row: Row) -> Result<()> {
        self.bytes += row.sealed.len();
        self.writes.push(Write::Put {
            row,
            expected: None,
        });
        if self.bytes >= BATCH_BYTES || self.writes.len() >= BATCH_ROWS {
            self.flush(store).await?;
        }
        Ok(())
    }

    async fn flush(&mut self, store: &dyn Store) -> Result<()> {
        self.bytes = 0;
        let writes = std::mem::take(&mut self.writes);
        if writes.is_empty() {
            return Ok(());
        }
        store
            .commit(Batch {
                writes,
                ..Batch::default()
            })
            .await
    }
}

/// The journal's files as they come. Each ends with its last entry, without
/// room for another: the journal goes on in a new segment under a new key.
struct Segments<'a> {
    directory: &'a Path,
    current: Option<(u64, File)>,
}

impl<'a> Segments<'a> {
    fn new(directory: &'a Path) -> Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| Error::io(format!("journal {}", directory.display()), error))?;
        Ok(Self {
            directory,
            current: None,
        })
    }

    fn write(&mut self, part: &Part) -> Result<()> {
        let path = path_of(self.directory, part.number);
        let failed = |error| Error::io(format!("journal {}", path.display()), error);
        let fresh = self
            .current
            .as_ref()
            .is_none_or(|(number, _)| *number != part.number);
        if fresh {
            self.sync()?;
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(failed)?;
            self.current = Some((part.number, file));
        }
        match &mut self.current {
            Some((_, file)) => file.write_all(&part.bytes).map_err(failed),
            None => Ok(()),
        }
    }

    fn sync(&mut self) -> Result<()> {
        match self.current.take() {
            Some((_, file)) => file
                .sync_all()
                .map_err(|error| Error::io("journal segment", error)),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<()> {
        self.sync()?;
        // The names of the files, and that of the folder.
        Disk::real().sync_directory(&path_of(self.directory, 1))?;
        Disk::real().sync_directory(self.directory)
    }
}
