//! What rules are asked on, one after the other.

use skms_crypto::hash::sha256;
use skms_crypto::{Algorithm, Format, SecretBytes};
use skms_engine::Error;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::import_key::Incoming;
use skms_engine::acts::tokens::NewToken;
use skms_evidence::DetailKey;
use skms_keys::{KeyState, Legacy, RevocationReason, Revoke, Rules, UnixSeconds, Versions};
use skms_weak::blocklist::spki_hashes;

use crate::common::{House, at};
use crate::{DAY, detail, key_subject, ready_made};

#[tokio::test]
async fn a_key_that_nobody_used_for_long_is_suspended_and_can_come_back() {
    let house = House::new().await;
    for name in ["idle", "busy", "processed"] {
        house.create(name, Algorithm::Aes256Gcm).await;
    }
    let sealed = house.encrypt("processed", b"x").await.unwrap();
    house.encrypt("idle", b"x").await.unwrap();
    let (_, trial) = house.rule("unused", &ready_made("unused")).await.unwrap();
    assert_eq!((trial.would_touch, trial.keys), (0, 3));
    house.config.clock.advance_seconds(80 * DAY);
    house.encrypt("busy", b"x").await.unwrap();
    // Processing is a use, too, and is not counted by blocks.
    house.decrypt("processed", &sealed).await.unwrap();
    house.config.clock.advance_seconds(9 * DAY);
    assert_eq!(house.engine.judge_time().await.unwrap(), 0);
    house.config.clock.advance_seconds(2 * DAY);
    let token = house.caller_in("again", &["root"]).await;
    assert_eq!(house.engine.judge_time().await.unwrap(), 1);
    assert_eq!(house.state("idle").await, KeyState::Suspended);
    assert_eq!(house.state("busy").await, KeyState::Active);
    assert_eq!(house.state("processed").await, KeyState::Active);
    // Once, and explained.
    assert_eq!(house.engine.judge_time().await.unwrap(), 0);
    let events = house.by_rules("key.suspend").await;
    assert_eq!(events.len(), 1);
    assert_eq!(detail(&events[0], DetailKey::Rule), "unused");
    assert_eq!(detail(&events[0], DetailKey::RuleEdition), "1");
    let matched = detail(&events[0], DetailKey::Matched);
    assert!(
        matched.starts_with("resource.state = \"active\", resource.unused_seconds = 78"),
        "{matched}"
    );
    assert!(detail(&events[0], DetailKey::Trigger).starts_with("time v1"));
    // Undone, it is not done again by the same edition.
    let acts = house.acts().await;
    assert_eq!((acts.len(), acts[0].state), (1, "done"));
    let id = acts[0].id.to_string();
    assert_eq!(detail(&events[0], DetailKey::RuleAct), id);
    let undone = house.engine.undo_rule_act(&token, "root", &id).await;
    assert_eq!(undone.unwrap().undone_by.as_deref(), Some("again"));
    assert_eq!(house.state("idle").await, KeyState::Active);
    house.config.clock.advance_seconds(100 * DAY);
    let root = house.caller_in("root2", &["root"]).await;
    house.engine.judge_time().await.unwrap();
    assert_eq!(house.state("idle").await, KeyState::Active);
    let again = house.engine.undo_rule_act(&root, "root", &id).await;
    assert!(again.unwrap_err().to_string().contains("undone already"));
}

#[tokio::test]
async fn what_was_used_is_known_after_a_restart() {
    let house = House::new().await;
    for name in ["idle", "busy"] {
        house.create(name, Algorithm::Aes256Gcm).await;
    }
    house.rule("unused", &ready_made("unused")).await.unwrap();
    house.config.clock.advance_seconds(50 * DAY);
    house.encrypt("busy", b"x").await.unwrap();
    house.engine.judge_events().await.unwrap();
    let house = house.restart().await;
    house.config.clock.advance_seconds(45 * DAY);
    house.engine.judge_time().await.unwrap();
    let house = house.restart().await;
    assert_eq!(house.state("idle").await, KeyState::Suspended);
    assert_eq!(house.state("busy").await, KeyState::Active);
    house.engine.judge_time().await.unwrap();
    assert_eq!(house.acts_of("unused", "done").await, 1);
}

