//! Dependents that are used and made while the key they come from is
//! compromised: after the call has returned, none of them does anything.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use skms_crypto::{Algorithm, EncryptOptions, Format, SignOptions};
use skms_engine::Error;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::import_key::WrappedWith;
use skms_engine::acts::payload::Payload;
use skms_engine::acts::{export_key, sign};
use skms_keys::KeyState;

use super::common::{House, at};
use super::{compromise, derive, derive_further, master, order};

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

/// Looks at a future so often, as it wakes, and lets it fall; whether it was
/// ready before that.
pub async fn look_at(future: impl Future, times: usize) -> bool {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_cascade_that_was_cut_off_goes_on_below_what_it_had_marked() {
    let house = House::new().await;
    for times in 1..200 {
        let [root, middle, leaf] = ["root", "middle", "leaf"].map(|of| format!("{of}-{times}"));
        master(&house, &root).await;
        derive_further(&house, &root, &middle).await.unwrap();
        derive(&house, &middle, &leaf).await.unwrap();
        compromise(&house, &root, order()).await;
        let finished = look_at(house.engine.finish_incidents(), times).await;
        // What was under way then may come in between once.
        if let Err(error) = house.engine.finish_incidents().await {
            assert!(matches!(error, Error::Conflict), "{error}");
            house.engine.finish_incidents().await.unwrap();
        }
        if finished {
            // Memory is not told what was cut off; the store is.
            let house = house.restart().await;
            for name in (1..=times).flat_map(|n| [format!("middle-{n}"), format!("leaf-{n}")]) {
                let read = house.engine.read_key(&house.root, at(&name)).await.unwrap();
                let state = read.key().newest().unwrap().state;
                assert_eq!(state, KeyState::Compromised, "{name}");
            }
            return;
        }
    }
    panic!("a cascade over three keys takes more than 200 looks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cascade_begins_although_whoever_ordered_it_has_gone() {
    let house = House::new().await;
    let (mut left, mut times) = (0, 0);
    // How far it comes with each look is chance: again until one left in time.
    for round in 0..200 {
        times += 1;
        let root = format!("root-{round}");
        let leaf = format!("leaf-{round}");
        master(&house, &root).await;
        derive(&house, &root, &leaf).await.unwrap();
        let ordered = house.engine.compromise_key(&house.root, at(&root), order());
        let returned = look_at(ordered, times).await;
        let read = async |name: &str| {
            let read = house.engine.read_key(&house.root, at(name)).await.unwrap();
            read.key().newest().unwrap().state
        };
        // What was begun comes to its end, or never was.
        let mut patience = 100;
        while read(&root).await != KeyState::Compromised && patience > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            patience -= 1;
        }
        if read(&root).await == KeyState::Compromised {
            left += u32::from(!returned);
            house.engine.finish_incidents().await.unwrap();
            assert_eq!(read(&leaf).await, KeyState::Compromised, "{times}");
        }
        if returned && left > 0 {
            break;
        }
        if returned {
            times = 0;
        }
    }
    assert!(left > 0, "nobody left in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_use_that_is_older_than_a_wrapping_is_refused_with_it() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::SlhDsaSha2_128s),
        exportable: Some(true),
        ..NewKeySpec::default()
    };
    engine.create_key(root, at("slow"), spec).await.unwrap();
    house.create("kek", Algorithm::Aes256Kwp).await;
    let item = || sign::Request {
        payload: Payload::Raw(b"x".to_vec()),
        version: None,
        options: SignOptions::default(),
    };
    let (by, who) = (Arc::clone(engine), Arc::clone(root));
    let items = (0..20).map(|_| item()).collect();
    let batch = tokio::spawn(async move {
        let done = by.operate::<sign::Sign>(&who, at("slow"), items);
        done.await.unwrap()
    });
    // Under way, with nothing above the key.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let request = export_key::Request {
        version: None,
        format: Format::Pkcs8Der,
        passphrase: None,
        wrapped_with: Some(WrappedWith {
            keyring: "default".into(),
            name: "kek".into(),
            version: None,
            options: EncryptOptions::default(),
        }),
    };
    engine.export_key(root, at("slow"), request).await.unwrap();
    compromise(&house, "kek", order()).await;
    assert!(!batch.is_finished(), "it was over before");
    for result in batch.await.unwrap() {
        let barred = matches!(result, Err(Error::AncestorCompromised { .. }));
        assert!(barred, "{:?}", result.err());
    }
}
