//! What an approval is not good for.

use skms_crypto::Algorithm;
use skms_engine::acts::approvals::NewApproval;
use skms_engine::acts::rules::NewRule;
use skms_engine::approvals::Asked;
use skms_engine::{Error, Page};
use skms_evidence::{DetailKey, DetailValue};
use skms_keys::Versions;

use crate::common::{House, at};
use crate::{OFFICERS, asking, destroying, hex, mark, refused, waits, with};

fn text(value: &DetailValue) -> String {
    match value {
        DetailValue::Text(text) => text.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_others_approve_and_then_it_is_done_once() {
    let house = House::marked().await;
    let dora = house.dora().await;
    let asks = asking(&dora, destroying().with_reason("it is old").unwrap());
    let id = waits(house.destroy(&asks).await);
    // The same again is the same request, whatever is said about it.
    assert_eq!(waits(house.destroy(&asking(&dora, destroying())).await), id);
    let view = house.approval(&id).await;
    let words = view.facts.in_words();
    for part in [
        "root/dora",
        "key.destroy",
        "root/default/k",
        "1 active",
        "it is old",
    ] {
        assert!(words.contains(part), "{words}");
    }
    let (alice, bob) = (house.officer("alice").await, house.officer("bob").await);
    house.approve(&alice, &id).await.unwrap();
    let twice = house.approve(&alice, &id).await;
    assert!(matches!(twice, Err(Error::Exists { .. })));
    // Another credential of hers is she.
    let again = house.officer("alice").await;
    assert!(matches!(
        house.approve(&again, &id).await,
        Err(Error::Exists { .. })
    ));
    let short = house.destroy(&with(&dora, &id)).await;
    let Err(Error::ApprovalRequired { id: same, told }) = short else {
        panic!("one of two was enough");
    };
    assert!(same == id && told.contains("1 of 2"), "{told}");
    house.approve(&bob, &id).await.unwrap();
    let done = house.destroy(&with(&dora, &id)).await.unwrap();
    assert!(done.key().versions[0].destroy_at.is_some());
    assert!(refused(house.destroy(&with(&dora, &id)).await).contains("it was used"));
    assert_eq!(house.approval(&id).await.state, "used");

    let events = house.events().await;
    let of = |action: &str, outcome: &str| {
        let mut these = events
            .iter()
            .filter(|event| event.action.as_str() == action && event.outcome.name() == outcome);
        let found = these.next_back().unwrap_or_else(|| panic!("no {action}"));
        let details = &found.details;
        details.get(DetailKey::Approval).map(text)
    };
    for (action, outcome) in [
        ("approval.request", "success"),
        ("approval.approve", "success"),
        ("approval.approve", "failed"),
        ("key.destroy", "success"),
        ("key.destroy", "denied"),
    ] {
        let named = of(action, outcome);
        if outcome != "failed" {
            assert!(named.unwrap().contains(&id), "{action} {outcome}");
        }
    }
    let used = events
        .iter()
        .find(|event| event.action.as_str() == "key.destroy" && event.outcome.name() == "success");
    let approvers = used.unwrap().details.get(DetailKey::Approvers).unwrap();
    assert!(text(approvers).contains("root/alice root/bob"));
}

#[tokio::test]
async fn nobody_is_asked_to_approve_of_a_mistake() {
    let house = House::marked().await;
    let all = [
        "policy.write",
        "policy.delete",
        "rule.write",
        "rule.delete",
        "rule.release",
    ];
    let names = all.map(|name| format!("SKMS::Action::{name:?}")).join(", ");
    house.policy("all", &mark(&names)).await;
    let dora = asking(&house.dora().await, Asked::new("policy-put"));
    let engine = &house.engine;
    let forbid = "forbid (principal, action == SKMS::Action::\"key.destroy\", resource);";
    for text in [
        "permit (principal, action, resource)".to_owned(),
        format!("@approvals(\"17\") {forbid}"),
        format!("@approvals(\"2\") @valid_for(\"5s\") {forbid}"),
        format!("@approvals(\"2\") @aprovers(\"SKMS::Group::\\\"officers\\\"\") {forbid}"),
    ] {
        let written = engine.write_policy(&dora, "root", "new", &text).await;
        assert!(
            matches!(written, Err(Error::Policy(_))),
            "{text}: {written:?}"
        );
    }
    let rule = |text: &str| NewRule {
        text: text.to_owned(),
        enabled: true,
        dry_run: false,
    };
    let time = "permit (principal, action == SKMS::Action::\"rule.time\", resource);";
    let wrong = rule(&format!("@answer(\"explode\") {time}"));
    let written = engine.write_rule(&dora, ("root", "r"), wrong).await;
    assert!(matches!(written, Err(Error::Policy(_))));
    let nobody = rule(&format!("@answer(\"warn\") @follows(\"none\") {time}"));
    let written = engine.write_rule(&dora, ("root", "r"), nobody).await;
    assert!(matches!(written, Err(Error::Invalid(_))));
    let deleted = engine.delete_rule(&dora, "root", "r").await;
    assert!(matches!(deleted, Err(Error::NotFound { .. })));
    let released = engine.release_rule(&dora, ("root", "r"), false).await;
    assert!(matches!(released, Err(Error::NotFound { .. })));
    let deleted = engine.delete_policy(&dora, "root", "none").await;
    assert!(matches!(deleted, Err(Error::NotFound { .. })));
    let deleted = engine.delete_policy(&dora, "root", "root").await;
    assert!(matches!(deleted, Err(Error::Invalid(_))));
    assert!(house.outcomes("approval.request").await.is_empty());
    let told = house.outcomes("policy.write").await;
    assert_eq!(told.iter().filter(|one| *one == "failed").count(), 4);
    // What can be done waits as ever, and who may not is not told of mistakes.
    waits(engine.write_policy(&dora, "root", "new", forbid).await);
    waits(
        engine
            .write_rule(
                &dora,
                ("root", "r"),
                rule(&format!("@answer(\"warn\") {time}")),
            )
            .await,
    );
    let eve = house.caller_in("eve", &["reader"]).await;
    let refused = engine.write_policy(&eve, "root", "new", "permit (").await;
    assert!(matches!(
        refused,
        Err(Error::NotFound { .. } | Error::Forbidden { .. })
    ));
}

#[tokio::test]
async fn nobody_approves_for_themselves_and_only_whom_the_mark_names() {
    let house = House::marked().await;
    // She is an officer too.
    let dora = house.caller_in("dora", &["root", "officers"]).await;
    let id = waits(house.destroy(&asking(&dora, destroying())).await);
    assert!(refused(house.approve(&dora, &id).await).contains("themselves"));
    let token = house.caller_in("dora", &["officers"]).await;
    assert!(refused(house.approve(&token, &id).await).contains("themselves"));
    assert!(refused(house.approve(&house.root, &id).await).contains("no mark"));
    let nobody = house.caller_in("eve", &["reader"]).await;
    let denied = house.approve(&nobody, &id).await;
    assert!(matches!(
        denied,
        Err(Error::NotFound { .. } | Error::Forbidden { .. })
    ));
    assert!(house.approval(&id).await.given.is_empty());
    assert!(matches!(
        house
            .engine
            .approve(
                &house.officer("alice").await,
                ("root", "x"),
                NewApproval::default()
            )
            .await,
        Err(Error::NotFound { .. })
    ));
}

#[tokio::test]
async fn it_serves_nobody_else_and_nothing_else() {
    let house = House::marked().await;
    house.create("other", Algorithm::Aes256Gcm).await;
    let dora = house.dora().await;
    let id = waits(house.destroy(&asking(&dora, destroying())).await);
    house.approved(&id).await;
    let fred = house.caller_in("fred", &["root"]).await;
    assert!(refused(house.destroy(&with(&fred, &id)).await).contains("another principal"));
    let engine = &house.engine;
    // Another key, with the same said.
    let call = with(&dora, &id);
    let other = engine.destroy_key(&call, at("other"), Versions::All, None);
    assert!(refused(other.await).contains("another act"));
    // Other parameters, and secrets.
    for (asked, why) in [
        (
            destroying().with("window_seconds", "0"),
            "other parameters: window_seconds",
        ),
        (
            destroying().with_secret("passphrase", b"x"),
            "other secrets",
        ),
    ] {
        let asks = asking(&dora, asked.with_approvals(&id).unwrap());
        assert!(refused(house.destroy(&asks).await).contains(why));
    }
    let asked = Asked::new("key-delete").with(":key", "\"k\"");
    let asks = asking(&dora, asked.with_approvals(&id).unwrap());
    assert!(refused(house.destroy(&asks).await).contains("another act"));
    let nothing = "00000000-0000-0000-0000-000000000001";
    assert!(refused(house.destroy(&with(&dora, nothing)).await).contains("none of that name"));
    // By a way that cannot ask, there is none.
    assert!(refused(house.destroy(&dora).await).contains("cannot ask"));
    // And it is still good for what it was given for.
    house.destroy(&with(&dora, &id)).await.unwrap();
}

#[tokio::test]
async fn what_changed_since_was_not_approved() {
    let house = House::marked().await;
    let dora = house.dora().await;
    let engine = &house.engine;
    let id = waits(house.destroy(&asking(&dora, destroying())).await);
    house.approved(&id).await;
    let rotated = engine.rotate_key(&house.root, at("k"), None).await;
    rotated.unwrap();
    assert!(refused(house.destroy(&with(&dora, &id)).await).contains("changed since"));

    // Deleted, and another made under the same name.
    let none = "permit (principal, action, resource) when { false };";
    let marks = mark("SKMS::Action::\"policy.delete\"");
    house.policy("p", none).await;
    house.policy("marks", &marks).await;
    let deletes = || Asked::new("policy-delete").with(":policy", "\"p\"");
    let delete = async |caller: &_| engine.delete_policy(caller, "root", "p").await;
    let id = waits(delete(&asking(&dora, deletes())).await);
    house.approved(&id).await;
    let approved = asking(&dora, deletes().with_approvals(&id).unwrap());
    house
        .policy("p", "permit (principal, action, resource) when { true };")
        .await;
    assert!(refused(delete(&approved).await).contains("changed since"));
    house.policy("marks", none).await;
    delete(&house.root).await.unwrap();
    house.policy("p", none).await;
    house.policy("marks", &marks).await;
    assert!(refused(delete(&approved).await).contains("had the same name"));
}

#[tokio::test]
async fn time_runs_out_for_requests_and_for_approvals() {
    let house = House::marked().await;
    let dora = house.dora().await;
    let id = waits(house.destroy(&asking(&dora, destroying())).await);
    let (alice, bob) = (house.officer("alice").await, house.officer("bob").await);
    let short = NewApproval {
        hash: hex(&house.approval(&id).await.facts.hash()),
        valid_seconds: Some(60),
        ..NewApproval::default()
    };
    house
        .engine
        .approve(&alice, ("root", &id), short.clone())
        .await
        .unwrap();
    house.approve(&bob, &id).await.unwrap();
    house.config.clock.advance_seconds(61);
    let lacks = house.destroy(&with(&dora, &id)).await;
    let Err(Error::ApprovalRequired { told, .. }) = lacks else {
        panic!("an approval that had expired counted");
    };
    assert!(
        told.contains("1 of 2") && told.contains("expired"),
        "{told}"
    );
    // She may give it anew.
    house.approve(&alice, &id).await.unwrap();
    house.config.clock.advance_seconds(3600);
    let (dora, alice) = (house.dora().await, house.officer("alice").await);
    assert!(refused(house.destroy(&with(&dora, &id)).await).contains("expired"));
    assert!(refused(house.approve(&alice, &id).await).contains("expired"));
    assert_eq!(house.engine.expire_approvals().await.unwrap(), 1);
    assert_eq!(house.engine.expire_approvals().await.unwrap(), 0);
    assert_eq!(house.outcomes("approval.expire").await, ["success"]);
    assert_eq!(house.approval(&id).await.state, "expired");
    // The next one is another.
    assert_ne!(waits(house.destroy(&asking(&dora, destroying())).await), id);
}

#[tokio::test]
async fn who_approved_must_still_be_somebody_who_may() {
    let house = House::marked().await;
    let dora = house.dora().await;
    let engine = &house.engine;
    let id = waits(house.destroy(&asking(&dora, destroying())).await);
    house.approved(&id).await;
    let lacks = async |why: &str| {
        let Err(Error::ApprovalRequired { told, .. }) = house.destroy(&with(&dora, &id)).await
        else {
            panic!("{why}: it was done");
        };
        assert!(told.contains(why), "{told}");
    };
    // Suspended.
    engine
        .suspend_principal(&house.root, ("root", "alice"), ("", false))
        .await
        .unwrap();
    lacks("counts no more").await;
    engine
        .resume_principal(&house.root, ("root", "alice"))
        .await
        .unwrap();
    // No permission any more.
    house
        .policy(
            "officers",
            "permit (principal, action == SKMS::Action::\"key.list\", resource) \
        when { false };",
        )
        .await;
    lacks("may not approve any more").await;
    house.policy("officers", OFFICERS).await;
    // Another mark, which accepts others, or more of them.
    house
        .policy(
            "more",
            &mark("SKMS::Action::\"key.destroy\"").replace("officers", "auditors"),
        )
        .await;
    lacks("0 of 2 approvals for root/more").await;
    engine
        .delete_policy(&house.root, "root", "more")
        .await
        .unwrap();
    // The token that she approved by is revoked.
    let page = Page::new(100, None).unwrap();
    let tokens = engine.list_tokens(&house.root, "root", &page).await;
    for token in tokens.unwrap().0 {
        if token.principal == "alice" {
            engine
                .revoke_token(&house.root, "root", token.id)
                .await
                .unwrap();
        }
    }
    lacks("counts no more").await;
    // She approves by a new one.
    let alice = house.officer("alice").await;
    assert!(matches!(
        house.approve(&alice, &id).await,
        Err(Error::Exists { .. })
    ));
    let carol = house.officer("carol").await;
    house.approve(&carol, &id).await.unwrap();
    house.destroy(&with(&dora, &id)).await.unwrap();
}

#[tokio::test]
async fn rejected_is_rejected() {
    let house = House::marked().await;
    let dora = house.dora().await;
    let id = waits(house.destroy(&asking(&dora, destroying())).await);
    house.approved(&id).await;
    let carol = house.officer("carol").await;
    let engine = &house.engine;
    let view = engine
        .reject_approval(&carol, ("root", &id), "not this one")
        .await
        .unwrap();
    assert_eq!(
        (view.state, view.why.as_deref()),
        ("rejected", Some("not this one"))
    );
    assert!(refused(house.destroy(&with(&dora, &id)).await).contains("rejected"));
    assert!(refused(house.approve(&carol, &id).await).contains("rejected"));
    let again = engine.reject_approval(&carol, ("root", &id), "").await;
    assert!(refused(again).contains("rejected"));
    assert_eq!(
        house.outcomes("approval.reject").await,
        ["success", "failed"]
    );
}

#[tokio::test]
async fn an_approval_is_of_what_was_shown() {
    let house = House::marked().await;
    let dora = house.dora().await;
    let id = waits(house.destroy(&asking(&dora, destroying())).await);
    let other = waits(
        house
            .destroy(&asking(&dora, destroying().with("x", "1")))
            .await,
    );
    assert_ne!(id, other);
    let alice = house.officer("alice").await;
    for hash in [
        String::new(),
        "00".repeat(32),
        hex(&house.approval(&other).await.facts.hash()),
    ] {
        let new = NewApproval {
            hash,
            ..NewApproval::default()
        };
        let approved = house.engine.approve(&alice, ("root", &id), new).await;
        assert!(refused(approved).contains("hash"));
    }
}

#[tokio::test]
async fn of_two_at_once_one_does_it() {
    let house = House::marked().await;
    let dora = house.dora().await;
    let id = waits(house.destroy(&asking(&dora, destroying())).await);
    house.approved(&id).await;
    let call = with(&dora, &id);
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let (engine, call) = (house.engine.clone(), call.clone());
            tokio::spawn(async move {
                engine
                    .destroy_key(&call, at("k"), Versions::All, None)
                    .await
                    .is_ok()
            })
        })
        .collect();
    let mut done = 0;
    for one in tries {
        done += usize::from(one.await.unwrap());
    }
    assert_eq!(done, 1);
    let outcomes = house.outcomes("key.destroy").await;
    assert_eq!(outcomes.iter().filter(|one| *one == "success").count(), 1);
}

