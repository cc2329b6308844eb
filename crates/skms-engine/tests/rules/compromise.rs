//! Rules that compromise: what depends on the key goes with it, once, and no
//! further than the rule's limit before somebody is asked.

use std::collections::BTreeSet;

use skms_crypto::hash::sha256;
use skms_crypto::{Algorithm, EncryptOptions, Format, Use, Uses};
use skms_engine::acts::compromise::{IncidentView, Order, Reach, Rotation, verify_report};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::derive_key::NewDerivation;
use skms_engine::acts::export_key;
use skms_engine::acts::import_key::WrappedWith;
use skms_engine::acts::rules::{ActView, NewRule};
use skms_engine::{Error, Page};
use skms_evidence::DetailKey;
use skms_keys::{KeyState, Versions};
use skms_weak::blocklist::spki_hashes;

use crate::common::{House, at};
use crate::limits::broken_off;
use crate::{DAY, detail, key_subject, ready_made};

/// A rule that compromises whatever a verdict is about.
fn on_verdict(more: &str) -> String {
    format!(
        "@answer(\"compromise\") {more} permit (principal, action == \
         SKMS::Action::\"rule.verdict\", resource is SKMS::Key);"
    )
}

impl House {
    async fn derived(&self, from: &str, name: &str, algorithm: Algorithm, uses: &[Use]) {
        let spec = NewKeySpec {
            algorithm: Some(algorithm),
            uses: Some(Uses::of(uses)),
            ..NewKeySpec::default()
        };
        let wanted = NewDerivation {
            version: None,
            context: Vec::new(),
            spec,
        };
        let engine = &self.engine;
        let made = engine.derive_key(&self.root, at(from), at(name), wanted);
        made.await.unwrap();
    }

    /// A key that others are derived from, and so many that are: `NAME-0` and on.
    async fn family(&self, name: &str, below: usize) {
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::HkdfSha256),
            uses: Some(Uses::of(&[Use::Derive])),
            ..NewKeySpec::default()
        };
        let made = self.engine.create_key(&self.root, at(name), spec);
        made.await.unwrap();
        for number in 0..below {
            let both = [Use::Encrypt, Use::Decrypt];
            let child = format!("{name}-{number}");
            self.derived(name, &child, Algorithm::Xaes256Gcm, &both)
                .await;
        }
    }

    async fn incidents(&self) -> Vec<IncidentView> {
        let page = Page::new(100, None).unwrap();
        let listed = self.engine.list_incidents(&self.root, "root", &page);
        listed.await.unwrap().0
    }

    /// What the rules did about a verdict on a key.
    async fn told(&self, name: &str) -> ActView {
        let answered = self.verdict(key_subject(name), 1000).await.unwrap();
        assert_eq!(answered.acts.len(), 1, "{name}");
        answered.acts[0].clone()
    }

    async fn is_barred(&self, name: &str) -> bool {
        let refused = self.encrypt(name, b"x").await;
        matches!(refused, Err(Error::AncestorCompromised { .. }))
    }
}

