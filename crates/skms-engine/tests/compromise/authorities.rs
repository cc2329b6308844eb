//! What stands on a compromised key beside other keys: certificates, the
//! authority itself, and whoever signs in by what it issued.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use skms_crypto::{Algorithm, EncryptOptions, Format};
use skms_engine::acts::authorities::{Extent, Foundation, NewAuthority, Rules};
use skms_engine::acts::certificates::{NewCertificate, Status, SubjectKey};
use skms_engine::acts::compromise::Order;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::export_key;
use skms_engine::acts::import_key::WrappedWith;
use skms_engine::acts::principals::{NewPrincipal, ShownBy};
use skms_engine::acts::tokens::NewToken;
use skms_engine::{Caller, Error};
use skms_keys::UnixSeconds;
use skms_pki::issue::ProfileKind;
use skms_store::Kind;

use super::common::{House, START_MS, at, caller};
use super::races::look_at;
use super::stuck::put_sealed;
use super::{compromise, order, touched};

pub async fn authority(house: &House) {
    house.create("ca", Algorithm::EcP256).await;
    authority_on(house).await;
}

async fn authority_on(house: &House) {
    let new = NewAuthority {
        name: "ca".to_owned(),
        keyring: "default".to_owned(),
        key: "ca".to_owned(),
        subject: "CN=ca".parse().unwrap(),
        foundation: Foundation::Root,
        extent: Extent::default(),
        signature: None,
        rules: Rules::default(),
    };
    let made = house.engine.create_authority(&house.root, "root", new);
    made.await.unwrap();
}

async fn issue(house: &House, name: &str) -> String {
    let new = NewCertificate {
        profile: ProfileKind::TlsServer.into(),
        key: SubjectKey::New(Algorithm::EcP256),
        subject: None,
        names: vec![name.parse().unwrap()],
        lifetime_seconds: None,
    };
    let issued = house
        .engine
        .issue_certificate(&house.root, "root", "ca", new);
    issued.await.unwrap().certificate.serial.to_string()
}

#[tokio::test]
async fn an_authority_falls_with_its_key_and_so_does_what_it_issued() {
    let house = House::new().await;
    authority(&house).await;
    let mut serials = Vec::new();
    for number in 0..40 {
        serials.push(issue(&house, &format!("h{number}.example.org")).await);
    }
    let plan = house
        .engine
        .plan_compromise(&house.root, at("ca"), order())
        .await
        .unwrap();
    assert_eq!(plan.incident.counts.certificates, 40);
    assert_eq!(plan.incident.counts.authorities, 1);
    assert_eq!(plan.incident.revocation_reason, "cACompromise");
    let status = async |house: &House, serial: &str| {
        let read = house
            .engine
            .read_certificate(&house.root, "root", "ca", serial);
        read.await.unwrap().status
    };
    assert_eq!(status(&house, &serials[3]).await, Status::Good);

    let begun = compromise(&house, "ca", order()).await;
    house.engine.finish_incidents().await.unwrap();
    for serial in &serials {
        assert_eq!(status(&house, serial).await, Status::Revoked, "{serial}");
    }
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    let done = done.await.unwrap();
    assert_eq!(done.counts, plan.incident.counts);
    let all = touched(&house, &done).await;
    assert!(
        all.iter()
            .any(|one| one.kind == "authority" && one.outcome == "stopped")
    );
    let house = house.restart().await;
    assert_eq!(status(&house, &serials[39]).await, Status::Revoked);
}

async fn principal(house: &House, name: &str) -> Vec<Vec<u8>> {
    let new = NewPrincipal {
        name: name.to_owned(),
        groups: BTreeSet::from(["root".to_owned()]),
        shown_by: ShownBy::Authority("ca".to_owned()),
        expires_at: None,
    };
    let made = house.engine.register_principal(&house.root, "root", new);
    made.await.unwrap();
    house.create(name, Algorithm::EcP256).await;
    certify(house, name).await
}

/// A principal's certificate for the key of its name.
async fn certify(house: &House, name: &str) -> Vec<Vec<u8>> {
    let new = NewCertificate {
        profile: ProfileKind::Principal.into(),
        key: SubjectKey::Kept {
            keyring: "default".to_owned(),
            key: name.to_owned(),
            version: None,
        },
        subject: None,
        names: vec![skms_pki::issue::principal_uri("root", "certificate", name).unwrap()],
        lifetime_seconds: None,
    };
    let issued = house
        .engine
        .issue_certificate(&house.root, "root", "ca", new);
    issued.await.unwrap().certificate.chain
}