#[tokio::test]
async fn what_fails_uses_nothing_and_a_restart_forgets_nothing() {
    let house = House::marked().await;
    let dora = house.dora().await;
    // Shorter than the key's rules say: it fails once it is approved.
    let destroy = async |house: &House, caller: &_| {
        let engine = house.engine.clone();
        engine
            .destroy_key(caller, at("k"), Versions::All, Some(0))
            .await
    };
    let id = waits(destroy(&house, &asking(&dora, destroying())).await);
    house.approved(&id).await;
    assert!(matches!(
        destroy(&house, &with(&dora, &id)).await,
        Err(Error::Invalid(_) | Error::Key(_))
    ));
    assert_eq!(house.approval(&id).await.state, "pending");
    drop(dora);
    let house = house.restart().await;
    let dora = house.dora().await;
    house.destroy(&with(&dora, &id)).await.unwrap();
    drop(dora);
    let house = house.restart().await;
    let dora = house.dora().await;
    assert!(refused(house.destroy(&with(&dora, &id)).await).contains("it was used"));
}

#[tokio::test]
async fn who_may_not_anyway_asks_nobody() {
    let house = House::marked().await;
    let eve = house.caller_in("eve", &["reader"]).await;
    let asks = asking(&eve, destroying());
    assert!(matches!(
        house.destroy(&asks).await,
        Err(Error::Forbidden { .. })
    ));
    // What is forbidden for good is not approved either.
    let dora = house.dora().await;
    house
        .policy(
            "no",
            "forbid (principal, action == SKMS::Action::\"key.destroy\", resource);",
        )
        .await;
    assert!(matches!(
        house.destroy(&asking(&dora, destroying())).await,
        Err(Error::Forbidden { .. })
    ));
    assert!(house.outcomes("approval.request").await.is_empty());
    let engine = &house.engine;
    engine
        .delete_policy(&house.root, "root", "no")
        .await
        .unwrap();
    house
        .policy(
            "no",
            "forbid (principal, action == SKMS::Action::\"approval.request\", resource);",
        )
        .await;
    assert!(refused(house.destroy(&asking(&dora, destroying())).await).contains("forbids to ask"));
}

