//! Points in time, as this room is told them.

use std::fmt;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Every act is told what time it is; nothing here reads a clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixSeconds(pub i64);

impl UnixSeconds {
    /// Before every other time.
    pub const MIN: UnixSeconds = UnixSeconds(i64::MIN);
    /// Never: after every other time.
    pub const NEVER: UnixSeconds = UnixSeconds(i64::MAX);

    /// This time plus `seconds`; [`UnixSeconds::NEVER`] if that is too far.
    #[must_use]
    pub const fn plus(self, seconds: u64) -> UnixSeconds {
        UnixSeconds(self.0.saturating_add_unsigned(seconds))
    }

    /// Seconds from `earlier` to this time; none if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: UnixSeconds) -> u64 {
        if self.0 <= earlier.0 {
            return 0;
        }
        self.0.abs_diff(earlier.0)
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unix time {}", self.0)
    }
}

impl fmt::Debug for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(UnixSeconds(5).plus(7), UnixSeconds(12));
        assert_eq!(UnixSeconds(5).plus(u64::MAX), UnixSeconds::NEVER);
        assert_eq!(UnixSeconds(12).since(UnixSeconds(5)), 7);
        assert_eq!(UnixSeconds(5).since(UnixSeconds(12)), 0);
        assert_eq!(UnixSeconds::NEVER.since(UnixSeconds::MIN), u64::MAX);
    }
}