#[tokio::test]
async fn who_signs_in_by_a_compromised_key_is_cut_off_with_the_tokens_they_made() {
    let house = House::new().await;
    authority(&house).await;
    let chain = principal(&house, "thief").await;
    let session = house
        .engine
        .authenticate_certificate(&chain, "root")
        .await
        .unwrap();
    let thief = Arc::new(Caller {
        session,
        source: None,
        request_id: "thief".into(),
        tls: true,
        idempotency: None,
        calling: skms_engine::approvals::Calling::default(),
    });
    let token = async |who: &Arc<Caller>| {
        let new = NewToken {
            principal: "sleeper".into(),
            groups: BTreeSet::from(["root".to_owned()]),
            ttl_seconds: None,
            description: String::new(),
        };
        let made = house.engine.create_token(who, "root", new).await.unwrap();
        String::from_utf8(made.token.into_public()).unwrap()
    };
    // Made before anybody else had the key.
    let before = token(&thief).await;
    house.config.clock.advance_seconds(20);
    let (theirs, ours) = (token(&thief).await, token(&house.root).await);
    let sleeper = caller(&house.engine, &theirs).await;
    house.engine.list_keyrings(&sleeper, "root").await.unwrap();
    let order = Order {
        since: Some(UnixSeconds(START_MS / 1000 + 10)),
        ..order()
    };
    let begun = compromise(&house, "thief", order).await;
    let refused = house.engine.list_keyrings(&thief, "root").await;
    assert!(matches!(refused, Err(Error::Unauthenticated)));
    house.engine.finish_incidents().await.unwrap();
    let refused = house.engine.list_keyrings(&sleeper, "root").await;
    assert!(matches!(refused, Err(Error::Unauthenticated)));
    assert!(house.engine.authenticate_token(&theirs).await.is_err());
    house.engine.authenticate_token(&ours).await.unwrap();
    house.engine.authenticate_token(&before).await.unwrap();
    let refused = house.engine.authenticate_certificate(&chain, "root").await;
    assert!(refused.is_err());
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    let counts = done.await.unwrap().counts;
    assert_eq!((counts.tokens, counts.certificates), (1, 1));
}

async fn signed_in(house: &House, chain: &[Vec<u8>]) -> Arc<Caller> {
    let session = house.engine.authenticate_certificate(chain, "root").await;
    Arc::new(Caller {
        session: session.unwrap(),
        source: None,
        request_id: "signed-in".into(),
        tls: true,
        idempotency: None,
        calling: skms_engine::approvals::Calling::default(),
    })
}

async fn made_by(house: &House, who: &Arc<Caller>, (namespace, name): (&str, &str)) -> String {
    let new = NewToken {
        principal: name.into(),
        groups: BTreeSet::from(["root".to_owned()]),
        ttl_seconds: None,
        description: String::new(),
    };
    let made = house
        .engine
        .create_token(who, namespace, new)
        .await
        .unwrap();
    String::from_utf8(made.token.into_public()).unwrap()
}

#[tokio::test]
async fn tokens_that_tokens_made_fall_too_and_no_namesake_s() {
    let house = House::new().await;
    authority(&house).await;
    let chain = principal(&house, "thief").await;
    let thief = signed_in(&house, &chain).await;
    house
        .engine
        .create_namespace(&house.root, "tenant")
        .await
        .unwrap();
    // A row of them, one in another namespace; and others by a principal that
    // is called as one of the row is.
    let first = made_by(&house, &thief, ("root", "x1")).await;
    let second = made_by(&house, &caller(&house.engine, &first).await, ("root", "x2")).await;
    let third = made_by(
        &house,
        &caller(&house.engine, &second).await,
        ("tenant", "x3"),
    )
    .await;
    let namesake = made_by(&house, &house.root, ("root", "x1")).await;
    let theirs = made_by(
        &house,
        &caller(&house.engine, &namesake).await,
        ("root", "x2"),
    )
    .await;
    let order = order();
    let plan = house
        .engine
        .plan_compromise(&house.root, at("thief"), order.clone());
    assert_eq!(plan.await.unwrap().incident.counts.tokens, 3);
    let begun = compromise(&house, "thief", order).await;
    house.engine.finish_incidents().await.unwrap();
    for gone in [first, second, third] {
        assert!(house.engine.authenticate_token(&gone).await.is_err());
    }
    for good in [namesake, theirs] {
        house.engine.authenticate_token(&good).await.unwrap();
    }
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    let done = done.await.unwrap();
    assert_eq!(done.counts.tokens, 3);
}

/// How often a future is looked at until it is ready: each time it has waited
/// for the store.
async fn looks<T>(future: impl Future<Output = T>) -> (T, usize) {
    let (mut future, mut looks) = (pin!(future), 0);
    let value = poll_fn(|context| {
        looks += 1;
        future.as_mut().poll(context)
    });
    (value.await, looks)
}

