//! Rotations that something calls for.

use skms_crypto::Algorithm;
use skms_engine::Error;
use skms_evidence::DetailKey;
use skms_keys::Versions;

use crate::common::{House, at};
use crate::detail;

impl House {
    async fn call(&self, name: &str, identity: &str) -> bool {
        let called =
            self.engine
                .call_for_rotation(at(name), identity, "the algorithm was withdrawn");
        called.await.unwrap()
    }
}

#[tokio::test]
async fn an_occasion_calls_once_across_restarts() {
    let house = House::new().await;
    house.create("card", Algorithm::Xaes256Gcm).await;
    assert!(house.call("card", "withdrawn/7").await);
    assert!(!house.call("card", "withdrawn/7").await, "it waits already");
    // Before it was answered the process ends.
    let house = house.restart().await;
    house.engine.sweep_agenda().await.unwrap();
    house.settle().await;
    assert_eq!(house.newest("card").await, 2);
    assert!(!house.call("card", "withdrawn/7").await, "it was answered");
    house.settle().await;
    let house = house.restart().await;
    house.engine.sweep_agenda().await.unwrap();
    assert!(!house.call("card", "withdrawn/7").await);
    house.settle().await;
    assert_eq!(house.newest("card").await, 2);
    // Two of them at once are one rotation, and the event has both.
    assert!(house.call("card", "withdrawn/8").await);
    assert!(house.call("card", "verdict/1").await);
    house.settle().await;
    assert_eq!(house.newest("card").await, 3);
    assert!(!house.call("card", "withdrawn/8").await);
    assert!(!house.call("card", "verdict/1").await);
    let rotations = house.acts("key.rotate").await;
    assert_eq!(rotations.len(), 2);
    let reason = detail(&rotations[1], DetailKey::Reason);
    let twice = "the algorithm was withdrawn; the algorithm was withdrawn";
    assert_eq!(reason, twice);
    let absent = house.engine.call_for_rotation(at("nobody"), "x", "y").await;
    assert!(matches!(absent, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_version_that_came_meanwhile_is_what_was_called_for() {
    let house = House::new().await;
    house.create("card", Algorithm::Xaes256Gcm).await;
    assert!(house.call("card", "one").await);
    house
        .engine
        .rotate_key(&house.root, at("card"), None)
        .await
        .unwrap();
    house.settle().await;
    assert_eq!(house.newest("card").await, 2);
    assert!(!house.call("card", "one").await, "it is settled");
    assert!(house.call("card", "two").await, "another one is not");
    house.settle().await;
    assert_eq!(house.newest("card").await, 3);
}

#[tokio::test]
async fn a_call_waits_for_a_key_that_may_not_be_rotated_now() {
    let house = House::new().await;
    house.create("card", Algorithm::Xaes256Gcm).await;
    let (engine, root) = (&house.engine, &house.root);
    engine
        .suspend_key(root, at("card"), Versions::All)
        .await
        .unwrap();
    assert!(house.call("card", "one").await);
    house.settle().await;
    assert_eq!(house.newest("card").await, 1);
    engine
        .resume_key(root, at("card"), Versions::All)
        .await
        .unwrap();
    house.settle().await;
    assert_eq!(house.newest("card").await, 2);
    // A key that goes takes its calls along.
    assert!(house.call("card", "two").await);
    engine
        .destroy_key(root, at("card"), Versions::All, None)
        .await
        .unwrap();
    house.config.clock.advance_seconds(8 * 86_400);
    house.settle().await;
    engine.delete_key(root, at("card")).await.unwrap();
    house.create("card", Algorithm::Xaes256Gcm).await;
    let house = house.restart().await;
    house.engine.sweep_agenda().await.unwrap();
    house.settle().await;
    assert_eq!(house.newest("card").await, 1);
}
