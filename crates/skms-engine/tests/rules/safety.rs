//! Rules that would go round, fail, or take away what the server stands on.

use skms_crypto::Algorithm;
use skms_crypto::{Use, Uses};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::verdicts::NewVerdict;
use skms_engine::{Error, KeyRef};
use skms_evidence::DetailKey;
use skms_keys::KeyState;

use crate::common::{House, at};
use crate::{detail, key_subject};

const ON_VERDICT: &str = r#"@answer("suspend") @limit("100 per day")
permit (principal, action == SKMS::Action::"rule.verdict", resource is SKMS::Key);"#;

fn on_event(answer: &str, more: &str, condition: &str) -> String {
    format!(
        "@answer(\"{answer}\") @limit(\"100 per day\") {more} permit (principal, \
         action == SKMS::Action::\"rule.event\", resource is SKMS::Key) when {{ {condition} }};"
    )
}

#[tokio::test]
async fn rules_do_not_answer_each_other_unless_they_say_so() {
    let house = House::new().await;
    for name in ["one", "two"] {
        house.create(name, Algorithm::Aes256Gcm).await;
    }
    house.rule("first", ON_VERDICT).await.unwrap();
    let revoke = "@reason(\"superseded\")";
    let suspended = "context.action == \"key.suspend\"";
    let deaf = on_event("revoke", revoke, suspended);
    house.rule("deaf", &deaf).await.unwrap();
    house.verdict(key_subject("one"), 1).await.unwrap();
    house.engine.judge_events().await.unwrap();
    assert_eq!(house.state("one").await, KeyState::Suspended);
    // Somebody else's suspension it does answer.
    let all = skms_keys::Versions::All;
    let engine = &house.engine;
    engine
        .suspend_key(&house.root, at("two"), all)
        .await
        .unwrap();
    engine.judge_events().await.unwrap();
    assert_eq!(house.state("two").await, KeyState::Deactivated);
    engine
        .delete_rule(&house.root, "root", "deaf")
        .await
        .unwrap();
    let more = format!("{revoke} @follows(\"first\")");
    let follower = on_event("revoke", &more, suspended);
    house.rule("follower", &follower).await.unwrap();
    house.create("three", Algorithm::Aes256Gcm).await;
    house.verdict(key_subject("three"), 1).await.unwrap();
    engine.judge_events().await.unwrap();
    assert_eq!(house.state("three").await, KeyState::Deactivated);
    let events = house.by_rules("key.revoke").await;
    let last = events.last().unwrap();
    assert_eq!(detail(last, DetailKey::Rule), "follower");
    assert_eq!(detail(last, DetailKey::Chain), "2");
}

#[tokio::test]
async fn rules_that_follow_each_other_round_are_refused() {
    let house = House::new().await;
    let write = async |name: &str, follows: &str| {
        let more = match follows.is_empty() {
            true => String::new(),
            false => format!("@follows(\"{follows}\")"),
        };
        let text = on_event("rotate", &more, "context.action == \"key.rotate\"");
        house.rule(name, &text).await
    };
    let own = write("a", "a").await.unwrap_err();
    assert!(own.to_string().contains("its own acts"), "{own}");
    let nobody = write("a", "nobody").await.unwrap_err();
    assert!(nobody.to_string().contains("no rule of the namespace"));
    write("a", "").await.unwrap();
    write("b", "a").await.unwrap();
    write("c", "b").await.unwrap();
    let round = write("a", "c").await.unwrap_err();
    assert!(matches!(round, Error::Invalid(_)), "{round}");
    // Nothing changed.
    let kept = house.engine.read_rule(&house.root, "root", "a").await;
    assert_eq!(kept.unwrap().edition, 1);
    let text = on_event("rotate", "@follows(\"c\")", "true");
    let tried = house.engine.test_rule(&house.root, ("root", "a"), &text);
    assert!(tried.await.is_err());
}

#[tokio::test]
async fn a_chain_has_an_end() {
    let house = House::new().await;
    house.create("one", Algorithm::Aes256Gcm).await;
    house
        .rule("r0", &ON_VERDICT.replace("suspend", "rotate"))
        .await
        .unwrap();
    for at in 1..8 {
        let follows = format!("@follows(\"r{}\")", at - 1);
        let text = on_event("rotate", &follows, "context.action == \"key.rotate\"");
        house.rule(&format!("r{at}"), &text).await.unwrap();
    }
    house.verdict(key_subject("one"), 1).await.unwrap();
    for _ in 0..10 {
        house.engine.judge_events().await.unwrap();
    }
    assert_eq!(house.states(at("one")).await.len(), 5);
    let said = house.by_rules("rule.act").await;
    let last = said.last().unwrap();
    assert_eq!(
        last.event.outcome.reason().unwrap().as_str(),
        "a chain of more than 4 rules"
    );
}

