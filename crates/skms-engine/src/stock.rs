//! RSA keys made ahead, in idle time: finding two primes takes a tenth of a
//! second and more, and nobody should have to wait for it.
//!
//! The stock lives in memory alone. So a key of it is handed out once, is in
//! no backup, and is gone when the server is sealed, restored or stopped: no
//! row on a disk could promise as much. Nothing is made before somebody asked
//! for a key of that length, and more is kept the more are asked for.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use skms_crypto::{Algorithm, KeyMaterial};
use skms_store::priority::{self, IDLE_WORK};

use crate::error::{Error, Result};

/// What is kept, and how many of it for each RSA-2048 key: longer keys take
/// longer to make and are asked for less.
const SHELVES: [(Algorithm, usize); 3] = [
    (Algorithm::Rsa2048, 1),
    (Algorithm::Rsa3072, 4),
    (Algorithm::Rsa4096, 16),
];

/// How many are wanted when the first one was asked for.
const AT_FIRST: usize = 4;

/// With more acts a second than this the time is not idle: even a thread of
/// the lowest priority then takes its share of the caches.
const BUSY: f64 = 1000.0;

/// The keys, and the thread that makes them.
pub(crate) struct Stock {
    shelves: Mutex<Shelves>,
    changed: Condvar,
    /// Acts that callers have begun.
    begun: AtomicU64,
}

struct Shelves {
    all: [Shelf; SHELVES.len()],
    /// Rises when everything is thrown away: what was begun before does not
    /// come in.
    epoch: u64,
}

struct Shelf {
    algorithm: Algorithm,
    keys: VecDeque<KeyMaterial>,
    wanted: usize,
    most: usize,
}

impl Shelf {
    /// Somebody asked for one: keep more if none was here.
    fn asked(&mut self) {
        let more = match (self.wanted, self.keys.is_empty()) {
            (0, _) => AT_FIRST,
            (wanted, true) => wanted.saturating_mul(2),
            (wanted, false) => wanted,
        };
        self.wanted = more.min(self.most);
    }
}

