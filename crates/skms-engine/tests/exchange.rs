//! What becomes of a key that was agreed upon: in use once it is confirmed,
//! destroyed where the confirmation does not come in time.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::BTreeSet;

use common::{House, START_MS, at};
use skms_crypto::{Algorithm, Format, KeyMaterial};
use skms_engine::Error;
use skms_engine::acts::authorities::{Extent, Foundation, NewAuthority, Rules};
use skms_engine::acts::certificates::{NewCertificate, SubjectKey};
use skms_engine::acts::compromise::{IncidentView, Order, Reach, Rotation};
use skms_engine::acts::exchange::Sender;
use skms_engine::acts::principals::{NewPrincipal, ShownBy};
use skms_exchange::{Agreement, Intent, KeyName, LocalIdentity, Outcome, Request, Trust, Uses};
use skms_keys::{KeyState, VersionNumber, Versions};
use skms_pki::issue::{AltName, ProfileKind, principal_uri};
use skms_pki::{Certificate, Crl, Evidence, Moment};

/// Window and skew: for so long a key waits.
const WAIT_SECONDS: i64 = 180;

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
    let made = house.engine.create_authority(&house.root, "root", new);
    made.await.unwrap();
}

/// Somebody with all rights, and a certificate to say so.
async fn alice(house: &House) -> LocalIdentity {
    let new = NewPrincipal {
        name: "alice".to_owned(),
        shown_by: ShownBy::Authority("people".to_owned()),
        groups: BTreeSet::from(["root".to_owned()]),
        expires_at: None,
    };
    let engine = &house.engine;
    engine
        .register_principal(&house.root, "root", new)
        .await
        .unwrap();
    let new = NewCertificate {
        profile: ProfileKind::Principal.into(),
        key: SubjectKey::New(Algorithm::EcP256),
        subject: None,
        names: vec![principal_uri("root", "certificate", "alice").unwrap()],
        lifetime_seconds: None,
    };
    let issued = engine.issue_certificate(&house.root, "root", "people", new);
    let issued = issued.await.unwrap();
    let key = issued.private_key.unwrap();
    let key = KeyMaterial::import(key.expose(), Format::Pkcs8Der, None, None).unwrap();
    LocalIdentity::new(issued.certificate.chain, &key).unwrap()
}

fn sender() -> Sender {
    Sender {
        source: None,
        request_id: "test".to_owned(),
        tls: true,
    }
}

/// Runs an agreement up to message 3, which is given and not sent.
async fn agree(house: &House, client: &LocalIdentity, name: &str) -> Vec<u8> {
    let names: Vec<AltName> = vec!["kms.example.org".parse().unwrap()];
    let wanted = Request::Agreement(Agreement {
        key: KeyName::new("root", "default", name),
        algorithm: "AES-256-GCM".to_owned(),
        uses: Uses::default(),
        lifetime_seconds: None,
    });
    let server = skms_exchange::ServerName::host("kms.example.org").unwrap();
    let now = Moment(START_MS / 1000);
    let intent = Intent::new(server, wanted);
    let (first, waiting) = client
        .ask(intent, now, &mut skms_crypto::rand::fill)
        .unwrap();
    let replied = house.engine.exchange(&sender(), &names, first).await;
    let replied = replied.unwrap();
    let anchors = house.engine.listener_anchors().await.unwrap();
    let read = |der: &Vec<u8>| -> &'static [u8] { Box::leak(der.clone().into_boxed_slice()) };
    let anchors: Vec<_> = (anchors.iter().map(read))
        .map(|der| Certificate::from_der(der).unwrap())
        .collect();
    let crls: Vec<_> = (replied.lists.iter().map(read))
        .map(|der| Crl::from_der(der).unwrap())
        .collect();
    let trust = Trust::new(Evidence {
        anchors: &anchors,
        crls: &crls,
        ..Evidence::default()
    });
    let Outcome::Agreed(agreed) = waiting.receive(&replied.message, &trust, now).unwrap() else {
        panic!("a distribution");
    };
    agreed.confirmation
}

async fn state(house: &House, name: &str) -> KeyState {
    let key = house.engine.read_key(&house.root, at(name)).await.unwrap();
    key.key().version(VersionNumber::FIRST).unwrap().state
}

