//! Keys that rotate with others.

use skms_crypto::Algorithm;
use skms_engine::Error;
use skms_engine::acts::create_key::NewKeySpec;
use skms_keys::{KeyId, KeyUpdate, Rules};

use crate::common::{House, at};

fn with(leader: Option<KeyId>) -> Rules {
    Rules {
        rotate_with: leader,
        ..Rules::default()
    }
}

impl House {
    async fn id(&self, name: &str) -> KeyId {
        let read = self.engine.read_key(&self.root, at(name)).await.unwrap();
        read.key().id
    }

    async fn lead(&self, follower: &str, leader: &str) -> Result<(), Error> {
        let update = KeyUpdate {
            rules: Some(with(Some(self.id(leader).await))),
            ..KeyUpdate::default()
        };
        let updated = self
            .engine
            .update_key(&self.root, at(follower), update, None, None, None);
        updated.await.map(drop)
    }

    async fn rotate(&self, name: &str) {
        self.engine
            .rotate_key(&self.root, at(name), None)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_row_of_keys_rotates_one_after_the_other_and_once() {
    let house = House::new().await;
    for name in ["a", "b", "c"] {
        house.create(name, Algorithm::Xaes256Gcm).await;
    }
    // What was before the rule does not count.
    house.rotate("a").await;
    house.lead("b", "a").await.unwrap();
    house.lead("c", "b").await.unwrap();
    house.settle().await;
    assert_eq!((house.newest("b").await, house.newest("c").await), (1, 1));
    house.rotate("a").await;
    house.settle().await;
    assert_eq!((house.newest("b").await, house.newest("c").await), (2, 2));
    house.settle().await;
    assert_eq!((house.newest("b").await, house.newest("c").await), (2, 2));
    // The leader rotates, and the process ends before anybody follows.
    house.rotate("a").await;
    let house = house.restart().await;
    house.engine.sweep_agenda().await.unwrap();
    house.settle().await;
    assert_eq!((house.newest("b").await, house.newest("c").await), (3, 3));
    // Several rotations of the leader that were missed are one.
    for _ in 0..3 {
        house.rotate("a").await;
    }
    house.settle().await;
    assert_eq!((house.newest("b").await, house.newest("c").await), (4, 4));
}

#[tokio::test]
async fn circles_and_absent_leaders_are_refused() {
    let house = House::new().await;
    for name in ["a", "b", "c"] {
        house.create(name, Algorithm::Xaes256Gcm).await;
    }
    let circle = |result: Result<(), Error>| match result {
        Err(Error::Invalid(why)) => assert!(why.contains("circle"), "{why}"),
        other => panic!("{other:?}"),
    };
    circle(house.lead("a", "a").await);
    house.lead("b", "a").await.unwrap();
    house.lead("c", "b").await.unwrap();
    circle(house.lead("a", "c").await);
    circle(house.lead("a", "b").await);
    let spec = |leader| NewKeySpec {
        rules: Some(with(Some(leader))),
        ..NewKeySpec::default()
    };
    let (engine, root) = (&house.engine, &house.root);
    let absent = engine.create_key(root, at("d"), spec(KeyId([9; 16]))).await;
    assert!(matches!(absent, Err(Error::NotFound { .. })));
    assert!(engine.read_key(root, at("d")).await.is_err());
    engine
        .create_key(root, at("d"), spec(house.id("c").await))
        .await
        .unwrap();
    house.settle().await;
    house.rotate("a").await;
    house.settle().await;
    assert_eq!(house.newest("d").await, 2);
    // A row has an end.
    let mut last = "d".to_owned();
    for number in 0..20 {
        let name = format!("row-{number}");
        let made = engine
            .create_key(root, at(&name), spec(house.id(&last).await))
            .await;
        match made {
            Ok(_) => last = name,
            Err(Error::Invalid(why)) => {
                assert!(why.contains("16"), "{why}");
                assert!(number > 5, "{number}");
                return;
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!("a row of any length");
}

#[tokio::test]
async fn a_leader_that_the_caller_may_not_read_looks_absent() {
    let house = House::new().await;
    for name in ["leader", "follower"] {
        house.create(name, Algorithm::Xaes256Gcm).await;
    }
    let (engine, root) = (&house.engine, &house.root);
    let clerk = house.caller_in("clerk", &[]).await;
    let may = async |action: &str, key: &str| {
        let text = format!(
            r#"permit (principal == SKMS::Principal::"clerk",
                action in [{action}], resource == SKMS::Key::"root/default/{key}");"#
        );
        let name = format!("clerk-{key}");
        let written = engine.write_policy(root, "root", &name, &text);
        written.await.unwrap();
    };
    may(
        r#"SKMS::Action::"key.update", SKMS::Action::"key.read""#,
        "follower",
    )
    .await;
    may(r#"SKMS::Action::"key.create""#, "new").await;
    let lead = async |leader: KeyId| {
        let update = KeyUpdate {
            rules: Some(with(Some(leader))),
            ..KeyUpdate::default()
        };
        let updated = engine.update_key(&clerk, at("follower"), update, None, None, None);
        updated.await.map(drop)
    };
    let create = async |leader: KeyId| {
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::Xaes256Gcm),
            rules: Some(with(Some(leader))),
            ..NewKeySpec::default()
        };
        engine.create_key(&clerk, at("new"), spec).await.map(drop)
    };
    let (leader, nobody) = (house.id("leader").await, KeyId([9; 16]));
    let mut said = Vec::new();
    for refused in [
        lead(leader).await,
        create(leader).await,
        lead(nobody).await,
        create(nobody).await,
    ] {
        let refused = refused.err().unwrap();
        assert!(matches!(refused, Error::NotFound { .. }), "{refused}");
        said.push(refused.to_string());
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    house.rotate("leader").await;
    house.settle().await;
    assert_eq!(house.newest("follower").await, 1);
    may(r#"SKMS::Action::"key.read""#, "leader").await;
    lead(leader).await.unwrap();
    create(leader).await.unwrap();
    house.rotate("leader").await;
    house.settle().await;
    assert_eq!(
        (house.newest("follower").await, house.newest("new").await),
        (2, 2)
    );
}

#[tokio::test]
async fn two_rules_at_once_close_no_circle() {
    let house = std::sync::Arc::new(House::new().await);
    for round in 0..10 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        house.create(&a, Algorithm::Xaes256Gcm).await;
        house.create(&b, Algorithm::Xaes256Gcm).await;
        let one = tokio::spawn({
            let (house, a, b) = (house.clone(), a.clone(), b.clone());
            async move { house.lead(&a, &b).await.is_ok() }
        });
        let other = house.lead(&b, &a).await.is_ok();
        assert!(one.await.unwrap() != other, "one of the two");
    }
}
