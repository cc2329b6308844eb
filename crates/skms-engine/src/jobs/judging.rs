//! The loop that asks the automatic rules, by itself: neither a long walk nor
//! many events hold up the work behind the acts.

use std::sync::Weak;
use std::time::Duration;

use crate::engine::Engine;
use crate::error::Error;

/// Between two looks at the journal.
const TICK: Duration = Duration::from_millis(500);

/// Runs until the engine is gone. A sealed server is left alone, and one
/// without rules reads nothing.
pub(crate) async fn run(engine: Weak<Engine>) {
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
