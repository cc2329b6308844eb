//! How much strangers and accounts may ask for. Accounts make themselves, so
//! that nothing else bounds what they leave in the store; what is counted here
//! is in memory and begins anew with each start.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use skms_store::RecordId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::error::{Error, Result};
use crate::limits::{Gcra, source};

/// New accounts of one source that no operator's key binds: at once, and then
/// one every so many seconds.
const ACCOUNTS: (u64, u64) = (50, 360);
/// Orders of one account: at once, and then one every so many seconds.
const ORDERS: (u64, u64) = (300, 36);
/// Tries of one account to finalize, and renewals of one source that only a
/// certificate vouches for.
const TRIES: (u64, u64) = (600, 18);
/// Buckets of each sort: 128 KiB. Two share one where they fall together.
const BUCKETS: usize = 1 << 14;
/// Answers that are looked for at once, in all and for one account.
const LOOKS: usize = 64;
const LOOKS_OF_ACCOUNT: usize = 8;
/// Time-stamps of one source: at once, and then one every so many seconds.
const STAMPS: (u64, u64) = (200, 1);
/// Time-stamps that are made at once: a few of the slow pool's places, so that
/// strangers never have all of them.
const STAMPING: usize = 16;
/// Accounts whose looks are remembered before those that rest are forgotten.
const PRUNE_AT: usize = 1024;

/// What is counted.
pub(crate) struct Traffic {
    hash: RandomState,
    accounts: Box<[Gcra]>,
    orders: Box<[Gcra]>,
    tries: Box<[Gcra]>,
    stamps: Box<[Gcra]>,
    stamping: Semaphore,
    looks: Arc<Semaphore>,
    of_account: Mutex<HashMap<RecordId, Weak<Semaphore>>>,
    /// Walks over all orders: one at a time.
    pub(super) walks: Semaphore,
}

impl Default for Traffic {
    fn default() -> Self {
        let buckets = || (0..BUCKETS).map(|_| Gcra::default()).collect();
        Self {
            hash: RandomState::new(),
            accounts: buckets(),
            orders: buckets(),
            tries: buckets(),
            stamps: buckets(),
            stamping: Semaphore::new(STAMPING),
            looks: Arc::new(Semaphore::new(LOOKS)),
            of_account: Mutex::default(),
            walks: Semaphore::new(1),
        }
    }
}

/// Room for one look, until it is dropped.
pub(super) struct Look {
    _of_account: OwnedSemaphorePermit,
    _in_all: OwnedSemaphorePermit,
}

