//! Chunks worked on by several threads at once, read and written in order.
//!
//! Every thread does the same: reads a batch under one lock, works on it under
//! none, and puts it where the writing is done. Whoever finds nobody writing
//! there writes what is next, as far as it is ready. So nobody waits for a
//! thread that the system has put aside before all batches are in use, reading
//! and writing overlap with the work, and memory is a few batches for each
//! thread, whatever the file's size.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::buffer::Buffer;
use super::{FileError, Result};

/// How many chunks a thread takes at a time.
const BATCH: usize = 4;
/// How many batches there are for each thread, and how many besides: enough to
/// go on with for some milliseconds while one thread is put aside.
const BATCHES: (usize, usize) = (4, 16);

/// What is done to each chunk.
pub(super) trait Work: Sync {
    /// How many bytes of input make a chunk; only the last may have fewer.
    const SIZE: usize;

    /// Does it in place, with room to spare. `number` counts from 0.
    ///
    /// # Errors
    /// No chunk after this one is handed on, and this one only where that is
    /// said.
    fn apply(
        &self,
        number: u64,
        last: bool,
        chunk: &mut Buffer,
        spare: &mut Buffer,
    ) -> Result<(), Stop>;
}

/// Why the work ends at a chunk.
pub(super) struct Stop {
    error: FileError,
    hands_on: bool,
}

impl Stop {
    /// The chunk itself is still handed on.
    pub(super) fn after(error: FileError) -> Self {
        Self {
            error,
            hands_on: true,
        }
    }
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        Self {
            error,
            hands_on: false,
        }
    }
}

/// Works on all of `input`, with at most `threads` threads, this one included.
/// `progress` is told of the bytes written. What comes before a chunk that
/// fails is written. Returns the count of bytes written.
///
/// # Errors
/// The first in the order of the file.
pub(super) fn run<W: Work>(
    work: &W,
    input: &mut (dyn Read + Send),
    output: &mut (dyn Write + Send),
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<u64> {
    let mut ahead = Buffer::new();
    ahead.fill(input, W::SIZE).map_err(FileError::reading)?;
    let threads = if ahead.bytes().len() < W::SIZE {
        1
    } else {
        threads.max(1)
    };
    let lanes = Lanes {
        work,
        source: Mutex::new(Source {
            input,
            ahead,
            number: 0,
            batch: 0,
            ended: false,
        }),
        sink: Mutex::new(Sink {
            output: Some(output),
            ready: BTreeMap::new(),
            turn: 0,
            free: Vec::new(),
            unmade: BATCHES.0 * threads + BATCHES.1,
            written: 0,
            failure: None,
            stopped: false,
        }),
        freed: Condvar::new(),
        progress,
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Fewer threads than asked for are slower, and enough.
            let _ = std::thread::Builder::new().spawn_scoped(scope, || lanes.walk());
        }
        lanes.walk();
    });
    let sink = lanes
        .sink
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    match sink.failure {
        Some(failure) => Err(failure),
        None => Ok(sink.written),
    }
}

struct Source<'a> {
    input: &'a mut (dyn Read + Send),
    /// The chunk after the last batch: only what follows a chunk tells
    /// whether it is the last.
    ahead: Buffer,
    number: u64,
    batch: u64,
    ended: bool,
}

/// Which chunks a thread has.
struct Batch {
    turn: u64,
    first: u64,
    count: usize,
    last: bool,
    failure: Option<FileError>,
}

impl Source<'_> {
    fn next(&mut self, chunks: &mut [Buffer], size: usize) -> Option<Batch> {
        if self.ended {
            return None;
        }
        let mut batch = Batch {
            turn: self.batch,
            first: self.number,
            count: 0,
            last: false,
            failure: None,
        };
        self.batch += 1;
        for chunk in chunks {
            std::mem::swap(chunk, &mut self.ahead);
            batch.count += 1;
            self.number += 1;
            let whole = chunk.bytes().len() == size;
            self.ahead.clear();
            if whole && let Err(error) = self.ahead.fill(self.input, size) {
                // Whether this chunk is the last cannot be known.
                batch.count -= 1;
                batch.failure = Some(FileError::reading(error));
            }
            // What could not be read is no end: a chunk that says it is the
            // last makes a file that looks whole.
            batch.last = batch.failure.is_none() && self.ahead.bytes().is_empty();
            if batch.last || batch.failure.is_some() {
                self.ended = true;
                break;
            }
        }
        Some(batch)
    }
}

