//! One derivation from a passphrase at a time: each takes 64 MiB or more,
//! and whoever asks for it may not have shown who he is.

use std::sync::Arc;

use tokio::sync::{Semaphore, TryAcquireError};

use super::blocking;
use crate::error::{Error, Result};

/// How many may wait behind the one that runs.
const WAITING_MAX: usize = 4;

/// Lets one piece of memory-hungry work run, and a few wait.
pub(super) struct Gate {
    running: Arc<Semaphore>,
    /// One for each that runs or waits.
    places: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(1 + WAITING_MAX)),
        }
    }
}

impl Gate {
    /// Runs the work on a thread of its own once nothing else runs. What was
    /// begun keeps its place until it ends, also when its caller goes away:
    /// the memory is in use for that long.
    ///
    /// # Errors
    /// [`Error::Overloaded`] at once when too many wait, and the work's.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|error| match error {
                TryAcquireError::NoPermits => Error::Overloaded,
                TryAcquireError::Closed => Error::Closed,
            })?;
        let turn = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| Error::Closed)?;
        blocking(move || {
            let _held = (place, turn);
            work()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_caller_who_goes_away_keeps_the_others_waiting_and_few_may_wait() {
        let gate = Arc::new(Gate::default());
        let running = Arc::new(AtomicUsize::new(0));
        let (go, gone) = mpsc::channel::<()>();
        let (began, begun) = tokio::sync::oneshot::channel();
        let (inside, at_once) = (Arc::clone(&gate), Arc::clone(&running));
        let first = tokio::spawn(async move {
            inside
                .run(move || {
                    at_once.fetch_add(1, Ordering::SeqCst);
                    let _ = began.send(());
                    let _ = gone.recv();
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                })
                .await
        });
        begun.await.unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());

        let waiting: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let (gate, running) = (Arc::clone(&gate), Arc::clone(&running));
                tokio::spawn(async move {
                    gate.run(move || {
                        let others = running.fetch_add(1, Ordering::SeqCst);
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok(others)
                    })
                    .await
                })
            })
            .collect();
        // One thread runs all tasks here: each has got as far as it can.
        tokio::task::yield_now().await;
        assert!(waiting.iter().all(|waiter| !waiter.is_finished()));
        assert!(matches!(gate.run(|| Ok(())).await, Err(Error::Overloaded)));
        go.send(()).unwrap();
        for waiter in waiting {
            assert_eq!(waiter.await.unwrap().unwrap(), 0, "never two at once");
        }
        gate.run(|| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_stops_waiting_leaves_his_place() {
        let gate = Arc::new(Gate::default());
        let turn = Arc::clone(&gate.running).acquire_owned().await.unwrap();
        for _ in 0..3 * WAITING_MAX {
            let inside = Arc::clone(&gate);
            let waiter = tokio::spawn(async move { inside.run(|| Ok(())).await });
            tokio::task::yield_now().await;
            assert_eq!(gate.places.available_permits(), WAITING_MAX);
            waiter.abort();
            assert!(waiter.await.is_err());
        }
        drop(turn);
        gate.run(|| Ok(())).await.unwrap();
    }
}
