//! What a rule holds asks for approval by itself, and the last one lets it go.

use std::sync::Arc;

use skms_crypto::Algorithm;
use skms_engine::acts::approvals::{NewApproval, View};
use skms_engine::{Caller, Error};
use skms_evidence::DetailKey;
use skms_keys::KeyState;

use crate::common::House;
use crate::{DAY, detail};

const EVERYTHING: &str = r#"@answer("revoke") @reason("cessationOfOperation")
permit (principal, action == SKMS::Action::"rule.time", resource);"#;

const OFFICERS: &str = r#"permit (principal in SKMS::Group::"officers",
action in [SKMS::Action::"approval.approve", SKMS::Action::"approval.read"], resource);"#;

const MARK: &str = r#"@approvals("2") @approvers("SKMS::Group::\"officers\"") @valid_for("2d")
forbid (principal, action == SKMS::Action::"rule.release", resource);"#;

impl House {
    async fn waiting(&self) -> Vec<View> {
        let all = self.engine.list_approvals(&self.root, "root").await;
        let mut all = all.unwrap();
        all.retain(|one| one.state == "pending");
        all
    }

    async fn approves(&self, by: &Arc<Caller>, view: &View) -> skms_engine::Result<View> {
        let hash = view.facts.hash();
        let new = NewApproval {
            hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            ..NewApproval::default()
        };
        let id = view.id.to_string();
        self.engine.approve(by, ("root", &id), new).await
    }
}

async fn house() -> House {
    let house = House::new().await;
    for name in ["a", "b", "c", "d"] {
        house.create(name, Algorithm::Aes256Gcm).await;
    }
    for (name, text) in [("officers", OFFICERS), ("marks", MARK)] {
        let written = house.engine.write_policy(&house.root, "root", name, text);
        written.await.unwrap();
    }
    house.rule("all", EVERYTHING).await.unwrap();
    house
}

#[tokio::test]
async fn a_rule_that_would_revoke_everything_asks_for_approval() {
    let house = house().await;
    // Nobody is asked about nothing.
    let nothing = house
        .engine
        .release_rule(&house.root, ("root", "all"), false)
        .await;
    assert!(matches!(nothing, Err(Error::Invalid(_))));
    house.engine.judge_time().await.unwrap();
    assert_eq!(house.acts_of("all", "held").await, 4);
    let waiting = house.waiting().await;
    assert_eq!(waiting.len(), 1);
    let request = &waiting[0];
    let words = request.facts.in_words();
    for part in [
        "root/rules",
        "rule.release",
        "root/all",
        "holds 4 acts",
        "its limit",
    ] {
        assert!(words.contains(part), "{words}");
    }
    // Nobody lets it go alone.
    let alone = house
        .engine
        .release_rule(&house.root, ("root", "all"), false)
        .await;
    assert!(matches!(alone, Err(Error::ApprovalRefused(_))));
    let alice = house.caller_in("alice", &["officers"]).await;
    let bob = house.caller_in("bob", &["officers"]).await;
    assert_eq!(
        house.approves(&alice, request).await.unwrap().state,
        "pending"
    );
    assert_eq!(house.acts_of("all", "held").await, 4);
    let last = house.approves(&bob, request).await.unwrap();
    assert_eq!(last.state, "used");
    assert_eq!(house.acts_of("all", "done").await, 4);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(house.state(name).await, KeyState::Deactivated);
    }
    let released = house.by_rules("rule.release").await;
    assert_eq!(released.len(), 1);
    assert_eq!(
        detail(&released[0], DetailKey::Approvers),
        "root/alice root/bob"
    );
}

#[tokio::test]
async fn what_it_holds_later_is_asked_for_anew() {
    let house = house().await;
    house.engine.judge_time().await.unwrap();
    let first = house.waiting().await.remove(0);
    let alice = house.caller_in("alice", &["officers"]).await;
    house.approves(&alice, &first).await.unwrap();
    house.create("e", Algorithm::Aes256Gcm).await;
    house.config.clock.advance_seconds(DAY);
    house.engine.judge_time().await.unwrap();
    assert_eq!(house.acts_of("all", "held").await, 5);
    let waiting = house.waiting().await;
    assert_eq!(waiting.len(), 1);
    assert_ne!(waiting[0].id, first.id);
    assert!(waiting[0].facts.target.standing.contains("holds 5 acts"));
    let bob = house.caller_in("bob", &["officers"]).await;
    let late = house.approves(&bob, &first).await;
    assert!(matches!(late, Err(Error::ApprovalRefused(_))));
    assert_eq!(house.acts_of("all", "held").await, 5);
    // Approved, and the last step comes after a restart.
    let alice = house.caller_in("alice", &["officers"]).await;
    house.approves(&alice, &waiting[0]).await.unwrap();
    let house = house.restart().await;
    house.engine.expire_approvals().await.unwrap();
    assert_eq!(house.acts_of("all", "held").await, 5);
    let bob = house.caller_in("bob", &["officers"]).await;
    assert_eq!(
        house.approves(&bob, &waiting[0]).await.unwrap().state,
        "used"
    );
    assert_eq!(house.acts_of("all", "done").await, 5);
}
