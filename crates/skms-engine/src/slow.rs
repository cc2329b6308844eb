//! The bounded pool for work that takes longer than a request may hold a
//! worker: RSA, key generation, Argon2. A worker thread never waits for it;
//! its task does. The pool's threads give way to the workers.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::priority::{self, SLOW_WORK};

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads behind a queue of fixed length.
#[derive(Clone)]
pub struct SlowPool {
    queue: SyncSender<Job>,
}

impl SlowPool {
    /// Starts `threads` threads; at most `queued` jobs wait for one.
    pub fn start(threads: usize, queued: usize) -> Result<Self> {
        let (queue, jobs) = sync_channel::<Job>(queued.max(1));
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name(format!("skms-slow-{number}"))
                .spawn(move || {
                    priority::give_way(SLOW_WORK);
                    loop {
                        let next = match jobs.lock() {
                            Ok(jobs) => jobs.recv(),
                            Err(_) => return,
                        };
                        match next {
                            Ok(job) => job(),
                            Err(_) => return,
                        }
                    }
                })
                .map_err(|_| Error::Internal("cannot start a worker thread"))?;
        }
        Ok(Self { queue })
    }

    /// Runs `work` on the pool.
    ///
    /// # Errors
    /// [`Error::Busy`] when the queue is full; [`Error::Internal`] when the
    /// work panicked.
    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            if let Ok(value) = outcome {
                // The caller may have gone away: its result is dropped.
                let _ = done.send(value);
            }
        });
        match self.queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Error::Busy),
            Err(TrySendError::Disconnected(_)) => {
                return Err(Error::Internal("the slow pool has stopped"));
            }
        }
        result
            .await
            .map_err(|_| Error::Internal("work on the slow pool panicked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_runs_and_a_panic_costs_only_its_caller() {
        let pool = SlowPool::start(1, 4).unwrap();
        assert_eq!(pool.run(|| 6 * 7).await.unwrap(), 42);
        let panicked: Result<()> = pool.run(|| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(Error::Internal(_))));
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_full_queue_is_busy() {
        let pool = SlowPool::start(1, 1).unwrap();
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    let _ = started.send(());
                    let _ = hold.recv();
                })
                .await
            }
        });
        running.await.unwrap();
        let second = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(|| ()).await }
        });
        // The second job sits in the queue as soon as its task has run once.
        tokio::task::yield_now().await;
        assert!(matches!(pool.run(|| ()).await, Err(Error::Busy)));
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
    }
}
