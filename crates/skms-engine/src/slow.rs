//! Bounded pools for work that takes longer than a request may hold a worker:
//! RSA, key generation, Argon2. A worker thread never waits for it; its task
//! does. A pool's threads give way to the workers, how far is the pool's own.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use skms_store::priority;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// How many past jobs the mean duration looks back to, as a power of two.
const MEMORY: u32 = 3;

/// What waits for the slow pools, and what they turned away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Jobs that wait or run.
    pub slow_jobs: usize,
    /// Jobs refused because too many wait, or would wait for too long.
    pub slow_refused: u64,
    /// How long a new job would have to wait, by the latest jobs' durations.
    pub slow_wait: Duration,
}

impl Load {
    /// That of two pools; of the waits the longer.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            slow_jobs: self.slow_jobs + other.slow_jobs,
            slow_refused: self.slow_refused + other.slow_refused,
            slow_wait: self.slow_wait.max(other.slow_wait),
        }
    }
}

/// How a pool is set up.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    /// What its threads are called.
    pub(crate) name: &'static str,
    /// How many steps of `nice` they give way.
    pub(crate) nice: i32,
    /// How many there are.
    pub(crate) threads: usize,
    /// At most so many jobs wait for one of them.
    pub(crate) queued: usize,
    /// None that would have to wait longer than this does.
    pub(crate) longest_wait: Duration,
}

/// A fixed number of threads behind a queue of fixed length.
#[derive(Clone)]
pub struct SlowPool {
    queue: SyncSender<Job>,
    gauge: Arc<Gauge>,
}

/// What the pool knows of itself.
struct Gauge {
    threads: u64,
    longest_wait_us: u64,
    jobs: AtomicUsize,
    refused: AtomicU64,
    /// A moving mean of what a job takes, in microseconds.
    mean_us: AtomicU64,
}

impl Gauge {
    /// What a new job would wait for a thread.
    fn wait_us(&self) -> u64 {
        let jobs = self.jobs.load(Ordering::Relaxed) as u64;
        let before = jobs.saturating_sub(self.threads.saturating_sub(1));
        before.saturating_mul(self.mean_us.load(Ordering::Relaxed)) / self.threads
    }

    fn took(&self, time: Duration) {
        let sample = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mean = self.mean_us.load(Ordering::Relaxed);
        let next = mean - (mean >> MEMORY) + (sample >> MEMORY);
        self.mean_us.store(next, Ordering::Relaxed);
    }
}

/// Counts a job until it is done or given up.
struct Counted(Arc<Gauge>);

impl Counted {
    fn new(gauge: &Arc<Gauge>) -> Self {
        gauge.jobs.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gauge))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.jobs.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SlowPool {
    /// Starts a pool's threads.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system gives no thread.
    pub(crate) fn start(setup: Setup) -> Result<Self> {
        let Setup {
            name,
            nice,
            threads,
            queued,
            longest_wait,
        } = setup;
        let (queue, jobs) = sync_channel::<Job>(queued.max(1));
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name(format!("skms-{name}-{number}"))
                .spawn(move || {
                    priority::give_way(nice);
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
        let gauge = Gauge {
            threads: threads.max(1) as u64,
            longest_wait_us: u64::try_from(longest_wait.as_micros()).unwrap_or(u64::MAX),
            jobs: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            mean_us: AtomicU64::new(0),
        };
        Ok(Self {
            queue,
            gauge: Arc::new(gauge),
        })
    }

    /// What waits, and what was turned away.
    pub fn load(&self) -> Load {
        Load {
            slow_jobs: self.gauge.jobs.load(Ordering::Relaxed),
            slow_refused: self.gauge.refused.load(Ordering::Relaxed),
            slow_wait: Duration::from_micros(self.gauge.wait_us()),
        }
    }

    fn refuse(&self) -> Error {
        self.gauge.refused.fetch_add(1, Ordering::Relaxed);
        Error::Busy
    }

    /// Runs `work` on the pool. Work whose caller has gone away meanwhile is
    /// not begun.
    ///
    /// # Errors
    /// [`Error::Busy`] when the queue is full or too long to wait for;
    /// [`Error::Internal`] when the work panicked.
    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if self.gauge.wait_us() > self.gauge.longest_wait_us {
            return Err(self.refuse());
        }
        let (done, result) = oneshot::channel();
        let counted = Counted::new(&self.gauge);
        let job: Job = Box::new(move || {
            let counted = counted;
            if done.is_closed() {
                return;
            }
            let began = Instant::now();
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            counted.0.took(began.elapsed());
            drop(counted);
            if let Ok(value) = outcome {
                // The caller may have gone away: its result is dropped.
                let _ = done.send(value);
            }
        });
        match self.queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(self.refuse()),
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

    fn pool(queued: usize, longest_wait: Duration) -> SlowPool {
        SlowPool::start(Setup {
            name: "test",
            nice: 0,
            threads: 1,
            queued,
            longest_wait,
        })
        .unwrap()
    }

    #[tokio::test]
    async fn work_runs_and_a_panic_costs_only_its_caller() {
        let pool = pool(4, Duration::MAX);
        assert_eq!(pool.run(|| 6 * 7).await.unwrap(), 42);
        let panicked: Result<()> = pool.run(|| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(Error::Internal(_))));
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_full_queue_is_busy() {
        let pool = pool(1, Duration::MAX);
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

    #[tokio::test]
    async fn who_would_wait_too_long_is_told_at_once() {
        let pool = pool(16, Duration::from_secs(10));
        // As if every job took a minute.
        pool.gauge.mean_us.store(60_000_000, Ordering::Relaxed);
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
        assert!(matches!(pool.run(|| ()).await, Err(Error::Busy)));
        let load = pool.load();
        assert_eq!((load.slow_jobs, load.slow_refused), (1, 1));
        assert_eq!(load.slow_wait, Duration::from_secs(60));
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_is_not_begun() {
        let pool = pool(16, Duration::MAX);
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
        let (begun, told) = std::sync::mpsc::channel::<()>();
        let mut gone = Box::pin(pool.run(move || begun.send(())));
        // Queued by its first poll, and then given up.
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(gone.as_mut().poll(context).is_ready())
        });
        assert!(!polled.await);
        drop(gone);
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        pool.run(|| ()).await.unwrap();
        assert!(told.recv().is_err());
        assert_eq!(pool.load().slow_jobs, 0);
    }
}