#[tokio::test]
async fn a_verdict_compromises_a_key_and_what_depends_on_it_is_refused_at_once() {
    let house = House::new().await;
    house.family("master", 2).await;
    house.family("other", 1).await;
    house
        .rule("stolen-key", &ready_made("stolen-key"))
        .await
        .unwrap();
    let low = house.verdict(key_subject("master"), 949).await.unwrap();
    assert!(low.acts.is_empty());
    assert_eq!(house.state("master").await, KeyState::Active);
    let act = house.told("master").await;
    assert_eq!(act.state, "done", "{act:?}");
    assert_eq!(house.state("master").await, KeyState::Compromised);
    // Nothing was marked yet, and all of it is refused.
    assert_eq!(house.state("master-0").await, KeyState::Active);
    for name in ["master-0", "master-1"] {
        assert!(house.is_barred(name).await, "{name}");
    }
    house.encrypt("other-0", b"x").await.unwrap();
    // The incident, the act and the event name each other and the rule.
    let incidents = house.incidents().await;
    assert_eq!(incidents.len(), 1);
    let incident = &incidents[0];
    let id = incident.id.to_string();
    assert_eq!(
        (incident.key.as_str(), incident.by.as_str()),
        ("master", "rules")
    );
    let why = format!("by the rule stolen-key, on verdict {}", act.trigger_id);
    assert_eq!(incident.reason, why);
    assert_eq!((incident.since, incident.reach), (None, Reach::All));
    assert_eq!(act.incident.as_deref(), Some(&*id));
    assert_eq!(act.reason.as_deref(), Some("keyCompromise"));
    let events = house.by_rules("key.compromise").await;
    assert_eq!(events.len(), 1);
    assert_eq!(detail(&events[0], DetailKey::Incident), id);
    assert_eq!(detail(&events[0], DetailKey::Rule), "stolen-key");
    assert_eq!(detail(&events[0], DetailKey::RuleAct), act.id.to_string());
    assert_eq!(detail(&events[0], DetailKey::ToState), "compromised");
    // What is compromised is not compromised again.
    let again = house.verdict(key_subject("master"), 1000).await.unwrap();
    assert!(again.acts.is_empty());
    // The rest follows behind, over a restart too.
    let house = house.restart().await;
    assert_eq!(house.engine.finish_incidents().await.unwrap(), 1);
    for name in ["master-0", "master-1"] {
        assert_eq!(house.state(name).await, KeyState::Compromised, "{name}");
    }
    assert_eq!(house.state("other-0").await, KeyState::Active);
    let read = house
        .engine
        .read_incident(&house.root, "root", incident.id)
        .await
        .unwrap();
    assert_eq!(read.counts.compromised, 3);
    let report = read.report.unwrap();
    let key = house.engine.incident_key(&house.root, "root").await;
    let said = verify_report(&report, &key.unwrap().pem).unwrap();
    assert_eq!(said["rule"], "stolen-key");
    // There is no way back, and it says so.
    let undone = house
        .engine
        .undo_rule_act(&house.root, "root", &act.id.to_string())
        .await;
    let said = undone.unwrap_err().to_string();
    assert!(
        said.contains("a compromise cannot be undone") && said.contains(&id),
        "{said}"
    );
    let listed = house.acts().await;
    assert_eq!((listed.len(), listed[0].state), (1, "done"));
    assert_eq!(listed[0].incident.as_deref(), Some(&*id));
}

#[tokio::test]
async fn published_material_is_an_incident() {
    let house = House::new().await;
    house
        .rule("published", &ready_made("published"))
        .await
        .unwrap();
    let engine = &house.engine;
    for name in ["leaked", "own"] {
        house.create(name, Algorithm::EcP256).await;
    }
    let leaked = engine.read_key(&house.root, at("leaked")).await.unwrap();
    let spki = leaked.key().versions[0].public_spki.clone().unwrap();
    let hash: String = sha256(&[&spki]).map(|byte| format!("{byte:02x}")).concat();
    let list = spki_hashes("leaked", &hash).unwrap().to_file();
    engine.import_blocklist(&house.root, list).await.unwrap();
    for _ in 0..2 {
        engine.sweep_weak_keys().await.unwrap();
        engine.note_weak_keys().await.unwrap();
        engine.judge_events().await.unwrap();
    }
    assert_eq!(house.states(at("leaked")).await, [KeyState::Compromised]);
    assert_eq!(house.state("own").await, KeyState::Active);
    let incidents = house.incidents().await;
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].key, "leaked");
    assert_eq!(incidents[0].rotation, Rotation::All);
    let acts = house.acts().await;
    assert_eq!((acts.len(), acts[0].trigger.as_str()), (1, "finding"));
    // The rule has every key given a new version.
    engine.finish_incidents().await.unwrap();
    let states = [KeyState::Compromised, KeyState::Active];
    assert_eq!(house.states(at("leaked")).await, states);
    engine.judge_events().await.unwrap();
    assert_eq!(house.states(at("leaked")).await, states);
}

