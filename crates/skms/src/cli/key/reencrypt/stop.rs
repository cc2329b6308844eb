//! What Ctrl-C does to a job: it ends the process, between two steps of what is
//! put in its place, and says how to go on.
//!
//! It is waited for by a thread of its own, since the list may be read from
//! somewhere that gives nothing for long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::error::{CliError, Result};
use crate::cli::exit::Exit;
use crate::cli::report;

/// Waits for Ctrl-C from its beginning to its end.
pub struct Watch(Arc<Mutex<Still>>);

/// Whether there is anything to stop.
#[derive(PartialEq, Eq)]
enum Still {
    AtWork,
    Done,
}

impl Watch {
    /// Begins: `done` is how many ciphertexts are, `how` says how to go on.
    ///
    /// # Errors
    /// Where the system does not let it.
    pub fn begin(done: Arc<AtomicU64>, how: String) -> Result<Self> {
        let cannot =
            |error: std::io::Error| CliError::failure(format!("cannot wait for Ctrl-C: {error}"));
        let state = Arc::new(Mutex::new(Still::AtWork));
        let (begun, began) = mpsc::channel();
        let seen = Arc::clone(&state);
        let waits = move || {
            let waiting = runtime::Builder::new_current_thread().enable_all().build();
            let waiting = waiting.and_then(|runtime| {
                let guard = runtime.enter();
                let interrupts = signal(SignalKind::interrupt())?;
                drop(guard);
                Ok((runtime, interrupts))
            });
            let (runtime, mut interrupts) = match waiting {
                Ok(waiting) => waiting,
                Err(error) => return drop(begun.send(Err(error))),
            };
            // Nobody is there to tell where the job failed meanwhile.
            let _ = begun.send(Ok(()));
            if runtime.block_on(interrupts.recv()).is_some() {
                stop(&seen, &done, &how);
            }
        };
        std::thread::Builder::new()
            .name("ctrl-c".to_owned())
            .spawn(waits)
            .map_err(cannot)?;
        match began.recv() {
            Ok(begun) => begun.map_err(cannot)?,
            Err(_) => return Err(CliError::failure("cannot wait for Ctrl-C")),
        }
        Ok(Self(state))
    }

    /// Does something that is not stopped halfway.
    pub fn whole<T>(&self, work: impl FnOnce() -> T) -> T {
        let _held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    /// There is nothing to stop any more.
    pub fn end(self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Still::Done;
    }
}

/// Ends the process. What was done is on the disk already, as after a crash.
fn stop(state: &Mutex<Still>, done: &AtomicU64, how: &str) {
    let held = state.lock().unwrap_or_else(PoisonError::into_inner);
    if *held == Still::AtWork {
        let count = done.load(Ordering::Relaxed);
        let error = CliError::new(
            Exit::Interrupted,
            format!("stopped after {count} ciphertexts"),
        );
        let json = std::env::args_os().any(|one| one == "--json");
        report(&error.hint(how), json);
    }
    std::process::exit(i32::from(Exit::Interrupted.code()));
}
