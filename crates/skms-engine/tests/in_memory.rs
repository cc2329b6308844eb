//! More keys than memory keeps: those that went come back as they are now,
//! never as they were.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{House, at};
use skms_crypto::Algorithm;
use skms_engine::Error;
use skms_keys::{RevocationReason, Revoke, Versions};

const KEPT: usize = 4;
const KEYS: usize = 40;

async fn house() -> House {
    let mut house = House::new().await;
    house.config.keys_in_memory = KEPT;
    house.restart().await
}

fn revoke() -> Revoke {
    Revoke {
        versions: Versions::All,
        reason: RevocationReason::KeyCompromise,
        message: String::new(),
        compromise_occurred_at: None,
    }
}

#[tokio::test]
async fn keys_that_left_memory_work_and_are_what_they_became() {
    let house = house().await;
    let name = |number: usize| format!("key-{number}");
    let mut sealed = Vec::new();
    for number in 0..KEYS {
        house.create(&name(number), Algorithm::Aes256Gcm).await;
        sealed.push(house.encrypt(&name(number), b"data").await.unwrap());
        assert!(house.engine.keys_in_memory() <= KEPT + 1);
    }
    let (engine, root) = (&house.engine, &house.root);
    for number in (0..KEYS).step_by(2) {
        let name = name(number);
        engine.revoke_key(root, at(&name), revoke()).await.unwrap();
    }
    for (number, sealed) in sealed.iter().enumerate() {
        let opened = house.decrypt(&name(number), sealed).await;
        if number % 2 == 0 {
            assert!(
                matches!(opened, Err(Error::StateForbids { .. })),
                "{number}"
            );
        } else {
            assert_eq!(opened.unwrap().expose(), b"data", "{number}");
        }
        assert!(house.engine.keys_in_memory() <= KEPT + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revoked_key_never_comes_back_alive() {
    let house = Arc::new(house().await);
    for number in 0..12 {
        house
            .create(&format!("busy-{number}"), Algorithm::Aes256GcmSiv)
            .await;
    }
    for round in 0..15 {
        let name = format!("key-{round}");
        house.create(&name, Algorithm::Aes256GcmSiv).await;
        let revoked = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for user in 0..6 {
            let (house, name) = (Arc::clone(&house), name.clone());
            let revoked = Arc::clone(&revoked);
            tasks.push(tokio::spawn(async move {
                for turn in 0..30 {
                    // Drives the key out of memory again and again.
                    let other = format!("busy-{}", (user * 5 + turn) % 12);
                    match house.encrypt(&other, b"x").await {
                        Ok(_) | Err(Error::Busy) => {}
                        Err(error) => panic!("{error}"),
                    }
                    let before = revoked.load(Ordering::SeqCst);
                    match house.encrypt(&name, b"x").await {
                        Ok(_) => assert!(!before, "used after its revocation"),
                        Err(Error::StateForbids { .. } | Error::Busy) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }));
        }
        tokio::task::yield_now().await;
        let revoking = house.engine.revoke_key(&house.root, at(&name), revoke());
        revoking.await.unwrap();
        revoked.store(true, Ordering::SeqCst);
        for task in tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test]
async fn uses_are_not_forgotten_with_the_key() {
    let house = house().await;
    house.create("counted", Algorithm::Aes256Gcm).await;
    let reserved = async |house: &House| {
        let read = house.engine.read_key(&house.root, at("counted"));
        read.await.unwrap().key().newest().unwrap().uses_reserved
    };
    let mut used = 0;
    for round in 0..3 {
        for _ in 0..300 {
            house.encrypt("counted", b"x").await.unwrap();
            used += 1;
        }
        for other in 0..KEPT * 4 {
            let name = format!("other-{round}-{other}");
            house.create(&name, Algorithm::Aes256GcmSiv).await;
        }
        assert!(reserved(&house).await >= used);
    }
    // Small blocks first: a key that comes and goes does not burn its limit.
    assert!(reserved(&house).await < 10_000);
}
