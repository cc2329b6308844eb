//! Keys that rotate when their algorithm is withdrawn.

use skms_crypto::{Algorithm, Use, Uses};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::withdraw_algorithm::{Order, Withdrawal};
use skms_evidence::{DetailKey, Outcome};
use skms_keys::{KeyUpdate, Occasion, Rules, Versions, Why};

use crate::common::{House, at};
use crate::{DAY, detail};

const OLD: Algorithm = Algorithm::Aes128Gcm;

fn on_withdrawal() -> Rules {
    Rules {
        rotate_on: [Occasion::AlgorithmWithdrawn].into_iter().collect(),
        ..Rules::default()
    }
}

impl House {
    async fn withdraw(&self, algorithm: Algorithm, successor: Option<Algorithm>) -> Withdrawal {
        self.order(algorithm, successor, false).await
    }

    async fn order(
        &self,
        algorithm: Algorithm,
        successor: Option<Algorithm>,
        dry_run: bool,
    ) -> Withdrawal {
        let order = Order {
            algorithm: algorithm.name().into(),
            reason: "too short".into(),
            protects_until: None,
            successor: successor.map(|one| one.name().to_owned()),
            dry_run,
        };
        let done = self.engine.withdraw_algorithm(&self.root, order);
        done.await.unwrap()
    }

    /// A key's newest version and its algorithm.
    async fn stands(&self, name: &str) -> (u32, Algorithm) {
        let read = self.engine.read_key(&self.root, at(name)).await.unwrap();
        let newest = read.key().newest().unwrap().number;
        (newest.0, read.key().algorithm_of(newest))
    }

    async fn due(&self) -> Vec<(String, Why)> {
        let due = self.engine.keys_due(&self.root, "root", 0, 100);
        let items = due.await.unwrap().items.into_iter();
        let of =
            |item: skms_engine::acts::due::DueItem| (item.name.as_ref().to_owned(), item.due.why);
        items.map(of).collect()
    }
}

#[tokio::test]
async fn the_keys_that_say_so_go_to_the_successor_once() {
    let house = House::new().await;
    house.with_rules("card", OLD, on_withdrawal()).await;
    house.create("stays", OLD).await;
    let other = Algorithm::Aes192Gcm;
    house.with_rules("other", other, on_withdrawal()).await;
    let old = house.encrypt("card", b"old").await.unwrap();
    house.settle().await;
    let dry = house.order(OLD, Some(Algorithm::Aes256Gcm), true).await;
    assert_eq!((dry.keys, dry.rotating.len()), (2, 1));
    house.settle().await;
    assert_eq!(house.stands("card").await, (1, OLD));
    let done = house.withdraw(OLD, Some(Algorithm::Aes256Gcm)).await;
    assert_eq!(done.rotating, ["root/default/card"]);
    let due = ("card".to_owned(), Why::AlgorithmWithdrawn);
    assert_eq!(house.due().await, [due]);
    house.settle().await;
    let after = (2, Algorithm::Aes256Gcm);
    assert_eq!(house.stands("card").await, after);
    assert_eq!(house.due().await, []);
    assert_eq!(house.stands("stays").await, (1, OLD));
    assert_eq!(house.stands("other").await, (1, other));
    // It protects by the one and opens by the other.
    let new = house.encrypt("card", b"new").await.unwrap();
    house.decrypt("card", &new).await.unwrap();
    house.decrypt("card", &old).await.unwrap();
    let rotations = house.acts("key.rotate").await;
    assert_eq!(rotations.len(), 1);
    let said = |key| detail(&rotations[0], key);
    assert_eq!(said(DetailKey::Reason), "algorithm-withdrawn");
    assert_eq!(said(DetailKey::Algorithm), "AES-256-GCM");
    // Once, however often it is looked at, and said.
    house.withdraw(OLD, Some(Algorithm::Aes256Gcm)).await;
    house.settle().await;
    let house = house.restart().await;
    house.engine.sweep_agenda().await.unwrap();
    house.settle().await;
    house.config.clock.advance_seconds(3 * DAY);
    house.engine.sweep_agenda().await.unwrap();
    house.settle().await;
    assert_eq!(house.stands("card").await, after);
}

#[tokio::test]
async fn a_restart_in_between_loses_nothing() {
    let house = House::new().await;
    house.with_rules("card", OLD, on_withdrawal()).await;
    house.withdraw(OLD, Some(Algorithm::Aes256Gcm)).await;
    // Before the job saw it.
    let house = house.restart().await;
    house.engine.sweep_agenda().await.unwrap();
    house.settle().await;
    assert_eq!(house.stands("card").await, (2, Algorithm::Aes256Gcm));
    // A withdrawal while the walk after an unseal has not been here yet.
    let house = house.restart().await;
    house
        .withdraw(Algorithm::Aes256Gcm, Some(Algorithm::Xaes256Gcm))
        .await;
    house.engine.sweep_agenda().await.unwrap();
    house.settle().await;
    assert_eq!(house.stands("card").await, (3, Algorithm::Xaes256Gcm));
}

