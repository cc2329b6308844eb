//! Time-stamping authorities in memory: whoever asks them is nobody, so that
//! what answers needs no look into the store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use skms_keys::{NamespaceId, UnixSeconds};
use skms_pki::Certificate;
use skms_pki::documents::Signer;
use skms_pki::oid::OidBuf;
use skms_store::{RecordId, SealedStore};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::authority::{Authorities, Link, load};
use crate::error::{Error, Result};
use crate::limits::{Gcra, Rate};
use crate::places::{self, Places};
use crate::records::tsa::TsaRecord;

/// How many seconds' worth of stamps an authority gives at once.
const BURST_SECONDS: u32 = 200;
/// How far a stamp's time is moved on, in milliseconds, so that no two have the
/// same; beyond it the clock went back.
const AHEAD_MAX_MS: i64 = 1_000;

/// Stamps of one authority that are made at once: the others have places left.
const STAMPING: usize = 4;

/// One authority. What its record says does not change.
#[derive(Clone)]
pub(crate) struct Tsa {
    pub(crate) id: RecordId,
    pub(crate) namespace: NamespaceId,
    pub(crate) namespace_name: Arc<str>,
    pub(crate) revision: u64,
    pub(crate) record: TsaRecord,
    pub(crate) policies: Vec<OidBuf>,
    /// Its certificates, and how its key signs.
    pub(crate) signer: Signer,
    /// From when until when all of its certificates are good.
    pub(crate) span: (UnixSeconds, UnixSeconds),
    /// Its certificates, as whoever issued them knows them.
    links: Vec<Link>,
    pub(crate) flow: Arc<Flow>,
}

/// What goes through an authority; it outlasts a reading of the store.
pub(crate) struct Flow {
    bucket: Gcra,
    places: Semaphore,
    /// The second of the last failure that left an event.
    failed_at: AtomicI64,
    /// The time of the last stamp that can be put in order, in milliseconds.
    last_ms: AtomicI64,
    order: Mutex<()>,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            bucket: Gcra::default(),
            places: Semaphore::new(STAMPING),
            failed_at: AtomicI64::new(i64::MIN),
            last_ms: AtomicI64::default(),
            order: Mutex::default(),
        }
    }
}

impl Flow {
    /// Room for making one stamp, until that is dropped.
    ///
    /// # Errors
    /// [`Error::Busy`] while as many are being made as may be.
    pub(crate) fn place(&self) -> Result<SemaphorePermit<'_>> {
        self.places.try_acquire().map_err(|_| Error::Busy)
    }

    /// Whether a failure leaves an event: the first of each second does, for
    /// strangers cause them.
    pub(crate) fn tells_failure(&self, now: UnixSeconds) -> bool {
        self.failed_at.swap(now.0, Ordering::Relaxed) != now.0
    }

    /// Takes one stamp out of `per_second`, at a time in milliseconds.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(crate) fn take(&self, per_second: u32, now_ms: i64) -> Result<()> {
        let rate = Rate::new(per_second, per_second.saturating_mul(BURST_SECONDS))?;
        let now = u64::try_from(now_ms).unwrap_or_default();
        self.bucket
            .take(rate, now.saturating_mul(1_000_000))
            .map_err(|wait| Error::RateLimited {
                retry_after_seconds: wait.div_ceil(1_000_000_000),
            })
    }

    /// A time after that of every stamp before; none once the clock went back
    /// further than a stamp's time may be moved on.
    pub(crate) fn next_ms(&self, now_ms: i64) -> Option<i64> {
        let _one = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.last_ms.load(Ordering::Relaxed);
        let next = now_ms.max(last.saturating_add(1));
        if next - now_ms > AHEAD_MAX_MS {
            return None;
        }
        self.last_ms.store(next, Ordering::Relaxed);
        Some(next)
    }
}

impl Tsa {
    /// Whether its certificates are good: neither at their end nor, as far as
    /// any authority here issued them, revoked or on hold.
    pub(crate) fn is_certified(&self, authorities: &Authorities, now: UnixSeconds) -> bool {
        (self.span.0..=self.span.1).contains(&now) && !authorities.any_revoked(&self.links)
    }
}

/// All of them, by namespace and name.
#[derive(Default)]
pub(crate) struct Tsas(ArcSwap<BTreeMap<String, Arc<Tsa>>>);

/// Names hold no NUL, so this tells apart what differs.
fn place(namespace: &str, name: &str) -> String {
    format!("{namespace}\0{name}")
}

impl Tsas {
    /// Takes over what was read anew; what goes through them goes on.
    pub(crate) fn replace(&self, other: &Self) {
        let before = self.0.load_full();
        let mut all = BTreeMap::clone(&other.0.load());
        for (place, fresh) in &mut all {
            if let Some(known) = before.get(place).filter(|known| known.id == fresh.id) {
                let mut kept = Tsa::clone(fresh);
                kept.flow = Arc::clone(&known.flow);
                *fresh = Arc::new(kept);
            }
        }
        self.0.store(Arc::new(all));
    }

