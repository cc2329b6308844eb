//! How much is under way, and what is turned away before any work is begun.
//!
//! A request costs two relaxed atomic operations here, no lock and no
//! allocation.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// What must get through (health, revoke, suspend, seal) may go beyond the
/// limit by this factor.
const URGENT_FACTOR: usize = 4;

/// Why a request or connection was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// The worker had as many requests under way as it may.
    Requests,
    /// Bodies took as much memory as they may.
    BodyMemory,
    /// The slow pool, the database or the journal had too long a queue.
    Queue,
    /// The principal was over its rate.
    PrincipalRate,
    /// The address was over the rate of callers who are nobody yet.
    SourceRate,
    /// The address had as many connections as it may.
    SourceConnections,
}

impl Shed {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::Requests,
        Self::BodyMemory,
        Self::Queue,
        Self::PrincipalRate,
        Self::SourceRate,
        Self::SourceConnections,
    ];

    /// Its name in the metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::BodyMemory => "body-memory",
            Self::Queue => "queue",
            Self::PrincipalRate => "principal-rate",
            Self::SourceRate => "source-rate",
            Self::SourceConnections => "source-connections",
        }
    }
}

/// How often each happened.
#[derive(Debug, Default)]
pub struct Turned([AtomicU64; Shed::ALL.len()]);

impl Turned {
    /// One more.
    pub fn away(&self, why: Shed) {
        if let Some(counter) = self.0.get(why as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many so far.
    #[must_use]
    pub fn count(&self, why: Shed) -> u64 {
        self.0
            .get(why as usize)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

/// One worker's requests under way.
#[derive(Debug)]
pub struct Load {
    most: usize,
    requests: AtomicUsize,
}

impl Load {
    /// At most so many.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            requests: AtomicUsize::new(0),
        })
    }

    /// Counts a request until the answer is dropped; `None` when there are
    /// too many.
    pub fn begin(&self, urgent: bool) -> Option<UnderWay<'_>> {
        let most = if urgent {
            self.most.saturating_mul(URGENT_FACTOR)
        } else {
            self.most
        };
        if self.requests.fetch_add(1, Ordering::Relaxed) >= most {
            self.requests.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(UnderWay(&self.requests))
    }

    /// How many there are.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// A request under way.
#[derive(Debug)]
pub struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The memory that large bodies may take together.
#[derive(Debug)]
pub struct Memory {
    most: usize,
    taken: AtomicUsize,
}

impl Memory {
    /// At most so many bytes.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self {
            most,
            taken: AtomicUsize::new(0),
        }
    }

    /// Takes bytes until the answer is dropped; `None` when there are too few.
    pub fn take(&self, bytes: usize) -> Option<Share<'_>> {
        let before = self.taken.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.most {
            self.taken.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        }
        Some(Share {
            of: &self.taken,
            bytes,
        })
    }

    /// How many bytes are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A part of it.
#[derive(Debug)]
pub struct Share<'a> {
    of: &'a AtomicUsize,
    bytes: usize,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_the_limit_only_what_is_urgent_gets_through() {
        let load = Load::new(2);
        let first = load.begin(false).unwrap();
        let _second = load.begin(true).unwrap();
        assert!(load.begin(false).is_none());
        let urgent: Vec<_> = (0..6).map(|_| load.begin(true).unwrap()).collect();
        assert!(load.begin(true).is_none());
        assert_eq!(load.requests(), 8);
        drop(urgent);
        drop(first);
        assert!(load.begin(false).is_some());
        assert_eq!(load.requests(), 1);
    }

    #[test]
    fn memory_is_given_back() {
        let memory = Memory::new(100);
        let most = memory.take(90).unwrap();
        assert!(memory.take(11).is_none());
        let rest = memory.take(10).unwrap();
        assert_eq!(memory.taken(), 100);
        drop((most, rest));
        assert_eq!(memory.taken(), 0);
        assert!(memory.take(usize::MAX).is_none());
    }

    #[test]
    fn reasons_are_counted_apart() {
        let turned = Turned::default();
        turned.away(Shed::Queue);
        for why in Shed::ALL {
            assert_eq!(turned.count(why), u64::from(why == Shed::Queue), "{why:?}");
        }
    }
}
