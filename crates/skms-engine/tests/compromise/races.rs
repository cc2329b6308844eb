//! Dependents that are used and made while the key they come from is
//! compromised: after the call has returned, none of them does anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use skms_engine::Error;
use skms_keys::KeyState;

use super::common::{House, at};
use super::{compromise, derive, master, order};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_slips_in_behind_a_compromise() {
    let house = Arc::new(House::new().await);
    for round in 0..8 {
        let root = format!("root-{round}");
        master(&house, &root).await;
        for number in 0..4 {
            let name = format!("{root}-{number}");
            derive(&house, &root, &name).await.unwrap();
        }
        let returned = Arc::new(AtomicBool::new(false));
        let made = Arc::new(AtomicU32::new(4));
        let mut tasks = Vec::new();
        for number in 0..4 {
            let (house, returned) = (Arc::clone(&house), Arc::clone(&returned));
            let name = format!("{root}-{number}");
            tasks.push(tokio::spawn(async move {
                loop {
                    let before = returned.load(Ordering::SeqCst);
                    match house.encrypt(&name, b"x").await {
                        Ok(_) => assert!(!before, "{name} was used after the call returned"),
                        Err(Error::AncestorCompromised { .. }) => return,
                        Err(other) => panic!("{other}"),
                    }
                }
            }));
        }
        for _ in 0..2 {
            let (house, returned) = (Arc::clone(&house), Arc::clone(&returned));
            let (made, root) = (Arc::clone(&made), root.clone());
            tasks.push(tokio::spawn(async move {
                loop {
                    let number = made.fetch_add(1, Ordering::SeqCst);
                    let before = returned.load(Ordering::SeqCst);
                    match derive(&house, &root, &format!("{root}-{number}")).await {
                        Ok(_) => assert!(!before, "made after the call returned"),
                        Err(Error::AncestorCompromised { .. } | Error::StateForbids { .. }) => {
                            return;
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            }));
        }
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        compromise(&house, &root, order()).await;
        returned.store(true, Ordering::SeqCst);
        // At once, before anything was marked.
        let all = made.load(Ordering::SeqCst);
        for number in 0..all {
            let used = house.encrypt(&format!("{root}-{number}"), b"x").await;
            assert!(used.is_err(), "{number}");
        }
        for task in tasks {
            task.await.unwrap();
        }
        house.engine.finish_incidents().await.unwrap();
        for number in 0..made.load(Ordering::SeqCst) {
            let name = format!("{root}-{number}");
            match house.engine.read_key(&house.root, at(&name)).await {
                Ok(read) => assert_eq!(
                    read.key().newest().unwrap().state,
                    KeyState::Compromised,
                    "the cascade missed {name}"
                ),
                Err(Error::NotFound { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_compromises_and_a_cascade_at_once_come_to_one_end() {
    let house = Arc::new(House::new().await);
    master(&house, "one").await;
    master(&house, "two").await;
    for number in 0..80 {
        let from = if number % 2 == 0 { "one" } else { "two" };
        derive(&house, from, &format!("k{number}")).await.unwrap();
    }
    let other = Arc::clone(&house);
    let second = tokio::spawn(async move {
        compromise(&other, "two", order()).await;
        other.engine.finish_incidents().await.unwrap();
    });
    compromise(&house, "one", order()).await;
    house.engine.finish_incidents().await.unwrap();
    second.await.unwrap();
    house.engine.finish_incidents().await.unwrap();
    for number in 0..80 {
        let read = house
            .engine
            .read_key(&house.root, at(&format!("k{number}")))
            .await
            .unwrap();
        assert_eq!(read.key().newest().unwrap().state, KeyState::Compromised);
    }
}
