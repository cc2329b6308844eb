//! A create under an idempotency key is done once, whatever comes between.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{House, at};
use skms_crypto::Algorithm;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::principals::{NewPrincipal, ShownBy};
use skms_engine::acts::tokens::NewToken;
use skms_engine::{Caller, Error, IdempotencyKey, KeySnapshot, Page, Result};
use skms_keys::Defaults;

fn under(caller: &Arc<Caller>, key: &str, request: u8) -> Arc<Caller> {
    Arc::new(Caller {
        idempotency: Some(IdempotencyKey::new(key.to_owned(), [request; 32]).unwrap()),
        calling: skms_engine::approvals::Calling::default(),
        ..Caller::clone(caller)
    })
}

async fn create(house: &House, caller: &Arc<Caller>, name: &str) -> Result<Arc<KeySnapshot>> {
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Aes256Gcm),
        ..NewKeySpec::default()
    };
    house.engine.create_key(caller, at(name), spec).await
}

fn token() -> NewToken {
    NewToken {
        principal: "robot".into(),
        groups: BTreeSet::new(),
        ttl_seconds: None,
        description: String::new(),
    }
}

#[tokio::test]
async fn the_first_answer_is_given_again_also_after_a_restart() {
    let house = House::new().await;
    let first = create(&house, &under(&house.root, "k", 1), "a")
        .await
        .unwrap();
    let again = create(&house, &under(&house.root, "k", 1), "a")
        .await
        .unwrap();
    assert_eq!(first.key(), again.key());
    // Without a key, or with another, it is a request of its own.
    for caller in [Arc::clone(&house.root), under(&house.root, "l", 1)] {
        let other = create(&house, &caller, "a").await;
        assert!(matches!(other, Err(Error::Exists { .. })));
    }
    let house = house.restart().await;
    let again = create(&house, &under(&house.root, "k", 1), "a")
        .await
        .unwrap();
    assert_eq!(first.key(), again.key());
    // As it was then, whatever became of it.
    house
        .engine
        .rotate_key(&house.root, at("a"), None)
        .await
        .unwrap();
    let again = create(&house, &under(&house.root, "k", 1), "a")
        .await
        .unwrap();
    assert_eq!(first.key(), again.key());
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

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let house = House::new().await;
    create(&house, &under(&house.root, "k", 1), "a")
        .await
        .unwrap();
    let other = create(&house, &under(&house.root, "k", 2), "b").await;
    assert!(matches!(other, Err(Error::IdempotencyReused)));
    // A failure is not remembered: what was wrong can be put right.
    let failed = create(&house, &under(&house.root, "m", 3), "a").await;
    assert!(matches!(failed, Err(Error::Exists { .. })));
    create(&house, &under(&house.root, "m", 4), "c")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_key_belongs_to_its_principal_and_namespace() {
    let house = House::new().await;
    create(&house, &under(&house.root, "k", 1), "a")
        .await
        .unwrap();
    let other = house.caller_in("other", &["admin"]).await;
    create(&house, &under(&other, "k", 2), "b").await.unwrap();
    let root = under(&house.root, "k", 3);
    // Namespaces themselves are made in none.
    house
        .engine
        .create_namespace(&root, "tenant")
        .await
        .unwrap();
    let ring = |name: &'static str| {
        let root = under(&house.root, "k", 4);
        let engine = Arc::clone(&house.engine);
        async move {
            engine
                .create_keyring(&root, "tenant", name, Defaults::default())
                .await
        }
    };
    let made = ring("r").await.unwrap();
    assert_eq!(ring("r").await.unwrap(), made);
    // A namespace of the same name made later is another one.
    house
        .engine
        .delete_keyring(&house.root, "tenant", "r")
        .await
        .unwrap();
    house
        .engine
        .delete_namespace(&house.root, "tenant")
        .await
        .unwrap();
    house
        .engine
        .create_namespace(&house.root, "tenant")
        .await
        .unwrap();
    let fresh = ring("r").await.unwrap();
    assert_ne!(fresh.id, made.id);
}