#[tokio::test]
async fn what_is_not_confirmed_in_time_is_destroyed() {
    let house = House::new().await;
    authority(&house, "server", listener()).await;
    authority(&house, "people", Rules::default()).await;
    let client = alice(&house).await;
    let in_time = agree(&house, &client, "in-time").await;
    let late = agree(&house, &client, "late").await;
    assert_eq!(state(&house, "in-time").await, KeyState::PreActivation);

    // To the end it waits, does nothing, and a restart changes none of it.
    let house = house.restart().await;
    house.config.clock.advance_seconds(WAIT_SECONDS - 1);
    house.engine.keep_house(true, true).await.unwrap();
    assert_eq!(state(&house, "late").await, KeyState::PreActivation);
    assert!(house.encrypt("late", b"x").await.is_err());
    house
        .engine
        .confirm_exchange(&sender(), &in_time)
        .await
        .unwrap();
    assert_eq!(state(&house, "in-time").await, KeyState::Active);

    house.config.clock.advance_seconds(2);
    house.engine.keep_house(true, false).await.unwrap();
    assert_eq!(state(&house, "late").await, KeyState::Destroyed);
    assert_eq!(state(&house, "in-time").await, KeyState::Active);
    let refused = house.engine.confirm_exchange(&sender(), &late).await;
    assert!(matches!(refused, Err(Error::Exchange { .. })));
    // What was remembered of it goes, and the message stays refused.
    house.engine.keep_house(true, true).await.unwrap();
    let refused = house.engine.confirm_exchange(&sender(), &late).await;
    assert!(matches!(refused, Err(Error::Exchange { .. })));
    assert_eq!(state(&house, "late").await, KeyState::Destroyed);
    house.encrypt("in-time", b"x").await.unwrap();
}

async fn compromise(house: &House, key: &str) -> IncidentView {
    let order = Order {
        versions: Versions::All,
        reason: "lost".into(),
        since: None,
        reach: Reach::All,
        rotation: Rotation::None,
    };
    let (engine, root) = (&house.engine, &house.root);
    let begun = engine.compromise_key(root, at(key), order).await.unwrap();
    engine.finish_incidents().await.unwrap();
    let read = engine.read_incident(root, "root", begun.id);
    read.await.unwrap()
}

/// What waits below a key, as its lineage shows it.
async fn waiting(house: &House, key: &str) -> Vec<String> {
    let drawn = house.engine.key_lineage(&house.root, at(key), 100);
    let graph = drawn.await.unwrap();
    let nodes = graph.nodes.iter().filter(|node| node.kind == "exchange");
    let nodes: Vec<_> = nodes.collect();
    for node in &nodes {
        let edge = graph.edges.iter().find(|edge| edge.to == node.id);
        assert_eq!(edge.unwrap().how, "waits");
    }
    nodes.into_iter().map(|node| node.name.clone()).collect()
}

#[tokio::test]
async fn exchanges_under_way_end_with_what_they_stand_on() {
    // The client's authority, the server's own, and the key that waits.
    for compromised in ["people", "server", "one"] {
        let house = House::new().await;
        authority(&house, "server", listener()).await;
        authority(&house, "people", Rules::default()).await;
        let client = alice(&house).await;
        let one = agree(&house, &client, "one").await;
        let other = agree(&house, &client, "other").await;
        let mut shown = waiting(&house, compromised).await;
        shown.sort();
        let all = match compromised {
            "one" => vec!["default/one"],
            _ => vec!["default/one", "default/other"],
        };
        assert_eq!(shown, all, "{compromised}");
        let done = compromise(&house, compromised).await;
        assert_eq!(done.counts.exchanges, all.len() as u64, "{compromised}");
        assert_eq!(done.trouble, None);
        assert!(waiting(&house, compromised).await.is_empty());
        for (name, message) in [("one", one), ("other", other)] {
            let confirmed = house.engine.confirm_exchange(&sender(), &message).await;
            let ended = all.contains(&format!("default/{name}").as_str());
            assert_eq!(confirmed.is_err(), ended, "{compromised}: {name}");
            assert_eq!(house.encrypt(name, b"x").await.is_err(), ended);
        }
    }
}

fn listener() -> Rules {
    Rules {
        listener: true,
        ..Rules::default()
    }
}

