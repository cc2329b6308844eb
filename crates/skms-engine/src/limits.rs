//! How much a caller may ask for: rates as token buckets, one for each
//! principal, and the limits of a namespace that an operator has set.
//!
//! A bucket is the generic cell rate algorithm (ITU-T I.371): one atomic
//! number, the time at which the bucket would be full again. No lock and no
//! allocation lie on the way of a request.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde::{Deserialize, Serialize};
use skms_crypto::rand;
use skms_evidence::{DetailKey, Details, Event, EventId, Outcome};
use skms_policy::Principal;

use crate::caller::{Caller, Session};
use crate::draft::Final;
use crate::engine::Engine;
use crate::error::{Error, Result};

const SECOND: u64 = 1_000_000_000;

/// The largest rate and the largest burst: a million.
pub const RATE_MAX: u32 = 1_000_000;

/// What a principal over its rate may still do of what must get through:
/// revoke, suspend, seal.
const URGENT: Rate = Rate {
    per_second: 20,
    burst: 40,
};

/// How many exchanges a principal may begin: each leaves a record for twenty
/// minutes, whatever policy says of it afterwards.
const EXCHANGES: Rate = Rate {
    per_second: 20,
    burst: 400,
};

/// Buckets kept before those that nobody uses are looked for.
const PRUNE_AT: usize = 1024;

/// A rate: so many a second in the long run, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// In the long run, in requests a second; from 1.
    pub per_second: u32,
    /// At once; from 1.
    pub burst: u32,
}

impl Rate {
    /// A rate that can be.
    ///
    /// # Errors
    /// [`Error::Invalid`] when one of the numbers is not 1 to [`RATE_MAX`].
    pub fn new(per_second: u32, burst: u32) -> Result<Self> {
        let fits = |number: u32| (1..=RATE_MAX).contains(&number);
        if !fits(per_second) || !fits(burst) {
            return Err(Error::Invalid(format!(
                "a rate and its burst are from 1 to {RATE_MAX}"
            )));
        }
        Ok(Self { per_second, burst })
    }

    /// Nanoseconds that one request is worth.
    fn interval(self) -> u64 {
        SECOND / u64::from(self.per_second.max(1))
    }

    /// Nanoseconds that a bucket may be ahead.
    fn tolerance(self) -> u64 {
        self.interval()
            .saturating_mul(u64::from(self.burst.saturating_sub(1)))
    }
}

/// Two threads' readings of one clock may pass each other on the way here by
/// less than this, in nanoseconds; that is not a clock that went back.
const APART: u64 = 1_000_000_000;

/// How far a bucket is ahead, or 0 where it cannot be so far: then the clock
/// went back or the rate was changed, and it begins anew.
const fn sound(ahead: u64, interval: u64, tolerance: u64) -> u64 {
    if ahead > tolerance.saturating_add(interval).saturating_add(APART) {
        0
    } else {
        ahead
    }
}

/// An address, or the network that counts as one.
#[must_use]
pub fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// A token bucket. Time is given in nanoseconds of any clock.
#[derive(Debug, Default)]
pub struct Gcra(AtomicU64);

impl Gcra {
    /// Takes one at `now`, or says how many nanoseconds to wait.
    pub fn take(&self, rate: Rate, now: u64) -> std::result::Result<(), u64> {
        self.spend(rate.interval(), rate.tolerance(), now)
    }

    /// As [`Gcra::take`], for rates below one a second: one every so many
    /// seconds, and so many at once.
    pub(crate) fn take_every(
        &self,
        seconds: u64,
        burst: u64,
        now: u64,
    ) -> std::result::Result<(), u64> {
        let interval = seconds.saturating_mul(SECOND);
        let tolerance = interval.saturating_mul(burst.saturating_sub(1));
        self.spend(interval, tolerance, now)
    }

    /// Whether one could be taken at `now`; takes none.
    pub fn has(&self, rate: Rate, now: u64) -> std::result::Result<(), u64> {
        let ahead = self.ahead(rate.interval(), rate.tolerance(), now);
        match ahead.checked_sub(rate.tolerance()) {
            None | Some(0) => Ok(()),
            Some(wait) => Err(wait),
        }
    }