#[tokio::test]
async fn a_key_is_rotated_before_it_ends() {
    let house = House::new().await;
    let ending = Rules {
        originator_usage_period_seconds: Some(100 * DAY as u64),
        ..Rules::default()
    };
    house.key("short", "root", ending).await;
    house.key("endless", "root", Rules::default()).await;
    house.rule("ending", &ready_made("ending")).await.unwrap();
    house.config.clock.advance_seconds(89 * DAY);
    house.engine.judge_time().await.unwrap();
    assert_eq!(house.states(at("short")).await.len(), 1);
    house.config.clock.advance_seconds(2 * DAY);
    house.engine.judge_time().await.unwrap();
    let now = [KeyState::Deactivated, KeyState::Active];
    assert_eq!(house.states(at("short")).await, now);
    assert_eq!(house.states(at("endless")).await.len(), 1);
    // The new version is another one, and has its own time.
    house.engine.judge_time().await.unwrap();
    assert_eq!(house.states(at("short")).await.len(), 2);
    house.config.clock.advance_seconds(95 * DAY);
    house.engine.judge_time().await.unwrap();
    assert_eq!(house.states(at("short")).await.len(), 3);
    let rotated = house.acts().await;
    let id = rotated[0].id.to_string();
    let undone = house.engine.undo_rule_act(&house.root, "root", &id).await;
    assert!(undone.unwrap_err().to_string().contains("cannot be undone"));
}

#[tokio::test]
async fn what_a_new_version_does_not_put_off_makes_no_new_version() {
    let house = House::new().await;
    let expiry = UnixSeconds(house.engine.now().0 + 95 * DAY);
    let expires = Rules {
        expires_at: Some(expiry),
        ..Rules::default()
    };
    house.key("expires", "root", expires).await;
    let both = Rules {
        originator_usage_period_seconds: Some(100 * DAY as u64),
        ..expires
    };
    house.key("both", "root", both).await;
    house.rule("ending", &ready_made("ending")).await.unwrap();
    let versions = async |name| house.states(at(name)).await.len();
    house.config.clock.advance_seconds(91 * DAY);
    for _ in 0..3 {
        house.engine.judge_time().await.unwrap();
        assert_eq!(versions("both").await, 2, "once, though the key expires");
        assert_eq!(versions("expires").await, 1, "no version outlives the key");
    }
    // A rule that looks at the expiry sees the same one for every version.
    let text = r#"@answer("warn") permit (principal, action == SKMS::Action::"rule.time", resource) when { resource has expires_in_seconds && resource.expires_in_seconds < 864000 };"#;
    let (_, trial) = house.rule("expiring", text).await.unwrap();
    assert_eq!(trial.would_touch, 2);
}

#[tokio::test]
async fn a_short_period_is_not_begun_anew_by_every_walk() {
    let house = House::new().await;
    let short = Rules {
        originator_usage_period_seconds: Some(6 * DAY as u64),
        ..Rules::default()
    };
    house.key("short", "root", short).await;
    house.rule("ending", &ready_made("ending")).await.unwrap();
    for (days, versions) in [(0, 1), (2, 1), (2, 2), (2, 2), (2, 3)] {
        house.config.clock.advance_seconds(days * DAY);
        for _ in 0..3 {
            house.engine.judge_time().await.unwrap();
            assert_eq!(house.states(at("short")).await.len(), versions);
        }
    }
}

#[tokio::test]
async fn the_keys_of_whoever_left_are_suspended() {
    let house = House::new().await;
    let new = NewToken {
        principal: "alice".into(),
        groups: Default::default(),
        ttl_seconds: None,
        description: String::new(),
    };
    let engine = &house.engine;
    let alice = engine.create_token(&house.root, "root", new).await.unwrap();
    house.key("hers", "alice", Rules::default()).await;
    house.key("ours", "root", Rules::default()).await;
    house
        .rule("owner-gone", &ready_made("owner-gone"))
        .await
        .unwrap();
    engine.judge_time().await.unwrap();
    assert_eq!(house.state("hers").await, KeyState::Active);
    engine
        .revoke_token(&house.root, "root", alice.view.id)
        .await
        .unwrap();
    engine.judge_time().await.unwrap();
    assert_eq!(house.state("hers").await, KeyState::Suspended);
    assert_eq!(house.state("ours").await, KeyState::Active);
}