#[tokio::test]
async fn what_must_get_through_waits_for_nobody() {
    let house = House::new().await;
    house.create("k", Algorithm::Aes256Gcm).await;
    house.create("l", Algorithm::Aes256Gcm).await;
    house.policy("officers", OFFICERS).await;
    let alice = house.officer("alice").await;
    let text = "@approvals(\"1\") @approvers(\"SKMS::Group::\\\"officers\\\"\") \
                forbid (principal, action, resource);";
    house.policy("all", text).await;
    let engine = &house.engine;
    // Even reading waits, where a mark says so.
    assert!(refused(house.encrypt("k", b"x").await).contains("cannot ask"));
    engine
        .suspend_key(&house.root, at("k"), Versions::All)
        .await
        .unwrap();
    engine
        .suspend_key(&house.root, at("l"), Versions::All)
        .await
        .unwrap();
    let id = waits(house.destroy(&asking(&house.root, destroying())).await);
    // Reading requests and approving waits for nobody.
    let hash = hex(&house.approval(&id).await.facts.hash());
    let new = NewApproval {
        hash,
        ..NewApproval::default()
    };
    engine.approve(&alice, ("root", &id), new).await.unwrap();
    house.destroy(&with(&house.root, &id)).await.unwrap();
    engine.seal(&house.root).await.unwrap();
}

#[tokio::test]
async fn a_tenant_s_marks_stay_its_own() {
    let house = House::marked().await;
    let engine = &house.engine;
    engine.create_namespace(&house.root, "team").await.unwrap();
    let foreign = mark("SKMS::Action::\"key.destroy\"");
    let written = engine
        .write_policy(&house.root, "team", "marks", &foreign)
        .await;
    assert!(matches!(written, Err(Error::Policy(_))));
    let own = foreign.replace("officers", "team/officers");
    engine
        .write_policy(&house.root, "team", "marks", &own)
        .await
        .unwrap();
}
