//! Policies change one at a time, and what is in force is all that is stored.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{House, at, plain};
use skms_crypto::Algorithm;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::encrypt;
use skms_engine::{Caller, Error};

/// A policy about one principal and the key of the tests.
fn says(effect: &str, principal: &str) -> String {
    format!(
        "{effect} (principal == SKMS::Principal::\"{principal}\", \
         action == SKMS::Action::\"key.encrypt\", \
         resource == SKMS::Key::\"root/default/shared\");"
    )
}

/// Which of these principals may encrypt.
async fn may(house: &House, principals: &[&str]) -> Vec<bool> {
    let mut answers = Vec::new();
    for principal in principals {
        let caller = house.caller_in(principal, &[]).await;
        let done = house
            .engine
            .operate_one::<encrypt::Encrypt>(&caller, at("shared"), plain(b"x"))
            .await;
        answers.push(done.is_ok());
    }
    answers
}

#[tokio::test]
async fn a_change_leaves_the_others_in_force_and_a_restart_finds_the_same() {
    let house = House::new().await;
    house.create("shared", Algorithm::Aes256Gcm).await;
    let (engine, root) = (&house.engine, &house.root);
    let steps = [
        ("first", Some(says("permit", "a")), [true, false, false]),
        ("second", Some(says("permit", "b")), [true, true, false]),
        ("stop", Some(says("forbid", "b")), [true, false, false]),
        ("first", Some(says("permit", "c")), [false, false, true]),
        ("stop", None, [false, true, true]),
        ("second", None, [false, false, true]),
    ];
    for (name, text, expected) in &steps {
        match text {
            Some(text) => drop(engine.write_policy(root, "root", name, text).await.unwrap()),
            None => engine.delete_policy(root, "root", name).await.unwrap(),
        }
        assert_eq!(may(&house, &["a", "b", "c"]).await, expected, "{name}");
    }
    let house = house.restart().await;
    assert_eq!(may(&house, &["a", "b", "c"]).await, [false, false, true]);
}

#[tokio::test]
async fn policies_written_at_once_are_all_in_force() {
    let house = House::new().await;
    house.create("shared", Algorithm::Aes256Gcm).await;
    let names: Vec<String> = (0..16).map(|number| format!("p{number}")).collect();
    let writes: Vec<_> = names
        .iter()
        .map(|name| {
            let (engine, root) = (Arc::clone(&house.engine), Arc::clone(&house.root));
            let (name, text) = (name.clone(), says("permit", name));
            tokio::spawn(async move { engine.write_policy(&root, "root", &name, &text).await })
        })
        .collect();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(may(&house, &names).await, [true; 16]);
    assert_eq!(may(&house, &["other"]).await, [false]);
}

#[tokio::test]
async fn a_deletion_waits_for_no_key_in_the_making_and_ends_who_may_make_it() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    let app = house.caller_in("app", &[]).await;
    let text = "permit (principal == SKMS::Principal::\"app\", \
                action == SKMS::Action::\"key.create\", resource);";
    engine
        .write_policy(root, "root", "app", text)
        .await
        .unwrap();
    let make = |who: &Arc<Caller>, name: String| {
        let (engine, who) = (Arc::clone(engine), Arc::clone(who));
        tokio::spawn(async move {
            let spec = NewKeySpec {
                algorithm: Some(Algorithm::Rsa4096),
                ..NewKeySpec::default()
            };
            engine.create_key(&who, at(&name), spec).await
        })
    };
    // The app's key stands behind so many others that it cannot be made yet.
    let mut others = Vec::new();
    for number in 0..4 * house.config.slow_threads {
        others.push(make(root, format!("other-{number}")));
    }
    let begun = || {
        let done = others.iter().filter(|other| other.is_finished()).count();
        done + engine.load().slow_jobs
    };
    while begun() < others.len() {
        tokio::task::yield_now().await;
    }
    let apps = make(&app, "apps".to_owned());
    while begun() <= others.len() {
        assert!(!apps.is_finished());
        tokio::task::yield_now().await;
    }
    engine.delete_policy(root, "root", "app").await.unwrap();
    assert!(!apps.is_finished(), "the deletion waited");
    let refused = apps.await.unwrap();
    assert!(matches!(
        refused,
        Err(Error::Forbidden { .. } | Error::NotFound { .. })
    ));
    for other in others {
        other.await.unwrap().unwrap();
    }
}
