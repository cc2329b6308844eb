//! Lineage and compromise: what depends on a key is refused with it, whatever
//! happens at the same time and however often the server is killed.
#![allow(clippy::unwrap_used, missing_docs)]

mod authorities;
mod behind;
#[path = "../common/mod.rs"]
mod common;
mod grants;
mod model;
mod others;
mod races;
mod stuck;

use std::sync::Arc;
use std::time::Duration;

use common::{House, at};
use skms_crypto::{Algorithm, EncryptOptions, Format, SecretBytes, Use, Uses};
use skms_engine::acts::compromise::{IncidentView, Order, Reach, Rotation, Touched, verify_report};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::derive_key::NewDerivation;
use skms_engine::acts::export_key;
use skms_engine::acts::import_key::{Incoming, WrappedWith};
use skms_engine::{Error, KeySnapshot, Result};
use skms_keys::{KeyState, RevocationReason, Revoke, Rules, UnixSeconds, VersionNumber, Versions};

pub async fn master(house: &House, name: &str) {
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::HkdfSha256),
        uses: Some(Uses::of(&[Use::Derive])),
        ..NewKeySpec::default()
    };
    let made = house.engine.create_key(&house.root, at(name), spec);
    made.await.unwrap();
}

pub async fn derive_with(
    house: &House,
    from: &str,
    name: &str,
    spec: NewKeySpec,
) -> Result<Arc<KeySnapshot>> {
    let wanted = NewDerivation {
        version: None,
        context: Vec::new(),
        spec,
    };
    let derived = house
        .engine
        .derive_key(&house.root, at(from), at(name), wanted);
    Ok(derived.await?.key)
}

pub async fn derive(house: &House, from: &str, name: &str) -> Result<Arc<KeySnapshot>> {
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::Xaes256Gcm),
        ..NewKeySpec::default()
    };
    derive_with(house, from, name, spec).await
}

/// A key that is derived and derives.
async fn middle(house: &House, from: &str, name: &str) {
    derive_further(house, from, name).await.unwrap();
}

pub async fn derive_further(house: &House, from: &str, name: &str) -> Result<Arc<KeySnapshot>> {
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::HkdfSha256),
        uses: Some(Uses::of(&[Use::Derive])),
        ..NewKeySpec::default()
    };
    derive_with(house, from, name, spec).await
}

pub fn order() -> Order {
    Order {
        versions: Versions::All,
        reason: "the tape was lost".into(),
        since: None,
        reach: Reach::All,
        rotation: Rotation::Rule,
    }
}

pub async fn compromise(house: &House, name: &str, order: Order) -> IncidentView {
    let begun = house.engine.compromise_key(&house.root, at(name), order);
    begun.await.unwrap()
}

async fn state(house: &House, name: &str) -> KeyState {
    let read = house.engine.read_key(&house.root, at(name)).await.unwrap();
    read.key().newest().unwrap().state
}

fn barred<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::AncestorCompromised { .. }))
}

async fn touched(house: &House, incident: &IncidentView) -> Vec<Touched> {
    let mut all = Vec::new();
    let mut from = (0, 0);
    loop {
        let id = ("root", incident.id);
        let read = house.engine.incident_touched(&house.root, id, from, 7);
        let (some, next) = read.await.unwrap();
        all.extend(some);
        match next {
            Some(next) => from = next,
            None => return all,
        }
    }
}

#[tokio::test]
async fn what_depends_on_a_key_is_refused_before_anybody_marks_it() {
    let house = House::new().await;
    master(&house, "master").await;
    middle(&house, "master", "middle").await;
    derive(&house, "middle", "leaf").await.unwrap();
    derive(&house, "master", "other").await.unwrap();
    house.create("beside", Algorithm::Xaes256Gcm).await;
    let sealed = house.encrypt("leaf", b"x").await.unwrap();
    compromise(&house, "master", order()).await;
    // Nothing was marked yet, and all of it is refused.
    assert_eq!(state(&house, "leaf").await, KeyState::Active);
    for name in ["leaf", "other"] {
        assert!(barred(house.encrypt(name, b"x").await), "{name}");
    }
    assert!(barred(house.decrypt("leaf", &sealed).await));
    assert!(barred(derive(&house, "middle", "late").await));
    assert!(derive(&house, "master", "late").await.is_err());
    house.encrypt("beside", b"x").await.unwrap();
    // Nor does a restart in between let anybody in.
    let house = house.restart().await;
    assert!(barred(house.encrypt("leaf", b"x").await));
    assert_eq!(house.engine.finish_incidents().await.unwrap(), 1);
    for name in ["master", "middle", "leaf", "other"] {
        assert_eq!(state(&house, name).await, KeyState::Compromised, "{name}");
    }
    house.encrypt("beside", b"x").await.unwrap();
    assert_eq!(house.engine.finish_incidents().await.unwrap(), 0);
}

