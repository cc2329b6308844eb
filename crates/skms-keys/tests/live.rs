//! Flips against uses in flight, with real threads.
#![allow(clippy::unwrap_used, missing_docs)]

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use skms_keys::{Live, OperationClass, UnixSeconds, VersionPermits, Window};

const NOW: UnixSeconds = UnixSeconds(100);
const ALL: VersionPermits = VersionPermits {
    protect: Window::OPEN,
    process: Window::OPEN,
};
const PROCESS_ONLY: VersionPermits = VersionPermits {
    protect: Window::CLOSED,
    process: Window::OPEN,
};
use OperationClass::{Process, Protect};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on(future: impl Future<Output = ()>) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    while future.as_mut().poll(&mut context).is_pending() {
        thread::park();
    }
}

#[derive(Default)]
struct Woken(AtomicU64);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn entering_asks_for_class_and_window() {
    let window = Window {
        from: UnixSeconds(50),
        until: UnixSeconds(150),
    };
    let live = Live::new(&VersionPermits {
        protect: window,
        process: Window::CLOSED,
    });
    for (now, enters) in [(49, false), (50, true), (149, true), (150, false)] {
        assert_eq!(live.enter(Protect, UnixSeconds(now)).is_some(), enters);
    }
    assert!(live.enter(Process, NOW).is_none());
    // Refused or done, nobody is left inside.
    assert_eq!(live.in_flight(Protect) + live.in_flight(Process), 0);
    assert!(live.drained());
}

#[test]
fn a_flip_is_seen_by_those_inside_and_by_nobody_after() {
    let live = Live::new(&ALL);
    let protecting = live.enter(Protect, NOW).unwrap();
    let processing = live.enter(Process, NOW).unwrap();
    assert!(protecting.still_live() && processing.still_live());
    live.flip(&PROCESS_ONLY);
    assert!(!protecting.still_live());
    assert!(processing.still_live(), "its class is still allowed");
    assert!(live.enter(Protect, NOW).is_none());
    assert!(live.enter(Process, NOW).is_some());
    live.flip(&VersionPermits::NONE);
    assert!(!processing.still_live());
    assert!(live.enter(Process, NOW).is_none());
}

#[test]
fn who_had_begun_ends_when_a_newer_version_takes_the_place() {
    let live = Live::new(&ALL);
    let protecting = live.enter(Protect, NOW).unwrap();
    let processing = live.enter(Process, NOW).unwrap();
    live.supersede(&PROCESS_ONLY);
    assert!(protecting.still_live() && processing.still_live());
    assert!(live.enter(Protect, NOW).is_none());
    assert!(!live.drained(), "they are waited for");
    // What comes afterwards and changes nothing lets them be.
    live.supersede(&PROCESS_ONLY);
    assert!(protecting.still_live());
    // What is taken away while they are at work is refused them.
    live.supersede(&VersionPermits::NONE);
    assert!(protecting.still_live() && !processing.still_live());
    live.flip(&PROCESS_ONLY);
    assert!(!protecting.still_live() && processing.still_live());
    live.supersede(&PROCESS_ONLY);
    assert!(!protecting.still_live(), "nothing comes back");
    drop(protecting);
    assert!(live.drained());
}

#[test]
fn draining_waits_for_what_was_taken_away_and_for_nothing_else() {
    let live = Live::new(&ALL);
    let processing = live.enter(Process, NOW).unwrap();
    let first = live.enter(Protect, NOW).unwrap();
    let second = live.enter(Protect, NOW).unwrap();
    assert!(live.drained(), "nothing was taken away");
    live.flip(&PROCESS_ONLY);

    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut drain = pin!(live.drain());
    assert_eq!(drain.as_mut().poll(&mut context), Poll::Pending);
    drop(first);
    assert_eq!(drain.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    drop(second);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "the last one wakes");
    assert_eq!(drain.as_mut().poll(&mut context), Poll::Ready(()));
    drop(processing);
}

#[test]
fn giving_back_what_was_taken_away_ends_the_wait() {
    let live = Live::new(&ALL);
    let _inside = live.enter(Protect, NOW).unwrap();
    live.flip(&VersionPermits::NONE);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut drain = pin!(live.drain());
    assert!(drain.as_mut().poll(&mut context).is_pending());
    live.flip(&ALL);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(drain.as_mut().poll(&mut context).is_ready());
}

#[test]
fn a_shared_use_outlives_its_borrow() {
    let live = Arc::new(Live::new(&ALL));
    let inside = live.enter_shared(Protect, NOW).unwrap();
    let worker = thread::spawn(move || inside.still_live());
    assert!(worker.join().unwrap());
    assert_eq!(live.in_flight(Protect), 0);
}

/// Many threads use a version while another revokes it. Once the revocation
/// has drained, not one more answer goes out.
#[test]
fn after_a_drained_flip_no_answer_goes_out() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 100;
    for _ in 0..ROUNDS {
        let live = Arc::new(Live::new(&ALL));
        let answers = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let started = Arc::new(Barrier::new(THREADS + 1));
        let workers: Vec<_> = (0..THREADS)
            .map(|n| {
                let (live, answers) = (Arc::clone(&live), Arc::clone(&answers));
                let (stop, started) = (Arc::clone(&stop), Arc::clone(&started));
                let class = OperationClass::ALL[n % 2];
                thread::spawn(move || {
                    started.wait();
                    while !stop.load(Ordering::Relaxed) {
                        let Some(inside) = live.enter(class, NOW) else {
                            thread::yield_now();
                            continue;
                        };
                        thread::yield_now();
                        if inside.still_live() {
                            answers.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                })
            })
            .collect();
        started.wait();
        live.flip(&VersionPermits::NONE);
        block_on(live.drain());
        let settled = answers.load(Ordering::SeqCst);
        for _ in 0..20 {
            thread::yield_now();
        }
        assert_eq!(answers.load(Ordering::SeqCst), settled);
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(answers.load(Ordering::SeqCst), settled);
        assert_eq!(live.in_flight(Protect) + live.in_flight(Process), 0);
    }
}

/// Several wait at once while uses come and go: all of them wake.
#[test]
fn every_waiter_wakes() {
    for _ in 0..200 {
        let live = Arc::new(Live::new(&ALL));
        let inside: Vec<_> = (0..4)
            .map(|_| live.enter_shared(Protect, NOW).unwrap())
            .collect();
        live.flip(&PROCESS_ONLY);
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let live = Arc::clone(&live);
                thread::spawn(move || block_on(live.drain()))
            })
            .collect();
        let leavers: Vec<_> = inside
            .into_iter()
            .map(|one| thread::spawn(move || drop(one)))
            .collect();
        for thread in waiters.into_iter().chain(leavers) {
            thread.join().unwrap();
        }
        assert!(live.drained());
    }
}