    /// How far the bucket is ahead of `now`.
    fn ahead(&self, interval: u64, tolerance: u64, now: u64) -> u64 {
        sound(
            self.0.load(Ordering::Relaxed).saturating_sub(now),
            interval,
            tolerance,
        )
    }

    fn spend(&self, interval: u64, tolerance: u64, now: u64) -> std::result::Result<(), u64> {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let ahead = sound(seen.saturating_sub(now), interval, tolerance);
            if ahead > tolerance {
                return Err(ahead - tolerance);
            }
            let next = now.saturating_add(ahead).saturating_add(interval);
            match self
                .0
                .compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }
}

/// One principal's bucket, shared by all its sessions.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// 0: no limit.
    interval: AtomicU64,
    tolerance: AtomicU64,
    usual: Gcra,
    urgent: Gcra,
    exchanges: Gcra,
    unrecorded: AtomicU64,
    recorded_second: AtomicI64,
    under_way: AtomicUsize,
}

/// A request that one principal has under way; it counts until this is
/// dropped.
#[derive(Debug)]
pub struct UnderWayOf(Arc<Bucket>);

impl Drop for UnderWayOf {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Bucket {
    /// One more request under way, unless there are `most`.
    pub(crate) fn begin(self: &Arc<Self>, most: usize) -> Option<UnderWayOf> {
        let place = UnderWayOf(Arc::clone(self));
        (self.under_way.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }

    fn set(&self, rate: Option<Rate>) {
        self.tolerance
            .store(rate.map_or(0, Rate::tolerance), Ordering::Relaxed);
        self.interval
            .store(rate.map_or(0, Rate::interval), Ordering::Relaxed);
    }

    fn is_limited(&self) -> bool {
        self.interval.load(Ordering::Relaxed) != 0
    }

    fn take(&self, urgent: bool, now: u64) -> std::result::Result<(), u64> {
        let interval = self.interval.load(Ordering::Relaxed);
        let tolerance = self.tolerance.load(Ordering::Relaxed);
        match self.usual.spend(interval, tolerance, now) {
            Err(_) if urgent => self.urgent.take(URGENT, now),
            outcome => outcome,
        }
    }

    /// Counts a refusal; the number to record, at most once a second.
    fn refused(&self, second: i64) -> Option<u64> {
        self.unrecorded.fetch_add(1, Ordering::Relaxed);
        if self.recorded_second.swap(second, Ordering::Relaxed) == second {
            return None;
        }
        Some(self.unrecorded.swap(0, Ordering::Relaxed))
    }
}

/// The buckets in use, and what fills them.
#[derive(Default)]
pub(crate) struct Limiter {
    buckets: Mutex<Buckets>,
    usual: Option<Rate>,
}

#[derive(Default)]
struct Buckets {
    by_principal: HashMap<(String, String), Weak<Bucket>>,
    prune_at: usize,
}

impl Limiter {
    /// `usual` is the rate of principals for whom nothing else is set.
    pub(crate) fn new(usual: Option<Rate>) -> Self {
        Self {
            buckets: Mutex::default(),
            usual,
        }
    }

    /// The bucket of a principal.
    pub(crate) fn bucket(&self, principal: &Principal, limits: Option<&Limits>) -> Arc<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (principal.namespace().to_owned(), principal.id().to_owned());
        if let Some(known) = buckets.by_principal.get(&place).and_then(Weak::upgrade) {
            return known;
        }
        if buckets.by_principal.len() >= buckets.prune_at.max(PRUNE_AT) {
            buckets
                .by_principal
                .retain(|_, bucket| bucket.strong_count() > 0);
            buckets.prune_at = buckets.by_principal.len().saturating_mul(2);
        }
        let bucket = Arc::new(Bucket::default());
        bucket.set(self.rate(principal.id(), limits));
        buckets.by_principal.insert(place, Arc::downgrade(&bucket));
        bucket
    }

    /// Brings the buckets of a namespace up to what was set.
    pub(crate) fn changed(&self, namespace: &str, limits: &Limits) {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for ((of, id), bucket) in &buckets.by_principal {
            if let Some(bucket) = bucket.upgrade().filter(|_| of == namespace) {
                bucket.set(self.rate(id, Some(limits)));
            }
        }
    }

