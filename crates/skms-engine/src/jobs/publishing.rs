//! The loops that make revocation lists: one for quick keys and one for slow
//! ones, each by itself, so that neither holds up the other or the rest of the
//! work behind the acts.

use std::sync::Weak;
use std::time::Duration;

use crate::acts::publish::Pace;
use crate::engine::Engine;
use crate::error::Error;

/// Between two looks at what changed.
const TICK: Duration = Duration::from_millis(500);

/// Runs until the engine is gone. A sealed server is left alone.
pub(crate) async fn run(engine: Weak<Engine>, pace: Pace) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        match engine.publish_due(pace).await {
            Ok(_) | Err(Error::Sealed) => {}
            Err(error) => engine.note_trouble(&error),
        }
    }
}

/// As [`run`], for OCSP responses that are signed ahead.
pub(crate) async fn presign(engine: Weak<Engine>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        match engine.presign_due().await {
            Ok(_) | Err(Error::Sealed) => {}
            Err(error) => engine.note_trouble(&error),
        }
    }
}
