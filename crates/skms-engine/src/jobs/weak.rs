//! The loops that look for weak keys among what is stored: one for what just
//! came in, one for sweeps, which take their time.

use std::sync::Weak;
use std::time::Duration;

use crate::engine::Engine;
use crate::error::Error;
use crate::weak::sweep::Pace;

/// Between two looks at what came in.
const TICK: Duration = Duration::from_millis(500);

/// Between two looks at whether a sweep is due.
const SWEEP_TICK: Duration = Duration::from_secs(2);

/// Runs until the engine is gone. A sealed server is left alone.
pub(crate) async fn note(engine: Weak<Engine>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        match engine.note_weak_keys().await {
            Ok(()) | Err(Error::Sealed) => {}
            Err(error) => engine.note_trouble(&error),
        }
    }
}

/// As [`note`], for sweeps.
pub(crate) async fn sweep(engine: Weak<Engine>) {
    loop {
        tokio::time::sleep(SWEEP_TICK).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        if !engine.weak_sweep_is_due().unwrap_or(false) {
            continue;
        }
        match engine.sweep_at(Pace::Calm).await {
            Ok(()) | Err(Error::Sealed | Error::Busy) => {}
            Err(error) => engine.note_trouble(&error),
        }
    }
}
