//! Segments made ahead of need: files of zeros, so that appending allocates
//! nothing, syncs no metadata and cannot meet a full disk.
//!
//! Two are kept. The last one is the reserve: ordinary entries are refused
//! once the disk is full and only it is left; urgent ones may use it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::disk::{Background, Disk, DiskFile, Patience, Turn};
use crate::error::{Error, Result};

/// How many segments are kept ready.
const READY: usize = 2;

/// How often a full disk is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) fn path_of(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:012}.segment"))
}

/// The number in a segment file's name.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".segment")?;
    (digits.len() == 12).then(|| digits.parse().ok()).flatten()
}

pub(super) struct Prepared {
    disk: Disk,
    directory: PathBuf,
    bytes: u64,
    /// Segments there may be, if limited.
    limit: Option<u64>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    ready: VecDeque<(u64, DiskFile)>,
    next: u64,
    full: bool,
    failure: Option<String>,
    closed: bool,
}

impl Prepared {
    /// `next` is the number of the first segment to make; `ready` are those
    /// an earlier run left.
    pub(super) fn new(
        disk: Disk,
        directory: PathBuf,
        bytes: u64,
        limit: Option<u64>,
        next: u64,
        ready: VecDeque<(u64, DiskFile)>,
    ) -> Self {
        Self {
            disk,
            directory,
            bytes,
            limit,
            state: Mutex::new(State {
                ready,
                next,
                full: false,
                failure: None,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the disk is full, and how many segments are ready.
    pub(super) fn room(&self) -> (bool, usize) {
        let state = self.lock();
        (state.full, state.ready.len())
    }

    pub(super) const fn segment_bytes(&self) -> u64 {
        self.bytes
    }

    /// The next segment. Waits while one is being made; takes the reserve
    /// only on a full disk.
    pub(super) fn take(&self) -> Result<(u64, DiskFile)> {
        let mut state = self.lock();
        loop {
            if let Some(why) = &state.failure {
                return Err(Error::Failed(why.clone()));
            }
            if state.ready.len() >= READY || state.full || state.closed {
                let taken = state.ready.pop_front();
                self.changed.notify_all();
                return taken.ok_or(Error::Full);
            }
            #[cfg(feature = "simulation")]
            if self.disk.vfs().is_some() {
                // Nobody else will make it.
                drop(state);
                self.turn(Patience::Now);
                state = self.lock();
                continue;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Makes what is lacking before anything is accepted, so that it is known
    /// from the start whether there is room.
    pub(super) fn fill(&self) -> Result<()> {
        let mut state = self.lock();
        while state.ready.len() < READY {
            match self.make(state.next) {
                Ok(file) => {
                    let number = state.next;
                    state.next += 1;
                    state.ready.push_back((number, file));
                }
                Err(Error::Full) => {
                    state.full = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes one segment if one is lacking.
    fn turn(&self, patience: Patience) -> Turn {
        let mut state = self.lock();
        if state.closed || state.failure.is_some() {
            return Turn::Ended;
        }
        if state.ready.len() >= READY {
            return self.idle(state, patience, None);
        }
        #[cfg(feature = "simulation")]
        if state.full && patience == Patience::Now {
            return Turn::Idle;
        }
        let number = state.next;
        drop(state);
        let made = self.make(number);
        state = self.lock();
        self.changed.notify_all();
        match made {
            Ok(file) => {
                state.full = false;
                state.next += 1;
                state.ready.push_back((number, file));
                Turn::Done
            }
            Err(Error::Full) => {
                state.full = true;
                if state.closed {
                    return Turn::Ended;
                }
                self.idle(state, patience, Some(RETRY))
            }
            Err(error) => {
                state.failure = Some(error.to_string());
                Turn::Ended
            }
        }
    }

    /// Waits for a change, for so long at most.
    fn idle(
        &self,
        state: MutexGuard<'_, State>,
        patience: Patience,
        most: Option<Duration>,
    ) -> Turn {
        match (patience, most) {
            (Patience::Wait, None) => drop(self.changed.wait(state)),
            (Patience::Wait, Some(most)) => drop(self.changed.wait_timeout(state, most)),
            #[cfg(feature = "simulation")]
            _ => return Turn::Idle,
        }
        Turn::Done
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn make(&self, number: u64) -> Result<DiskFile> {
        if self.limit.is_some_and(|limit| number > limit) {
            return Err(Error::Full);
        }
        // Filling a disk up to find out that it is full would take the room
        // that others need meanwhile: what an urgent commit has just freed.
        let available = self.disk.available(&self.directory);
        if available.is_some_and(|room| room < self.bytes.saturating_add(LEFT)) {
            return Err(Error::Full);
        }
        let path = path_of(&self.directory, number);
        let made = fill(&self.disk, &path, self.bytes);
        if made.is_err() {
            // A short file would be taken for a damaged one later.
            let _ = self.disk.remove(&path);
        }
        made
    }
}

/// Bytes that a new segment leaves to others.
const LEFT: u64 = 1 << 18;

/// Keeps segments ready for a journal.
pub(super) struct Preparer(pub(super) std::sync::Arc<super::Shared>);

impl Background for Preparer {
    fn turn(&mut self, patience: Patience) -> Turn {
        self.0.prepared.turn(patience)
    }
}

/// Writes a file of zeros and makes it and its name durable.
fn fill(disk: &Disk, path: &Path, bytes: u64) -> Result<DiskFile> {
    let failed = |error| Error::io(format!("journal {}", path.display()), error);
    let file = disk.create_new(path).map_err(failed)?;
    let zeros = vec![0; 1 << 18];
    let mut offset = 0;
    while offset < bytes {
        let part = usize::try_from(bytes - offset)
            .unwrap_or(usize::MAX)
            .min(zeros.len());
        file.write_all_at(zeros.get(..part).unwrap_or_default(), offset)
            .map_err(failed)?;
        offset += part as u64;
    }
    file.sync_all().map_err(failed)?;
    disk.sync_directory(path)?;
    Ok(file)
}
