//! The certificate of the server's own listener: when a new one is due, and
//! from whom.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{House, at};
use skms_crypto::Algorithm;
use skms_engine::Error;
use skms_engine::acts::authorities::{Extent, Foundation, NewAuthority, Rules, RulesChange};
use skms_keys::{RevocationReason, Revoke, Versions};
use skms_pki::Certificate;
use skms_pki::issue::{AltName, Serial};

const DAY: i64 = 86_400;

async fn authority(house: &House, name: &str, rules: Rules) {
    house.create(name, Algorithm::EcP256).await;
    let new = NewAuthority {
        name: name.to_owned(),
        keyring: "default".to_owned(),
        key: name.to_owned(),
        subject: format!("CN={name}").parse().unwrap(),
        foundation: Foundation::Root,
        extent: Extent::default(),
        signature: None,
        rules,
    };
    house
        .engine
        .create_authority(&house.root, "root", new)
        .await
        .unwrap();
}

fn listener() -> Rules {
    Rules {
        listener: true,
        ..Rules::default()
    }
}

fn names(texts: &[&str]) -> Vec<AltName> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_new_one_is_due_at_two_thirds_for_a_name_and_when_it_is_revoked() {
    let house = House::new().await;
    let (engine, local) = (&house.engine, names(&["localhost", "127.0.0.1"]));
    // Nobody is the listener's authority yet, whoever else there is.
    authority(&house, "others", Rules::default()).await;
    assert!(!engine.listener_is_due(None, &local).unwrap());
    let refused = engine.issue_listener_certificate(local.clone()).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    assert!(engine.listener_anchors().await.unwrap().is_empty());

    authority(&house, "server", listener()).await;
    assert!(engine.listener_is_due(None, &local).unwrap());
    assert!(engine.listener_is_due(Some(b"damaged"), &local).unwrap());
    let made = engine.issue_listener_certificate(local.clone()).await;
    let leaf = made.unwrap().chain[0].clone();
    let due = |names: &[AltName]| engine.listener_is_due(Some(&leaf), names).unwrap();
    assert!(!due(&local));
    assert!(
        !due(&names(&["localhost"])),
        "more names than asked do no harm"
    );
    assert!(due(&names(&["localhost", "kms.example"])));
    house.config.clock.advance_seconds(119 * DAY);
    assert!(!due(&local));
    house.config.clock.advance_seconds(2 * DAY);
    assert!(due(&local));

    let made = engine.issue_listener_certificate(local.clone()).await;
    let leaf = made.unwrap().chain[0].clone();
    let due = || engine.listener_is_due(Some(&leaf), &local).unwrap();
    assert!(!due());
    let read = Certificate::from_der(&leaf).unwrap();
    let serial = Serial::from_contents(read.serial()).unwrap();
    engine
        .revoke_certificate(
            &house.root,
            "root",
            "server",
            &serial.to_string(),
            RevocationReason::Superseded,
            None,
        )
        .await
        .unwrap();
    assert!(due());
}

#[tokio::test]
async fn an_authority_with_a_new_key_goes_on_being_trusted() {
    let house = House::new().await;
    let (engine, local) = (&house.engine, names(&["localhost"]));
    authority(&house, "server", listener()).await;
    let before = engine.listener_anchors().await.unwrap();
    let made = engine.issue_listener_certificate(local.clone()).await;
    let leaf = made.unwrap().chain[0].clone();
    house.create("server-2", Algorithm::EcP256).await;
    engine
        .renew_authority(
            &house.root,
            "root",
            "server",
            Some(("default", "server-2")),
            None,
        )
        .await
        .unwrap();
    assert!(engine.listener_is_due(Some(&leaf), &local).unwrap());
    let made = engine.issue_listener_certificate(local.clone()).await;
    let chain = made.unwrap().chain;
    assert!(!engine.listener_is_due(Some(&chain[0]), &local).unwrap());
    // Old clients find the way by the certificate that the old key made.
    let anchors = engine.listener_anchors().await.unwrap();
    assert_eq!((before.len(), anchors.len()), (1, 2));
    assert!(anchors.contains(&before[0]));
    let old = Certificate::from_der(&before[0]).unwrap();
    let by_the_old = chain[1..].iter().any(|der| {
        let read = Certificate::from_der(der).unwrap();
        let above = read.extensions().authority_key_identifier.as_ref();
        above.and_then(|above| above.key_id) == old.extensions().subject_key_identifier
    });
    assert!(by_the_old);
}

