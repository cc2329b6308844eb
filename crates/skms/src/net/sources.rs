//! Where callers come from: how many connections an address has, and how
//! much it may ask for while it is nobody yet. IPv6 counts by /64, which is
//! what one customer gets.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use skms_engine::limits::{Gcra, Rate, source};

/// Buckets for the rate of strangers: 256 KiB. Addresses share one where a
/// keyed hash says so; nobody can choose whose they share.
const BUCKETS: usize = 32 * 1024;

/// Connections, by where they come from.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Connections {
    /// At most so many from one source.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    /// Counts a connection until the answer is dropped; `None` when its
    /// source has too many.
    pub fn open(self: &Arc<Self>, address: IpAddr) -> Option<Connected> {
        let source = source(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(source).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Connected {
            of: Arc::clone(self),
            source,
        })
    }
}

/// A connection that counts.
#[derive(Debug)]
pub struct Connected {
    of: Arc<Connections>,
    source: IpAddr,
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut open = self.of.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.source);
            }
        }
    }
}

/// What callers who are nobody yet may ask for, by where they come from.
pub struct Strangers {
    rate: Rate,
    hash: RandomState,
    buckets: Box<[Gcra]>,
}

impl Strangers {
    /// This much for each source.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            hash: RandomState::new(),
            buckets: (0..BUCKETS).map(|_| Gcra::default()).collect(),
        }
    }

    fn bucket(&self, address: IpAddr) -> Option<&Gcra> {
        let hash = self.hash.hash_one(source(address));
        let place = usize::try_from(hash).unwrap_or_default() % BUCKETS;
        self.buckets.get(place)
    }

    /// Takes one at a time in nanoseconds, or says how many to wait.
    pub fn take(&self, address: IpAddr, now: u64) -> Result<(), u64> {
        self.bucket(address)
            .map_or(Ok(()), |bucket| bucket.take(self.rate, now))
    }

    /// Whether there is one to take; takes none.
    pub fn has(&self, address: IpAddr, now: u64) -> Result<(), u64> {
        self.bucket(address)
            .map_or(Ok(()), |bucket| bucket.has(self.rate, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        assert_eq!(source(at("2001:db8::1")), source(at("2001:db8::2:3:4:5")));
        assert_ne!(source(at("2001:db8::1")), source(at("2001:db8:0:1::1")));
        assert_eq!(source(at("::ffff:192.0.2.1")), at("192.0.2.1"));
        assert_ne!(source(at("192.0.2.1")), source(at("192.0.2.2")));
    }

    #[test]
    fn connections_are_counted_by_source_and_given_back() {
        let connections = Connections::new(2);
        let first = connections.open(at("2001:db8::1"));
        let second = connections.open(at("2001:db8::2"));
        assert!(first.is_some() && second.is_some());
        assert!(connections.open(at("2001:db8::3")).is_none());
        assert!(connections.open(at("192.0.2.1")).is_some());
        drop(first);
        assert!(connections.open(at("2001:db8::3")).is_some());
        drop(second);
        assert!(connections.open.lock().unwrap().is_empty());
    }

    #[test]
    fn strangers_have_a_rate_each() {
        let rate = Rate::new(10, 2).unwrap();
        let strangers = Strangers::new(rate);
        let second = 1_000_000_000;
        let one = at("192.0.2.1");
        assert!(strangers.take(one, second).is_ok() && strangers.take(one, second).is_ok());
        assert_eq!(strangers.has(one, second), Err(second / 10));
        assert!(strangers.take(one, second).is_err());
        assert!(strangers.take(one, 2 * second).is_ok());
        // Most others have a bucket of their own.
        let free = (0..=255u8).filter(|last| {
            strangers
                .has(IpAddr::from([198, 51, 100, *last]), second)
                .is_ok()
        });
        assert!(free.count() > 250);
    }
}