#[tokio::test]
async fn a_use_after_a_suspension_revokes() {
    let house = House::new().await;
    for name in ["held", "open", "other"] {
        house.create(name, Algorithm::Aes256Gcm).await;
    }
    house
        .rule("after-suspension", &ready_made("after-suspension"))
        .await
        .unwrap();
    let engine = &house.engine;
    for name in ["held", "other"] {
        let all = Versions::All;
        engine
            .suspend_key(&house.root, at(name), all)
            .await
            .unwrap();
    }
    house.encrypt("open", b"x").await.unwrap();
    engine.judge_events().await.unwrap();
    assert_eq!(house.acts().await.len(), 0);
    let refused = house.encrypt("held", b"x").await;
    assert!(matches!(refused, Err(Error::StateForbids { .. })));
    engine.judge_events().await.unwrap();
    assert_eq!(house.state("held").await, KeyState::Compromised);
    assert_eq!(house.state("other").await, KeyState::Suspended);
    assert_eq!(house.state("open").await, KeyState::Active);
    // The event that brought it about is named.
    let events = house.events().await;
    let cause = events.iter().find(|one| {
        one.event.action.as_str() == "key.encrypt" && one.event.outcome.name() == "failed"
    });
    let trigger = format!("event {}", cause.unwrap().event.id);
    let revoked = house.by_rules("key.revoke").await;
    assert_eq!(revoked.len(), 1);
    assert_eq!(detail(&revoked[0], DetailKey::Trigger), trigger);
    // A compromise has no way back, and says so.
    let id = house.acts().await[0].id.to_string();
    let undone = engine.undo_rule_act(&house.root, "root", &id).await;
    let said = undone.unwrap_err().to_string();
    assert!(said.contains("keyCompromise cannot be undone"), "{said}");
    assert_eq!(house.state("held").await, KeyState::Compromised);
}

#[tokio::test]
async fn what_happened_before_a_rule_is_none_of_its_business() {
    let house = House::new().await;
    house.create("held", Algorithm::Aes256Gcm).await;
    let engine = &house.engine;
    engine
        .suspend_key(&house.root, at("held"), Versions::All)
        .await
        .unwrap();
    assert!(house.encrypt("held", b"x").await.is_err());
    let (_, trial) = house
        .rule("after-suspension", &ready_made("after-suspension"))
        .await
        .unwrap();
    // What it would have done is told.
    assert_eq!(trial.events.0, 1);
    engine.judge_events().await.unwrap();
    assert_eq!(house.state("held").await, KeyState::Suspended);
}

#[tokio::test]
async fn a_verdict_on_a_key_is_answered_before_it_returns() {
    let house = House::new().await;
    for name in ["odd", "plain"] {
        house.create(name, Algorithm::Aes256Gcm).await;
    }
    house
        .rule("misused-key", &ready_made("misused-key"))
        .await
        .unwrap();
    let low = house.verdict(key_subject("odd"), 799).await.unwrap();
    assert!(low.acts.is_empty());
    assert_eq!(house.state("odd").await, KeyState::Active);
    let high = house.verdict(key_subject("odd"), 800).await.unwrap();
    assert_eq!((high.acts.len(), high.acts[0].state), (1, "done"));
    assert_eq!(high.acts[0].trigger_id, high.id.to_string());
    assert_eq!(house.state("odd").await, KeyState::Suspended);
    assert_eq!(house.state("plain").await, KeyState::Active);
    // What is suspended is not suspended again.
    let again = house.verdict(key_subject("odd"), 1000).await.unwrap();
    assert!(again.acts.is_empty());
    // A part of the server hands in the same way.
    let verdict = skms_engine::acts::verdicts::NewVerdict {
        subject: key_subject("plain"),
        score: 900,
        reason: "a part of the server says so".into(),
        evidence: vec![],
        expires_at: None,
    };
    let answered = house.engine.hand_in_verdict("watch", "root", verdict).await;
    assert_eq!(answered.unwrap().acts.len(), 1);
    assert_eq!(house.state("plain").await, KeyState::Suspended);
}

