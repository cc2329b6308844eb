//! Uses that are counted in blocks: never too few, never past the limit.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use common::{START, V1, V2, aes, new_key};
use skms_crypto::Algorithm;
use skms_keys::{
    DueAct, Error, Key, KeyParts, MAX_BLOCK, NewVersion, Origin, Rules, Taken, UseReserve,
};

/// SP 800-38D, section 8.3.
const LIMIT: u64 = 1 << 32;

fn with_reserved(key: &Key, reserved: u64) -> Key {
    let mut parts: KeyParts = key.parts().clone();
    parts.versions[0].uses_reserved = reserved;
    Key::from_parts(parts).unwrap()
}

#[test]
fn a_reserve_starts_empty_and_gives_what_was_added() {
    let reserve = UseReserve::empty();
    assert_eq!(reserve.take(1), Taken::NeedsBlock);
    reserve.add(10);
    assert_eq!(reserve.take(4), Taken::Taken { refill: false });
    assert_eq!(reserve.take(7), Taken::NeedsBlock, "all or none");
    assert_eq!(reserve.left(), 6);
    assert_eq!(reserve.take(2), Taken::Taken { refill: true });
    assert_eq!(reserve.take(1), Taken::Taken { refill: false });
    assert_eq!(reserve.take(3), Taken::Taken { refill: false });
    assert_eq!(reserve.take(1), Taken::NeedsBlock);
    assert_eq!(reserve.take(u64::MAX), Taken::NeedsBlock);
}

#[test]
fn keys_without_a_limit_or_rule_are_not_counted() {
    let xaes = Algorithm::Xaes256Gcm;
    let mut rules = Rules::default();
    let new = new_key(xaes, xaes.row().uses, rules);
    let free = Key::create(new.clone(), START).unwrap().0;
    assert!(!free.counts_uses(V1));
    let reserve = UseReserve::for_uses(&free, V1);
    assert_eq!(reserve.take(u64::MAX), Taken::Taken { refill: false });
    rules.rotate_after_uses = Some(1000);
    let ruled = Key::create(skms_keys::NewKey { rules, ..new }, START)
        .unwrap()
        .0;
    assert!(ruled.counts_uses(V1));
    assert_eq!(UseReserve::for_uses(&ruled, V1).take(1), Taken::NeedsBlock);
    assert_eq!(ruled.use_block(V1), 1000 / 64);
    assert_eq!(ruled.use_limit(V1), None);
    assert_eq!(ruled.reserve_uses(V1, 5).unwrap().1, 5);
}

#[test]
fn one_refill_at_a_time() {
    let reserve = UseReserve::empty();
    let claim = reserve.claim_refill().unwrap();
    assert!(reserve.claim_refill().is_none());
    drop(claim);
    assert!(reserve.claim_refill().is_some());
}