#[tokio::test]
async fn a_row_of_keys_ends_before_it_is_too_long_to_watch_over() {
    let house = House::new().await;
    master(&house, "k0").await;
    let mut made = 0;
    let refused = loop {
        let (from, name) = (format!("k{made}"), format!("k{}", made + 1));
        match derive_further(&house, &from, &name).await {
            Ok(_) => made += 1,
            Err(refused) => break refused,
        }
        assert!(made < 1000);
    };
    assert!(matches!(refused, Error::KeyForbids(_)), "{refused}");
    assert!((32..64).contains(&made), "{made}");
    // What was made can be used, and falls with the first.
    derive(&house, &format!("k{}", made - 1), "leaf")
        .await
        .unwrap();
    compromise(&house, "k0", order()).await;
    let barred = derive(&house, &format!("k{}", made - 1), "late").await;
    assert!(barred.is_err());
}

#[tokio::test]
async fn a_dry_run_has_the_numbers_of_the_act_and_changes_nothing() {
    let house = House::new().await;
    master(&house, "master").await;
    middle(&house, "master", "middle").await;
    let rules = Rules {
        rotate_after_seconds: Some(1_000_000),
        ..Rules::default()
    };
    for number in 0..70 {
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::Xaes256Gcm),
            rules: (number < 3).then_some(rules),
            ..NewKeySpec::default()
        };
        let from = if number % 2 == 0 { "master" } else { "middle" };
        derive_with(&house, from, &format!("k{number}"), spec)
            .await
            .unwrap();
    }
    house.encrypt("k5", b"x").await.unwrap();
    let plan = house
        .engine
        .plan_compromise(&house.root, at("master"), order())
        .await
        .unwrap();
    assert_eq!(plan.incident.counts.compromised, 72);
    assert_eq!(plan.incident.counts.rotated, 3);
    assert_eq!(state(&house, "k5").await, KeyState::Active);
    house.encrypt("k5", b"x").await.unwrap();

    let begun = compromise(&house, "master", order()).await;
    house.engine.finish_incidents().await.unwrap();
    let id = begun.id;
    let done = house.engine.read_incident(&house.root, "root", id);
    let done = done.await.unwrap();
    assert_eq!(done.counts, plan.incident.counts);
    assert_eq!(done.touched, plan.incident.touched);
    assert!(done.finished_at.is_some());
    let all = touched(&house, &done).await;
    assert_eq!(all.len() as u64, done.touched);
    // What was rotated works again, with its new version.
    assert_eq!(
        house.encrypt("k0", b"x").await.unwrap().version,
        VersionNumber(2)
    );
    assert!(house.encrypt("k5", b"x").await.is_err());

    // The report is signed, and about that very list.
    let key = house
        .engine
        .incident_key(&house.root, "root")
        .await
        .unwrap();
    let report = done.report.unwrap();
    let says = verify_report(&report, &key.pem).unwrap();
    assert_eq!(says["counts"]["compromised"], 72);
    assert_eq!(says["incident"], id.to_string());
    let lines: Vec<u8> = all
        .iter()
        .flat_map(|one| [serde_json::to_vec(one).unwrap(), b"\n".to_vec()].concat())
        .collect();
    let digest = skms_crypto::Hash::Sha256.digest(&lines);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(says["touched"]["sha256"], digest.as_str());
    let uses = says["uses"]["of_dependents"].as_array().unwrap();
    let encrypted = uses.iter().find(|row| row["action"] == "key.encrypt");
    assert_eq!(encrypted.unwrap()["source"], "192.0.2.1");
    assert_eq!(says["uses"]["complete"], true);
    let others = skms_crypto::KeyMaterial::generate(Algorithm::EcP256).unwrap();
    let others = others.public_key().unwrap().unwrap();
    let others = others.export(Format::SpkiPem).unwrap();
    assert!(matches!(
        verify_report(&report, &others),
        Err(Error::Integrity)
    ));
    let (head, tail) = report.split_at(report.len() / 2);
    let altered = format!("{}{}", &head[..head.len() - 1], tail);
    assert!(verify_report(&altered, &key.pem).is_err());
    for bad in ["", "a.b", "a.b.c", "....", &report.replace('.', "")] {
        assert!(verify_report(bad, &key.pem).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_dry_run_gives_counts_alone_to_who_may_not_read_incidents() {
    let house = House::new().await;
    master(&house, "master").await;
    derive(&house, "master", "leaf").await.unwrap();
    let policy = r#"permit (principal == SKMS::Principal::"keeper",
        action == SKMS::Action::"key.compromise", resource);"#;
    let put = house
        .engine
        .write_policy(&house.root, "root", "keeper", policy);
    put.await.unwrap();
    let keeper = house.caller_in("keeper", &[]).await;
    let show = async |who: &Arc<skms_engine::Caller>| {
        let plan = house.engine.plan_compromise(who, at("master"), order());
        plan.await
    };
    let shown = show(&keeper).await.unwrap();
    assert_eq!(shown.incident.counts.compromised, 2);
    assert!(shown.touched.is_empty() && shown.report.is_null());
    let shown = show(&house.root).await.unwrap();
    assert_eq!((shown.touched.len(), shown.report.is_null()), (2, false));
    // One at a time, and the next when that has gone.
    let (one, other) = tokio::join!(show(&house.root), show(&house.root));
    let refused = one.as_ref().err().or(other.as_ref().err());
    assert!(matches!(refused, Some(Error::Busy)), "{refused:?}");
    assert!(one.is_ok() || other.is_ok());
    show(&keeper).await.unwrap();
}

#[tokio::test]
async fn what_left_wrapped_and_what_came_wrapped_falls_with_the_wrapping_key() {
    let house = House::new().await;
    let (engine, root) = (&house.engine, &house.root);
    house.create("kek", Algorithm::Aes256Kwp).await;
    let spec = || NewKeySpec {
        algorithm: Some(Algorithm::Xaes256Gcm),
        exportable: Some(true),
        ..NewKeySpec::default()
    };
    for name in ["out", "stays"] {
        engine.create_key(root, at(name), spec()).await.unwrap();
    }
    let wrapped_with = || WrappedWith {
        keyring: "default".into(),
        name: "kek".into(),
        version: None,
        options: EncryptOptions::default(),
    };
    let request = |with| export_key::Request {
        version: None,
        format: Format::Raw,
        passphrase: None,
        wrapped_with: with,
    };
    let sealed = house.encrypt("out", b"x").await.unwrap();
    let export = engine.export_key(root, at("out"), request(Some(wrapped_with())));
    let wrapped = export.await.unwrap().bytes;
    // Once more makes no further record.
    let again = engine.export_key(root, at("out"), request(Some(wrapped_with())));
    again.await.unwrap();
    let plainly = engine.export_key(root, at("stays"), request(None));
    plainly.await.unwrap();
    let incoming = Incoming {
        bytes: SecretBytes::new(wrapped.expose().to_vec()),
        format: Format::Raw,
        passphrase: None,
        wrapped_with: Some(wrapped_with()),
    };
    engine
        .import_key(root, at("in"), spec(), incoming)
        .await
        .unwrap();
    house.encrypt("out", b"x").await.unwrap();
    house.encrypt("in", b"x").await.unwrap();
    compromise(&house, "kek", order()).await;
    assert!(barred(house.encrypt("out", b"x").await));
    assert!(barred(house.decrypt("out", &sealed).await));
    assert!(barred(house.encrypt("in", b"x").await));
    house.encrypt("stays", b"x").await.unwrap();
    let house = house.restart().await;
    assert!(barred(house.encrypt("out", b"x").await));
    house.engine.finish_incidents().await.unwrap();
    assert_eq!(state(&house, "out").await, KeyState::Compromised);
    assert_eq!(state(&house, "in").await, KeyState::Compromised);
    assert_eq!(state(&house, "stays").await, KeyState::Active);
    // Under a grant what it protected can be read, and no more.
    let until = UnixSeconds(common::START_MS / 1000 + 3600);
    let granted = house.engine.grant_recovery(
        &house.root,
        at("out"),
        Versions::All,
        until,
        "re-encrypting",
    );
    granted.await.unwrap();
    let opened = house.decrypt("out", &sealed).await.unwrap();
    assert_eq!(opened.expose(), b"x");
    assert!(house.encrypt("out", b"x").await.is_err());
}

#[tokio::test]
async fn it_goes_as_far_as_was_said() {
    for (reach, states) in [
        (Reach::None, [true, true]),
        (Reach::Direct, [false, true]),
        (Reach::All, [false, false]),
    ] {
        let house = House::new().await;
        master(&house, "master").await;
        middle(&house, "master", "middle").await;
        derive(&house, "master", "near").await.unwrap();
        derive(&house, "middle", "far").await.unwrap();
        let order = Order { reach, ..order() };
        compromise(&house, "master", order).await;
        house.engine.finish_incidents().await.unwrap();
        let house = house.restart().await;
        for (name, works) in ["near", "far"].into_iter().zip(states) {
            let used = house.encrypt(name, b"x").await;
            assert_eq!(used.is_ok(), works, "{reach:?} {name} {:?}", used.err());
        }
        let made = derive(&house, "middle", "new").await;
        assert_eq!(made.is_ok(), reach == Reach::None, "{reach:?}");
    }
}

#[tokio::test]
async fn a_policy_that_forbids_stops_the_cascade_there() {
    let house = House::new().await;
    master(&house, "master").await;
    middle(&house, "master", "kept").await;
    derive(&house, "kept", "below").await.unwrap();
    derive(&house, "master", "other").await.unwrap();
    let policy = r#"forbid (principal, action == SKMS::Action::"key.cascade",
        resource == SKMS::Key::"root/default/kept");"#;
    let put = house
        .engine
        .write_policy(&house.root, "root", "keep", policy);
    put.await.unwrap();
    let begun = compromise(&house, "master", order()).await;
    // Refused at first, until the cascade has asked.
    assert!(barred(house.encrypt("below", b"x").await));
    house.engine.finish_incidents().await.unwrap();
    house.encrypt("below", b"x").await.unwrap();
    assert!(house.encrypt("other", b"x").await.is_err());
    let house = house.restart().await;
    house.encrypt("below", b"x").await.unwrap();
    derive(&house, "kept", "new").await.unwrap();
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    let done = done.await.unwrap();
    assert_eq!((done.counts.spared, done.counts.compromised), (1, 2));
    let all = touched(&house, &done).await;
    assert!(
        all.iter()
            .any(|one| one.name.ends_with("/kept") && one.outcome == "spared")
    );
}

