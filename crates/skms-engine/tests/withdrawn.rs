//! Withdrawn algorithms: nothing new, nothing protected, all of it there after a
//! restart.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{House, START_MS, at};
use skms_crypto::{Algorithm, Format, SecretBytes};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::import_key::Incoming;
use skms_engine::acts::withdraw_algorithm::Order;
use skms_engine::{Error, Result};
use skms_keys::UnixSeconds;

const DAY: i64 = 24 * 3600;

fn order(days: i64) -> Order {
    Order {
        algorithm: "AES-128-GCM".into(),
        reason: "128 bits".into(),
        protects_until: Some(UnixSeconds(START_MS / 1000 + days * DAY)),
        successor: Some("AES-256-GCM".into()),
        dry_run: false,
    }
}

fn refused<T>(result: Result<T>) -> String {
    match result {
        Err(Error::KeyForbids(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was let through"),
    }
}

#[tokio::test]
async fn it_makes_nothing_new_at_once_and_protects_nothing_from_its_day() {
    let house = House::new().await;
    house.create("old", Algorithm::Aes128Gcm).await;
    house.create("other", Algorithm::Aes256Gcm).await;
    let sealed = house.encrypt("old", b"kept").await.unwrap();
    let done = house
        .engine
        .withdraw_algorithm(&house.root, order(10))
        .await
        .unwrap();
    assert_eq!(
        (done.keys, done.named),
        (1, vec!["root/default/old".to_owned()])
    );
    let house = house.restart().await;
    let spec = || NewKeySpec {
        algorithm: Some(Algorithm::Aes128Gcm),
        ..NewKeySpec::default()
    };
    let made = house
        .engine
        .create_key(&house.root, at("new"), spec())
        .await;
    assert!(refused(made).contains("make a key of AES-256-GCM instead"));
    let rotated = house.engine.rotate_key(&house.root, at("old"), None).await;
    refused(rotated);
    let brought = Incoming {
        bytes: SecretBytes::new(skms_crypto::rand::array::<16>().unwrap().to_vec()),
        format: Format::Raw,
        passphrase: None,
        wrapped_with: None,
    };
    let brought = house
        .engine
        .import_key(&house.root, at("brought"), spec(), brought)
        .await;
    refused(brought);
    // It goes on protecting up to its day, and opens what it has for ever.
    house.config.clock.advance_seconds(10 * DAY - 1);
    house.encrypt("old", b"x").await.unwrap();
    house.config.clock.advance_seconds(1);
    assert!(refused(house.encrypt("old", b"x").await).contains("is withdrawn (128 bits)"));
    assert_eq!(
        house.decrypt("old", &sealed).await.unwrap().expose(),
        b"kept"
    );
    house.encrypt("other", b"x").await.unwrap();
    let readmitted = house.engine.readmit_algorithm(&house.root, "AES-128-GCM");
    readmitted.await.unwrap();
    house.encrypt("old", b"x").await.unwrap();
    house.create("new", Algorithm::Aes128Gcm).await;
    assert!(
        house
            .engine
            .list_withdrawn(&house.root)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_strangers_may_not() {
    let house = House::new().await;
    house.create("old", Algorithm::Aes128Gcm).await;
    let mut dry = order(0);
    dry.dry_run = true;
    let shown = house
        .engine
        .withdraw_algorithm(&house.root, dry)
        .await
        .unwrap();
    assert_eq!(shown.keys, 1);
    house.encrypt("old", b"x").await.unwrap();
    let stranger = house.caller_in("stranger", &[]).await;
    let refused = house.engine.withdraw_algorithm(&stranger, order(0)).await;
    assert!(
        matches!(refused, Err(Error::NotFound { .. })),
        "{refused:?}"
    );
    house.encrypt("old", b"x").await.unwrap();
}
