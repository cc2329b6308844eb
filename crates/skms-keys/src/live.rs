//! Whether an opened version may be used right now, and who is using it.
//!
//! One of these goes with every opened key and lives as long as any use of
//! it. A use enters, works, asks whether the version is still what it was,
//! answers and leaves. A revocation flips what is allowed and waits until
//! every use that entered before has left. Both are steps on one atomic word,
//! so every use comes either before a flip, and is waited for, or after it,
//! and is refused; there is no third case.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::permits::{VersionPermits, Window};
use crate::state::OperationClass;
use crate::time::UnixSeconds;

// The word: one bit a class that says it is allowed, one that says somebody
// waits, one a class that says that what was begun may end, and the number of
// uses in flight of each class. 2^28 uses at once do not fit in any memory that
// holds their guards.
const WAITED_FOR: u64 = 1 << 2;
const ENDS_SHIFT: u32 = 3;
const COUNT_BITS: u32 = 28;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

const fn allowed_bit(class: OperationClass) -> u64 {
    match class {
        OperationClass::Protect => 1,
        OperationClass::Process => 2,
    }
}

/// Uses in flight may end as they began.
const fn ends_bit(class: OperationClass) -> u64 {
    allowed_bit(class) << ENDS_SHIFT
}

const fn count_shift(class: OperationClass) -> u32 {
    match class {
        OperationClass::Protect => 8,
        OperationClass::Process => 8 + COUNT_BITS,
    }
}

const fn in_flight(word: u64, class: OperationClass) -> u64 {
    word >> count_shift(class) & COUNT_MASK
}

/// The live state of one opened version.
#[derive(Debug)]
pub struct Live {
    word: AtomicU64,
    protect: LiveWindow,
    process: LiveWindow,
    waiters: Mutex<Vec<Waker>>,
}

/// A window that can be read while it is replaced. Its two ends are replaced
/// one after the other; only [`Live::flip`] takes a class away for sure.
#[derive(Debug)]
struct LiveWindow {
    from: AtomicI64,
    until: AtomicI64,
}

impl LiveWindow {
    const fn new(window: Window) -> Self {
        Self {
            from: AtomicI64::new(window.from.0),
            until: AtomicI64::new(window.until.0),
        }
    }

    fn set(&self, window: Window) {
        self.from.store(window.from.0, Ordering::Relaxed);
        self.until.store(window.until.0, Ordering::Relaxed);
    }

    fn contains(&self, now: UnixSeconds) -> bool {
        self.from.load(Ordering::Relaxed) <= now.0 && now.0 < self.until.load(Ordering::Relaxed)
    }
}

impl Live {
    /// A version that may do what `permits` says.
    #[must_use]
    pub const fn new(permits: &VersionPermits) -> Self {
        Self {
            word: AtomicU64::new(allowed_bits(permits) | allowed_bits(permits) << ENDS_SHIFT),
            protect: LiveWindow::new(permits.protect),
            process: LiveWindow::new(permits.process),
            waiters: Mutex::new(Vec::new()),
        }
    }

    /// Begins a use; `None` if the version may not do that now, and
    /// [`crate::Key::permit`] says why.
    #[must_use]
    pub fn enter(&self, class: OperationClass, now: UnixSeconds) -> Option<InFlight<&Live>> {
        InFlight::enter(self, class, now)
    }

    /// The same, for a use that outlives the borrow: on another thread, for
    /// instance.
    #[must_use]
    pub fn enter_shared(
        self: &Arc<Self>,
        class: OperationClass,
        now: UnixSeconds,
    ) -> Option<InFlight<Arc<Live>>> {
        InFlight::enter(Arc::clone(self), class, now)
    }

    /// Replaces what the version may do. Uses of a class that was taken away
    /// find out through [`InFlight::still_live`]; wait for them with
    /// [`Live::drain`].
    pub fn flip(&self, permits: &VersionPermits) {
        self.replace(permits, true);
    }

    /// As [`Live::flip`], where a newer version took this one's place and
    /// nothing was said against it: nobody begins to protect by it any more, and
    /// whoever has begun may end, as if they had come before. Wait for them all
    /// the same.
    pub fn supersede(&self, permits: &VersionPermits) {
        self.replace(permits, false);
    }