#[tokio::test]
async fn what_callers_are_forbidden_on_the_whole_spares_nothing() {
    let house = House::new().await;
    master(&house, "master").await;
    derive(&house, "master", "leaf").await.unwrap();
    for (name, guard) in [
        ("tls", "unless { context.tls }"),
        ("certificate", "when { principal.kind == \"system\" }"),
        (
            "fails",
            "when { principal.kind == \"system\" && context.now + 9223372036854775807 > 0 }",
        ),
    ] {
        let policy = format!("forbid (principal, action, resource) {guard};");
        let put = house
            .engine
            .write_policy(&house.root, "root", name, &policy);
        put.await.unwrap();
    }
    let plan = house
        .engine
        .plan_compromise(&house.root, at("master"), order());
    assert_eq!(plan.await.unwrap().incident.counts.spared, 0);
    compromise(&house, "master", order()).await;
    house.engine.finish_incidents().await.unwrap();
    assert_eq!(state(&house, "leaf").await, KeyState::Compromised);
    assert!(house.encrypt("leaf", b"x").await.is_err());
}

#[tokio::test]
async fn any_revocation_for_a_compromise_bars_what_depends_on_it() {
    let house = House::new().await;
    master(&house, "master").await;
    derive(&house, "master", "leaf").await.unwrap();
    let revoke = Revoke {
        versions: Versions::All,
        reason: RevocationReason::KeyCompromise,
        message: String::new(),
        compromise_occurred_at: None,
    };
    house
        .engine
        .revoke_key(&house.root, at("master"), revoke)
        .await
        .unwrap();
    assert!(barred(house.encrypt("leaf", b"x").await));
    let house = house.restart().await;
    assert!(barred(house.encrypt("leaf", b"x").await));
    // The cascade can be had afterwards.
    compromise(&house, "master", order()).await;
    house.engine.finish_incidents().await.unwrap();
    assert_eq!(state(&house, "leaf").await, KeyState::Compromised);
}