impl Stock {
    /// Keeps at most `most` RSA-2048 keys, and fewer of the longer ones; 0
    /// keeps none.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system gives no thread.
    pub(crate) fn start(most: usize) -> Result<Arc<Self>> {
        let stock = Arc::new(Self {
            shelves: Mutex::new(Shelves {
                all: SHELVES.map(|(algorithm, share)| Shelf {
                    algorithm,
                    keys: VecDeque::new(),
                    wanted: 0,
                    most: most / share,
                }),
                epoch: 0,
            }),
            changed: Condvar::new(),
            begun: AtomicU64::new(0),
        });
        let maker = Arc::downgrade(&stock);
        thread::Builder::new()
            .name("skms-stock".to_owned())
            .spawn(move || {
                priority::give_way(IDLE_WORK);
                make(&maker);
            })
            .map_err(|_| Error::Internal("cannot start a worker thread"))?;
        Ok(stock)
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key that is ready, if one is; the caller's alone from here on.
    pub(crate) fn take(&self, algorithm: Algorithm) -> Option<KeyMaterial> {
        let mut shelves = self.lock();
        let shelf = shelves
            .all
            .iter_mut()
            .find(|shelf| shelf.algorithm == algorithm)?;
        shelf.asked();
        let taken = shelf.keys.pop_front();
        drop(shelves);
        self.changed.notify_all();
        taken
    }

    /// A caller begins an act.
    pub(crate) fn begun(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// Throws everything away, and what was wanted with it.
    pub(crate) fn discard(&self) {
        let mut shelves = self.lock();
        shelves.epoch += 1;
        for shelf in &mut shelves.all {
            shelf.keys.clear();
            shelf.wanted = 0;
        }
    }

    /// How many keys of each length are ready.
    pub(crate) fn ready(&self) -> Vec<(Algorithm, usize)> {
        let shelves = self.lock();
        shelves
            .all
            .iter()
            .map(|shelf| (shelf.algorithm, shelf.keys.len()))
            .collect()
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.changed.notify_all();
    }
}

/// Makes what is wanted, one key at a time, until the stock is gone.
fn make(stock: &Weak<Stock>) {
    let mut lately = Lately::default();
    while let Some(stock) = stock.upgrade() {
        let Some((algorithm, epoch)) = next(&stock) else {
            continue;
        };
        if lately.busy(&stock) {
            thread::sleep(LOOK);
            continue;
        }
        // A failed attempt leaves the shelf as it is; whoever needs the key
        // makes it and finds out why.
        let Ok(key) = KeyMaterial::generate(algorithm) else {
            stock.discard();
            continue;
        };
        let mut shelves = stock.lock();
        if shelves.epoch != epoch {
            continue;
        }
        if let Some(shelf) = shelves
            .all
            .iter_mut()
            .find(|shelf| shelf.algorithm == algorithm)
        {
            shelf.keys.push_back(key);
        }
    }
}

/// How long the maker sleeps before it looks whether the stock is gone, or the
/// server idle.
const LOOK: Duration = Duration::from_millis(200);

/// What callers did since the maker last looked.
#[derive(Default)]
struct Lately {
    at: Option<Instant>,
    begun: u64,
    busy: bool,
}

impl Lately {
    fn busy(&mut self, stock: &Stock) -> bool {
        let (now, begun) = (Instant::now(), stock.begun.load(Ordering::Relaxed));
        let seconds = self.at.map_or(0.0, |at| (now - at).as_secs_f64());
        // Over less time a few acts would look like many.
        if self.at.is_none() || seconds > 0.05 {
            let acts = begun.saturating_sub(self.begun);
            self.busy = acts as f64 > BUSY * seconds;
            (self.at, self.begun) = (Some(now), begun);
        }
        self.busy
    }
}

/// What to make next; waits for a while when nothing is wanted.
fn next(stock: &Stock) -> Option<(Algorithm, u64)> {
    let wanted = |shelves: &Shelves| {
        shelves
            .all
            .iter()
            .find(|shelf| shelf.keys.len() < shelf.wanted)
            .map(|shelf| (shelf.algorithm, shelves.epoch))
    };
    let shelves = stock.lock();
    if let Some(found) = wanted(&shelves) {
        return Some(found);
    }
    let (shelves, _) = stock
        .changed
        .wait_timeout(shelves, LOOK)
        .unwrap_or_else(PoisonError::into_inner);
    wanted(&shelves)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn until(stock: &Stock, keys: usize) {
        while stock.ready()[0].1 < keys {
            thread::yield_now();
        }
    }

    #[test]
    fn a_key_is_handed_out_once_and_nothing_is_made_unasked() {
        let stock = Stock::start(3).unwrap();
        assert!(stock.take(Algorithm::Aes256Gcm).is_none());
        assert!(stock.take(Algorithm::Rsa2048).is_none());
        until(&stock, 3);
        assert!(stock.ready()[1..].iter().all(|(_, keys)| *keys == 0));
        let prints: HashSet<_> = (0..3)
            .map(|_| {
                let key = stock.take(Algorithm::Rsa2048).unwrap();
                key.public_key().unwrap().unwrap().fingerprint()
            })
            .collect();
        assert_eq!(prints.len(), 3);
    }

    #[test]
    fn what_is_thrown_away_does_not_come_back() {
        let stock = Stock::start(1).unwrap();
        assert!(stock.take(Algorithm::Rsa2048).is_none());
        until(&stock, 1);
        stock.discard();
        assert!(stock.take(Algorithm::Rsa2048).is_none());
    }

    #[test]
    fn nothing_is_made_while_callers_are_many() {
        let stock = Stock::start(0).unwrap();
        let mut lately = Lately::default();
        assert!(!lately.busy(&stock));
        lately.at = Instant::now().checked_sub(Duration::from_secs(1));
        for _ in 0..2000 {
            stock.begun();
        }
        assert!(lately.busy(&stock));
        // Too soon to tell: as it was.
        assert!(lately.busy(&stock));
        lately.at = Instant::now().checked_sub(Duration::from_secs(1));
        assert!(!lately.busy(&stock));
    }

    #[test]
    fn a_stock_of_none_stays_empty() {
        let stock = Stock::start(0).unwrap();
        assert!(stock.take(Algorithm::Rsa2048).is_none());
        assert!(next(&stock).is_none());
    }
}
