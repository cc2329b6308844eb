//! [`Store`] over PostgreSQL.
//!
//! One connection writes, a few read, on one thread with a runtime of its
//! own, so that any executor may ask. Batches that wait together go into one
//! serialisable transaction of two round trips ([`group`]); a commit that
//! returned is on the server's disk, as far as the server's own settings say
//! so, which are checked ([`session`]).
//!
//! One server has the database to itself: the writing connection holds an
//! advisory lock ([`writer`]). That it is this connection and not another
//! means that a server which lost the lock cannot write, without anybody
//! having to notice.
//!
//! When the database is away, what needs it fails within
//! [`Options::timeout`], and it is found again by itself. What comes back is
//! believed only if it is the same database with everything that was
//! acknowledged.

mod failure;
mod group;
mod options;
mod reader;
mod schema;
mod session;
mod snapshot;
mod tls;
mod view;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_postgres::types::ToSql;

pub use options::{AddressError, Options, Tls, is_address};

use crate::error::{Error, Result};
use crate::store::{Batch, BoxFuture, Forgotten, Kind, Meta, RecordId, Row, Snapshot, Store};
use failure::explain;
use group::Waiting;
use reader::{Link, Reader};
use session::{Role, Session, Shared};
use writer::Writer;

/// Batches that may wait; more are told to come back. Urgent ones may exceed
/// it.
const WAITING_MAX: usize = 8192;

/// Reads that may be under way; more wait.
const READING_MAX: usize = 4096;

/// A PostgreSQL database as a [`Store`].
pub struct PostgresStore {
    shared: Arc<Shared>,
    readers: Arc<[Reader]>,
    next: AtomicUsize,
    reading: Arc<Semaphore>,
    open: Mutex<Option<Open>>,
}

struct Open {
    jobs: mpsc::UnboundedSender<Waiting>,
    runtime: Handle,
    thread: JoinHandle<()>,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects, takes the lock, and creates the tables or brings them up to
    /// date.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database does not answer or refuses
    /// the user, [`Error::DatabaseInUse`] when another server has it,
    /// [`Error::UnsafeDatabase`] when its settings do not keep what is
    /// acknowledged, [`Error::Newer`], [`Error::UnsafeFile`] for the
    /// authorities' file, [`Error::Backend`] when the user may not do what it
    /// must.
    pub async fn open(options: Options) -> Result<Self> {
        let readers = options.readers.max(1);
        let shared = Arc::new(Shared::new(options)?);
        let (ready, opened) = oneshot::channel();
        let (jobs, receiver) = mpsc::unbounded_channel();
        let theirs = Arc::clone(&shared);
        let thread = spawn("skms-store-pg", move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    // The asker may be gone.
                    let _ = ready.send(Err(Error::io("a runtime", error)));
                    return;
                }
            };
            runtime.block_on(async move {
                match Writer::open(theirs).await {
                    Ok(writer) => {
                        if ready.send(Ok(Handle::current())).is_ok() {
                            writer.run(receiver).await;
                        }
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
            });
        })?;
        let runtime = opened.await.map_err(|_| Error::Closed)??;
        Ok(Self {
            shared,
            readers: (0..readers).map(|_| Reader::default()).collect(),
            next: AtomicUsize::new(0),
            reading: Arc::new(Semaphore::new(READING_MAX)),
            open: Mutex::new(Some(Open {
                jobs,
                runtime,
                thread,
            })),
        })
    }

    fn with_open<T>(&self, act: impl FnOnce(&Open) -> Option<T>) -> Result<T> {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .and_then(act)
            .ok_or(Error::Closed)
    }

    /// Runs work on the store's own thread, begun before this returns.
    fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> BoxFuture<'_, Result<T>> {
        let (sender, answer) = oneshot::channel();
        let reading = Arc::clone(&self.reading);
        let begun = self.with_open(|open| {
            open.runtime.spawn(async move {
                let Ok(_place) = reading.acquire_owned().await else {
                    return;
                };
                // The asker may be gone.
                let _ = sender.send(work.await);
            });
            Some(())
        });
        Box::pin(async move {
            begun?;
            answer.await.map_err(|_| Error::Closed)?
        })
    }

    fn read<T, Fut>(
        &self,
        question: impl Fn(Arc<Link>) -> Fut + Send + Sync + 'static,
    ) -> BoxFuture<'_, Result<T>>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let readers = Arc::clone(&self.readers);
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.run(async move {
            shared.readable()?;
            let reader = readers
                .get(turn % readers.len().max(1))
                .ok_or(Error::Closed)?;
            reader.ask(&shared, question).await
        })
    }

    fn shut(&self) -> Option<JoinHandle<()>> {
        let open = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        // The sender goes, so the writer finishes what was queued and ends.
        Some(open.thread)
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        if let Some(thread) = self.shut() {
            // Its lock is free when this returns.
            crate::disk::join(thread);
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| Error::io(format!("thread {name}"), error))
}

fn several(rows: &[tokio_postgres::Row]) -> Result<Vec<Row>> {
    rows.iter().map(schema::row).collect()
}

fn one(row: Option<&tokio_postgres::Row>) -> Result<Option<Row>> {
    row.map(schema::row).transpose()
}

