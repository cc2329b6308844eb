//! Asks the automatic rules, on a thread of its own: a walk over very many keys
//! is a long computation, and on the thread that starts the jobs it would hold
//! up new connections, notifications and lists of revocations.

use std::sync::Weak;
use std::time::Duration;

use skms_store::priority::{SLOW_WORK, give_way};

use crate::engine::Engine;
use crate::error::{Error, Result};

/// Between two looks at the journal.
const TICK: Duration = Duration::from_millis(500);

/// Starts the thread. It ends when the engine is gone.
///
/// # Errors
/// [`Error::Internal`] where there is no thread to be had.
pub(crate) fn start(engine: Weak<Engine>) -> Result<()> {
    let run = move || {
        give_way(SLOW_WORK);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        if let Ok(runtime) = runtime {
            runtime.block_on(work(engine));
        }
    };
    let thread = std::thread::Builder::new().name("rules".to_owned());
    thread
        .spawn(run)
        .map(drop)
        .map_err(|_| Error::Internal("no thread for the rules"))
}

/// A sealed server is left alone, and one without rules reads nothing.
async fn work(engine: Weak<Engine>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        match engine.judge().await {
            Ok(()) | Err(Error::Sealed) => {}
            Err(error) => engine.note_trouble(&error),
        }
    }
}