#[tokio::test]
async fn a_compromise_is_done_once_however_often_it_is_broken_off() {
    let mut house = House::new().await;
    let names: Vec<String> = (0..24).map(|at| format!("key-{at:03}")).collect();
    for name in &names {
        house.create(name, Algorithm::Aes256Gcm).await;
    }
    let text = r#"@answer("compromise") @limit("1000 per day")
        permit (principal, action == SKMS::Action::"rule.event", resource is SKMS::Key)
        when { context.action == "key.decrypt" };"#;
    house.rule("each", text).await.unwrap();
    let mut broken = 0;
    for (at, name) in names.iter().enumerate() {
        let sealed = house.encrypt(name, b"x").await.unwrap();
        house.decrypt(name, &sealed).await.unwrap();
        broken += usize::from(broken_off(house.engine.judge_events(), at).await);
        if at % 6 == 5 {
            house = house.restart().await;
        }
    }
    house.engine.judge_events().await.unwrap();
    house.engine.judge_events().await.unwrap();
    assert!(broken > 4, "{broken}");
    let incidents = house.incidents().await;
    let of: BTreeSet<&str> = incidents.iter().map(|one| one.key.as_str()).collect();
    assert_eq!((incidents.len(), of.len()), (names.len(), names.len()));
    let acts = house.acts().await;
    let named: BTreeSet<&str> = acts
        .iter()
        .filter_map(|act| act.incident.as_deref())
        .collect();
    assert_eq!((acts.len(), named.len()), (names.len(), names.len()));
    assert_eq!(house.acts_of("each", "done").await, names.len());
    assert_eq!(house.by_rules("key.compromise").await.len(), names.len());
}

#[tokio::test]
async fn the_limit_counts_the_keys_that_a_compromise_reaches() {
    let house = House::new().await;
    for (name, below) in [
        ("small", 1),
        ("lone", 0),
        ("late", 0),
        ("fits", 2),
        ("big", 3),
    ] {
        house.family(name, below).await;
    }
    let text = on_verdict("@limit(\"3 per day\")");
    house.rule("far", &text).await.unwrap();
    // Two, and one: that is all for a day.
    assert_eq!(house.told("small").await.state, "done");
    assert_eq!(house.told("lone").await.state, "done");
    assert_eq!(house.told("late").await.state, "held");
    assert_eq!(house.state("late").await, KeyState::Active);
    let engine = &house.engine;
    let drop_held = async || {
        let dropped = engine
            .release_rule(&house.root, ("root", "far"), true)
            .await;
        dropped.unwrap();
    };
    drop_held().await;
    house.config.clock.advance_seconds(DAY + 1);
    // As many as it may at once.
    assert_eq!(house.told("fits").await.state, "done");
    assert!(house.is_barred("fits-1").await);
    // What it did counts after a restart as well.
    let house = house.restart().await;
    assert_eq!(house.told("late").await.state, "held");
    let engine = &house.engine;
    let dropped = engine
        .release_rule(&house.root, ("root", "far"), true)
        .await;
    dropped.unwrap();
    house.config.clock.advance_seconds(DAY + 1);
    // One more than that, and none of it is done by itself.
    let act = house.told("big").await;
    assert_eq!((act.state, act.incident), ("held", None));
    assert_eq!(house.state("big").await, KeyState::Active);
    house.encrypt("big-2", b"x").await.unwrap();
    assert_eq!(house.incidents().await.len(), 3);
    let held = house.by_rules("rule.act").await;
    let why = held.last().unwrap().event.outcome.reason().unwrap();
    assert!(why.as_str().contains("keys that depend on"), "{why:?}");
    // Somebody lets it go.
    let house = house.restart().await;
    let released = house
        .engine
        .release_rule(&house.root, ("root", "far"), false)
        .await;
    assert_eq!(released.unwrap().done, 1);
    assert_eq!(house.state("big").await, KeyState::Compromised);
    assert!(house.is_barred("big-2").await);
    assert_eq!(house.incidents().await.len(), 4);
}

#[tokio::test]
async fn a_rule_says_how_far_it_goes_and_that_is_what_counts() {
    let house = House::new().await;
    for name in ["none", "direct", "spared"] {
        house.family(name, 0).await;
        let below = format!("{name}-middle");
        house
            .derived(name, &below, Algorithm::HkdfSha256, &[Use::Derive])
            .await;
        let leaf = format!("{name}-leaf");
        let both = [Use::Encrypt, Use::Decrypt];
        house
            .derived(&below, &leaf, Algorithm::Xaes256Gcm, &both)
            .await;
    }
    let engine = &house.engine;
    let just = on_verdict("@limit(\"1 per day\") @cascade(\"none\")");
    house.rule("none", &just).await.unwrap();
    assert_eq!(house.told("none").await.state, "done");
    house.encrypt("none-leaf", b"x").await.unwrap();
    engine
        .delete_rule(&house.root, "root", "none")
        .await
        .unwrap();
    let direct = on_verdict("@limit(\"2 per day\") @cascade(\"direct\")");
    house.rule("direct", &direct).await.unwrap();
    assert_eq!(house.told("direct").await.state, "done");
    engine.finish_incidents().await.unwrap();
    assert_eq!(house.state("direct-middle").await, KeyState::Compromised);
    assert_eq!(house.state("direct-leaf").await, KeyState::Active);
    house.encrypt("direct-leaf", b"x").await.unwrap();
    engine
        .delete_rule(&house.root, "root", "direct")
        .await
        .unwrap();
    // Where a policy stops the cascade, it counts no further either.
    let spares = r#"forbid (principal, action == SKMS::Action::"key.cascade",
        resource == SKMS::Key::"root/default/spared-middle");"#;
    engine
        .write_policy(&house.root, "root", "spares", spares)
        .await
        .unwrap();
    let all = on_verdict("@limit(\"1 per day\")");
    house.rule("all", &all).await.unwrap();
    assert_eq!(house.told("spared").await.state, "done");
    engine.finish_incidents().await.unwrap();
    house.encrypt("spared-leaf", b"x").await.unwrap();
}

