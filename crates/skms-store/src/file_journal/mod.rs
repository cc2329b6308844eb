//! [`Journal`] over files: preallocated segments, one writer, group commit.
//!
//! The writer syncs at once when idle; what arrives during a sync goes into
//! the next, and under load it gathers for a moment before each. A torn tail, which a crash leaves, was never acknowledged and is
//! cut off at open; damage anywhere else is refused. What a file alone cannot
//! show is that its end was cut off on purpose: the database remembers how
//! long the journal was ([`crate::sealed::SealedStore::recover`]), and beyond
//! that only a witness can tell.

pub(crate) mod frame;
mod open;
mod prepare;
mod read;
pub(crate) mod segment;
pub(crate) mod survey;
mod waiting;
mod window;
mod writer;

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use skms_crypto::rest::RecordKey;

use crate::disk::{Disk, Held, Patience, Worker};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::journal::{self, Entry, Journal, JournalReport, Stored, Ticket};
use crate::sealed::TermNumber;
use crate::store::BoxFuture;
use frame::framed_len;
use prepare::Prepared;
use segment::SegmentHeader;
use waiting::Waiting;

pub use open::OpenReport;
pub use survey::{Surveyed, survey};

/// Where the sealing keys of segments come from.
pub trait SegmentKeys: Send + Sync + 'static {
    /// The install the journal belongs to.
    fn install(&self) -> [u8; 16];

    /// The term for new segments.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    fn current_term(&self) -> Result<TermNumber>;

    /// The key of one segment.
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::StaleKeys`] for a term whose key is gone.
    fn segment_key(&self, term: TermNumber, segment: u64, salt: &[u8; 32]) -> Result<RecordKey>;
}

/// How a [`FileJournal`] is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of a segment, at least [`Options::SEGMENT_MIN`].
    pub segment_bytes: u64,
    /// Segments there may be in all, if limited.
    pub segments_max: Option<u64>,
    /// Entries from this place on are known by their ids from the start: the
    /// floor of [`crate::sealed::JournalPosition`].
    pub ids_from: u64,
    /// How many of the latest ids stay known beyond that.
    pub ids_kept: usize,
    /// Where the files are.
    pub disk: Disk,
}

impl Options {
    /// The smallest segment, in bytes.
    pub const SEGMENT_MIN: u64 = 4096;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 8 << 20,
            segments_max: None,
            ids_from: 0,
            ids_kept: 1 << 16,
            disk: Disk::real(),
        }
    }
}

/// A segment that has a header.
#[derive(Clone, Copy, Debug)]
struct SegmentInfo {
    header: SegmentHeader,
    /// End of its durable frames, in bytes.
    end: usize,
}

/// What all threads see.
struct Shared {
    disk: Disk,
    directory: PathBuf,
    durability: Arc<Durability>,
    prepared: Prepared,
    queue: Mutex<Queue>,
    wake: Condvar,
    ids: Mutex<Ids>,
    highest_commit: AtomicU64,
    segments: Mutex<Vec<SegmentInfo>>,
    resumes: Mutex<read::Resumes>,
}

#[derive(Default)]
struct Queue {
    waiting: Waiting,
    /// Bytes in a segment that are wanted and not yet written: by what waits
    /// and by what the writer has in hand.
    bytes: usize,
    /// Sequence of the next entry to be queued.
    next: u64,
    /// Bytes left in the segment being written.
    room: usize,
    refused: Option<String>,
    closed: bool,
    /// How many entries the writer sleeps for; zero while it is at work.
    awaited: usize,
    /// How many entries the writer took last.
    last_group: usize,
}

impl Queue {
    /// Whether the writer sleeps and has to be woken for what has just come.
    fn wakes(&self, urgent: bool) -> bool {
        self.awaited > 0 && (urgent || self.waiting.len() >= self.awaited)
    }
}

/// From so many entries in one group on, callers are many enough to be
/// gathered.
const MANY: usize = 4;
/// The longest that the writer gathers.
const GATHER: Duration = Duration::from_micros(500);

/// Ids of entries, for feeding the journal once.
#[derive(Default)]
struct Ids {
    known: HashSet<[u8; 16], BuildHasherDefault<Drawn>>,
    order: VecDeque<[u8; 16]>,
    kept: usize,
}

/// Ids are drawn at random by this process: their own bits scatter them.
#[derive(Default)]
struct Drawn(u64);

impl Hasher for Drawn {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.0 = self.0.rotate_left(5) ^ u64::from_le_bytes(word);
        }
    }
}

impl Ids {
    fn add(&mut self, id: [u8; 16]) {
        if self.known.insert(id) {
            self.order.push_back(id);
        }
        while self.order.len() > self.kept {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics half-way through a change of what these guard.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Half a segment: what may wait without filling the reserve.
    fn queue_max(&self) -> usize {
        usize::try_from(self.prepared.segment_bytes() / 2).unwrap_or(usize::MAX)
    }

    fn highest_commit(&self) -> u64 {
        self.highest_commit.load(Ordering::Acquire)
    }

    fn push(&self, entries: Vec<Entry>, urgent: bool) -> Result<Ticket> {
        journal::check(&entries)?;
        let lens = entries.iter().map(|entry| framed_len(entry.bytes.len()));
        if lens.clone().any(|len| len > self.queue_max()) {
            return Err(Error::Invalid("an event is longer than half a segment"));
        }
        let bytes: usize = lens.sum();
        let (full, ready) = self.prepared.room();
        let mut queue = lock(&self.queue);
        if let Some(why) = &queue.refused {
            return Err(Error::Failed(why.clone()));
        }
        if queue.closed {
            return Err(Error::Closed);
        }
        let waiting = queue.bytes.saturating_add(bytes);
        // Without a segment left, what is being written is the reserve itself.
        if full && (ready == 0 && !urgent || waiting > queue.room) {
            // Only the reserve is left, and it is for urgent entries.
            let reserve = if ready > 0 { self.queue_max() } else { 0 };
            if !urgent || waiting > queue.room.saturating_add(reserve) {
                return Err(Error::Full);
            }
        } else if queue.bytes > 0 && waiting > self.queue_max() && !urgent {
            return Err(Error::Overloaded);
        }
        let count = entries.len() as u64;
        let first = queue.next;
        queue.next += count;
        queue.bytes = waiting;
        for entry in &entries {
            if let Some(commit) = entry.commit {
                self.highest_commit.fetch_max(commit, Ordering::AcqRel);
            }
        }
        for entry in &entries {
            queue.waiting.push(entry);
        }
        let wake = queue.wakes(urgent);
        if wake {
            // Once is enough.
            queue.awaited = 0;
        }
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
        Ok(Ticket::new(first, count, Arc::clone(&self.durability)))
    }

    /// For the writer: takes everything that waits.
    fn take(&self, into: &mut Waiting, patience: Patience) -> Taken {
        into.clear();
        let mut queue = lock(&self.queue);
        if patience == Patience::Wait && queue.last_group >= MANY {
            queue = self.gather(queue);
        }
        while queue.waiting.is_empty() {
            if queue.closed {
                return Taken::Closed;
            }
            #[cfg(feature = "simulation")]
            if patience != Patience::Wait {
                return Taken::Nothing;
            }
            queue.awaited = 1;
            queue = self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.awaited = 0;
        }
        queue.last_group = queue.waiting.len();
        std::mem::swap(&mut queue.waiting, into);
        // Before the lock is let go, so that an id is always in one of them.
        let mut ids = lock(&self.ids);
        for head in &into.heads {
            ids.add(head.id);
        }
        Taken::Entries
    }

    /// Those who were just answered will mostly be back at once: a sync costs
    /// the processor more than several events do, so one for all of them
    /// leaves it to the callers.
    fn gather<'a>(&self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let all = queue.last_group + queue.waiting.len();
        let end = Instant::now() + GATHER;
        while queue.waiting.len() < all && !queue.closed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queue.awaited = all;
            (queue, _) = self
                .wake
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner);
            if std::mem::take(&mut queue.awaited) == 0 {
                break;
            }
        }
        queue
    }

    fn begun(&self, segment: SegmentInfo) {
        lock(&self.segments).push(segment);
    }

    /// For the writer: `bytes` more of what was queued are written; the
    /// segment is durable up to `end`, the journal up to `sequence`.
    fn written(&self, bytes: usize, end: usize, capacity: usize, sequence: u64) {
        if let Some(segment) = lock(&self.segments).last_mut() {
            segment.end = end;
        }
        {
            let mut queue = lock(&self.queue);
            queue.bytes = queue.bytes.saturating_sub(bytes);
            queue.room = capacity.saturating_sub(end).saturating_sub(frame::MARK_LEN);
        }
        self.durability.publish(sequence);
    }

    fn refuse(&self, why: &str) {
        let mut queue = lock(&self.queue);
        queue.refused.get_or_insert_with(|| why.to_owned());
        queue.waiting.clear();
        queue.bytes = 0;
    }

    fn close(&self) {
        lock(&self.queue).closed = true;
        self.wake.notify_all();
    }

    fn knows(&self, id: &[u8; 16]) -> bool {
        let queue = lock(&self.queue);
        let queued = queue.waiting.heads.iter().any(|head| head.id == *id);
        queued || lock(&self.ids).known.contains(id)
    }
}

/// A directory of segments as a [`Journal`].
pub struct FileJournal {
    shared: Arc<Shared>,
    keys: Arc<dyn SegmentKeys>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    writer: Worker,
    preparer: Worker,
    /// Held until both have ended.
    lock: Held,
}

/// What the writer finds in the queue.
enum Taken {
    /// Something.
    Entries,
    /// Nothing, and nothing will come.
    Closed,
    #[cfg(feature = "simulation")]
    Nothing,
}

impl std::fmt::Debug for FileJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileJournal")
            .field("directory", &self.shared.directory)
            .field("durable", &self.shared.durability.durable())
            .finish_non_exhaustive()
    }
}

impl FileJournal {
    /// Opens the journal in a directory, creating it where there is none:
    /// cuts off a torn tail, checks headers and links, and reads what
    /// `options` asks for.
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::OtherInstall`], [`Error::Newer`],
    /// [`Error::JournalCorrupt`], [`Error::StaleKeys`], [`Error::Io`].
    pub fn open(
        directory: impl AsRef<Path>,
        keys: Arc<dyn SegmentKeys>,
        options: &Options,
    ) -> Result<(Self, OpenReport)> {
        open::open(directory.as_ref(), keys, options)
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.shared.directory
    }

    /// The oldest term that a segment still needs the key of.
    #[must_use]
    pub fn oldest_term(&self) -> Option<TermNumber> {
        lock(&self.shared.segments)
            .iter()
            .map(|segment| segment.header.term)
            .min()
    }

    fn shut(&self) -> Option<Threads> {
        self.shared.close();
        lock(&self.threads).take()
    }

    fn join(shared: &Shared, threads: Threads) {
        // The writer first: it may still need a segment.
        threads.writer.join();
        shared.prepared.close();
        threads.preparer.join();
        drop(threads.lock);
    }
}

