//! Chunks worked on by several threads at once, read and written in order.
//!
//! Every thread does the same: reads a batch under one lock, works on it under
//! none, and writes it when its turn comes. So a batch stays in one core's
//! cache from beginning to end, reading and writing overlap with the work, and
//! memory is a batch for each thread, whatever the file's size.

use std::io::{Read, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::buffer::Buffer;
use super::{FileError, Result};

/// How many chunks a thread takes at a time.
const BATCH: usize = 8;

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
            output,
            turn: 0,
            written: 0,
            failure: None,
            stopped: false,
        }),
        turned: Condvar::new(),
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
            batch.last = self.ahead.bytes().is_empty();
            if batch.last || batch.failure.is_some() {
                self.ended = true;
                break;
            }
        }
        Some(batch)
    }
}

struct Sink<'a> {
    output: &'a mut (dyn Write + Send),
    turn: u64,
    written: u64,
    failure: Option<FileError>,
    stopped: bool,
}

struct Lanes<'a, W> {
    work: &'a W,
    source: Mutex<Source<'a>>,
    sink: Mutex<Sink<'a>>,
    turned: Condvar,
    progress: &'a (dyn Fn(u64) + Sync),
}

/// Sends the others home when its thread panics, so that nobody waits for a
/// turn that never comes.
struct Leaving<'a, 'b, W>(&'a Lanes<'b, W>);

impl<W> Drop for Leaving<'_, '_, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            locked(&self.0.sink).stopped = true;
            self.0.turned.notify_all();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Work> Lanes<'_, W> {
    fn walk(&self) {
        let _leaving = Leaving(self);
        let mut chunks: Vec<Buffer> = (0..BATCH).map(|_| Buffer::new()).collect();
        let mut spare = Buffer::new();
        loop {
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
            let ready = chunks.get(..done).unwrap_or_default();
            if !self.hand_on(batch, ready) {
                // Nobody reads further behind a failure.
                locked(&self.source).ended = true;
                return;
            }
        }
    }

    /// Waits for the batch's turn and writes it. Says whether to go on.
    fn hand_on(&self, batch: Batch, ready: &[Buffer]) -> bool {
        let sink = locked(&self.sink);
        let mut sink = self
            .turned
            .wait_while(sink, |sink| sink.turn != batch.turn && !sink.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        if sink.stopped {
            return false;
        }
        let mut failure = None;
        for chunk in ready {
            if let Err(error) = sink.output.write_all(chunk.bytes()) {
                failure = Some(FileError::Write(error));
                break;
            }
            let count = chunk.bytes().len() as u64;
            sink.written += count;
            (self.progress)(count);
        }
        sink.turn += 1;
        sink.failure = failure.or(batch.failure);
        sink.stopped = sink.failure.is_some();
        self.turned.notify_all();
        !sink.stopped
    }
}
