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

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::store::{Batch, BoxFuture, Forgotten, Kind, Meta, RecordId, Row, Snapshot, Store};
use writer::{Job, Limit, Writer};

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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 2,
            reserve_bytes: 4 << 20,
            limit_bytes: None,
        }
    }
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// A SQLite database file as a [`Store`].
pub struct SqliteStore {
    path: PathBuf,
    open: Mutex<Option<Open>>,
}

struct Open {
    jobs: Sender<Job>,
    reads: Sender<Read>,
    threads: Vec<JoinHandle<()>>,
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

/// Opens, creating it for the owner only, and takes the lock on it.
pub(crate) fn lock_file(path: PathBuf) -> Result<File> {
    let failed = |error| Error::io(format!("lock {}", path.display()), error);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Makes names created in this directory survive power loss.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Error::io(format!("directory {}", directory.display()), error))
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
        let path = path.as_ref().to_owned();
        // The threads hold it between them, and let go when the last ends. A
        // snapshot may outlive them: it only reads.
        let lock = Arc::new(lock_file(beside(&path, ".lock"))?);
        private_file(&path)?;
        let connection = schema::open_writer(&path)?;
        sync_directory(&path)?;

        let mut reserve = reserve::Reserve::new(beside(&path, ".reserve"), options.reserve_bytes);
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

        let (jobs, receiver) = mpsc::channel();
        let held = Arc::clone(&lock);
        let mut threads = vec![spawn("skms-store-write", move || {
            writer.run(&receiver);
            drop(held);
        })?];
        let (reads, receiver) = mpsc::channel::<Read>();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..options.readers.max(1) {
            let connection = schema::open_reader(&path)?;
            let (receiver, held) = (Arc::clone(&receiver), Arc::clone(&lock));
            threads.push(spawn("skms-store-read", move || {
                serve(&connection, &receiver);
                drop(connection);
                drop(held);
            })?);
        }
        Ok(Self {
            path,
            open: Mutex::new(Some(Open {
                jobs,
                reads,
                threads,
            })),
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
            open.reads
                .send(Box::new(move |connection| {
                    // The asker may be gone.
                    let _ = sender.send(act(connection));
                }))
                .ok()
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

    fn shut(&self) -> Vec<JoinHandle<()>> {
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
        for thread in self.shut() {
            let _ = thread.join();
        }
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

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| Error::io(format!("thread {name}"), error))
}

fn serve(connection: &Connection, reads: &Mutex<Receiver<Read>>) {
    loop {
        let next = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(read) => read(connection),
            Err(_) => return,
        }
    }
}

/// Creates the file for its owner only, or takes others' rights from it; the
/// files SQLite makes beside it get the same mode.
fn private_file(path: &Path) -> Result<()> {
    let failed = |error| Error::io(format!("database {}", path.display()), error);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    }
    Ok(())
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

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<()>> {
        self.write(|answer| Job::Commit(batch, answer))
    }

    fn meta(&self, name: &'static str) -> BoxFuture<'_, Result<Option<Meta>>> {
        self.read(move |connection| schema::meta(connection, name))
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>>> {
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
            let (sender, done) = oneshot::channel();
            spawn("skms-store-close", move || {
                for thread in threads {
                    let _ = thread.join();
                }
                let _ = sender.send(());
            })?;
            done.await.map_err(|_| Error::Closed)
        })
    }
}