    fn replace(&self, permits: &VersionPermits, withdraw: bool) {
        let wanted = allowed_bits(permits);
        const BOTH: u64 =
            allowed_bit(OperationClass::Protect) | allowed_bit(OperationClass::Process);
        let gone = BOTH & !wanted;
        let withdrawn = match withdraw {
            true => gone,
            false => gone & allowed_bit(OperationClass::Process),
        };
        // Take away first, then move the windows, then give: at no moment is
        // more allowed than before or after.
        let away = gone | withdrawn << ENDS_SHIFT;
        self.word.fetch_and(!away, Ordering::AcqRel);
        self.protect.set(permits.protect);
        self.process.set(permits.process);
        let given = wanted | wanted << ENDS_SHIFT;
        self.word.fetch_or(given, Ordering::AcqRel);
        // Somebody may be waiting for a class that is allowed again.
        self.wake();
    }

    /// Whether `class` is allowed, its window aside.
    #[must_use]
    pub fn allows(&self, class: OperationClass) -> bool {
        self.word.load(Ordering::Acquire) & allowed_bit(class) != 0
    }

    /// Uses in flight of `class`. One that is just being refused may show.
    #[must_use]
    pub fn in_flight(&self, class: OperationClass) -> u64 {
        in_flight(self.word.load(Ordering::Acquire), class)
    }

    /// Whether no use is in flight of any class that is not allowed.
    #[must_use]
    pub fn drained(&self) -> bool {
        drained(self.word.load(Ordering::Acquire))
    }

    /// Waits until [`Live::drained`]. Give it a time limit: a use that never
    /// ends would hold it up for ever.
    pub fn drain(&self) -> Drain<'_> {
        Drain(self)
    }

    fn window(&self, class: OperationClass) -> &LiveWindow {
        match class {
            OperationClass::Protect => &self.protect,
            OperationClass::Process => &self.process,
        }
    }

    fn leave(&self, class: OperationClass) {
        let one = 1 << count_shift(class);
        // Release: what the use did happens before whoever waited goes on.
        let before = self.word.fetch_sub(one, Ordering::AcqRel);
        if before & WAITED_FOR != 0 && drained(before - one) {
            self.wake();
        }
    }

    fn wake(&self) {
        if self.word.load(Ordering::Acquire) & WAITED_FOR == 0 {
            return;
        }
        let waiting = {
            let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            self.word.fetch_and(!WAITED_FOR, Ordering::AcqRel);
            std::mem::take(&mut *waiters)
        };
        for waker in waiting {
            waker.wake();
        }
    }
}

const fn allowed_bits(permits: &VersionPermits) -> u64 {
    let mut bits = 0;
    if !permits.protect.is_closed() {
        bits |= allowed_bit(OperationClass::Protect);
    }
    if !permits.process.is_closed() {
        bits |= allowed_bit(OperationClass::Process);
    }
    bits
}

fn drained(word: u64) -> bool {
    OperationClass::ALL
        .into_iter()
        .all(|class| word & allowed_bit(class) != 0 || in_flight(word, class) == 0)
}

/// A use in flight. It ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct InFlight<L: Deref<Target = Live>> {
    live: L,
    class: OperationClass,
}

impl<L: Deref<Target = Live>> InFlight<L> {
    fn enter(live: L, class: OperationClass, now: UnixSeconds) -> Option<Self> {
        // A first look keeps those who will be refused off the count, or a
        // crowd of them would hold up a drain.
        if !live.allows(class) || !live.window(class).contains(now) {
            return None;
        }
        let word = live
            .word
            .fetch_add(1 << count_shift(class), Ordering::AcqRel);
        // Counted first and asked then: whoever lost a race against a flip
        // is dropped here and leaves like any other.
        let entered = Self { live, class };
        let allowed = word & allowed_bit(class) != 0 && entered.live.window(class).contains(now);
        allowed.then_some(entered)
    }

    /// Whether what this use entered for was not taken away from the version
    /// since. Ask after the work and before the answer; if it was, answer that
    /// the use was refused.
    #[must_use]
    pub fn still_live(&self) -> bool {
        self.live.word.load(Ordering::Acquire) & ends_bit(self.class) != 0
    }

    /// What it counts as.
    #[must_use]
    pub const fn class(&self) -> OperationClass {
        self.class
    }
}

impl<L: Deref<Target = Live>> Drop for InFlight<L> {
    fn drop(&mut self) {
        self.live.leave(self.class);
    }
}

/// Waits until the uses of what is no longer allowed have left.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Drain<'a>(&'a Live);

impl Future for Drain<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let live = self.0;
        if live.drained() {
            return Poll::Ready(());
        }
        let mut waiters = live.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiters.iter().any(|w| w.will_wake(context.waker())) {
            waiters.push(context.waker().clone());
        }
        // Set before looking again: the last use either sees the mark and
        // wakes us, or left before it and is seen gone here.
        let word = live.word.fetch_or(WAITED_FOR, Ordering::AcqRel);
        if drained(word) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