impl Traffic {
    /// Takes one new account of an address, at a time in milliseconds.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(super) fn new_account(&self, address: Option<IpAddr>, now_ms: i64) -> Result<()> {
        match address {
            None => Ok(()),
            Some(address) => self.take(&self.accounts, &source(address), ACCOUNTS, now_ms),
        }
    }

    /// Takes one order of an account, or one walk over all orders for it.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(super) fn order(&self, account: RecordId, now_ms: i64) -> Result<()> {
        self.take(&self.orders, &account.0, ORDERS, now_ms)
    }

    /// Takes one try of an account to finalize an order.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(super) fn finalize(&self, account: RecordId, now_ms: i64) -> Result<()> {
        self.take(&self.tries, &account.0, TRIES, now_ms)
    }

    /// Takes one renewal that only a certificate vouches for. Each has a holder
    /// of its own, so that where it comes from is all that they share.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(crate) fn renewal(&self, address: Option<IpAddr>, now_ms: i64) -> Result<()> {
        match address {
            None => Ok(()),
            Some(address) => self.take(&self.tries, &source(address), TRIES, now_ms),
        }
    }

    /// Takes one time-stamp of an address; the room for making it, until that is
    /// dropped.
    ///
    /// # Errors
    /// [`Error::RateLimited`]; [`Error::Busy`] while many are being made.
    pub(crate) fn stamp(
        &self,
        address: Option<IpAddr>,
        now_ms: i64,
    ) -> Result<SemaphorePermit<'_>> {
        let room = self.stamping.try_acquire().map_err(|_| Error::Busy)?;
        if let Some(address) = address {
            self.take(&self.stamps, &source(address), STAMPS, now_ms)?;
        }
        Ok(room)
    }

    fn take(
        &self,
        buckets: &[Gcra],
        who: &impl Hash,
        (burst, seconds): (u64, u64),
        now_ms: i64,
    ) -> Result<()> {
        let place = usize::try_from(self.hash.hash_one(who)).unwrap_or_default() % BUCKETS;
        let now = u64::try_from(now_ms)
            .unwrap_or_default()
            .saturating_mul(1_000_000);
        let taken = buckets
            .get(place)
            .map_or(Ok(()), |bucket| bucket.take_every(seconds, burst, now));
        taken.map_err(|wait| Error::RateLimited {
            retry_after_seconds: wait.div_ceil(1_000_000_000),
        })
    }

    /// Waits for room for one look of an account: that of others is never taken
    /// by one that has many.
    pub(super) async fn look(&self, account: RecordId) -> Result<Look> {
        let own = {
            let mut all = self
                .of_account
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if all.len() >= PRUNE_AT {
                all.retain(|_, looks| looks.strong_count() > 0);
            }
            match all.get(&account).and_then(Weak::upgrade) {
                Some(known) => known,
                None => {
                    let new = Arc::new(Semaphore::new(LOOKS_OF_ACCOUNT));
                    all.insert(account, Arc::downgrade(&new));
                    new
                }
            }
        };
        let closed = |_| Error::Internal("a semaphore that nobody closes");
        Ok(Look {
            _of_account: own.acquire_owned().await.map_err(closed)?,
            _in_all: Arc::clone(&self.looks)
                .acquire_owned()
                .await
                .map_err(closed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_account_leaves_room_for_others() {
        let traffic = Arc::new(Traffic::default());
        let (busy, other) = (RecordId([1; 16]), RecordId([2; 16]));
        let mut held = Vec::new();
        for _ in 0..LOOKS_OF_ACCOUNT {
            held.push(traffic.look(busy).await.unwrap());
        }
        let waits = tokio::spawn({
            let traffic = Arc::clone(&traffic);
            async move { traffic.look(busy).await.map(drop) }
        });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!waits.is_finished());
        let _others = traffic.look(other).await.unwrap();
        held.pop();
        waits.await.unwrap().unwrap();
    }

    #[test]
    fn strangers_never_have_all_places() {
        let traffic = Traffic::default();
        let one = "192.0.2.1".parse().ok();
        let held: Vec<_> = (0..STAMPING)
            .map(|_| traffic.stamp(one, 0).unwrap())
            .collect();
        assert!(matches!(traffic.stamp(one, 0), Err(Error::Busy)));
        drop(held);
        // Whoever is turned away for want of room has not spent anything.
        for _ in STAMPING as u64..STAMPS.0 {
            drop(traffic.stamp(one, 0).unwrap());
        }
        assert!(matches!(
            traffic.stamp(one, 0),
            Err(Error::RateLimited { .. })
        ));
        let two = "192.0.2.2".parse().ok();
        drop(traffic.stamp(two, 0).unwrap());
    }

    #[test]
    fn accounts_and_orders_come_slowly() {
        let traffic = Traffic::default();
        let (one, two) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        for _ in 0..ACCOUNTS.0 {
            traffic.new_account(one, 0).unwrap();
        }
        assert!(matches!(
            traffic.new_account(one, 0),
            Err(Error::RateLimited {
                retry_after_seconds: 360
            })
        ));
        traffic.new_account(two, 0).unwrap();
        traffic.new_account(one, 361_000).unwrap();
        assert!(traffic.new_account(one, 361_000).is_err());
    }
}