/// A batch that was worked on.
struct Ready {
    batch: Batch,
    chunks: Vec<Buffer>,
    /// How many of them are handed on.
    done: usize,
}

struct Sink<'a> {
    /// None while a thread writes.
    output: Option<&'a mut (dyn Write + Send)>,
    ready: BTreeMap<u64, Ready>,
    turn: u64,
    free: Vec<Vec<Buffer>>,
    /// Batches that may still be made.
    unmade: usize,
    written: u64,
    failure: Option<FileError>,
    stopped: bool,
}

struct Lanes<'a, W> {
    work: &'a W,
    source: Mutex<Source<'a>>,
    sink: Mutex<Sink<'a>>,
    freed: Condvar,
    progress: &'a (dyn Fn(u64) + Sync),
}

/// Sends the others home when its thread panics, so that nobody waits for what
/// never comes.
struct Leaving<'a, 'b, W>(&'a Lanes<'b, W>);

impl<W> Drop for Leaving<'_, '_, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            locked(&self.0.sink).stopped = true;
            self.0.freed.notify_all();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Work> Lanes<'_, W> {
    fn walk(&self) {
        let _leaving = Leaving(self);
        let mut spare = Buffer::new();
        while let Some(mut chunks) = self.room() {
            let Some(mut batch) = locked(&self.source).next(&mut chunks, W::SIZE) else {
                return;
            };
            let mut done = 0;
            for (number, chunk) in (batch.first..).zip(chunks.iter_mut().take(batch.count)) {
                let last = batch.last && done + 1 == batch.count;
                if let Err(stop) = self.work.apply(number, last, chunk, &mut spare) {
                    done += usize::from(stop.hands_on);
                    batch.failure = Some(stop.error);
                    break;
                }
                done += 1;
            }
            self.hand_on(Ready {
                batch,
                chunks,
                done,
            });
        }
        // Nobody reads further behind a failure.
        locked(&self.source).ended = true;
    }

    /// Room for a batch, as soon as there is some; none if the work has ended.
    fn room(&self) -> Option<Vec<Buffer>> {
        let mut sink = locked(&self.sink);
        loop {
            if sink.stopped {
                return None;
            }
            if let Some(chunks) = sink.free.pop() {
                return Some(chunks);
            }
            if sink.unmade > 0 {
                sink.unmade -= 1;
                return Some((0..BATCH).map(|_| Buffer::new()).collect());
            }
            sink = self
                .freed
                .wait(sink)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Leaves a batch to whoever writes, or writes it and what follows it.
    fn hand_on(&self, ready: Ready) {
        let mut sink = locked(&self.sink);
        sink.ready.insert(ready.batch.turn, ready);
        let Some(output) = sink.output.take() else {
            return;
        };
        loop {
            let turn = sink.turn;
            let next = match sink.stopped {
                true => None,
                false => sink.ready.remove(&turn),
            };
            let Some(Ready {
                batch,
                chunks,
                done,
            }) = next
            else {
                break;
            };
            drop(sink);
            let chosen = chunks.get(..done).unwrap_or_default();
            let (count, failure) = self.write(output, chosen);
            sink = locked(&self.sink);
            sink.written += count;
            sink.turn += 1;
            sink.free.push(chunks);
            sink.failure = failure.or(batch.failure);
            sink.stopped |= sink.failure.is_some();
            match sink.stopped {
                true => self.freed.notify_all(),
                false => self.freed.notify_one(),
            }
        }
        sink.output = Some(output);
    }

    fn write(&self, output: &mut dyn Write, chunks: &[Buffer]) -> (u64, Option<FileError>) {
        let mut written = 0;
        for chunk in chunks {
            if let Err(error) = output.write_all(chunk.bytes()) {
                return (written, Some(FileError::Write(error)));
            }
            let count = chunk.bytes().len() as u64;
            written += count;
            (self.progress)(count);
        }
        (written, None)
    }
}