    /// The authority of that name.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Arc<Tsa>> {
        self.0.load().get(&place(namespace, name)).cloned()
    }

    /// The authorities of a namespace, by name.
    pub(crate) fn of(&self, namespace: &str) -> Vec<Arc<Tsa>> {
        let all = self.0.load();
        let ours = all.values().filter(|one| &*one.namespace_name == namespace);
        ours.cloned().collect()
    }

    /// The authority of a namespace that stands on a key.
    pub(crate) fn on_key(&self, namespace: &str, key: &str) -> Option<Arc<Tsa>> {
        let mut ours = self.of(namespace).into_iter();
        ours.find(|one| one.record.key.id == key)
    }

    /// Adds one; the caller holds the rooms' change lock.
    pub(crate) fn put(&self, tsa: Tsa) {
        let mut all = BTreeMap::clone(&self.0.load());
        let place = place(&tsa.namespace_name, &tsa.record.name);
        all.insert(place, Arc::new(tsa));
        self.0.store(Arc::new(all));
    }

    /// Forgets one; the caller holds the rooms' change lock.
    pub(crate) fn remove(&self, namespace: &str, name: &str) {
        let mut all = BTreeMap::clone(&self.0.load());
        all.remove(&place(namespace, name));
        self.0.store(Arc::new(all));
    }
}

fn damaged(reason: &'static str) -> Error {
    Error::Record {
        kind: "time-stamping authority",
        reason: reason.to_owned(),
    }
}

/// Every authority of every namespace.
pub(crate) async fn load(store: &SealedStore, places: &Places) -> Result<Tsas> {
    let loaded = Tsas::default();
    for namespace in places.list() {
        for (id, revision, record) in places::all::<TsaRecord>(store, namespace.id.0).await? {
            let whose = (namespace.id, Arc::from(namespace.name.as_str()));
            loaded.put(tsa((id, revision), whose, record)?);
        }
    }
    Ok(loaded)
}

/// An authority from its record.
///
/// # Errors
/// [`Error::Record`] for a damaged one.
pub(crate) fn tsa(
    (id, revision): (RecordId, u64),
    (namespace, namespace_name): (NamespaceId, Arc<str>),
    record: TsaRecord,
) -> Result<Tsa> {
    let policies = record.policies.iter();
    let policies = policies
        .map(|text| text.parse().map_err(|_| damaged("policy")))
        .collect::<Result<_>>()?;
    let chain: Vec<Vec<u8>> = record.chain.iter().map(|der| der.0.clone()).collect();
    let mut span = (i64::MIN, i64::MAX);
    for der in &chain {
        let read = Certificate::from_der(der).map_err(|_| damaged("certificate"))?;
        span.0 = span.0.max(read.not_before().0);
        span.1 = span.1.min(read.not_after().0);
    }
    let links = chain.iter().filter_map(|der| Link::of(der)).collect();
    let signer = Signer::new(chain, load::scheme(&record.key)?);
    Ok(Tsa {
        id,
        namespace,
        namespace_name,
        revision,
        policies,
        signer: signer.map_err(|_| damaged("signer"))?,
        span: (UnixSeconds(span.0), UnixSeconds(span.1)),
        links,
        flow: Arc::default(),
        record,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_stamps_have_one_time() {
        let flow = Flow::default();
        assert_eq!(flow.next_ms(5_000), Some(5_000));
        assert_eq!(flow.next_ms(5_000), Some(5_001));
        assert_eq!(flow.next_ms(4_990), Some(5_002));
        assert_eq!(flow.next_ms(6_000), Some(6_000));
        // The clock went back: what would be said is not its time.
        assert_eq!(flow.next_ms(5_000), None);
        assert_eq!(flow.next_ms(5_001), Some(6_001));
    }

    #[test]
    fn one_authority_leaves_places_to_others() {
        let flow = Flow::default();
        let held: Vec<_> = (0..STAMPING).map(|_| flow.place().unwrap()).collect();
        assert!(matches!(flow.place(), Err(Error::Busy)));
        drop(held);
        assert!(flow.place().is_ok());
    }

    #[test]
    fn stamps_come_slowly_in_the_long_run() {
        let flow = Flow::default();
        for _ in 0..2 * BURST_SECONDS {
            flow.take(2, 1_000).unwrap();
        }
        assert!(matches!(
            flow.take(2, 1_000),
            Err(Error::RateLimited {
                retry_after_seconds: 1
            })
        ));
        flow.take(2, 1_500).unwrap();
        assert!(flow.take(2, 1_500).is_err());
    }
}