#[test]
fn threads_get_every_use_once_and_one_is_sent_for_more() {
    let reserve = Arc::new(UseReserve::empty());
    const BLOCKS: u64 = 50;
    const BLOCK: u64 = 1000;
    let taken = Arc::new(AtomicU64::new(0));
    let refills = Arc::new(AtomicU64::new(0));
    let added = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (reserve, taken) = (Arc::clone(&reserve), Arc::clone(&taken));
            let (refills, added) = (Arc::clone(&refills), Arc::clone(&added));
            thread::spawn(move || {
                loop {
                    match reserve.take(1) {
                        Taken::Taken { refill } => {
                            taken.fetch_add(1, Ordering::Relaxed);
                            refills.fetch_add(refill.into(), Ordering::Relaxed);
                        }
                        Taken::NeedsBlock => {
                            let Some(_claim) = reserve.claim_refill() else {
                                continue;
                            };
                            // Somebody may have added one before the claim.
                            if reserve.left() > 0 {
                                continue;
                            }
                            if added.load(Ordering::Relaxed) == BLOCKS {
                                return;
                            }
                            added.fetch_add(1, Ordering::Relaxed);
                            reserve.add(BLOCK);
                        }
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!(taken.load(Ordering::Relaxed), BLOCKS * BLOCK);
    assert_eq!(refills.load(Ordering::Relaxed), BLOCKS);
}

#[test]
fn reserving_counts_up_and_stops_at_the_limit() {
    let key = aes(Rules::default());
    assert_eq!(key.use_limit(V1), Some(LIMIT));
    assert_eq!(key.use_block(V1), MAX_BLOCK);
    let (key, granted) = key.reserve_uses(V1, MAX_BLOCK).unwrap();
    assert_eq!(granted, MAX_BLOCK);
    let (key, granted) = key.reserve_uses(V1, 0).unwrap();
    assert_eq!(granted, 1, "at least one");
    assert_eq!(key.version(V1).unwrap().uses_reserved, MAX_BLOCK + 1);

    let last = with_reserved(&key, LIMIT - 3);
    let (full, granted) = last.reserve_uses(V1, MAX_BLOCK).unwrap();
    assert_eq!(granted, 3);
    assert!(matches!(
        full.reserve_uses(V1, 1),
        Err(Error::UseLimit { limit: LIMIT, .. })
    ));
    let mut over = full.into_parts();
    over.versions[0].uses_reserved = LIMIT + 1;
    assert!(Key::from_parts(over).is_err());
}

#[test]
fn a_rotation_is_due_well_before_the_limit_and_starts_afresh() {
    let key = aes(Rules::default());
    let rotation = |key: &Key| {
        key.due(START)
            .iter()
            .any(|due| due.act == DueAct::Rotate && due.version == V1)
    };
    let threshold = LIMIT / 4 * 3;
    assert!(!rotation(&with_reserved(&key, threshold - 1)));
    let worn = with_reserved(&key, threshold);
    assert!(rotation(&worn));
    let (fresh, _) = worn.rotate(NewVersion::generated(), START).unwrap();
    assert!(fresh.due(START).is_empty());
    assert_eq!(fresh.version(V2).unwrap().uses_reserved, 0);
    assert_eq!(fresh.version(V1).unwrap().uses_reserved, threshold);
}

#[test]
fn a_rule_can_ask_for_it_earlier_and_not_later() {
    let rules = |uses| Rules {
        rotate_after_uses: Some(uses),
        ..Rules::default()
    };
    assert_eq!(aes(rules(100)).rotation_uses(V1), Some(100));
    assert_eq!(aes(rules(100)).use_block(V1), 1);
    assert_eq!(aes(rules(u64::MAX)).rotation_uses(V1), Some(LIMIT / 4 * 3));
}

#[test]
fn what_an_imported_key_did_elsewhere_counts() {
    let imported = NewVersion {
        origin: Origin::Imported,
        uses_elsewhere: LIMIT - 1,
        ..NewVersion::generated()
    };
    let key = aes(Rules::default());
    let (key, _) = key.rotate(imported, START).unwrap();
    assert_eq!(key.reserve_uses(V2, 100).unwrap().1, 1);
    let overused = NewVersion {
        uses_elsewhere: LIMIT + 1,
        ..NewVersion::generated()
    };
    assert!(key.rotate(overused, START).is_err());
}

#[test]
fn what_is_left_is_burnt_in_uses_and_in_bytes() {
    // Three quarters of what AES-GCM encrypts safely: 2^38 bytes.
    const BYTES: u64 = 206_158_430_208;
    let counts = |key: &Key| {
        let version = &key.parts().versions[0];
        (version.uses_reserved, version.bytes_reserved)
    };
    let key = aes(Rules::default());
    assert_eq!(counts(&key), (0, 0));
    let burnt = key.burn_uses().unwrap().unwrap();
    assert_eq!(counts(&burnt), (LIMIT, BYTES));
    assert!(burnt.reserve_uses(V1, 1).is_err());
    assert!(burnt.burn_uses().unwrap().is_none());
    // Where only one of the two is left.
    for (uses, bytes) in [(LIMIT, 0), (0, BYTES)] {
        let mut parts = key.parts().clone();
        parts.versions[0].uses_reserved = uses;
        parts.versions[0].bytes_reserved = bytes;
        let burnt = Key::from_parts(parts).unwrap().burn_uses().unwrap();
        assert_eq!(counts(&burnt.unwrap()), (LIMIT, BYTES));
    }
    // More than that is not taken back.
    let mut parts = burnt.parts().clone();
    parts.versions[0].bytes_reserved = BYTES + 1;
    assert!(
        Key::from_parts(parts)
            .unwrap()
            .burn_uses()
            .unwrap()
            .is_none()
    );
    // By a rule alone, without a limit of the algorithm.
    let xaes = Algorithm::Xaes256Gcm;
    let rules = Rules {
        rotate_after_bytes: Some(1000),
        ..Rules::default()
    };
    let ruled = Key::create(new_key(xaes, xaes.row().uses, rules), START);
    let burnt = ruled.unwrap().0.burn_uses().unwrap().unwrap();
    assert_eq!(counts(&burnt), (0, 1000));
    let due = burnt.due(START);
    assert!(due.iter().any(|item| item.act == DueAct::Rotate));
    let free = new_key(xaes, xaes.row().uses, Rules::default());
    let free = Key::create(free, START).unwrap().0;
    assert!(free.burn_uses().unwrap().is_none());
}