#[tokio::test]
async fn a_graph_that_is_full_reads_no_more() {
    let house = House::new().await;
    authority(&house).await;
    principal(&house, "member").await;
    let draw = async |nodes: usize| {
        let drawn = house.engine.key_lineage(&house.root, at("member"), nodes);
        let (graph, looks) = looks(drawn).await;
        (graph.unwrap(), looks)
    };
    let (few, before) = draw(2).await;
    assert!(few.truncated);
    for _ in 0..60 {
        certify(&house, "member").await;
    }
    let (few, after) = draw(2).await;
    assert!(few.truncated);
    assert!(after <= before + 3, "{before} {after}");
    let (all, _) = draw(500).await;
    let of = |kind: &str| all.nodes.iter().filter(|node| node.kind == kind).count();
    assert_eq!((of("certificate"), of("principal")), (61, 1));
    assert!(!all.truncated);
}

#[tokio::test]
async fn tokens_are_in_a_graph_that_has_room_and_not_read_for_another() {
    let house = House::new().await;
    authority(&house).await;
    let chain = principal(&house, "member").await;
    for _ in 0..3 {
        certify(&house, "member").await;
    }
    let member = signed_in(&house, &chain).await;
    made_by(&house, &member, ("root", "robot")).await;
    let draw = async |nodes| {
        let drawn = house.engine.key_lineage(&house.root, at("member"), nodes);
        drawn.await
    };
    let all = draw(500).await.unwrap();
    let tokens = all.nodes.iter().filter(|node| node.kind == "token");
    assert_eq!(tokens.map(|node| &node.name).collect::<Vec<_>>(), ["robot"]);
    // Whoever reads all tokens fails at one of them from here on.
    let new = NewToken {
        principal: "other".into(),
        groups: BTreeSet::new(),
        ttl_seconds: None,
        description: String::new(),
    };
    let made = house.engine.create_token(&house.root, "root", new).await;
    let id = made.unwrap().view.id;
    put_sealed(&house, Kind::Token, id, b"nothing that opens");
    assert!(draw(500).await.is_err());
    // The root key, the key, a certificate.
    assert!(draw(3).await.unwrap().truncated);
}

async fn status(house: &House, serial: &str) -> Status {
    let read = house
        .engine
        .read_certificate(&house.root, "root", "ca", serial);
    read.await.unwrap().status
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_good_that_a_cascade_takes_away() {
    let mut house = House::new().await;
    authority(&house).await;
    let chain = principal(&house, "thief").await;
    let thief = signed_in(&house, &chain).await;
    let token = made_by(&house, &thief, ("root", "sleeper")).await;
    let mut serials = Vec::new();
    for number in 0..40 {
        serials.push(issue(&house, &format!("h{number}.example.org")).await);
    }
    // No room but the reserve from here on.
    drop(thief);
    let size = std::fs::metadata(house.config.database()).unwrap().len();
    house.config.files.limit_bytes = Some(size);
    let mut house = house.restart().await;
    for number in 0.. {
        let made = NewKeySpec {
            algorithm: Some(Algorithm::Xaes256Gcm),
            ..NewKeySpec::default()
        };
        let name = format!("filling-{number}");
        let made = house.engine.create_key(&house.root, at(&name), made).await;
        if made.is_err() {
            break;
        }
        assert!(number < 5000, "there is no end to the room");
    }
    let begun = compromise(&house, "ca", order()).await;
    // The report waits for room.
    assert!(house.engine.finish_incidents().await.is_err());
    for serial in &serials {
        assert_eq!(status(&house, serial).await, Status::Revoked, "{serial}");
    }
    assert!(house.engine.authenticate_token(&token).await.is_err());
    house.config.files.limit_bytes = None;
    let house = house.restart().await;
    house.engine.finish_incidents().await.unwrap();
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    let done = done.await.unwrap();
    assert_eq!((done.counts.tokens, done.counts.certificates), (1, 41));
    assert!(done.report.is_some());
}

#[tokio::test]
async fn what_stands_on_a_dependent_is_attended_to_however_often_it_is_cut_off() {
    let house = House::new().await;
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::EcP256),
        exportable: Some(true),
        ..NewKeySpec::default()
    };
    let made = house.engine.create_key(&house.root, at("ca"), spec);
    made.await.unwrap();
    authority_on(&house).await;
    let mut serials = Vec::new();
    for number in 0..40 {
        serials.push(issue(&house, &format!("h{number}.example.org")).await);
    }
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
    let left = house.engine.export_key(&house.root, at("ca"), request);
    left.await.unwrap();
    compromise(&house, "kek", order()).await;
    let mut house = house;
    for looks in 1.. {
        // Dropped a step later each time.
        if look_at(house.engine.finish_incidents(), looks * 3).await {
            break;
        }
        house = house.restart().await;
    }
    for serial in &serials {
        assert_eq!(status(&house, serial).await, Status::Revoked, "{serial}");
    }
}