#[tokio::test]
async fn a_deleted_key_s_compromise_is_remembered() {
    let house = House::new().await;
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::HkdfSha256),
        rules: Some(Rules {
            destroy_window_seconds: 0,
            ..Rules::default()
        }),
        ..NewKeySpec::default()
    };
    let made = house.engine.create_key(&house.root, at("master"), spec);
    made.await.unwrap();
    derive(&house, "master", "leaf").await.unwrap();
    let revoke = Revoke {
        versions: Versions::All,
        reason: RevocationReason::KeyCompromise,
        message: String::new(),
        compromise_occurred_at: None,
    };
    let (engine, root) = (&house.engine, &house.root);
    engine.revoke_key(root, at("master"), revoke).await.unwrap();
    engine
        .destroy_key(root, at("master"), Versions::All, Some(0))
        .await
        .unwrap();
    engine.do_what_is_due().await.unwrap();
    engine.delete_key(root, at("master")).await.unwrap();
    let house = house.restart().await;
    assert!(barred(house.encrypt("leaf", b"x").await));
}

async fn destroy_and_delete(house: &House, name: &str) {
    let (engine, root) = (&house.engine, &house.root);
    engine
        .destroy_key(root, at(name), Versions::All, Some(0))
        .await
        .unwrap();
    engine.do_what_is_due().await.unwrap();
    engine.delete_key(root, at(name)).await.unwrap();
}

