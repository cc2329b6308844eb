//! How far a rule reaches before somebody is asked; once and not twice.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use skms_crypto::Algorithm;
use skms_evidence::DetailKey;
use skms_keys::KeyState;

use skms_engine::KeyRef;
use skms_engine::acts::create_key::NewKeySpec;

use crate::common::{House, at};
use crate::{DAY, detail, key_subject};

const EVERYTHING: &str = r#"@answer("revoke") @reason("cessationOfOperation")
permit (principal, action == SKMS::Action::"rule.time", resource);"#;

async fn keys(house: &House, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|at| format!("key-{at:03}")).collect();
    for name in &names {
        house.create(name, Algorithm::Aes256Gcm).await;
    }
    names
}

async fn active(house: &House, names: &[String]) -> usize {
    let mut active = 0;
    for name in names {
        active += usize::from(house.state(name).await == KeyState::Active);
    }
    active
}

#[tokio::test]
async fn a_rule_that_would_revoke_everything_waits_to_be_released() {
    let house = House::new().await;
    let names = keys(&house, 6).await;
    let (view, trial) = house.rule("all", EVERYTHING).await.unwrap();
    assert_eq!((trial.would_touch, trial.keys), (6, 6));
    assert!(trial.would_hold && trial.some.len() == 6);
    assert_eq!(
        (trial.limit.as_str(), view.limit.as_str()),
        ("3 per day", "3 per day")
    );
    house.engine.judge_time().await.unwrap();
    // Not even as many as its limit: which would it be?
    assert_eq!(active(&house, &names).await, 6);
    assert_eq!(house.acts_of("all", "held").await, 6);
    let events = house.by_rules("rule.act").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event.outcome.name(), "denied");
    assert_eq!(detail(&events[0], DetailKey::Count), "6");
    // It stays so, day after day and after a restart.
    house.config.clock.advance_seconds(2 * DAY);
    house.engine.judge_time().await.unwrap();
    let house = house.restart().await;
    house.engine.judge_time().await.unwrap();
    assert_eq!(active(&house, &names).await, 6);
    assert_eq!(house.by_rules("rule.act").await.len(), 1);
    let engine = &house.engine;
    let nobody = house.caller_in("dave", &["operator"]).await;
    let refused = engine.release_rule(&nobody, ("root", "all"), false).await;
    assert!(refused.is_err());
    assert_eq!(active(&house, &names).await, 6);
    let released = engine
        .release_rule(&house.root, ("root", "all"), false)
        .await;
    assert_eq!(released.unwrap().done, 6);
    assert_eq!(active(&house, &names).await, 0);
    let again = engine
        .release_rule(&house.root, ("root", "all"), false)
        .await;
    assert!(again.unwrap_err().to_string().contains("holds no acts"));
}

#[tokio::test]
async fn what_is_held_can_be_dropped_or_goes_with_its_edition() {
    let house = House::new().await;
    let names = keys(&house, 6).await;
    house.rule("all", EVERYTHING).await.unwrap();
    house.engine.judge_time().await.unwrap();
    let engine = &house.engine;
    let dropped = engine
        .release_rule(&house.root, ("root", "all"), true)
        .await;
    assert_eq!(dropped.unwrap().acts, 6);
    house.engine.judge_time().await.unwrap();
    assert_eq!(house.acts_of("all", "discarded").await, 6);
    // Written anew it finds them anew.
    house.rule("all", EVERYTHING).await.unwrap();
    house.engine.judge_time().await.unwrap();
    assert_eq!(house.acts_of("all", "held").await, 6);
    house.rule("all", EVERYTHING).await.unwrap();
    assert_eq!(house.acts_of("all", "held").await, 0);
    let none = engine
        .release_rule(&house.root, ("root", "all"), false)
        .await;
    assert!(none.is_err());
    engine
        .delete_rule(&house.root, "root", "all")
        .await
        .unwrap();
    house.engine.judge_time().await.unwrap();
    assert_eq!(active(&house, &names).await, 6);
}

#[tokio::test]
async fn a_flood_of_verdicts_goes_no_further_than_the_limit() {
    let house = House::new().await;
    let names = keys(&house, 30).await;
    let text = r#"@answer("suspend") @limit("4 per day")
        permit (principal, action == SKMS::Action::"rule.verdict", resource is SKMS::Key);"#;
    house.rule("odd", text).await.unwrap();
    for name in &names {
        house.verdict(key_subject(name), 1000).await.unwrap();
        // The same again counts for nothing.
        house.verdict(key_subject(name), 1000).await.unwrap();
    }
    assert_eq!(active(&house, &names).await, 26);
    assert_eq!(house.acts_of("odd", "done").await, 4);
    // Another rule has a limit of its own.
    house.rule("other", text).await.unwrap();
    house.verdict(key_subject("key-029"), 1000).await.unwrap();
    assert_eq!(house.state("key-029").await, KeyState::Suspended);
    // Dropped, and a day later, it acts again.
    let engine = &house.engine;
    engine
        .delete_rule(&house.root, "root", "other")
        .await
        .unwrap();
    let dropped = engine
        .release_rule(&house.root, ("root", "odd"), true)
        .await;
    dropped.unwrap();
    house.verdict(key_subject("key-010"), 1000).await.unwrap();
    assert_eq!(house.acts_of("odd", "done").await, 4);
    engine
        .release_rule(&house.root, ("root", "odd"), true)
        .await
        .unwrap();
    house.config.clock.advance_seconds(DAY + 1);
    house.verdict(key_subject("key-010"), 1000).await.unwrap();
    assert_eq!(house.state("key-010").await, KeyState::Suspended);
    // Undoing does not make room: it would let a rule go round for ever.
    for act in house.acts().await.iter().filter(|act| act.state == "done") {
        let id = act.id.to_string();
        engine
            .undo_rule_act(&house.root, "root", &id)
            .await
            .unwrap();
    }
    for name in ["key-011", "key-012", "key-013"] {
        house.verdict(key_subject(name), 1000).await.unwrap();
        assert_eq!(house.state(name).await, KeyState::Suspended, "{name}");
    }
    house.verdict(key_subject("key-014"), 1000).await.unwrap();
    assert_eq!(house.state("key-014").await, KeyState::Active);
}

