//! Keys that rotate by themselves.
#![allow(clippy::unwrap_used, missing_docs)]

mod algorithms;
#[path = "../common/mod.rs"]
mod common;
mod followers;
mod leavers;
mod occasions;
mod old;
mod warnings;
mod withdrawals;

use common::{House, START_MS, at};
use skms_crypto::Algorithm;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::events::Recorded;
use skms_evidence::{DetailKey, DetailValue};
use skms_keys::{KeyState, KeyUpdate, Rules, Schedule, UnixSeconds, VersionNumber, Versions};

pub const DAY: i64 = 86_400;

pub fn detail(recorded: &Recorded, key: DetailKey) -> String {
    match recorded.event.details.get(key) {
        Some(DetailValue::Text(text)) => text.as_str().to_owned(),
        Some(DetailValue::Number(number)) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

impl House {
    pub async fn with_rules(&self, name: &str, algorithm: Algorithm, rules: Rules) {
        let spec = NewKeySpec {
            algorithm: Some(algorithm),
            rules: Some(rules),
            ..NewKeySpec::default()
        };
        let made = self.engine.create_key(&self.root, at(name), spec).await;
        made.unwrap();
    }

    /// The events of an act that the server itself did.
    pub async fn acts(&self, action: &str) -> Vec<Recorded> {
        let mut all: Vec<Recorded> = Vec::new();
        loop {
            let from = all.last().map_or(0, |last| last.sequence + 1);
            let read = self.engine.read_events(&self.root, "root", from, 1000);
            let (some, _) = read.await.unwrap();
            let less = some.len() < 1000;
            all.extend(some);
            if less {
                break;
            }
        }
        all.retain(|one| {
            one.event.principal.as_str() == "agenda" && one.event.action.as_str() == action
        });
        all
    }

    /// The number of a key's newest version.
    pub async fn newest(&self, name: &str) -> u32 {
        let read = self.engine.read_key(&self.root, at(name)).await.unwrap();
        read.key().newest().unwrap().number.0
    }

    /// Everything that is due, until nothing is.
    pub async fn settle(&self) {
        for _ in 0..1000 {
            if self.engine.do_what_is_due().await.unwrap() == 0 {
                return;
            }
        }
        panic!("there is always more to do");
    }
}

pub fn monthly() -> Rules {
    Rules {
        rotate_at: Some(Schedule::read("0 3 1 * *", Some("Europe/Berlin")).unwrap()),
        rotate_spread_seconds: Some(0),
        ..Rules::default()
    }
}

#[tokio::test]
async fn a_schedule_rotates_at_its_time_and_once_for_all_that_were_missed() {
    let house = House::new().await;
    house
        .with_rules("monthly", Algorithm::Xaes256Gcm, monthly())
        .await;
    // The house begins at 2026-01-01T00:00:00Z: 03:00 in Berlin is 02:00.
    house.config.clock.advance_seconds(2 * 3600 - 1);
    house.settle().await;
    assert_eq!(house.newest("monthly").await, 1);
    house.config.clock.advance_seconds(1);
    house.settle().await;
    assert_eq!(house.newest("monthly").await, 2);
    house.settle().await;
    assert_eq!(house.newest("monthly").await, 2);
    // A server that was away for half a year.
    let house = house.restart().await;
    house.config.clock.advance_seconds(180 * DAY);
    house.engine.sweep_agenda().await.unwrap();
    house.settle().await;
    assert_eq!(house.newest("monthly").await, 3);
    // A clock that goes back does nothing again.
    house.config.clock.advance_seconds(-20 * DAY);
    house.settle().await;
    house.config.clock.advance_seconds(20 * DAY);
    house.settle().await;
    assert_eq!(house.newest("monthly").await, 3);
}

#[tokio::test]
async fn bytes_are_counted_never_too_low_and_rotate() {
    let house = House::new().await;
    let rules = Rules {
        rotate_after_bytes: Some(1 << 20),
        ..Rules::default()
    };
    house.with_rules("bulk", Algorithm::Xaes256Gcm, rules).await;
    let text = vec![0; 100_000];
    let reserved = async |house: &House| {
        let read = house
            .engine
            .read_key(&house.root, at("bulk"))
            .await
            .unwrap();
        let newest = read.key().newest().unwrap();
        (newest.number, newest.bytes_reserved)
    };
    for _ in 0..3 {
        house.encrypt("bulk", &text).await.unwrap();
    }
    let (_, before) = reserved(&house).await;
    assert!(before >= 300_000, "{before}");
    // What was reserved and not spent is lost with the process.
    let house = house.restart().await;
    house.encrypt("bulk", &text).await.unwrap();
    let (_, after) = reserved(&house).await;
    assert!(after >= before + 100_000, "{after}");
    for _ in 0..7 {
        house.encrypt("bulk", &text).await.unwrap();
    }
    house.settle().await;
    let (number, fresh) = reserved(&house).await;
    assert_eq!((number, fresh), (VersionNumber(2), 0));
    let sealed = house.encrypt("bulk", &text).await.unwrap();
    assert_eq!(sealed.version, VersionNumber(2));
}

#[tokio::test]
async fn many_keys_of_one_date_rotate_a_few_at_a_time() {
    let house = House::new().await;
    let rules = Rules {
        rotate_after_seconds: Some(1000),
        rotate_spread_seconds: Some(0),
        ..Rules::default()
    };
    for number in 0..60 {
        let name = format!("key-{number}");
        house.with_rules(&name, Algorithm::Xaes256Gcm, rules).await;
    }
    let ends = Rules {
        expires_at: Some(UnixSeconds(START_MS / 1000 + 1000)),
        ..Rules::default()
    };
    house.with_rules("ends", Algorithm::Xaes256Gcm, ends).await;
    house.config.clock.advance_seconds(1000);
    let mut rounds = Vec::new();
    loop {
        match house.engine.do_what_is_due().await.unwrap() {
            0 => break,
            changed => rounds.push(changed),
        }
    }
    // What is no rotation does not wait for them.
    assert_eq!(rounds, [26, 25, 10]);
    let read = house.engine.read_key(&house.root, at("ends")).await;
    let read = read.unwrap();
    assert_eq!(read.key().newest().unwrap().state, KeyState::Deactivated);
    for number in 0..60 {
        assert_eq!(house.newest(&format!("key-{number}")).await, 2);
    }
}

#[tokio::test]
async fn what_cannot_be_rotated_keeps_no_other_from_its_turn() {
    let house = House::new().await;
    let rules = Rules {
        rotate_after_seconds: Some(1000),
        rotate_spread_seconds: Some(0),
        destroy_window_seconds: 2000,
        ..Rules::default()
    };
    house.with_rules("held", Algorithm::Xaes256Gcm, rules).await;
    house.with_rules("free", Algorithm::Xaes256Gcm, rules).await;
    let (engine, root) = (&house.engine, &house.root);
    engine.rotate_key(root, at("held"), None).await.unwrap();
    let first = Versions::One(VersionNumber(1));
    let goes = engine.destroy_key(root, at("held"), first, None);
    goes.await.unwrap();
    let newest = Versions::One(VersionNumber(2));
    engine.suspend_key(root, at("held"), newest).await.unwrap();
    house.config.clock.advance_seconds(1000);
    house.settle().await;
    assert_eq!(house.newest("free").await, 2);
    assert_eq!(house.newest("held").await, 2);
    // What else is to be done with it does not wait.
    house.config.clock.advance_seconds(1000);
    house.settle().await;
    let read = engine.read_key(root, at("held")).await.unwrap();
    let first = read.key().version(VersionNumber(1)).unwrap();
    assert_eq!(first.state, KeyState::Destroyed);
    // It is due as soon as it may be.
    engine
        .resume_key(root, at("held"), Versions::All)
        .await
        .unwrap();
    house.settle().await;
    assert_eq!(house.newest("held").await, 3);
}

#[tokio::test]
async fn a_rule_that_was_taken_away_calls_no_more() {
    let house = House::new().await;
    house
        .with_rules("monthly", Algorithm::Xaes256Gcm, monthly())
        .await;
    let update = KeyUpdate {
        rules: Some(Rules::default()),
        ..KeyUpdate::default()
    };
    let (engine, root) = (&house.engine, &house.root);
    engine
        .update_key(root, at("monthly"), update, None, None, None)
        .await
        .unwrap();
    house.config.clock.advance_seconds(400 * DAY);
    house.settle().await;
    assert_eq!(house.newest("monthly").await, 1);
}
