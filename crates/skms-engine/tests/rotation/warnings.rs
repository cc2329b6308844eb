//! Warnings, and what is due.

use skms_crypto::Algorithm;
use skms_evidence::DetailKey;
use skms_keys::{DueAct, Rules, Why};

use crate::common::{House, START_MS, at};
use crate::{DAY, detail, monthly};

fn quarterly() -> Rules {
    Rules {
        rotate_after_seconds: Some(90 * DAY as u64),
        rotate_spread_seconds: Some(0),
        ..Rules::default()
    }
}

#[tokio::test]
async fn a_rotation_is_warned_of_once_and_then_done() {
    let house = House::new().await;
    house
        .with_rules("card", Algorithm::Xaes256Gcm, quarterly())
        .await;
    house.config.clock.advance_seconds(83 * DAY - 1);
    house.settle().await;
    assert!(house.acts("key.warn").await.is_empty());
    house.config.clock.advance_seconds(1);
    house.settle().await;
    let warned = house.acts("key.warn").await;
    assert_eq!(warned.len(), 1);
    assert_eq!(detail(&warned[0], DetailKey::Reason), "rotate-every");
    let date = START_MS / 1000 + 90 * DAY;
    assert_eq!(detail(&warned[0], DetailKey::DueAt), date.to_string());
    // Not again, after a restart either, and whatever the clock does.
    let house = house.restart().await;
    house.config.clock.advance_seconds(-DAY);
    house.engine.sweep_agenda().await.unwrap();
    house.settle().await;
    house.config.clock.advance_seconds(3 * DAY);
    house.settle().await;
    assert_eq!(house.acts("key.warn").await.len(), 1);
    house.config.clock.advance_seconds(5 * DAY);
    house.settle().await;
    assert_eq!(house.newest("card").await, 2);
    // The next version has a warning of its own.
    house.config.clock.advance_seconds(84 * DAY);
    house.settle().await;
    assert_eq!(house.acts("key.warn").await.len(), 2);
}

#[tokio::test]
async fn a_server_that_was_away_warns_of_nothing_that_is_past() {
    let house = House::new().await;
    house
        .with_rules("card", Algorithm::Xaes256Gcm, quarterly())
        .await;
    house.config.clock.advance_seconds(200 * DAY);
    house.settle().await;
    assert_eq!(house.newest("card").await, 2);
    assert!(house.acts("key.warn").await.is_empty());
}

#[tokio::test]
async fn uses_and_bytes_are_warned_of_before_they_are_used_up() {
    let house = House::new().await;
    let rules = Rules {
        rotate_after_uses: Some(100),
        ..Rules::default()
    };
    house.with_rules("card", Algorithm::Xaes256Gcm, rules).await;
    for _ in 0..78 {
        house.encrypt("card", b"x").await.unwrap();
    }
    house.settle().await;
    assert!(house.acts("key.warn").await.is_empty());
    for _ in 0..6 {
        house.encrypt("card", b"x").await.unwrap();
    }
    house.settle().await;
    let warned = house.acts("key.warn").await;
    assert_eq!(warned.len(), 1);
    assert_eq!(detail(&warned[0], DetailKey::Reason), "rotate-after-uses");
    assert_eq!(house.newest("card").await, 1);
    for _ in 0..30 {
        house.encrypt("card", b"x").await.unwrap();
    }
    house.settle().await;
    assert_eq!(house.newest("card").await, 2);
    assert_eq!(house.acts("key.warn").await.len(), 1);
}

#[tokio::test]
async fn what_is_due_is_listed_by_time_for_whoever_may_read_it() {
    let house = House::new().await;
    house
        .with_rules("later", Algorithm::Xaes256Gcm, quarterly())
        .await;
    house
        .with_rules("soon", Algorithm::Xaes256Gcm, monthly())
        .await;
    house.create("never", Algorithm::Xaes256Gcm).await;
    let due = async |house: &House, within: i64, limit: usize| {
        let within = u64::try_from(within).unwrap();
        let found = house
            .engine
            .keys_due(&house.root, "root", within, limit)
            .await;
        found.unwrap()
    };
    let all = due(&house, 100 * DAY, 1000).await;
    let shown: Vec<_> = all
        .items
        .iter()
        .map(|item| (item.name.as_ref(), item.due.act, item.due.why))
        .collect();
    assert_eq!(
        shown,
        [
            ("soon", DueAct::Warn, Why::RotateAt),
            ("soon", DueAct::Rotate, Why::RotateAt),
            ("later", DueAct::Warn, Why::RotateEvery),
            ("later", DueAct::Rotate, Why::RotateEvery),
        ]
    );
    assert!(!all.more && all.items.is_sorted_by_key(|item| item.due.at));
    assert_eq!(due(&house, DAY, 1000).await.items.len(), 2);
    let few = due(&house, 100 * DAY, 3).await;
    assert!(few.more && few.items.len() == 3);
    assert_eq!(few.items[2].due, all.items[2].due);
    house
        .engine
        .call_for_rotation(at("never"), "one", "a reason")
        .await
        .unwrap();
    let called = due(&house, 0, 10).await;
    assert_eq!(called.items[0].due.why, Why::Called);
    // Not complete before a walk has been to the end.
    assert!(!called.complete);
    house.engine.sweep_agenda().await.unwrap();
    assert!(due(&house, 0, 10).await.complete);
    let stranger = house.caller_in("eve", &[]).await;
    let refused = house.engine.keys_due(&stranger, "root", 0, 10).await;
    assert!(refused.is_err());
    assert!(
        house
            .engine
            .keys_due(&house.root, "nowhere", 0, 10)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_is_due_of_keys_that_a_caller_may_not_read_is_not_listed() {
    let house = House::new().await;
    for name in ["open", "closed"] {
        house
            .with_rules(name, Algorithm::Xaes256Gcm, monthly())
            .await;
    }
    let clerk = house.caller_in("clerk", &[]).await;
    let text = r#"permit (
        principal == SKMS::Principal::"clerk",
        action == SKMS::Action::"key.due",
        resource == SKMS::Namespace::"root"
    );
    permit (
        principal == SKMS::Principal::"clerk",
        action == SKMS::Action::"key.read",
        resource == SKMS::Key::"root/default/open"
    );"#;
    let (engine, root) = (&house.engine, &house.root);
    let written = engine.write_policy(root, "root", "clerk", text);
    written.await.unwrap();
    let within = u64::try_from(100 * DAY).unwrap();
    let names = async |caller| {
        let found = engine.keys_due(caller, "root", within, 1000).await.unwrap();
        let names = found.items.iter().map(|item| item.name.as_ref().to_owned());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(
        names(root).await,
        ["closed", "open"].map(str::to_owned).into()
    );
    assert_eq!(names(&clerk).await, ["open"].map(str::to_owned).into());
}
