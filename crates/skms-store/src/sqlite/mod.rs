//! [`Store`] over SQLite: the embedded default.
//!
//! Write-ahead log with `synchronous = FULL`: a commit that returned survives
//! power loss. One thread writes and groups; a few threads read. Files are
//! readable by their owner only, and a lock keeps a second process out.
//! `secure_delete` overwrites what rows leave behind.

mod reserve;
mod schema;
mod snapshot;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::disk::{Background, Disk, Held, Patience, Turn, Worker};
use crate::error::{Error, Result};
use crate::store::{Batch, BoxFuture, Forgotten, Kind, Meta, RecordId, Row, Snapshot, Store};
use writer::{Job, Limit, Working, Writer};

/// How a [`SqliteStore`] is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that read, at least one.
    pub readers: usize,
    /// Bytes kept back for urgent commits on a full disk; 0 for none.
    pub reserve_bytes: u64,
    /// Bytes the database file may grow to, if limited; urgent commits may
    /// exceed it by the reserve.
    pub limit_bytes: Option<u64>,
    /// Where the files are.
    pub disk: Disk,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 2,
            reserve_bytes: 4 << 20,
            limit_bytes: None,
            disk: Disk::real(),
        }
    }
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// A SQLite database file as a [`Store`].
pub struct SqliteStore {
    disk: Disk,
    path: PathBuf,
    open: Mutex<Option<Open>>,
}

struct Open {
    jobs: Sender<Job>,
    /// `None` where the writer's connection is the only one.
    reads: Option<Sender<Read>>,
    threads: Vec<Worker>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl SqliteStore {
    /// Opens the database, creating it where there is none.
    ///
    /// # Errors
    /// [`Error::InUse`] when another process has it, [`Error::Newer`],
    /// [`Error::Malformed`] when the file is something else, [`Error::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &Options::default())
    }

    /// As [`SqliteStore::open`], with options.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let (path, disk) = (path.as_ref().to_owned(), &options.disk);
        // The threads hold it between them, and let go when the last ends. A
        // snapshot may outlive them: it only reads.
        let lock = Arc::new(disk.lock(beside(&path, ".lock"))?);
        disk.private_file(&path)
            .map_err(|error| Error::io(format!("database {}", path.display()), error))?;
        let connection = schema::open_writer(&path, disk.vfs())?;
        disk.sync_directory(&path)?;

        let mut reserve = reserve::Reserve::new(
            disk.clone(),
            beside(&path, ".reserve"),
            options.reserve_bytes,
        );
        match reserve.fill() {
            // A full disk must not keep the server from starting and revoking.
            Ok(()) | Err(Error::Full) => {}
            Err(error) => return Err(error),
        }
        let limit = limit(&connection, options)?;
        let writer = Writer {
            connection,
            reserve,
            limit,
            failure: None,
            groups_since_spent: 0,
        };
        writer.limit_pages(false);
        // What an earlier process left in the log is written to the database
        // and synced: after a sync that failed, the system takes for written
        // what never reached the disk, and later commits must not build on it.
        match writer.checkpoint() {
            Ok(_) | Err(Error::Full) => {}
            Err(error) => return Err(error),
        }

        let (sender, jobs) = mpsc::channel();
        let mut open = Open {
            jobs: sender,
            reads: None,
            threads: vec![disk.spawn(
                "skms-store-write",
                Working {
                    writer,
                    jobs,
                    _lock: Arc::clone(&lock),
                },
            )?],
        };
        if disk.vfs().is_none() {
            open_readers(&mut open, &path, options.readers, &lock)?;
        }
        Ok(Self {
            disk: disk.clone(),
            path,
            open: Mutex::new(Some(open)),
        })
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn with_open<T>(&self, act: impl FnOnce(&Open) -> Option<T>) -> Result<T> {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .and_then(act)
            .ok_or(Error::Closed)
    }

    fn read<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T>> {
        let (sender, answer) = oneshot::channel();
        let sent = self.with_open(|open| {
            let read: Read = Box::new(move |connection| {
                // The asker may be gone.
                let _ = sender.send(act(connection));
            });
            match &open.reads {
                Some(reads) => reads.send(read).ok(),
                None => open.jobs.send(Job::Read(read)).ok(),
            }
        });
        Box::pin(async move {
            sent?;
            answer.await.map_err(|_| Error::Closed)?
        })
    }

    fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T>>) -> Job,
    ) -> BoxFuture<'_, Result<T>> {
        let (sender, answer) = oneshot::channel();
        let sent = self.with_open(|open| open.jobs.send(job(sender)).ok());
        Box::pin(async move {
            sent?;
            answer.await.map_err(|_| Error::Closed)?
        })
    }

    fn shut(&self) -> Vec<Worker> {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .map(|open| open.threads)
            .unwrap_or_default()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The senders are gone, so the threads finish what was queued and
        // end; waiting for them means the files are free when this returns.
        self.shut().into_iter().for_each(Worker::join);
    }
}

fn limit(connection: &Connection, options: &Options) -> Result<Option<Limit>> {
    let Some(bytes) = options.limit_bytes else {
        return Ok(None);
    };
    let page: u64 = connection
        .query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))
        .map_err(schema::backend)?
        .into();
    let pages = |bytes: u64| u32::try_from(bytes / page.max(1)).unwrap_or(u32::MAX - 2);
    Ok(Some(Limit {
        usual: pages(bytes),
        urgent: pages(bytes.saturating_add(options.reserve_bytes)),
    }))
}

/// Connections that only read, each with a thread of its own.
fn open_readers(open: &mut Open, path: &Path, readers: usize, lock: &Arc<Held>) -> Result<()> {
    let (reads, receiver) = mpsc::channel::<Read>();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..readers.max(1) {
        let reader = Reader {
            connection: schema::open_reader(path)?,
            reads: Arc::clone(&receiver),
            _lock: Arc::clone(lock),
        };
        open.threads
            .push(Disk::real().spawn("skms-store-read", reader)?);
    }
    open.reads = Some(reads);
    Ok(())
}

struct Reader {
    connection: Connection,
    reads: Arc<Mutex<Receiver<Read>>>,
    _lock: Arc<Held>,
}

impl Background for Reader {
    fn turn(&mut self, _: Patience) -> Turn {
        let next = self
            .reads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match next {
            Ok(read) => {
                read(&self.connection);
                Turn::Done
            }
            Err(_) => Turn::Ended,
        }
    }
}

impl Store for SqliteStore {
    fn get(&self, kind: Kind, id: RecordId) -> BoxFuture<'_, Result<Option<Row>>> {
        self.read(move |connection| schema::get(connection, kind, id))
    }

    fn find(&self, kind: Kind, index: [u8; 32]) -> BoxFuture<'_, Result<Option<Row>>> {
        self.read(move |connection| {
            schema::select_one(
                connection,
                "kind = ?1 AND entry = ?2",
                params![kind.number(), index],
            )
        })
    }

    fn scan(
        &self,
        kind: Kind,
        scope: Option<[u8; 32]>,
        after: Option<RecordId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Row>>> {
        self.read(move |connection| {
            let after = after.map(|id| id.0.to_vec()).unwrap_or_default();
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            match scope {
                Some(scope) => schema::select(
                    connection,
                    "kind = ?1 AND scope = ?2 AND id > ?3 ORDER BY id LIMIT ?4",
                    params![kind.number(), scope, after, limit],
                ),
                None => schema::select(
                    connection,
                    "kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                    params![kind.number(), after, limit],
                ),
            }
        })
    }

    fn get_each(&self, kind: Kind, ids: Vec<RecordId>) -> BoxFuture<'_, Result<Vec<Option<Row>>>> {
        self.read(move |connection| {
            let each = ids.into_iter();
            each.map(|id| schema::get(connection, kind, id)).collect()
        })
    }

    fn next_each(
        &self,
        kind: Kind,
        scope: [u8; 32],
        after: Vec<RecordId>,
    ) -> BoxFuture<'_, Result<Vec<Option<RecordId>>>> {
        self.read(move |connection| {
            let each = after.into_iter();
            each.map(|id| schema::next_id(connection, kind, &scope, id))
                .collect()
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<()>> {
        self.write(|answer| Job::Commit(batch, answer))
    }

    fn meta(&self, name: &'static str) -> BoxFuture<'_, Result<Option<Meta>>> {
        self.read(move |connection| schema::meta(connection, name))
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>>> {
        if self.disk.vfs().is_some() {
            let frozen = self.read(snapshot::Frozen::take);
            return Box::pin(async move { Ok(Box::new(frozen.await?) as Box<dyn Snapshot>) });
        }
        let open = self.with_open(|_| Some(()));
        let path = self.path.clone();
        Box::pin(async move {
            open?;
            snapshot::SqliteSnapshot::begin(path).await
        })
    }

    fn forget(&self) -> BoxFuture<'_, Result<Forgotten>> {
        self.write(Job::Forget)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        let threads = self.shut();
        Box::pin(async move {
            let work = move || {
                threads.into_iter().for_each(Worker::join);
                Ok(())
            };
            self.disk.blocking("skms-store-close", work).await
        })
    }
}