#[tokio::test]
async fn less_time_is_taken_from_the_authority_and_too_little_is_refused() {
    let house = House::new().await;
    let (engine, local) = (&house.engine, names(&["localhost"]));
    authority(&house, "server", listener()).await;
    let allow = async |seconds: u64| {
        let change = RulesChange {
            max_lifetime_seconds: Some(seconds),
            ..RulesChange::default()
        };
        engine
            .update_authority(&house.root, "root", "server", change)
            .await
            .unwrap();
    };
    allow(30 * 86_400).await;
    let made = engine.issue_listener_certificate(local.clone()).await;
    let leaf = made.unwrap().chain[0].clone();
    house.config.clock.advance_seconds(19 * DAY);
    assert!(!engine.listener_is_due(Some(&leaf), &local).unwrap());
    house.config.clock.advance_seconds(2 * DAY);
    assert!(engine.listener_is_due(Some(&leaf), &local).unwrap());
    allow(3600).await;
    let refused = engine.issue_listener_certificate(local.clone()).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn an_unsealed_beginning_is_as_good_as_one_that_was_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let config = skms_engine::Config::new(dir.path());
    let seal = skms_store::NewSeal::KeyFile {
        name: "test".into(),
        key: skms_crypto::SecretArray::from_slice(&[7; 32]).unwrap(),
    };
    let (engine, made) = skms_engine::Engine::begin(&config, vec![seal])
        .await
        .unwrap();
    assert!(!engine.is_sealed());
    let token = String::from_utf8(made.root_token.into_public()).unwrap();
    engine.authenticate_token(&token).await.unwrap();
    engine.shut().await.unwrap();
    drop(engine);
    let engine = skms_engine::Engine::open(config).await.unwrap();
    assert!(engine.is_sealed());
    let key = skms_crypto::SecretArray::from_slice(&[7; 32]).unwrap();
    engine
        .unseal(skms_store::SealInput::KeyFile(key))
        .await
        .unwrap();
    engine.authenticate_token(&token).await.unwrap();
}

#[tokio::test]
async fn its_certificate_ends_with_its_authority() {
    let house = House::new().await;
    let (engine, local) = (&house.engine, names(&["localhost"]));
    house.create("server", Algorithm::EcP256).await;
    let new = NewAuthority {
        name: "server".to_owned(),
        keyring: "default".to_owned(),
        key: "server".to_owned(),
        subject: "CN=server".parse().unwrap(),
        foundation: Foundation::Root,
        extent: Extent {
            lifetime_seconds: Some(100 * 86_400),
            ..Extent::default()
        },
        signature: None,
        rules: listener(),
    };
    let made = engine.create_authority(&house.root, "root", new);
    let end = made.await.unwrap().issuers[0].not_after.0;
    let made = engine.issue_listener_certificate(local.clone()).await;
    let leaf = made.unwrap().chain[0].clone();
    assert!(Certificate::from_der(&leaf).unwrap().not_after().0 <= end);
    house.config.clock.advance_seconds(80 * DAY);
    assert!(engine.listener_is_due(Some(&leaf), &local).unwrap());
    let made = engine.issue_listener_certificate(local.clone()).await;
    let leaf = made.unwrap().chain[0].clone();
    let last = Certificate::from_der(&leaf).unwrap().not_after().0;
    assert!(last <= end && last > end - DAY, "{last} of {end}");
}

#[tokio::test]
async fn nobody_is_told_to_trust_a_compromised_key() {
    let house = House::new().await;
    let engine = &house.engine;
    authority(&house, "server", listener()).await;
    let before = engine.listener_anchors().await.unwrap();
    house.create("server-2", Algorithm::EcP256).await;
    engine
        .renew_authority(
            &house.root,
            "root",
            "server",
            Some(("default", "server-2")),
            None,
        )
        .await
        .unwrap();
    let revoke = Revoke {
        versions: Versions::All,
        reason: RevocationReason::KeyCompromise,
        message: String::new(),
        compromise_occurred_at: None,
    };
    engine
        .revoke_key(&house.root, at("server"), revoke)
        .await
        .unwrap();
    let after = engine.listener_anchors().await.unwrap();
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
}
