//! When a failed call may be made again.

use std::time::Duration;

use skms_wire::native::ProblemKind;
use skms_wire::native::routes::{Method, Route};

use crate::Error;

/// How often to try, and how long to wait between.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// The first wait; each next one is twice as long.
    pub first_delay: Duration,
    /// The longest wait.
    pub longest_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_secs(5),
        }
    }
}

impl Retry {
    /// Never tries again.
    pub const NEVER: Self = Self {
        attempts: 1,
        first_delay: Duration::ZERO,
        longest_delay: Duration::ZERO,
    };

    /// The wait after the given try (from 1), unless the server asked for
    /// another one.
    pub(crate) fn delay(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.first_delay.saturating_mul(
            1_u32
                .checked_shl(attempt.saturating_sub(1))
                .unwrap_or(u32::MAX),
        );
        asked.unwrap_or(doubled).min(self.longest_delay)
    }
}

/// Whether trying again can neither do the act twice nor be in vain. `broken`
/// is how often the connection broke during this call.
pub(crate) fn worthwhile(route: &Route, error: &Error, broken: u32) -> bool {
    match error {
        // Nothing was sent.
        Error::Unreachable { .. } => true,
        // It may have been done; only what changes nothing is safe again,
        // and once, what the server recognises by its idempotency key.
        Error::Broken { .. } => {
            route.method == Method::Get || (route.takes_idempotency_key() && broken == 1)
        }
        // The server promises that nothing was done.
        Error::Problem(problem) => matches!(
            problem.kind(),
            Some(
                ProblemKind::Unavailable
                    | ProblemKind::TooManyRequests
                    | ProblemKind::IdempotencyKeyInUse
            )
        ),
        // A timeout used up its time already; the rest will not change.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skms_wire::native::Problem;
    use skms_wire::native::routes::by_id;

    #[test]
    fn waits_double_up_to_the_longest() {
        let retry = Retry {
            attempts: 9,
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_millis(350),
        };
        let waits: Vec<_> = (1..=4).map(|n| retry.delay(n, None).as_millis()).collect();
        assert_eq!(waits, [100, 200, 350, 350]);
        assert_eq!(
            retry.delay(1, Some(Duration::from_secs(60))),
            retry.longest_delay
        );
        assert_eq!(retry.delay(200, None), retry.longest_delay);
    }

    #[test]
    fn only_what_cannot_be_done_twice_is_tried_again() {
        let rotate = by_id("key-rotate").unwrap();
        let read = by_id("key-read").unwrap();
        let problem = |kind| Error::Problem(Box::new(Problem::new(kind)));
        assert!(worthwhile(rotate, &problem(ProblemKind::Unavailable), 0));
        assert!(!worthwhile(read, &problem(ProblemKind::Sealed), 0));
        assert!(!worthwhile(read, &problem(ProblemKind::NotFound), 0));
        assert!(!worthwhile(rotate, &problem(ProblemKind::Internal), 0));
        let unreachable = Error::Unreachable {
            address: String::new(),
            source: std::io::ErrorKind::ConnectionRefused.into(),
        };
        assert!(worthwhile(rotate, &unreachable, 0));
    }
}
