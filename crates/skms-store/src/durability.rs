//! Telling waiters what is durable: one published number, and wakers.
//!
//! A [`Wait`] is woken by the writer's thread. A [`Lane`] belongs to one
//! worker: the writer wakes the lane once a batch and the lane wakes its own
//! tasks, which on a current-thread runtime costs no cross-thread call each.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, Result};

/// The durable length of a journal, published by its writer.
pub struct Durability {
    durable: AtomicU64,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    failure: Option<String>,
    waiters: Waiters,
    lanes: Vec<Weak<LaneState>>,
}

/// Wakers by the length they wait for; the number tells equals apart.
#[derive(Default)]
struct Waiters {
    next: u64,
    wakers: BTreeMap<(u64, u64), Waker>,
}

impl Waiters {
    fn add(&mut self, key: &mut Option<(u64, u64)>, target: u64, waker: &Waker) {
        match key.and_then(|key| self.wakers.get_mut(&key)) {
            Some(known) => known.clone_from(waker),
            None => {
                let new = (target, self.next);
                self.next += 1;
                *key = Some(new);
                self.wakers.insert(new, waker.clone());
            }
        }
    }

    fn take(&mut self, durable: u64) -> BTreeMap<(u64, u64), Waker> {
        let later = self.wakers.split_off(&(durable.saturating_add(1), 0));
        std::mem::replace(&mut self.wakers, later)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while these locks are held; the data stays whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durability")
            .field("durable", &self.durable())
            .finish_non_exhaustive()
    }
}

impl Durability {
    /// Starts with `durable` entries on disk.
    #[must_use]
    pub fn new(durable: u64) -> Arc<Self> {
        Arc::new(Self {
            durable: AtomicU64::new(durable),
            shared: Mutex::default(),
        })
    }

    /// Number of durable entries.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Why the writer stopped for good, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        lock(&self.shared).failure.clone()
    }

    /// For the writer: `durable` entries are on disk now. Wakes who waited.
    pub fn publish(&self, durable: u64) {
        self.durable.fetch_max(durable, Ordering::Release);
        let (ready, lanes) = {
            let mut shared = lock(&self.shared);
            shared.lanes.retain(|lane| lane.strong_count() > 0);
            (shared.waiters.take(durable), shared.lanes.clone())
        };
        wake_all(ready, &lanes, durable);
    }

    /// For the writer: nothing more will become durable. Wakes everyone.
    pub fn fail(&self, why: &str) {
        let (ready, lanes) = {
            let mut shared = lock(&self.shared);
            shared.failure.get_or_insert_with(|| why.to_owned());
            (shared.waiters.take(u64::MAX - 1), shared.lanes.clone())
        };
        wake_all(ready, &lanes, u64::MAX - 1);
    }

    /// Resolves when at least `target` entries are durable, or the writer
    /// failed.
    pub fn wait(self: &Arc<Self>, target: u64) -> Wait {
        Wait {
            durability: Arc::clone(self),
            target,
            key: None,
        }
    }

    /// A lane for one worker. Spawn [`Lane::drive`] on its runtime.
    #[must_use]
    pub fn lane(self: &Arc<Self>) -> Lane {
        let state = Arc::new(LaneState::default());
        lock(&self.shared).lanes.push(Arc::downgrade(&state));
        Lane {
            durability: Arc::clone(self),
            state,
        }
    }

    fn outcome(&self, target: u64) -> Option<Result<()>> {
        if self.durable() >= target {
            return Some(Ok(()));
        }
        lock(&self.shared)
            .failure
            .clone()
            .map(|why| Err(Error::Failed(why)))
    }
}

fn wake_all(ready: BTreeMap<(u64, u64), Waker>, lanes: &[Weak<LaneState>], durable: u64) {
    for waker in ready.into_values() {
        waker.wake();
    }
    for lane in lanes.iter().filter_map(Weak::upgrade) {
        lane.notify(durable);
    }
}

/// Waits for a durable length; see [`Durability::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct Wait {
    durability: Arc<Durability>,
    target: u64,
    key: Option<(u64, u64)>,
}

impl Future for Wait {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.durability.outcome(self.target) {
            return Poll::Ready(outcome);
        }
        let this = &mut *self;
        lock(&this.durability.shared)
            .waiters
            .add(&mut this.key, this.target, context.waker());
        // Published between the check and the registration: look again.
        this.durability
            .outcome(this.target)
            .map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            lock(&self.durability.shared).waiters.wakers.remove(&key);
        }
    }
}

#[derive(Default)]
struct LaneState {
    driven: AtomicBool,
    inner: Mutex<LaneInner>,
}

#[derive(Default)]
struct LaneInner {
    driver: Option<Waker>,
    waiters: Waiters,
}

impl LaneState {
    /// From the writer's thread: one wake for the whole lane, or, while
    /// nobody drives it, one for each waiter.
    fn notify(&self, durable: u64) {
        let (driver, ready) = {
            let mut inner = lock(&self.inner);
            let waiting = inner
                .waiters
                .wakers
                .first_key_value()
                .is_some_and(|((target, _), _)| *target <= durable);
            if !waiting {
                return;
            }
            if self.driven.load(Ordering::Acquire) {
                (inner.driver.take(), BTreeMap::new())
            } else {
                (None, inner.waiters.take(durable))
            }
        };
        if let Some(driver) = driver {
            driver.wake();
        }
        for waker in ready.into_values() {
            waker.wake();
        }
    }