#[tokio::test]
async fn undoing_brings_back_what_the_rule_suspended_and_nothing_else() {
    let house = House::new().await;
    house.create("two", Algorithm::Aes256Gcm).await;
    let engine = &house.engine;
    engine
        .rotate_key(&house.root, at("two"), None)
        .await
        .unwrap();
    let one = Versions::One(skms_keys::VersionNumber(1));
    engine
        .suspend_key(&house.root, at("two"), one)
        .await
        .unwrap();
    let text = r#"@answer("suspend") @limit("9 per day") permit (principal, action == SKMS::Action::"rule.verdict", resource is SKMS::Key);"#;
    house.rule("any", text).await.unwrap();
    let answered = house.verdict(key_subject("two"), 1).await.unwrap();
    let both = [KeyState::Suspended, KeyState::Suspended];
    assert_eq!(house.states(at("two")).await, both);
    let id = answered.acts[0].id.to_string();
    engine
        .undo_rule_act(&house.root, "root", &id)
        .await
        .unwrap();
    let newest = [KeyState::Suspended, KeyState::Active];
    assert_eq!(house.states(at("two")).await, newest);
    // Whoever revoked it meanwhile has the last word.
    let answered = house.verdict(key_subject("two"), 2).await.unwrap();
    let revoke = Revoke {
        versions: Versions::All,
        reason: RevocationReason::CessationOfOperation,
        message: String::new(),
        compromise_occurred_at: None,
    };
    engine
        .revoke_key(&house.root, at("two"), revoke)
        .await
        .unwrap();
    let id = answered.acts[0].id.to_string();
    let undone = engine.undo_rule_act(&house.root, "root", &id).await;
    assert!(undone.unwrap_err().to_string().contains("still suspended"));
    assert!(house.state("two").await != KeyState::Active);
}