    fn rate(&self, principal: &str, limits: Option<&Limits>) -> Option<Rate> {
        let set = limits.and_then(|limits| limits.rates.get(principal).copied().or(limits.rate));
        set.or(self.usual)
    }
}

/// What an operator has set for one namespace; what is not said is not
/// limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Most keys in the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// Most keys in each of its keyrings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_per_keyring: Option<u64>,
    /// Most keys in the keyrings so named, instead of that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keyrings: BTreeMap<String, u64>,
    /// Most tokens of one principal that have not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_principal: Option<u64>,
    /// The rate of each of its principals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The rate of the principals so named, instead of that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, Rate>,
}

impl Limits {
    /// Most keys in a keyring.
    pub(crate) fn of_keyring(&self, keyring: &str) -> Option<u64> {
        self.keyrings
            .get(keyring)
            .copied()
            .or(self.keys_per_keyring)
    }
}

/// `wait` in nanoseconds.
fn limited(wait: u64) -> Error {
    Error::RateLimited {
        retry_after_seconds: wait.div_ceil(SECOND).max(1),
    }
}

impl Engine {
    /// Lets a session's request pass, if its principal's bucket has one left.
    /// `urgent` is what must get through: revoke, suspend, seal.
    ///
    /// # Errors
    /// [`Error::RateLimited`], with the seconds to wait; to be followed by
    /// [`Engine::record_limited`].
    pub fn admit(&self, session: &Session, urgent: bool) -> Result<()> {
        let bucket = session.bucket();
        if !bucket.is_limited() {
            return Ok(());
        }
        bucket
            .take(urgent, self.config.clock.now_ns())
            .map_err(limited)
    }

    /// Whether a session's principal may begin another exchange. Nothing is
    /// counted yet: whoever recorded a message could use up its sender's.
    ///
    /// # Errors
    /// As [`Engine::admit`].
    pub(crate) fn may_exchange(&self, session: &Session) -> Result<()> {
        let now = self.config.clock.now_ns();
        (session.bucket().exchanges.has(EXCHANGES, now)).map_err(limited)
    }

    /// Counts an exchange that was not here before, as a request too.
    ///
    /// # Errors
    /// As [`Engine::admit`].
    pub(crate) fn admit_exchange(&self, session: &Session) -> Result<()> {
        let now = self.config.clock.now_ns();
        (session.bucket().exchanges.take(EXCHANGES, now)).map_err(limited)?;
        self.admit(session, false)
    }

