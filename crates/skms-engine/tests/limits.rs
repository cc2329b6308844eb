//! What an operator limits holds, also for many at once and after a restart.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{House, at, caller};
use skms_crypto::Algorithm;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::tokens::{IssuedToken, NewToken};
use skms_engine::limits::{Limits, Rate};
use skms_engine::{Caller, Error, KeyRef, Result};
use skms_keys::{Defaults, Versions};

async fn create(house: &House, keyring: &str, name: &str) -> Result<()> {
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Aes256Gcm),
        ..NewKeySpec::default()
    };
    let at = KeyRef {
        keyring,
        ..at(name)
    };
    let made = house.engine.create_key(&house.root, at, spec).await;
    made.map(drop)
}

async fn set(house: &House, limits: Limits) {
    let set = house
        .engine
        .write_limits(&house.root, "root", limits.clone());
    assert_eq!(set.await.unwrap(), limits);
    let read = house.engine.read_limits(&house.root, "root").await;
    assert_eq!(read.unwrap(), limits);
}

/// How many of so many creates at once get through.
async fn at_once(house: &Arc<House>, keyring: &'static str, round: u32) -> usize {
    let tasks: Vec<_> = (0..24)
        .map(|number| {
            let house = Arc::clone(house);
            tokio::spawn(
                async move { create(&house, keyring, &format!("r{round}-{number}")).await },
            )
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => made += 1,
            Err(Error::QuotaExceeded { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_stay_within_their_limit_however_many_are_made_at_once() {
    let house = House::new().await;
    create(&house, "default", "before").await.unwrap();
    let ring = house
        .engine
        .create_keyring(&house.root, "root", "small", Defaults::default());
    ring.await.unwrap();
    set(
        &house,
        Limits {
            keys: Some(12),
            keyrings: BTreeMap::from([("small".to_owned(), 4)]),
            ..Limits::default()
        },
    )
    .await;
    let house = Arc::new(house);
    assert_eq!(at_once(&house, "small", 1).await, 4);
    assert_eq!(at_once(&house, "default", 2).await, 12 - 1 - 4);
    // The limit and the count outlive a restart.
    let house = Arc::into_inner(house).unwrap().restart().await;
    let over = create(&house, "default", "over").await;
    assert!(matches!(over, Err(Error::QuotaExceeded { limit: 12, .. })));
    // A key that goes makes room for one, and no more.
    let destroy = house
        .engine
        .destroy_key(&house.root, at("before"), Versions::All, None);
    destroy.await.unwrap();
    house.config.clock.advance_seconds(8 * 24 * 3600);
    house.engine.do_what_is_due().await.unwrap();
    house
        .engine
        .delete_key(&house.root, at("before"))
        .await
        .unwrap();
    let house = Arc::new(house);
    assert_eq!(at_once(&house, "default", 3).await, 1);
    // A failed create takes no room.
    set(
        &house,
        Limits {
            keys: Some(14),
            ..Limits::default()
        },
    )
    .await;
    create(&house, "default", "one").await.unwrap();
    for _ in 0..3 {
        let taken = create(&house, "default", "one").await;
        assert!(matches!(taken, Err(Error::Exists { .. })));
    }
    create(&house, "default", "two").await.unwrap();
    assert!(create(&house, "default", "three").await.is_err());
}

async fn issue(house: &House, principal: &str, ttl_seconds: Option<u64>) -> Result<IssuedToken> {
    let new = NewToken {
        principal: principal.into(),
        groups: BTreeSet::new(),
        ttl_seconds,
        description: String::new(),
    };
    house.engine.create_token(&house.root, "root", new).await
}

#[tokio::test]
async fn tokens_stay_within_their_limit_and_those_that_ended_do_not_count() {
    let house = House::new().await;
    let first = issue(&house, "robot", None).await.unwrap();
    set(
        &house,
        Limits {
            tokens_per_principal: Some(2),
            ..Limits::default()
        },
    )
    .await;
    issue(&house, "robot", Some(60)).await.unwrap();
    let over = issue(&house, "robot", None).await;
    assert!(matches!(over, Err(Error::QuotaExceeded { limit: 2, .. })));
    issue(&house, "other", None).await.unwrap();
    house.config.clock.advance_seconds(60);
    issue(&house, "robot", None).await.unwrap();
    assert!(issue(&house, "robot", None).await.is_err());
    let revoke = house
        .engine
        .revoke_token(&house.root, "root", first.view.id);
    revoke.await.unwrap();
    issue(&house, "robot", None).await.unwrap();
    assert!(issue(&house, "robot", None).await.is_err());
}

#[tokio::test]
async fn a_tenant_cannot_lift_its_own_limits() {
    let house = House::new().await;
    house
        .engine
        .create_namespace(&house.root, "tenant")
        .await
        .unwrap();
    let policy = r#"permit (principal, action, resource);"#;
    house
        .engine
        .write_policy(&house.root, "tenant", "all", policy)
        .await
        .unwrap();
    let new = NewToken {
        principal: "boss".into(),
        groups: BTreeSet::new(),
        ttl_seconds: None,
        description: String::new(),
    };
    let issued = house.engine.create_token(&house.root, "tenant", new).await;
    let token = String::from_utf8(issued.unwrap().token.into_public()).unwrap();
    let boss = caller(&house.engine, &token).await;
    house.engine.read_limits(&boss, "tenant").await.unwrap();
    let lifted = house
        .engine
        .write_limits(&boss, "tenant", Limits::default());
    assert!(matches!(
        lifted.await,
        Err(Error::NotFound { .. } | Error::Forbidden { .. })
    ));
    // The limits go with the namespace.
    let limits = Limits {
        keys: Some(0),
        ..Limits::default()
    };
    let set = house.engine.write_limits(&house.root, "tenant", limits);
    set.await.unwrap();
    let gone = house.engine.delete_policy(&house.root, "tenant", "all");
    gone.await.unwrap();
    let gone = house.engine.delete_namespace(&house.root, "tenant");
    gone.await.unwrap();
    let made = house.engine.create_namespace(&house.root, "tenant");
    made.await.unwrap();
    let fresh = house.engine.read_limits(&house.root, "tenant").await;
    assert_eq!(fresh.unwrap(), Limits::default());
    assert!(
        house
            .engine
            .verify_storage(&house.root)
            .await
            .unwrap()
            .store
            .is_sound()
    );
}

fn passing(house: &House, caller: &Caller, urgent: bool, tries: usize) -> usize {
    (0..tries)
        .filter(|_| match house.engine.admit(&caller.session, urgent) {
            Ok(()) => true,
            Err(Error::RateLimited {
                retry_after_seconds,
            }) => {
                assert_eq!(retry_after_seconds, 1);
                false
            }
            Err(other) => panic!("{other}"),
        })
        .count()
}

#[tokio::test]
async fn a_principal_has_its_rate_and_a_flood_leaves_an_event_a_second() {
    let house = House::new().await;
    let (loud, quiet) = (
        house.caller_in("loud", &[]).await,
        house.caller_in("quiet", &[]).await,
    );
    assert_eq!(passing(&house, &loud, false, 10_000), 10_000);
    set(
        &house,
        Limits {
            rate: Rate::new(1000, 1000).ok(),
            rates: BTreeMap::from([("loud".to_owned(), Rate::new(10, 20).unwrap())]),
            ..Limits::default()
        },
    )
    .await;
    assert_eq!(passing(&house, &loud, false, 500), 20);
    // Another token of the same principal shares its rate.
    let again = house.caller_in("loud", &["reader"]).await;
    assert_eq!(passing(&house, &again, false, 500), 0);
    assert_eq!(passing(&house, &quiet, false, 500), 500);
    // What must get through does, within reason.
    assert_eq!(passing(&house, &loud, true, 500), 40);
    house.config.clock.advance_seconds(1);
    assert_eq!(passing(&house, &loud, false, 500), 10);
    let before = house.engine.newest_event().unwrap().unwrap();
    for _ in 0..50 {
        house.engine.record_limited(&loud).await.unwrap();
    }
    house.config.clock.advance_seconds(1);
    house.engine.record_limited(&loud).await.unwrap();
    let events = house
        .engine
        .read_events(&house.root, "root", before + 1, 100)
        .await
        .unwrap()
        .0;
    let counts: Vec<_> = events
        .iter()
        .filter(|recorded| recorded.event.action.as_str() == "request.limited")
        .map(|recorded| {
            assert_eq!(recorded.event.principal.as_str(), "loud");
            recorded.event.details.get(skms_evidence::DetailKey::Count)
        })
        .collect();
    let [Some(one), Some(rest)] = counts.as_slice() else {
        panic!("{counts:?}");
    };
    assert_eq!((*one, *rest), (&1u64.into(), &50u64.into()));
}

#[tokio::test]
async fn limits_that_cannot_be_are_refused() {
    let house = House::new().await;
    let bad = Limits {
        rate: Some(Rate {
            per_second: 0,
            burst: 1,
        }),
        ..Limits::default()
    };
    let refused = house.engine.write_limits(&house.root, "root", bad).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let nowhere = house
        .engine
        .write_limits(&house.root, "nowhere", Limits::default());
    assert!(matches!(nowhere.await, Err(Error::NotFound { .. })));
}