#[tokio::test]
async fn a_trial_says_what_would_be_reached() {
    let house = House::new().await;
    house.family("master", 3).await;
    house.create("plain", Algorithm::Aes256Gcm).await;
    let text = |limit: u32| {
        format!(
            "@answer(\"compromise\") @limit(\"{limit} per day\") permit (principal, action == \
             SKMS::Action::\"rule.time\", resource) when {{ resource.name == \"master\" }};"
        )
    };
    let engine = &house.engine;
    for (limit, reach, holds) in [(4, 3, false), (3, 3, true), (1, 2, true)] {
        let tried = engine
            .test_rule(&house.root, ("root", "far"), &text(limit))
            .await;
        let trial = tried.unwrap();
        assert_eq!((trial.would_touch, trial.keys), (1, 5));
        assert_eq!((trial.would_reach, trial.would_hold), (reach, holds));
    }
    // And a walk does what it said.
    house.rule("far", &text(3)).await.unwrap();
    engine.judge_time().await.unwrap();
    assert_eq!(house.acts_of("far", "held").await, 1);
    house.rule("far", &text(4)).await.unwrap();
    engine.judge_time().await.unwrap();
    assert_eq!(house.acts_of("far", "done").await, 1);
    assert!(house.is_barred("master-0").await);
    engine.finish_incidents().await.unwrap();
    engine.judge_time().await.unwrap();
    assert_eq!(
        (house.acts().await.len(), house.incidents().await.len()),
        (2, 1)
    );
}

#[tokio::test]
async fn a_dry_rule_compromises_nothing() {
    let house = House::new().await;
    house.family("master", 1).await;
    let new = NewRule {
        text: on_verdict("@limit(\"9 per day\")"),
        enabled: true,
        dry_run: true,
    };
    let engine = &house.engine;
    engine
        .write_rule(&house.root, ("root", "dry"), new)
        .await
        .unwrap();
    assert_eq!(house.told("master").await.state, "dry-run");
    let said = house.by_rules("rule.act").await;
    assert_eq!(
        detail(&said[0], DetailKey::Reason),
        "a dry run: compromise was not done"
    );
    assert!(house.incidents().await.is_empty());
    house.encrypt("master-0", b"x").await.unwrap();
}

#[tokio::test]
async fn what_somebody_ordered_meanwhile_is_one_incident() {
    let house = House::new().await;
    house.family("master", 1).await;
    let text = on_verdict("@limit(\"1 per day\")");
    house.rule("far", &text).await.unwrap();
    assert_eq!(house.told("master").await.state, "held");
    let order = Order {
        versions: Versions::All,
        reason: "the tape was lost".into(),
        since: None,
        reach: Reach::All,
        rotation: Rotation::Rule,
    };
    let engine = &house.engine;
    let theirs = engine.compromise_key(&house.root, at("master"), order);
    let theirs = theirs.await.unwrap();
    let released = engine
        .release_rule(&house.root, ("root", "far"), false)
        .await;
    assert_eq!(released.unwrap().done, 1);
    let acts = house.acts().await;
    assert_eq!(acts[0].incident, Some(theirs.id.to_string()));
    assert_eq!(house.incidents().await.len(), 1);
    assert_eq!(house.by_rules("key.compromise").await.len(), 1);
}