impl Store for PostgresStore {
    fn get(&self, kind: Kind, id: RecordId) -> BoxFuture<'_, Result<Option<Row>>> {
        self.read(move |link| async move {
            let found = link
                .client()
                .query_opt(&link.reads.get, &[&schema::kind(kind), &id.0.as_slice()])
                .await
                .map_err(explain)?;
            one(found.as_ref())
        })
    }

    fn find(&self, kind: Kind, index: [u8; 32]) -> BoxFuture<'_, Result<Option<Row>>> {
        self.read(move |link| async move {
            let found = link
                .client()
                .query_opt(&link.reads.find, &[&schema::kind(kind), &index.as_slice()])
                .await
                .map_err(explain)?;
            one(found.as_ref())
        })
    }

    fn scan(
        &self,
        kind: Kind,
        scope: Option<[u8; 32]>,
        after: Option<RecordId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Row>>> {
        self.read(move |link| async move {
            let kind = schema::kind(kind);
            let after = after.map(|id| id.0.to_vec()).unwrap_or_default();
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let (client, reads) = (link.client(), &link.reads);
            let found = match scope {
                Some(scope) => {
                    let scope = scope.as_slice();
                    client
                        .query(&reads.scan_scope, &[&kind, &scope, &after, &limit])
                        .await
                }
                None => client.query(&reads.scan, &[&kind, &after, &limit]).await,
            };
            several(&found.map_err(explain)?)
        })
    }

    fn get_each(&self, kind: Kind, ids: Vec<RecordId>) -> BoxFuture<'_, Result<Vec<Option<Row>>>> {
        let wanted = ids.clone();
        let found = self.read(move |link| {
            let ids = wanted.clone();
            async move {
                let ids: Vec<&[u8]> = ids.iter().map(|id| id.0.as_slice()).collect();
                let (client, reads) = (link.client(), &link.reads);
                let given: [&(dyn ToSql + Sync); 2] = [&schema::kind(kind), &ids];
                let found = client.query(&reads.get_each, &given).await;
                several(&found.map_err(explain)?)
            }
        });
        Box::pin(async move {
            let found = found.await?.into_iter().map(|row| (row.id, row));
            let found: HashMap<RecordId, Row> = found.collect();
            Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
        })
    }

    fn next_each(
        &self,
        kind: Kind,
        scope: [u8; 32],
        after: Vec<RecordId>,
    ) -> BoxFuture<'_, Result<Vec<Option<RecordId>>>> {
        self.read(move |link| {
            let after = after.clone();
            async move {
                let after: Vec<&[u8]> = after.iter().map(|id| id.0.as_slice()).collect();
                let (client, reads) = (link.client(), &link.reads);
                let given: [&(dyn ToSql + Sync); 3] =
                    [&schema::kind(kind), &scope.as_slice(), &after];
                let found = client.query(&reads.next_each, &given).await;
                let found = found.map_err(explain)?;
                let each: Result<Vec<_>> = found.iter().map(schema::id).collect();
                each.and_then(|each| match each.len() == after.len() {
                    true => Ok(each),
                    false => Err(Error::Malformed("database: answers that do not fit")),
                })
            }
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<()>> {
        let (sender, answer) = oneshot::channel();
        let waiting = self.shared.waiting.fetch_add(1, Ordering::AcqRel);
        let taken = if waiting >= WAITING_MAX && !batch.urgent {
            Err(Error::Overloaded)
        } else {
            self.with_open(|open| {
                let waiting = Waiting {
                    batch,
                    answer: sender,
                };
                open.jobs.send(waiting).ok()
            })
        };
        if taken.is_err() {
            self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
        }
        Box::pin(async move {
            taken?;
            answer.await.map_err(|_| Error::Closed)?
        })
    }

    fn meta(&self, name: &'static str) -> BoxFuture<'_, Result<Option<Meta>>> {
        self.read(move |link| async move { snapshot::meta(&link, name).await })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>>> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            shared.readable()?;
            let snapshot = snapshot::PostgresSnapshot::begin(shared).await?;
            Ok(Box::new(snapshot) as Box<dyn Snapshot>)
        })
    }

    fn forget(&self) -> BoxFuture<'_, Result<Forgotten>> {
        let shared = Arc::clone(&self.shared);
        self.run(async move {
            let session = Session::connect(&shared, Role::Maintain).await?;
            session.recognise(&shared).await?;
            session
                .client
                .batch_execute("VACUUM skms_record")
                .await
                .map_err(explain)?;
            session
                .client
                .batch_execute("VACUUM skms_meta")
                .await
                .map_err(explain)?;
            session.leave(&shared).await;
            Ok(Forgotten {
                erased: "replaced and deleted rows that no reader still sees are removed from the database's tables",
                remains: "freed space that nothing was written to since, the database's write-ahead log, its replicas, archives and backups; only rotating the storage key makes those unreadable",
            })
        })
    }

    fn lost(&self) -> Option<String> {
        self.shared.lost()
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        // What was asked before finishes first: later reads find it closed.
        let runtime = self.with_open(|open| Some(open.runtime.clone()));
        let reading = Arc::clone(&self.reading);
        let thread = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        Box::pin(async move {
            let Some(Open { jobs, thread, .. }) = thread else {
                return Ok(());
            };
            if let Ok(runtime) = runtime {
                let (sender, quiet) = oneshot::channel();
                runtime.spawn(async move {
                    let all = u32::try_from(READING_MAX).unwrap_or(u32::MAX);
                    let _ = sender.send(reading.acquire_many(all).await.is_ok());
                });
                let _ = quiet.await;
            }
            drop(jobs);
            let (sender, done) = oneshot::channel();
            spawn("skms-store-close", move || {
                // It ends by itself once everything is answered.
                let _ = thread.join();
                let _ = sender.send(());
            })?;
            done.await.map_err(|_| Error::Closed)
        })
    }
}
