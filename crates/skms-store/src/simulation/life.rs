//! Running on a simulated disk: one thread, and nothing left to chance.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::disk::SimulatedDisk;

/// No life takes this long; one that does hangs.
const HANGS: Duration = Duration::from_secs(60);

impl SimulatedDisk {
    /// Runs `life` to its end, on one thread. Whenever nothing else can go
    /// on, a piece of the work behind a store or a journal is done
    /// ([`SimulatedDisk::step`]).
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when it hangs: it did not end within a
    /// minute.
    pub fn live<T>(self: &Arc<Self>, life: impl Future<Output = T>) -> io::Result<T> {
        let stepped = Arc::new(Notify::new());
        let (disk, notify) = (Arc::clone(self), Arc::clone(&stepped));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .on_thread_park(move || {
                if disk.step() {
                    // The runtime looks again before it sleeps.
                    notify.notify_one();
                }
            })
            .build()?;
        runtime.block_on(async {
            tokio::spawn(async move {
                loop {
                    stepped.notified().await;
                }
            });
            tokio::time::timeout(HANGS, life)
                .await
                .map_err(|_| io::ErrorKind::TimedOut.into())
        })
    }
}