#[tokio::test]
async fn what_a_cascade_does_is_the_rule_s_to_other_rules() {
    let house = House::new().await;
    house.family("master", 1).await;
    let text = on_verdict("@limit(\"9 per day\") @rotate(\"all\")");
    house.rule("first", &text).await.unwrap();
    let rotated = |more: &str| {
        format!(
            "@answer(\"compromise\") @limit(\"9 per day\") {more} permit (principal, action == \
             SKMS::Action::\"rule.event\", resource is SKMS::Key) when {{ \
             context.outcome == \"success\" && context.action == \"key.rotate\" }};"
        )
    };
    house.rule("round", &rotated("")).await.unwrap();
    let engine = &house.engine;
    house.told("master").await;
    for _ in 0..3 {
        engine.finish_incidents().await.unwrap();
        engine.judge_events().await.unwrap();
    }
    let now = [KeyState::Compromised, KeyState::Active];
    assert_eq!(house.states(at("master")).await, now);
    assert_eq!(house.incidents().await.len(), 1);
    // One that says so follows it, and ends: it does not follow itself.
    let follows = rotated("@follows(\"first\")");
    house.rule("round", &follows).await.unwrap();
    house.family("next", 0).await;
    house.told("next").await;
    for _ in 0..3 {
        engine.finish_incidents().await.unwrap();
        engine.judge_events().await.unwrap();
    }
    let both = [KeyState::Compromised, KeyState::Compromised];
    assert_eq!(house.states(at("next")).await, both);
    assert_eq!(house.incidents().await.len(), 3);
}

#[tokio::test]
async fn what_the_server_stands_on_is_kept_off_with_what_it_depends_on() {
    let house = House::new().await;
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::EcP256),
        uses: Some(Uses::of(&[Use::Sign])),
        exportable: Some(true),
        ..NewKeySpec::default()
    };
    let engine = &house.engine;
    engine
        .create_key(&house.root, at("ca"), spec)
        .await
        .unwrap();
    crate::certified::authority(&house, "root", "ca", None).await;
    // The authority's key left wrapped by another.
    house.create("kek", Algorithm::Aes256Kwp).await;
    let request = export_key::Request {
        version: None,
        format: Format::Pkcs8Der,
        passphrase: None,
        wrapped_with: Some(WrappedWith {
            keyring: "default".into(),
            name: "kek".into(),
            version: None,
            options: EncryptOptions::default(),
        }),
    };
    let left = engine.export_key(&house.root, at("ca"), request);
    left.await.unwrap();
    house.create("plain", Algorithm::Aes256Gcm).await;
    house
        .rule("any", &on_verdict("@limit(\"9 per day\")"))
        .await
        .unwrap();
    for (name, why) in [("ca", "stands on the key"), ("kek", "depends on it")] {
        let act = house.told(name).await;
        assert_eq!((act.state, act.incident), ("skipped", None), "{name}");
        assert!(act.why.unwrap().contains(why), "{name}");
        assert_eq!(house.state(name).await, KeyState::Active, "{name}");
    }
    assert!(house.incidents().await.is_empty());
    let time = on_verdict("").replace("rule.verdict", "rule.time");
    let trial = engine
        .test_rule(&house.root, ("root", "all"), &time)
        .await
        .unwrap();
    let off = trial.some.iter().filter(|one| one.kept_off.is_some());
    let off: BTreeSet<&str> = off.map(|one| one.name.as_str()).collect();
    assert_eq!(off, BTreeSet::from(["default/ca", "default/kek"]));
    // The key alone is another thing, and so is what a policy has go on.
    let alone = on_verdict("@limit(\"9 per day\") @cascade(\"none\")");
    house.rule("any", &alone).await.unwrap();
    assert_eq!(house.told("kek").await.state, "done");
    assert_eq!(house.told("plain").await.state, "done");
    assert_eq!(house.state("ca").await, KeyState::Active);
}

#[tokio::test]
async fn a_compromise_for_no_compromise_is_refused() {
    let house = House::new().await;
    for (more, why) in [
        ("@reason(\"superseded\")", "keyCompromise and cACompromise"),
        ("@reason(\"boredom\")", "keyCompromise and cACompromise"),
        ("@cascade(\"far\")", "none, direct, all"),
        ("@rotate(\"some\")", "none, rule, all"),
    ] {
        let refused = house.rule("x", &on_verdict(more)).await;
        let said = refused.unwrap_err().to_string();
        assert!(said.contains(why), "{more}: {said}");
    }
    for reason in ["keyCompromise", "cACompromise"] {
        let text = on_verdict(&format!("@reason({reason:?})"));
        let (view, _) = house.rule("x", &text).await.unwrap();
        assert_eq!(view.answer, "compromise");
    }
}