/// A key that is derived, derives, and can be destroyed at once.
async fn short_lived(house: &House, from: &str, name: &str) {
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::HkdfSha256),
        uses: Some(Uses::of(&[Use::Derive])),
        rules: Some(Rules {
            destroy_window_seconds: 0,
            ..Rules::default()
        }),
        ..NewKeySpec::default()
    };
    derive_with(house, from, name, spec).await.unwrap();
}

#[tokio::test]
async fn what_is_below_a_deleted_key_falls_with_what_is_above_it() {
    let house = House::new().await;
    master(&house, "master").await;
    short_lived(&house, "master", "upper").await;
    short_lived(&house, "upper", "lower").await;
    derive(&house, "lower", "leaf").await.unwrap();
    derive(&house, "upper", "near").await.unwrap();
    // In both orders.
    destroy_and_delete(&house, "lower").await;
    destroy_and_delete(&house, "upper").await;
    let lineage = async |house: &House, name: &str| {
        let graph = house.engine.key_lineage(&house.root, at(name), 100);
        graph.await.unwrap()
    };
    let graph = lineage(&house, "leaf").await;
    let deleted = |name: &str| name.ends_with("(deleted)");
    let gone = graph.nodes.iter().filter(|node| deleted(&node.name));
    assert_eq!(gone.count(), 2);
    let ways: Vec<_> = graph.edges.iter().map(|edge| edge.how).collect();
    assert_eq!(ways, ["derived", "derived", "derived", "seals"]);
    let house = house.restart().await;
    house.encrypt("leaf", b"x").await.unwrap();
    let house = house.restart().await;
    let begun = compromise(&house, "master", order()).await;
    for name in ["leaf", "near"] {
        assert!(barred(house.encrypt(name, b"x").await), "{name}");
    }
    let house = house.restart().await;
    for name in ["leaf", "near"] {
        assert!(barred(house.encrypt(name, b"x").await), "{name}");
    }
    house.engine.finish_incidents().await.unwrap();
    for name in ["leaf", "near"] {
        assert_eq!(state(&house, name).await, KeyState::Compromised, "{name}");
    }
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    assert_eq!(done.await.unwrap().counts.compromised, 3);
}