#[tokio::test]
async fn many_at_once_make_one_object() {
    let house = Arc::new(House::new().await);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (house, caller) = (Arc::clone(&house), under(&house.root, "k", 1));
            tokio::spawn(async move { create(&house, &caller, "a").await })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(made) => drop(ids.insert(made.key().id.to_string())),
            Err(Error::IdempotencyInUse) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_day_later_the_key_is_free_again() {
    let house = House::new().await;
    let caller = |request| under(&house.root, "k", request);
    let first = create(&house, &caller(1), "a").await.unwrap();
    house.config.clock.advance_seconds(24 * 3600 - 1);
    assert_eq!(
        house.engine.forget_ended_idempotency_keys().await.unwrap(),
        0
    );
    let again = create(&house, &caller(1), "a").await.unwrap();
    assert_eq!(first.key(), again.key());
    house.config.clock.advance_seconds(1);
    // Taken over where it was not swept yet, and swept where it is not used.
    create(&house, &caller(2), "b").await.unwrap();
    assert_eq!(
        house.engine.forget_ended_idempotency_keys().await.unwrap(),
        0
    );
    house.config.clock.advance_seconds(24 * 3600);
    assert_eq!(
        house.engine.forget_ended_idempotency_keys().await.unwrap(),
        1
    );
    create(&house, &caller(3), "c").await.unwrap();
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

#[tokio::test]
async fn a_token_s_secret_is_given_once() {
    let house = House::new().await;
    let caller = under(&house.root, "k", 1);
    let issued = house
        .engine
        .create_token(&caller, "root", token())
        .await
        .unwrap();
    let again = house.engine.create_token(&caller, "root", token()).await;
    let Err(Error::SecretGiven { id }) = again else {
        panic!("a second token or its secret again");
    };
    assert_eq!(id, issued.view.id.to_string());
    house
        .engine
        .revoke_token(&house.root, "root", issued.view.id)
        .await
        .unwrap();
    let fresh = under(&house.root, "l", 1);
    let fresh = house
        .engine
        .create_token(&fresh, "root", token())
        .await
        .unwrap();
    assert_ne!(fresh.view.id, issued.view.id);
}

#[tokio::test]
async fn principals_and_namespaces_are_made_once_and_every_answer_leaves_an_event() {
    let house = House::new().await;
    let caller = under(&house.root, "k", 1);
    let new = NewPrincipal {
        name: "robot".into(),
        shown_by: ShownBy::Fingerprint("ab".repeat(32)),
        groups: BTreeSet::new(),
        expires_at: None,
    };
    let register = |new| house.engine.register_principal(&caller, "root", new);
    let made = register(new.clone()).await.unwrap();
    assert_eq!(register(new).await.unwrap().id, made.id);
    let made = house
        .engine
        .create_namespace(&caller, "tenant")
        .await
        .unwrap();
    let again = house
        .engine
        .create_namespace(&caller, "tenant")
        .await
        .unwrap();
    assert_eq!(again.id, made.id);
    let page = Page::new(100, None).unwrap();
    let (tenants, _) = house
        .engine
        .list_principals(&house.root, "root", &page)
        .await
        .unwrap();
    assert_eq!(tenants.len(), 1);
    let events = events(&house).await;
    let of = |action: &str| {
        events
            .iter()
            .filter(|(what, _)| what == action)
            .map(|(_, repeated)| *repeated)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("namespace.create"), [false, true]);
    assert_eq!(of("principal.write"), [false, true]);
}

/// The actions recorded, and whether each was an answer given again.
async fn events(house: &House) -> Vec<(String, bool)> {
    let read = house.engine.read_events(&house.root, "root", 0, 1000).await;
    read.unwrap()
        .0
        .into_iter()
        .map(|recorded| {
            let details = &recorded.event.details;
            let repeated = details.get(skms_evidence::DetailKey::Repeated).is_some();
            (recorded.event.action.to_string(), repeated)
        })
        .collect()
}
