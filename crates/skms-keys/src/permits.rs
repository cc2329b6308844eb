//! What a version may do, boiled down to two windows of time.

use crate::state::OperationClass;
use crate::time::UnixSeconds;

/// A window of time, `from` in it and `until` not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The first moment in it.
    pub from: UnixSeconds,
    /// The first moment after it.
    pub until: UnixSeconds,
}

impl Window {
    /// No moment at all.
    pub const CLOSED: Window = Window {
        from: UnixSeconds::NEVER,
        until: UnixSeconds::MIN,
    };
    /// Every moment.
    pub const OPEN: Window = Window {
        from: UnixSeconds::MIN,
        until: UnixSeconds::NEVER,
    };

    /// Whether `now` is in it.
    #[must_use]
    pub const fn contains(self, now: UnixSeconds) -> bool {
        self.from.0 <= now.0 && now.0 < self.until.0
    }

    /// Whether no moment is in it.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.from.0 >= self.until.0
    }
}

/// What a version may do and when, with its state, its key's rules and
/// minimum versions, newer versions, a recovery grant and a pending
/// destruction all taken in.
///
/// Made by [`crate::Key::version_permits`] whenever the key changes; asking it
/// is two comparisons.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VersionPermits {
    /// When it may protect.
    pub protect: Window,
    /// When it may process.
    pub process: Window,
}

impl VersionPermits {
    /// Nothing, ever.
    pub const NONE: VersionPermits = VersionPermits {
        protect: Window::CLOSED,
        process: Window::CLOSED,
    };

    /// The window of `class`.
    #[must_use]
    pub const fn window(&self, class: OperationClass) -> Window {
        match class {
            OperationClass::Protect => self.protect,
            OperationClass::Process => self.process,
        }
    }

    /// Whether operations of `class` may be done at `now`.
    #[must_use]
    pub const fn allows(&self, class: OperationClass, now: UnixSeconds) -> bool {
        self.window(class).contains(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_their_start_and_not_their_end() {
        let window = Window {
            from: UnixSeconds(10),
            until: UnixSeconds(20),
        };
        for (now, inside) in [(9, false), (10, true), (19, true), (20, false)] {
            assert_eq!(window.contains(UnixSeconds(now)), inside, "{now}");
        }
        assert!(!Window::CLOSED.contains(UnixSeconds(0)) && Window::CLOSED.is_closed());
        assert!(Window::OPEN.contains(UnixSeconds(0)) && !Window::OPEN.is_closed());
        assert!(!VersionPermits::NONE.allows(OperationClass::Process, UnixSeconds(0)));
    }
}