    fn release(&self, durable: u64) {
        let ready = lock(&self.inner).waiters.take(durable);
        for waker in ready.into_values() {
            waker.wake();
        }
    }
}

/// One worker's waiting room.
pub struct Lane {
    durability: Arc<Durability>,
    state: Arc<LaneState>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").finish_non_exhaustive()
    }
}

impl Lane {
    /// Whether it waits for this journal.
    #[must_use]
    pub fn is_for(&self, durability: &Arc<Durability>) -> bool {
        Arc::ptr_eq(&self.durability, durability)
    }

    /// As [`Durability::wait`], woken through this lane.
    pub fn wait(&self, target: u64) -> LaneWait {
        LaneWait {
            durability: Arc::clone(&self.durability),
            state: Arc::clone(&self.state),
            target,
            key: None,
        }
    }

    /// Runs on the worker's runtime until the writer fails, waking the
    /// lane's tasks from there. When dropped, waiters are woken directly.
    pub fn drive(&self) -> impl Future<Output = ()> + Send + 'static {
        let (durability, guard) = (
            Arc::clone(&self.durability),
            Driven(Arc::clone(&self.state)),
        );
        async move {
            guard.0.driven.store(true, Ordering::Release);
            poll_fn(|context| {
                lock(&guard.0.inner).driver = Some(context.waker().clone());
                if durability.failure().is_some() {
                    return Poll::Ready(());
                }
                guard.0.release(durability.durable());
                Poll::Pending
            })
            .await;
        }
    }
}

struct Driven(Arc<LaneState>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.driven.store(false, Ordering::Release);
        // Nobody will come round again: all look for themselves now.
        self.0.release(u64::MAX - 1);
    }
}

/// Waits in a lane; see [`Lane::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct LaneWait {
    durability: Arc<Durability>,
    state: Arc<LaneState>,
    target: u64,
    key: Option<(u64, u64)>,
}

impl Future for LaneWait {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.durability.outcome(self.target) {
            return Poll::Ready(outcome);
        }
        let this = &mut *self;
        lock(&this.state.inner)
            .waiters
            .add(&mut this.key, this.target, context.waker());
        this.durability
            .outcome(this.target)
            .map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for LaneWait {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            lock(&self.state.inner).waiters.wakers.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiters_are_told_in_any_order() {
        let durability = Durability::new(3);
        durability.wait(3).await.unwrap();
        let late = tokio::spawn(durability.wait(10));
        let early = tokio::spawn(durability.wait(4));
        tokio::task::yield_now().await;
        durability.publish(5);
        early.await.unwrap().unwrap();
        assert!(!late.is_finished());
        durability.publish(10);
        late.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn failure_reaches_everyone_but_not_the_durable() {
        let durability = Durability::new(0);
        let lane = durability.lane();
        let driver = tokio::spawn(lane.drive());
        let direct = tokio::spawn(durability.wait(2));
        let through = tokio::spawn(lane.wait(2));
        tokio::task::yield_now().await;
        durability.publish(1);
        durability.fail("no disk");
        assert!(matches!(direct.await.unwrap(), Err(Error::Failed(_))));
        assert!(matches!(through.await.unwrap(), Err(Error::Failed(_))));
        driver.await.unwrap();
        durability.wait(1).await.unwrap();
        assert!(durability.wait(2).await.is_err());
    }

    #[tokio::test]
    async fn lanes_work_driven_undriven_and_abandoned() {
        let durability = Durability::new(0);
        let lane = durability.lane();
        let first = tokio::spawn(lane.wait(1));
        tokio::task::yield_now().await;
        durability.publish(1);
        first.await.unwrap().unwrap();

        let driver = tokio::spawn(lane.drive());
        let second = tokio::spawn(lane.wait(2));
        tokio::task::yield_now().await;
        durability.publish(2);
        second.await.unwrap().unwrap();

        let third = tokio::spawn(lane.wait(3));
        tokio::task::yield_now().await;
        driver.abort();
        assert!(driver.await.is_err());
        tokio::task::yield_now().await;
        durability.publish(3);
        third.await.unwrap().unwrap();
    }

    #[test]
    fn dropped_waiters_leave_nothing_behind() {
        let durability = Durability::new(0);
        let mut wait = Box::pin(durability.wait(1));
        let mut context = Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut context).is_pending());
        assert_eq!(lock(&durability.shared).waiters.wakers.len(), 1);
        drop(wait);
        assert!(lock(&durability.shared).waiters.wakers.is_empty());
    }

    #[test]
    fn many_threads_lose_no_wake() {
        let durability = Durability::new(0);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let durability = Arc::clone(&durability);
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        let lane = durability.lane();
                        let driver = tokio::spawn(lane.drive());
                        for target in 1..=2000 {
                            lane.wait(target).await.unwrap();
                        }
                        driver.abort();
                    });
                })
            })
            .collect();
        for durable in 1..=2000 {
            durability.publish(durable);
            if durable % 7 == 0 {
                std::thread::yield_now();
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