#[tokio::test]
async fn what_a_deleted_key_left_goes_with_the_last_that_depends_on_it() {
    let house = House::new().await;
    master(&house, "master").await;
    short_lived(&house, "master", "upper").await;
    short_lived(&house, "upper", "lower").await;
    for name in ["one", "other"] {
        short_lived(&house, "lower", name).await;
    }
    let below = async || {
        let graph = house.engine.key_lineage(&house.root, at("master"), 100);
        // The root key and the key itself aside.
        graph.await.unwrap().nodes.len() - 2
    };
    assert_eq!(below().await, 4);
    destroy_and_delete(&house, "upper").await;
    destroy_and_delete(&house, "lower").await;
    assert_eq!(below().await, 4);
    destroy_and_delete(&house, "one").await;
    assert_eq!(below().await, 3);
    destroy_and_delete(&house, "other").await;
    assert_eq!(below().await, 0);
}

#[tokio::test]
async fn a_cascade_that_was_cut_off_is_finished_once() {
    let house = House::new().await;
    master(&house, "master").await;
    for number in 0..300 {
        derive(&house, "master", &format!("k{number}"))
            .await
            .unwrap();
    }
    let begun = compromise(&house, "master", order()).await;
    let mut house = house;
    for _ in 0..4 {
        // Dropped wherever it is.
        let cut = Duration::from_millis(30);
        let _ = tokio::time::timeout(cut, house.engine.finish_incidents()).await;
        house = house.restart().await;
    }
    house.engine.finish_incidents().await.unwrap();
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    let done = done.await.unwrap();
    assert_eq!(done.counts.compromised, 301);
    let all = touched(&house, &done).await;
    let mut keys: Vec<_> = all.iter().map(|one| one.id.clone()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!((keys.len(), all.len()), (301, 301));
}

#[tokio::test]
async fn bad_orders_are_refused() {
    let house = House::new().await;
    master(&house, "master").await;
    let late = Order {
        since: Some(UnixSeconds(common::START_MS / 1000 + 60)),
        ..order()
    };
    let without = Order {
        reason: String::new(),
        ..order()
    };
    let nowhere = Order {
        versions: Versions::One(VersionNumber(7)),
        ..order()
    };
    for bad in [late, without, nowhere] {
        let plan = house
            .engine
            .plan_compromise(&house.root, at("master"), bad.clone());
        assert!(plan.await.is_err(), "{bad:?}");
        let begun = house.engine.compromise_key(&house.root, at("master"), bad);
        assert!(begun.await.is_err());
    }
    assert_eq!(state(&house, "master").await, KeyState::Active);
    let stranger = house.caller_in("stranger", &[]).await;
    let refused = house
        .engine
        .compromise_key(&stranger, at("master"), order());
    assert!(matches!(refused.await, Err(Error::NotFound { .. })));
    let refused = house.engine.key_lineage(&stranger, at("master"), 10);
    assert!(matches!(refused.await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_lineage_shows_what_hangs_together() {
    let house = House::new().await;
    master(&house, "master").await;
    middle(&house, "master", "middle").await;
    derive(&house, "middle", "leaf").await.unwrap();
    let graph = house
        .engine
        .key_lineage(&house.root, at("middle"), 100)
        .await
        .unwrap();
    let names: Vec<_> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    for name in ["default/master", "default/middle", "default/leaf"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let ways: Vec<_> = graph.edges.iter().map(|edge| edge.how).collect();
    assert_eq!(ways, ["derived", "seals", "derived"]);
    let few = house
        .engine
        .key_lineage(&house.root, at("master"), 2)
        .await
        .unwrap();
    assert!(few.truncated);
}