/// Polls `work` so often and then lets it go.
pub async fn broken_off<F: Future>(work: F, polls: usize) -> bool {
    let mut work = pin!(work);
    for _ in 0..polls {
        let mut context = Context::from_waker(Waker::noop());
        if work.as_mut().poll(&mut context).is_ready() {
            return false;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    true
}

#[tokio::test]
async fn an_answer_is_given_once_however_often_it_is_broken_off() {
    let mut house = House::new().await;
    let names = keys(&house, 24).await;
    let text = r#"@answer("rotate") @limit("1000 per day")
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
    for name in &names {
        let states = house.states(at(name)).await;
        assert_eq!(states.len(), 2, "{name}");
    }
    assert_eq!(house.acts_of("each", "done").await, names.len());
    assert_eq!(house.by_rules("key.rotate").await.len(), names.len());
}

#[test]
fn rules_are_asked_while_the_thread_that_started_them_is_busy() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let house = runtime.block_on(async {
        let house = House::new().await;
        house.create("one", Algorithm::Aes256Gcm).await;
        house.rule("all", EVERYTHING).await.unwrap();
        house.engine.start_jobs();
        house
    });
    // Nothing runs on this runtime meanwhile, as when it computes.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let other = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    while other.block_on(house.state("one")) == KeyState::Active {
        assert!(std::time::Instant::now() < until, "nobody asked the rule");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Whose turn would be first by name.
const THEIRS: &str = "alpha";

/// Rules of another namespace that warn of every reading of a key, and so many
/// readings.
async fn flood(house: &House, rules: usize, readings: usize) {
    let (engine, root) = (&house.engine, &house.root);
    engine.create_namespace(root, THEIRS).await.unwrap();
    let defaults = skms_keys::Defaults::default();
    engine
        .create_keyring(root, THEIRS, "default", defaults)
        .await
        .unwrap();
    let text = r#"@answer("warn") @limit("1000 per hour")
        permit (principal, action == SKMS::Action::"rule.event", resource)
        when { context.action == "key.read" };"#;
    for at in 0..rules {
        let name = format!("flood-{at}");
        house.rule_in(THEIRS, &name, text).await.unwrap();
    }
    let theirs = KeyRef {
        namespace: THEIRS,
        ..at("theirs")
    };
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Aes256Gcm),
        ..NewKeySpec::default()
    };
    engine.create_key(root, theirs, spec).await.unwrap();
    for _ in 0..readings {
        engine.read_key(root, theirs).await.unwrap();
    }
}

async fn warned(house: &House) -> usize {
    let acts = house.engine.list_rule_acts(&house.root, THEIRS).await;
    let acts = acts.unwrap();
    acts.iter().filter(|act| act.state == "done").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_s_flood_of_acts_holds_up_no_other_namespace_s() {
    let house = House::new().await;
    house.create("ours", Algorithm::Aes256Gcm).await;
    let text = r#"@answer("suspend")
        permit (principal, action == SKMS::Action::"rule.event", resource is SKMS::Key)
        when { context.action == "key.decrypt" };"#;
    house.rule("stop", text).await.unwrap();
    house.engine.judge_events().await.unwrap();
    flood(&house, 64, 40).await;
    // What is done first is what was decided first.
    house.config.clock.advance_seconds(1);
    let sealed = house.encrypt("ours", b"x").await.unwrap();
    house.decrypt("ours", &sealed).await.unwrap();
    house.engine.start_jobs();
    while house.state("ours").await == KeyState::Active {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let before = warned(&house).await;
    assert!(before < 64 * 40 / 2, "{before} warnings were first");
}

#[tokio::test]
async fn whose_rules_fall_behind_are_asked_about_everything_in_the_end() {
    let mut house = House::new().await;
    flood(&house, 64, 20).await;
    let mut broken = 0;
    for polls in [3, 30, 300] {
        broken += usize::from(broken_off(house.engine.judge_events(), polls).await);
        house = house.restart().await;
    }
    house.engine.judge_events().await.unwrap();
    assert_eq!((broken, warned(&house).await), (3, 64 * 20));
    let told = house.by_rules("rule.act").await;
    assert_eq!(told.len(), 64 * 20);
}
