//! Where the engine takes the time from: one place, replaceable in tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use skms_keys::UnixSeconds;

/// A source of wall-clock time. Cheap to clone.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `unix_ms` until [`Clock::advance_seconds`].
    pub fn fixed(unix_ms: i64) -> Self {
        Self(Some(Arc::new(AtomicI64::new(unix_ms))))
    }

    /// Moves a fixed clock forward; a system clock does not listen.
    pub fn advance_seconds(&self, seconds: i64) {
        if let Some(fixed) = &self.0 {
            fixed.fetch_add(seconds.saturating_mul(1000), Ordering::SeqCst);
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Some(fixed) => fixed.load(Ordering::SeqCst),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |elapsed| {
                    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
                }),
        }
    }

    /// Nanoseconds since the Unix epoch, as far as 64 bits reach: until 2554.
    pub fn now_ns(&self) -> u64 {
        match &self.0 {
            Some(_) => u64::try_from(self.now_ms()).map_or(0, |ms| ms.saturating_mul(1_000_000)),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |elapsed| {
                    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
                }),
        }
    }

    /// Whole seconds since the Unix epoch.
    pub fn now(&self) -> UnixSeconds {
        UnixSeconds(self.now_ms().div_euclid(1000))
    }
}