/// What is answered to a message that is none, as anybody may send it.
async fn nonsense(house: &House) -> Error {
    let names: Vec<AltName> = vec!["kms.example.org".parse().unwrap()];
    let sender = sender();
    let answer = house.engine.exchange(&sender, &names, b"x".to_vec());
    answer.await.err().unwrap()
}

async fn issued(house: &House) -> usize {
    let (events, _) = house
        .engine
        .read_events(&house.root, "root", 0, 1000)
        .await
        .unwrap();
    let issued = |one: &&skms_engine::acts::events::Recorded| {
        one.event.action.as_str() == "certificate.issue"
    };
    events.iter().filter(issued).count()
}

#[tokio::test]
async fn strangers_do_not_have_a_server_that_cannot_be_certified_try_on_and_on() {
    let house = House::new().await;
    authority(&house, "server", listener()).await;
    let suspended = house
        .engine
        .suspend_key(&house.root, at("server"), Versions::All);
    suspended.await.unwrap();
    assert!(!matches!(nonsense(&house).await, Error::Exchange { .. }));
    let tried = issued(&house).await;
    for _ in 0..5 {
        assert!(matches!(nonsense(&house).await, Error::Busy));
    }
    assert_eq!(issued(&house).await, tried);

    let resumed = house
        .engine
        .resume_key(&house.root, at("server"), Versions::All);
    resumed.await.unwrap();
    assert!(matches!(nonsense(&house).await, Error::Busy));
    house.config.clock.advance_seconds(10);
    assert!(matches!(nonsense(&house).await, Error::Exchange { .. }));
    let certified = issued(&house).await;
    assert!(matches!(nonsense(&house).await, Error::Exchange { .. }));
    assert_eq!(issued(&house).await, certified);
}

#[tokio::test]
async fn an_authority_of_the_same_name_that_cannot_sign_stops_nobody() {
    let house = House::new().await;
    authority(&house, "server", listener()).await;
    authority(&house, "people", Rules::default()).await;
    house.create("other", Algorithm::EcP256).await;
    let namesake = NewAuthority {
        name: "other".to_owned(),
        keyring: "default".to_owned(),
        key: "other".to_owned(),
        subject: "CN=server".parse().unwrap(),
        foundation: Foundation::Root,
        extent: Extent::default(),
        signature: None,
        rules: Rules::default(),
    };
    let made = house.engine.create_authority(&house.root, "root", namesake);
    made.await.unwrap();
    let suspended = house
        .engine
        .suspend_key(&house.root, at("other"), Versions::All);
    suspended.await.unwrap();
    let client = alice(&house).await;
    agree(&house, &client, "agreed").await;
    assert_eq!(state(&house, "agreed").await, KeyState::PreActivation);
}

#[tokio::test]
async fn a_principal_begins_so_many_exchanges_and_a_copy_of_one_costs_it_nothing() {
    let house = House::new().await;
    authority(&house, "server", listener()).await;
    authority(&house, "people", Rules::default()).await;
    let client = alice(&house).await;
    let names: Vec<AltName> = vec!["kms.example.org".parse().unwrap()];
    let message = || {
        let server = skms_exchange::ServerName::host("kms.example.org").unwrap();
        let nothing = skms_exchange::Distribution {
            key: KeyName::new("root", "default", "nothing"),
            version: None,
        };
        let intent = Intent::new(server, Request::Distribution(nothing));
        let now = Moment(START_MS / 1000);
        client
            .ask(intent, now, &mut skms_crypto::rand::fill)
            .unwrap()
            .0
    };
    let send = async |message: Vec<u8>| {
        let answer = house.engine.exchange(&sender(), &names, message).await;
        answer.err().unwrap()
    };
    let copied = message();
    assert!(matches!(send(copied.clone()).await, Error::NotFound { .. }));
    for _ in 0..50 {
        assert!(matches!(send(copied.clone()).await, Error::Exchange { .. }));
    }
    // The clock stands still: one was taken of 400.
    for count in 1..400 {
        let answer = send(message()).await;
        assert!(
            matches!(answer, Error::NotFound { .. }),
            "{count}: {answer}"
        );
    }
    assert!(matches!(send(message()).await, Error::RateLimited { .. }));
    house.config.clock.advance_seconds(1);
    assert!(matches!(send(message()).await, Error::NotFound { .. }));
}