#[tokio::test]
async fn the_rule_counts_from_when_it_is_there() {
    let house = House::new().await;
    house.create("late", OLD).await;
    house.create("hand", OLD).await;
    house.withdraw(OLD, Some(Algorithm::Aes256Gcm)).await;
    house.settle().await;
    let (engine, root) = (&house.engine, &house.root);
    let update = || KeyUpdate {
        rules: Some(on_withdrawal()),
        ..KeyUpdate::default()
    };
    for name in ["late", "hand"] {
        let changed = engine.update_key(root, at(name), update(), None, None, None);
        changed.await.unwrap();
    }
    // By hand it goes the same way.
    engine.rotate_key(root, at("hand"), None).await.unwrap();
    house.settle().await;
    for name in ["late", "hand"] {
        assert_eq!(house.stands(name).await, (2, Algorithm::Aes256Gcm));
    }
    // It is taken back, and taken back before anybody saw it.
    house
        .with_rules("new", Algorithm::Xaes256Gcm, on_withdrawal())
        .await;
    house
        .withdraw(Algorithm::Xaes256Gcm, Some(Algorithm::Aes256Gcm))
        .await;
    engine
        .readmit_algorithm(root, Algorithm::Xaes256Gcm.name())
        .await
        .unwrap();
    house.settle().await;
    assert_eq!(house.stands("new").await, (1, Algorithm::Xaes256Gcm));
}

#[tokio::test]
async fn without_a_successor_nothing_happens_and_a_chain_is_followed() {
    let house = House::new().await;
    house.with_rules("card", OLD, on_withdrawal()).await;
    house.withdraw(OLD, None).await;
    assert_eq!(house.due().await, []);
    house.settle().await;
    assert_eq!(house.stands("card").await, (1, OLD));
    assert_eq!(house.acts("key.rotate").await.len(), 0);
    // Said again, with a successor which has one itself.
    let (next, last) = (Algorithm::Aes192Gcm, Algorithm::Aes256Gcm);
    house.withdraw(OLD, Some(next)).await;
    house.withdraw(next, Some(last)).await;
    house.settle().await;
    assert_eq!(house.stands("card").await, (2, last));
}

#[tokio::test]
async fn a_successor_that_does_not_fit_is_said_every_day_until_it_does() {
    let house = House::new().await;
    let old = Algorithm::EcP256;
    let spec = NewKeySpec {
        algorithm: Some(old),
        uses: Some(Uses::of(&[Use::Agree])),
        rules: Some(on_withdrawal()),
        ..NewKeySpec::default()
    };
    let made = house.engine.create_key(&house.root, at("card"), spec).await;
    made.unwrap();
    // That signs, and this agrees on keys.
    let done = house.withdraw(old, Some(Algorithm::Ed25519)).await;
    assert_eq!(done.named.len(), 1);
    assert!(done.rotating.is_empty());
    let failures = async || {
        let mut all = house.acts("key.rotate").await;
        all.retain(|one| matches!(one.event.outcome, Outcome::Failed { .. }));
        all.len()
    };
    house.settle().await;
    house.settle().await;
    assert_eq!(failures().await, 1);
    house.config.clock.advance_seconds(DAY);
    house.settle().await;
    assert_eq!(failures().await, 2);
    assert_eq!(house.stands("card").await, (1, old));
    // A better one is not kept waiting.
    house.withdraw(old, Some(Algorithm::EcP384)).await;
    house.settle().await;
    assert_eq!(house.stands("card").await, (2, Algorithm::EcP384));
}

#[tokio::test]
async fn a_key_that_may_not_be_rotated_now_is_when_it_may() {
    let house = House::new().await;
    house.with_rules("held", OLD, on_withdrawal()).await;
    house.with_rules("ended", OLD, on_withdrawal()).await;
    let (engine, root) = (&house.engine, &house.root);
    let held = engine.suspend_key(root, at("held"), Versions::All);
    held.await.unwrap();
    let ended = engine.destroy_key(root, at("ended"), Versions::All, None);
    ended.await.unwrap();
    let done = house.withdraw(OLD, Some(Algorithm::Aes256Gcm)).await;
    assert!(done.rotating.is_empty(), "{:?}", done.rotating);
    house.settle().await;
    assert_eq!(house.stands("held").await, (1, OLD));
    let back = engine.resume_key(root, at("held"), Versions::All);
    back.await.unwrap();
    house.settle().await;
    assert_eq!(house.stands("held").await, (2, Algorithm::Aes256Gcm));
    assert_eq!(house.stands("ended").await, (1, OLD));
}

#[tokio::test]
async fn what_fell_due_meanwhile_is_done_when_the_algorithm_is_readmitted() {
    let house = House::new().await;
    let rules = Rules {
        rotate_after_seconds: Some(1000),
        rotate_spread_seconds: Some(0),
        ..Rules::default()
    };
    house.with_rules("card", OLD, rules).await;
    house.withdraw(OLD, None).await;
    house.config.clock.advance_seconds(1000);
    house.settle().await;
    assert_eq!(house.stands("card").await, (1, OLD));
    // Whoever watches hears why.
    let refused = house.acts("key.rotate").await;
    let [refused] = refused.as_slice() else {
        panic!("{refused:?}")
    };
    assert!(matches!(refused.event.outcome, Outcome::Failed { .. }));
    let readmitted = house.engine.readmit_algorithm(&house.root, OLD.name());
    readmitted.await.unwrap();
    house.settle().await;
    assert_eq!(house.stands("card").await, (2, OLD));
}

#[tokio::test]
async fn a_successor_does_something_of_what_it_succeeds() {
    let house = House::new().await;
    let order = |successor: Algorithm| Order {
        algorithm: OLD.name().into(),
        reason: "too short".into(),
        protects_until: None,
        successor: Some(successor.name().to_owned()),
        dry_run: true,
    };
    for other in [Algorithm::HkdfSha256, Algorithm::EcP256] {
        let done = house.engine.withdraw_algorithm(&house.root, order(other));
        assert!(done.await.is_err(), "{other}");
    }
}