#[tokio::test]
async fn a_condition_that_fails_does_nothing_and_says_so_once() {
    let house = House::new().await;
    house.create("one", Algorithm::Aes256Gcm).await;
    let text = r#"@answer("suspend") permit (principal, action == SKMS::Action::"rule.verdict", resource is SKMS::Key)
        when { context.score * 9223372036854775807 > 0 };"#;
    house.rule("bad", text).await.unwrap();
    for _ in 0..3 {
        let answered = house.verdict(key_subject("one"), 2).await.unwrap();
        assert!(answered.acts.is_empty());
    }
    assert_eq!(house.state("one").await, KeyState::Active);
    let said = house.by_rules("rule.act").await;
    assert_eq!((said.len(), said[0].event.outcome.name()), (1, "failed"));
}

#[tokio::test]
async fn the_keys_that_the_server_stands_on_are_kept_off() {
    let house = House::new().await;
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::EcP256),
        uses: Some(Uses::of(&[Use::Sign])),
        ..NewKeySpec::default()
    };
    let engine = &house.engine;
    engine
        .create_key(&house.root, at("ca"), spec)
        .await
        .unwrap();
    crate::certified::authority(&house, "root", "ca", None).await;
    house.create("plain", Algorithm::Aes256Gcm).await;
    house.rule("any", ON_VERDICT).await.unwrap();
    let answered = house.verdict(key_subject("ca"), 1000).await.unwrap();
    assert_eq!(answered.acts[0].state, "skipped");
    assert_eq!(house.state("ca").await, KeyState::Active);
    let text =
        r#"@answer("suspend") permit (principal, action == SKMS::Action::"rule.time", resource);"#;
    let trial = engine
        .test_rule(&house.root, ("root", "all"), text)
        .await
        .unwrap();
    let off: Vec<_> = trial
        .some
        .iter()
        .filter(|one| one.kept_off.is_some())
        .collect();
    assert_eq!((off.len(), off[0].name.as_str()), (1, "default/ca"));
}

#[tokio::test]
async fn without_rules_nothing_is_read() {
    let house = House::new().await;
    house.create("one", Algorithm::Aes256Gcm).await;
    house.encrypt("one", b"x").await.unwrap();
    assert_eq!(house.engine.judge_events().await.unwrap(), 0);
    assert_eq!(house.engine.judge_time().await.unwrap(), 0);
    house.rule("any", ON_VERDICT).await.unwrap();
    assert!(house.engine.judge_events().await.unwrap() > 3);
    assert_eq!(house.engine.judge_events().await.unwrap(), 0);
}

#[tokio::test]
async fn what_a_verdict_says_cannot_be_taken_for_the_server_s_words() {
    let house = House::new().await;
    house.create("one", Algorithm::Aes256Gcm).await;
    let text = r#"@answer("warn") permit (principal, action == SKMS::Action::"rule.verdict", resource is SKMS::Key)
        when { context.reason like "*" };"#;
    house.rule("any", text).await.unwrap();
    let reason = "x\", \"outcome\":\"success\", resource.state = \"active\" {{ <script> \\";
    let verdict = NewVerdict {
        subject: key_subject("one"),
        score: 1,
        reason: reason.into(),
        evidence: vec![],
        expires_at: None,
    };
    let engine = &house.engine;
    let answered = engine
        .submit_verdict(&house.root, "root", verdict)
        .await
        .unwrap();
    assert_eq!(answered.acts[0].state, "done");
    let matched = &answered.acts[0].matched;
    assert_eq!(*matched, format!("context.reason = {reason:?}"));
    // The record reads back what was said, in its place.
    let events = house.events().await;
    let said = events
        .iter()
        .find(|one| one.event.action.as_str() == "verdict.submit");
    assert_eq!(detail(said.unwrap(), DetailKey::Reason), reason);
    let told = house.by_rules("rule.act").await;
    assert_eq!(detail(&told[0], DetailKey::Matched), *matched);
}