impl Drop for FileJournal {
    fn drop(&mut self) {
        if let Some(threads) = self.shut() {
            Self::join(&self.shared, threads);
        }
    }
}

impl Journal for FileJournal {
    fn append_as(&self, entries: Vec<Entry>, urgent: bool) -> Result<Ticket> {
        self.shared.push(entries, urgent)
    }

    fn durability(&self) -> &Arc<Durability> {
        &self.shared.durability
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Stored>>> {
        let (shared, keys) = (Arc::clone(&self.shared), Arc::clone(&self.keys));
        Box::pin(async move {
            let disk = shared.disk.clone();
            let work = move || read::read(&shared, keys.as_ref(), from, limit);
            disk.blocking("skms-journal-read", work).await
        })
    }

    fn contains(&self, id: [u8; 16]) -> BoxFuture<'_, Result<bool>> {
        let known = self.shared.knows(&id);
        Box::pin(std::future::ready(Ok(known)))
    }

    fn highest_commit(&self) -> u64 {
        self.shared.highest_commit()
    }

    fn verify(&self) -> BoxFuture<'_, Result<JournalReport>> {
        let (shared, keys) = (Arc::clone(&self.shared), Arc::clone(&self.keys));
        Box::pin(async move {
            let disk = shared.disk.clone();
            let work = move || read::verify(&shared, keys.as_ref());
            disk.blocking("skms-journal-read", work).await
        })
    }

    fn piece(&self, number: u64, entries: u64) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let disk = shared.disk.clone();
            let work = move || survey::piece(&shared, number, entries);
            disk.blocking("skms-journal-read", work).await
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        let (shared, threads) = (Arc::clone(&self.shared), self.shut());
        Box::pin(async move {
            if let Some(threads) = threads {
                let closing = Arc::clone(&shared);
                let work = move || {
                    Self::join(&closing, threads);
                    Ok(())
                };
                shared.disk.blocking("skms-journal-close", work).await?;
            }
            match shared.durability.failure() {
                Some(why) => Err(Error::Failed(why)),
                None => Ok(()),
            }
        })
    }
}
