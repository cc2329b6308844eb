//! Runs cases on a few threads. A panic is a failure of its case; so is a
//! hang: the stuck thread is left behind and another takes its place.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::case::{Case, Outcome};

/// How long one case may take, as a rule. The slowest honest ones sign with the small
/// SLH-DSA sets, in a few seconds even without optimisation.
pub const CASE_LIMIT: Duration = Duration::from_secs(120);

/// How often stuck threads are looked for.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// How many cases wait before the reader of files pauses.
const BACKLOG: usize = 4096;

/// An outcome, with the number of its file and the name of its case.
pub struct Finished {
    /// Which file, by the number it was submitted under.
    pub file: usize,
    /// Which case.
    pub id: String,
    /// How it went.
    pub outcome: Outcome,
}

/// The threads and what they share.
pub struct Runner {
    queue: Arc<Queue>,
    workers: Vec<Arc<Slot>>,
    finished: Receiver<Finished>,
    report: Sender<Finished>,
    outstanding: usize,
    limit: Duration,
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<(usize, Case)>,
    closed: bool,
}

/// What a worker is busy with, for the watcher.
#[derive(Default)]
struct Slot {
    busy: Mutex<Option<Busy>>,
}

struct Busy {
    file: usize,
    id: String,
    since: Instant,
}

impl Runner {
    /// Starts `threads` workers, which are given up on when one case takes
    /// them longer than `limit`.
    pub fn start(threads: usize, limit: Duration) -> Self {
        let (report, finished) = mpsc::channel();
        let mut runner = Self {
            queue: Arc::default(),
            workers: Vec::new(),
            finished,
            report,
            outstanding: 0,
            limit,
        };
        for _ in 0..threads {
            let slot = runner.spawn();
            runner.workers.push(slot);
        }
        runner
    }

    /// Hands in the cases of one file, and passes on what is finished.
    pub fn submit(&mut self, file: usize, cases: Vec<Case>, done: &mut impl FnMut(Finished)) {
        self.outstanding += cases.len();
        lock(&self.queue.state)
            .waiting
            .extend(cases.into_iter().map(|case| (file, case)));
        self.queue.changed.notify_all();
        while self.outstanding > BACKLOG {
            self.wait(done);
        }
    }

    /// Waits for everything handed in.
    pub fn finish(mut self, done: &mut impl FnMut(Finished)) {
        while self.outstanding > 0 {
            self.wait(done);
        }
        lock(&self.queue.state).closed = true;
        self.queue.changed.notify_all();
    }

    fn wait(&mut self, done: &mut impl FnMut(Finished)) {
        match self.finished.recv_timeout(WATCH_INTERVAL) {
            Ok(finished) => {
                self.outstanding -= 1;
                done(finished);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => self.watch(done),
        }
    }

    /// Gives up on workers that are stuck.
    fn watch(&mut self, done: &mut impl FnMut(Finished)) {
        for index in 0..self.workers.len() {
            let stuck = {
                let mut busy = lock(&self.workers[index].busy);
                match &*busy {
                    Some(case) if case.since.elapsed() > self.limit => busy.take(),
                    _ => None,
                }
            };
            if let Some(case) = stuck {
                self.outstanding -= 1;
                done(Finished {
                    file: case.file,
                    id: case.id,
                    outcome: Outcome::Failed(format!("hung for over {:?}", self.limit)),
                });
                self.workers[index] = self.spawn();
            }
        }
    }

    fn spawn(&self) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        let (queue, report, mine) = (
            Arc::clone(&self.queue),
            self.report.clone(),
            Arc::clone(&slot),
        );
        std::thread::spawn(move || work(&queue, &mine, &report));
        slot
    }
}

fn work(queue: &Queue, slot: &Slot, report: &Sender<Finished>) {
    while let Some((file, case)) = next(queue) {
        *lock(&slot.busy) = Some(Busy {
            file,
            id: case.id.clone(),
            since: Instant::now(),
        });
        let outcome = catch_unwind(AssertUnwindSafe(case.run))
            .unwrap_or_else(|panic| Outcome::Failed(format!("panicked: {}", message(&*panic))));
        // Nobody waits for a worker that was given up on.
        if lock(&slot.busy).take().is_none() {
            return;
        }
        let finished = Finished {
            file,
            id: case.id,
            outcome,
        };
        if report.send(finished).is_err() {
            return;
        }
    }
}

fn next(queue: &Queue) -> Option<(usize, Case)> {
    let mut state = lock(&queue.state);
    loop {
        if let Some(case) = state.waiting.pop_front() {
            return Some(case);
        }
        if state.closed {
            return None;
        }
        state = queue
            .changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::case::{Expect, Refusal};

    fn outcomes(limit: Duration, cases: Vec<Case>) -> Vec<(String, Outcome)> {
        let mut outcomes = Vec::new();
        let mut done = |finished: Finished| outcomes.push((finished.id, finished.outcome));
        let mut runner = Runner::start(1, limit);
        runner.submit(0, cases, &mut done);
        runner.finish(&mut done);
        outcomes.sort_by(|one, other| one.0.cmp(&other.0));
        outcomes
    }

    #[test]
    fn a_panic_fails_its_own_case_only() {
        let cases = vec![
            Case::new("1", Expect::Invalid, || panic!("on purpose")),
            Case::new("2", Expect::Valid, || Ok(true)),
            Case::decided("3", Refusal::Policy("weak".to_owned())),
        ];
        let found = outcomes(CASE_LIMIT, cases);
        let panicked = Outcome::Failed("panicked: on purpose".to_owned());
        assert_eq!(found[0].1, panicked);
        assert_eq!(found[1].1, Outcome::Passed);
        assert_eq!(found[2].1, Outcome::RefusedByPolicy("weak".to_owned()));
    }

    #[test]
    fn a_hang_fails_its_own_case_only() {
        let (release, held) = mpsc::channel::<()>();
        let cases = vec![
            Case::new("1", Expect::Invalid, move || {
                let _ = held.recv();
                Err(Refusal::Refused("too late to count".to_owned()))
            }),
            Case::new("2", Expect::Valid, || Ok(true)),
        ];
        let found = outcomes(Duration::ZERO, cases);
        assert_eq!(found.len(), 2);
        let hung = Outcome::Failed("hung for over 0ns".to_owned());
        assert_eq!(found[0], ("1".to_owned(), hung));
        assert_eq!(found[1].1, Outcome::Passed);
        drop(release);
    }
}