#[tokio::test]
async fn a_rule_reaches_its_own_namespace_alone() {
    let house = House::new().await;
    let engine = &house.engine;
    house.team().await;
    house.create("same", Algorithm::Aes256Gcm).await;
    let theirs = KeyRef {
        namespace: "team",
        ..at("same")
    };
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Aes256Gcm),
        ..NewKeySpec::default()
    };
    engine.create_key(&house.root, theirs, spec).await.unwrap();
    let text =
        r#"@answer("suspend") permit (principal, action == SKMS::Action::"rule.time", resource);"#;
    house.rule_in("team", "all", text).await.unwrap();
    engine.judge_time().await.unwrap();
    assert_eq!(house.states(theirs).await, [KeyState::Suspended]);
    assert_eq!(house.state("same").await, KeyState::Active);
    // And nobody of the other namespace sees or undoes what it did.
    let acts = engine.list_rule_acts(&house.root, "team").await.unwrap();
    let id = acts[0].id.to_string();
    assert!(house.acts().await.is_empty());
    let elsewhere = engine.undo_rule_act(&house.root, "root", &id).await;
    assert!(matches!(elsewhere, Err(Error::NotFound { .. })));
    let refused = engine.delete_namespace(&house.root, "team").await;
    assert!(matches!(refused, Err(Error::NotEmpty(_))));
}

#[tokio::test]
async fn a_rule_that_is_none_is_refused_with_its_place() {
    let house = House::new().await;
    let cases = [
        (
            "@answer(\"suspend\") permit (principal, action == SKMS::Action::\"rule.time\", resource) when { resource.nonesuch };",
            "line 1, column",
        ),
        (
            "@answer(\"revoke\") @reason(\"boredom\") permit (principal, action, resource);",
            "boredom",
        ),
        (
            "@answer(\"revoke\") @reason(\"certificateHold\") permit (principal, action, resource);",
            "RFC 5280",
        ),
        (
            "@answer(\"revoke\") @reason(\"removeFromCRL\") permit (principal, action, resource);",
            "RFC 5280",
        ),
        ("permit (principal, action, resource);", "@answer"),
    ];
    for (text, why) in cases {
        let said = house.rule("x", text).await.unwrap_err().to_string();
        assert!(said.contains(why), "{text}: {said}");
    }
    let engine = &house.engine;
    assert!(
        engine
            .list_rules(&house.root, "root")
            .await
            .unwrap()
            .is_empty()
    );
    let nobody = house.caller_in("dave", &["operator"]).await;
    let new = skms_engine::acts::rules::NewRule {
        text: ON_VERDICT.to_owned(),
        enabled: true,
        dry_run: false,
    };
    let refused = engine.write_rule(&nobody, ("root", "x"), new).await;
    assert!(refused.is_err());
    let absent = engine.write_rule(
        &house.root,
        ("nowhere", "x"),
        skms_engine::acts::rules::NewRule {
            text: ON_VERDICT.to_owned(),
            enabled: true,
            dry_run: false,
        },
    );
    assert!(matches!(absent.await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn who_tries_rules_is_told_numbers_and_not_what_others_do() {
    let house = House::new().await;
    house.create("payroll", Algorithm::Aes256Gcm).await;
    house.create("public", Algorithm::Aes256Gcm).await;
    house.encrypt("payroll", b"x").await.unwrap();
    let engine = &house.engine;
    let writes = r#"permit (principal in SKMS::Group::"writers",
        action in [SKMS::Action::"rule.write", SKMS::Action::"rule.read"], resource);
        permit (principal in SKMS::Group::"writers", action == SKMS::Action::"key.read",
        resource == SKMS::Key::"root/default/public");"#;
    engine
        .write_policy(&house.root, "root", "writers", writes)
        .await
        .unwrap();
    let writer = house.caller_in("writer", &["writers"]).await;
    let keys = r#"@answer("suspend") permit (principal, action == SKMS::Action::"rule.time", resource)
        when { resource.owner != "nobody" };"#;
    let events = r#"@answer("warn") permit (principal, action == SKMS::Action::"rule.event", resource)
        when { context.action == "key.encrypt" && principal.id != "nobody" };"#;
    for (text, mine, all) in [(keys, 1, 2), (events, 0, 1)] {
        for (caller, named) in [(&writer, mine), (&house.root, all)] {
            let tried = engine.test_rule(caller, ("root", "odd"), text).await;
            let trial = tried.unwrap();
            assert_eq!(trial.would_touch.max(trial.events.0), all as u64);
            assert_eq!(trial.some.len(), named, "{:?}", trial.some);
        }
    }
    let seen = engine.test_rule(&writer, ("root", "odd"), keys).await;
    assert_eq!(seen.unwrap().some[0].name, "default/public");
}