    /// Leaves the event of requests over a principal's rate: one a second,
    /// with their number, so that a flood does not become one of events.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what the journal refuses.
    pub async fn record_limited(&self, caller: &Caller) -> Result<()> {
        let rooms = self.rooms()?;
        let session = &caller.session;
        let now_ms = rooms.clock.now_ms();
        let Some(count) = session.bucket().refused(now_ms.div_euclid(1000)) else {
            return Ok(());
        };
        let mut details = Details::new();
        details.set(DetailKey::Count, count);
        let event = Event {
            id: EventId(rand::array()?),
            at_millis: now_ms,
            namespace: Some(session.principal.namespace().into()),
            principal: session.principal.id().into(),
            authentication: session.label().into(),
            source: caller.source,
            action: "request.limited".into(),
            targets: Vec::new(),
            outcome: Outcome::denied("over the principal's rate"),
            request_id: caller.request_id.as_str().into(),
            items: None,
            details,
        };
        rooms.recorder.append(&Final::plain(event)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skms_policy::PrincipalKind;

    const RATE: Rate = Rate {
        per_second: 10,
        burst: 3,
    };

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let bucket = Gcra::default();
        let start = 5 * SECOND;
        for _ in 0..3 {
            assert!(bucket.has(RATE, start).is_ok());
            bucket.take(RATE, start).unwrap();
        }
        assert_eq!(bucket.take(RATE, start), Err(SECOND / 10));
        assert_eq!(bucket.has(RATE, start), Err(SECOND / 10));
        bucket.take(RATE, start + SECOND / 10).unwrap();
        assert!(bucket.take(RATE, start + SECOND / 10).is_err());
        // In a whole second exactly the rate gets through, however often one asks.
        let from = start + SECOND / 10;
        let passed = (1..=1000u64)
            .filter(|step| bucket.take(RATE, from + step * SECOND / 1000).is_ok())
            .count();
        assert_eq!(passed, 10);
    }

    #[test]
    fn one_principal_has_so_many_under_way_and_no_more() {
        let bucket = Arc::new(Bucket::default());
        let held: Vec<_> = (0..3).map(|_| bucket.begin(3).unwrap()).collect();
        assert!(bucket.begin(3).is_none());
        drop(held);
        assert!((0..9).all(|_| bucket.begin(1).is_some()));
    }

    #[test]
    fn readings_that_pass_each_other_give_nothing_away() {
        let bucket = Gcra::default();
        let now = 3600 * SECOND;
        // The reading just before the latest one, as two threads have it.
        let passed = (0..1000)
            .filter(|turn| bucket.take(RATE, now - turn % 2).is_ok())
            .count();
        assert_eq!(passed, 3);
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let bucket = Gcra::default();
        for _ in 0..3 {
            bucket.take(RATE, 3600 * SECOND).unwrap();
        }
        assert!(bucket.take(RATE, 3600 * SECOND).is_err());
        bucket.take(RATE, SECOND).unwrap();
        assert!(bucket.has(RATE, SECOND).is_ok());
    }

    #[test]
    fn buckets_are_shared_by_a_principal_and_follow_what_is_set() {
        let limiter = Limiter::new(Some(RATE));
        let principal =
            |namespace, id| Principal::new(PrincipalKind::Token, namespace, id).unwrap();
        let one = limiter.bucket(&principal("root", "a"), None);
        assert!(Arc::ptr_eq(
            &one,
            &limiter.bucket(&principal("root", "a"), None)
        ));
        let other = limiter.bucket(&principal("tenant", "a"), None);
        assert!(!Arc::ptr_eq(&one, &other));
        assert!((0..3).all(|_| one.take(false, SECOND).is_ok()));
        assert!(one.take(false, SECOND).is_err());
        assert!(other.take(false, SECOND).is_ok());
        let rates = BTreeMap::from([("a".to_owned(), Rate::new(1000, 1).unwrap())]);
        let limits = Limits {
            rates,
            ..Limits::default()
        };
        limiter.changed("tenant", &limits);
        let two_seconds = 2 * SECOND;
        assert!(other.take(false, two_seconds).is_ok());
        assert!(other.take(false, two_seconds).is_err());
        assert!(one.take(false, two_seconds).is_ok());
    }

    #[test]
    fn what_must_get_through_has_some_of_its_own() {
        let bucket = Bucket::default();
        bucket.set(Some(RATE));
        while bucket.take(false, SECOND).is_ok() {}
        let passed = (0..1000).filter(|_| bucket.take(true, SECOND).is_ok());
        assert_eq!(passed.count(), 40);
    }

    #[test]
    fn refusals_are_counted_and_told_once_a_second() {
        let bucket = Bucket::default();
        assert_eq!(bucket.refused(7), Some(1));
        assert!((0..50).all(|_| bucket.refused(7).is_none()));
        assert_eq!(bucket.refused(8), Some(51));
    }

    #[test]
    fn rates_that_cannot_be_are_refused() {
        assert!(Rate::new(1, 1).is_ok() && Rate::new(RATE_MAX, RATE_MAX).is_ok());
        for (per_second, burst) in [(0, 1), (1, 0), (RATE_MAX + 1, 1), (1, RATE_MAX + 1)] {
            assert!(matches!(
                Rate::new(per_second, burst),
                Err(Error::Invalid(_))
            ));
        }
    }

    #[test]
    fn buckets_that_nobody_uses_are_forgotten() {
        let limiter = Limiter::new(None);
        for number in 0..5000 {
            let id = format!("p{number}");
            drop(limiter.bucket(
                &Principal::new(PrincipalKind::Token, "root", id.as_str()).unwrap(),
                None,
            ));
        }
        assert!(limiter.buckets.lock().unwrap().by_principal.len() <= PRUNE_AT);
    }
}