#[tokio::test]
async fn undoing_needs_leave_to_resume() {
    let house = House::new().await;
    house.create("odd", Algorithm::Aes256Gcm).await;
    let text = r#"@answer("suspend") permit (principal, action == SKMS::Action::"rule.verdict", resource is SKMS::Key);"#;
    house.rule("any", text).await.unwrap();
    let answered = house.verdict(key_subject("odd"), 1).await.unwrap();
    let id = answered.acts[0].id.to_string();
    let only = r#"permit (principal in SKMS::Group::"undoer", action == SKMS::Action::"rule.undo", resource);"#;
    let engine = &house.engine;
    engine
        .write_policy(&house.root, "root", "undoer", only)
        .await
        .unwrap();
    let undoer = house.caller_in("carol", &["undoer"]).await;
    let refused = engine.undo_rule_act(&undoer, "root", &id).await;
    assert!(
        matches!(refused, Err(Error::NotFound { .. })),
        "{refused:?}"
    );
    let nobody = house.caller_in("dave", &[]).await;
    let refused = engine.undo_rule_act(&nobody, "root", &id).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    assert_eq!(house.state("odd").await, KeyState::Suspended);
    let absent = engine
        .undo_rule_act(&house.root, "root", &"0".repeat(8))
        .await;
    assert!(matches!(absent, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_verdict_that_cannot_be_is_refused() {
    let house = House::new().await;
    house.create("odd", Algorithm::Aes256Gcm).await;
    let now = house.engine.now();
    let try_one = async |score: u16, reason: &str, evidence: usize, end: Option<UnixSeconds>| {
        let verdict = skms_engine::acts::verdicts::NewVerdict {
            subject: key_subject("odd"),
            score,
            reason: reason.to_owned(),
            evidence: vec![skms_evidence::EventId([1; 16]); evidence],
            expires_at: end,
        };
        house
            .engine
            .submit_verdict(&house.root, "root", verdict)
            .await
    };
    assert!(
        try_one(1000, "x", 64, Some(UnixSeconds(now.0 + 1)))
            .await
            .is_ok()
    );
    for (score, reason, evidence, end) in [
        (1001, "x", 0, None),
        (1, "", 0, None),
        (1, "two\nlines", 0, None),
        (1, "\u{1b}[31mred", 0, None),
        (1, "turned \u{202e}round", 0, None),
        (1, "x", 65, None),
        (1, "x", 0, Some(now)),
    ] {
        let refused = try_one(score, reason, evidence, end).await;
        assert!(refused.is_err(), "{reason:?}");
    }
    assert!(try_one(1, &"x".repeat(1025), 0, None).await.is_err());
    assert!(house.verdict(key_subject("none"), 1).await.is_err());
    let nobody = house.caller_in("dave", &["reader"]).await;
    let verdict = skms_engine::acts::verdicts::NewVerdict {
        subject: key_subject("odd"),
        score: 1,
        reason: "x".into(),
        evidence: vec![],
        expires_at: None,
    };
    let refused = house.engine.submit_verdict(&nobody, "root", verdict).await;
    assert!(
        matches!(refused, Err(Error::Forbidden { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_disabled_rule_does_nothing_and_a_dry_one_says_what_it_would() {
    let house = House::new().await;
    house.create("odd", Algorithm::Aes256Gcm).await;
    let text = r#"@answer("revoke") @reason("superseded") permit (principal, action == SKMS::Action::"rule.verdict", resource is SKMS::Key);"#;
    let write = async |enabled, dry_run| {
        let new = skms_engine::acts::rules::NewRule {
            text: text.to_owned(),
            enabled,
            dry_run,
        };
        let engine = &house.engine;
        engine
            .write_rule(&house.root, ("root", "any"), new)
            .await
            .unwrap()
    };
    write(false, false).await;
    let answered = house.verdict(key_subject("odd"), 1).await.unwrap();
    assert!(answered.acts.is_empty());
    let (view, _) = write(true, true).await;
    assert_eq!(view.edition, 2);
    let answered = house.verdict(key_subject("odd"), 1).await.unwrap();
    assert_eq!(answered.acts[0].state, "dry-run");
    assert_eq!(house.state("odd").await, KeyState::Active);
    let said = house.by_rules("rule.act").await;
    assert_eq!(
        detail(&said[0], DetailKey::Reason),
        "a dry run: revoke was not done"
    );
    write(true, false).await;
    house.verdict(key_subject("odd"), 1).await.unwrap();
    assert_eq!(house.state("odd").await, KeyState::Deactivated);
}

#[tokio::test]
async fn material_that_is_known_to_others_is_revoked() {
    let house = House::new().await;
    house.rule("weak", &ready_made("weak")).await.unwrap();
    let engine = &house.engine;
    for name in ["leaked", "own"] {
        house.create(name, Algorithm::EcP256).await;
    }
    // Weak and permitted to be: it is found, and not beyond doubt.
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Aes256Gcm),
        rules: Some(Rules {
            legacy: Legacy {
                weak_material: true,
                ..Legacy::default()
            },
            ..Rules::default()
        }),
        ..NewKeySpec::default()
    };
    let incoming = Incoming {
        bytes: SecretBytes::new(vec![0; 32]),
        format: Format::Raw,
        passphrase: None,
        wrapped_with: None,
    };
    let made = engine.import_key(&house.root, at("zero"), spec, incoming);
    made.await.unwrap();
    let leaked = engine.read_key(&house.root, at("leaked")).await.unwrap();
    let spki = leaked.key().versions[0].public_spki.clone().unwrap();
    let hash: String = sha256(&[&spki]).map(|byte| format!("{byte:02x}")).concat();
    let list = spki_hashes("leaked", &hash).unwrap().to_file();
    engine.import_blocklist(&house.root, list).await.unwrap();
    for _ in 0..2 {
        // Found once, answered once.
        engine.sweep_weak_keys().await.unwrap();
        engine.note_weak_keys().await.unwrap();
        engine.judge_events().await.unwrap();
    }
    assert_eq!(house.state("leaked").await, KeyState::Compromised);
    assert_eq!(house.state("own").await, KeyState::Active);
    assert_eq!(house.state("zero").await, KeyState::Active);
    let acts = house.acts().await;
    assert_eq!((acts.len(), acts[0].trigger.as_str()), (1, "finding"));
    assert_eq!(acts[0].matched, "context.proven = true");
}
