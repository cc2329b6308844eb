//! What hangs on a key beside other keys and certificates of X.509: who was
//! handed secrets by it, and SSH certificates.

use skms_crypto::{Algorithm, Use, Uses};
use skms_engine::acts::compromise::Order;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::lineage::Graph;
use skms_engine::acts::ssh::{NewAuthority, NewCertificate, What};
use skms_engine::acts::{datakey, derive};
use skms_engine::{Caller, Error};
use skms_keys::{UnixSeconds, Versions};
use skms_pki::ssh::{Asked, CertificateType, PublicKey, Role};

use super::common::{House, START_MS, at};
use super::{compromise, order, touched};

async fn data_key(house: &House, who: &std::sync::Arc<Caller>, plaintext: bool) {
    let request = datakey::Request {
        length: 32,
        associated_data: Vec::new(),
        version: None,
        with_plaintext: plaintext,
    };
    let made = house
        .engine
        .operate_one::<datakey::DataKey>(who, at("k"), request);
    made.await.unwrap();
}

async fn lineage(house: &House, key: &str) -> Graph {
    let drawn = house.engine.key_lineage(&house.root, at(key), 100);
    drawn.await.unwrap()
}

/// What a kind of thing is called, with how it hangs on what is above it.
fn named(graph: &Graph, kind: &str) -> Vec<(String, &'static str)> {
    let mut named: Vec<_> = (graph.nodes.iter())
        .filter(|node| node.kind == kind)
        .map(|node| {
            let edge = graph.edges.iter().find(|edge| edge.to == node.id);
            (node.name.clone(), edge.unwrap().how)
        })
        .collect();
    named.sort();
    named
}

#[tokio::test]
async fn who_was_handed_data_keys_is_known_and_must_be_told() {
    let house = House::new().await;
    house.create("k", Algorithm::Aes256Gcm).await;
    let alice = house.caller_in("alice", &["root"]).await;
    let bob = house.caller_in("bob", &["root"]).await;
    for _ in 0..3 {
        data_key(&house, &alice, true).await;
    }
    // What stays wrapped was handed to nobody.
    data_key(&house, &bob, false).await;
    let recipients = named(&lineage(&house, "k").await, "recipient");
    let wanted = "root/alice: 3, last 2026-01-01T00:00:00Z".to_owned();
    assert_eq!(recipients, [(wanted, "data-keys")]);

    // Whom it was is known although nothing was asked before a crash.
    data_key(&house, &bob, true).await;
    let house = house.restart().await;
    let recipients = named(&lineage(&house, "k").await, "recipient");
    assert_eq!(recipients.len(), 2);
    assert!(
        recipients[1].0.starts_with("root/bob: 1, "),
        "{recipients:?}"
    );

    let plan = house
        .engine
        .plan_compromise(&house.root, at("k"), order())
        .await
        .unwrap();
    assert_eq!(plan.incident.counts.recipients, 2);
    let told = &plan.report["tell"]["recipients"];
    assert_eq!(told[0]["what"], "data-keys");
    assert_eq!(told.as_array().unwrap().len(), 2);
    let begun = compromise(&house, "k", order()).await;
    house.engine.finish_incidents().await.unwrap();
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    assert_eq!(done.await.unwrap().counts.recipients, 2);
}

#[tokio::test]
async fn counts_go_on_after_a_while_and_a_deleted_key_is_forgotten() {
    let house = House::new().await;
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::HkdfSha256),
        uses: Some(Uses::of(&[Use::Derive])),
        rules: Some(skms_keys::Rules {
            destroy_window_seconds: 0,
            ..skms_keys::Rules::default()
        }),
        ..NewKeySpec::default()
    };
    let made = house.engine.create_key(&house.root, at("k"), spec);
    made.await.unwrap();
    let take = async |house: &House| {
        let request = derive::Request {
            salt: Vec::new(),
            info: b"x".to_vec(),
            length: 16,
            version: None,
        };
        let derived = house
            .engine
            .operate_one::<derive::Derive>(&house.root, at("k"), request);
        derived.await.unwrap();
    };
    take(&house).await;
    take(&house).await;
    house.config.clock.advance_seconds(600);
    take(&house).await;
    // All of that was written, and this is not yet.
    take(&house).await;
    let house = house.restart().await;
    let recipients = named(&lineage(&house, "k").await, "recipient");
    let [(name, how)] = recipients.as_slice() else {
        panic!("{recipients:?}")
    };
    assert_eq!(*how, "derived-bytes");
    assert!(name.ends_with(": 3, last 2026-01-01T00:10:00Z"), "{name}");
    take(&house).await;
    let (engine, root) = (&house.engine, &house.root);
    let gone = engine.destroy_key(root, at("k"), Versions::All, Some(0));
    gone.await.unwrap();
    engine.do_what_is_due().await.unwrap();
    engine.delete_key(root, at("k")).await.unwrap();
    house.create("k", Algorithm::Aes256Gcm).await;
    assert!(named(&lineage(&house, "k").await, "recipient").is_empty());
}

async fn ssh_authority(house: &House, name: &str) {
    house.create(name, Algorithm::Ed25519).await;
    let new = NewAuthority {
        name: name.to_owned(),
        certificate_type: CertificateType::User,
        keyring: "default".to_owned(),
        key: name.to_owned(),
        signature: None,
    };
    let (engine, root) = (&house.engine, &house.root);
    engine
        .create_ssh_authority(root, "root", new)
        .await
        .unwrap();
    let role = |_| Role {
        principals: vec!["alice".to_owned()],
        default_principals: vec!["alice".to_owned()],
        ..Role::default()
    };
    engine
        .write_ssh_role(root, ("root", name, "ops"), role)
        .await
        .unwrap();
}

async fn sign(house: &House, by: &str, public_key: &str) -> Result<String, Error> {
    let new = NewCertificate {
        public_key: public_key.to_owned(),
        asked: Asked::default(),
    };
    let place = ("root", by, "ops");
    let signed = house
        .engine
        .sign_ssh_certificate(&house.root, place, new)
        .await?;
    Ok(signed.certificate.grant.serial.to_string())
}

/// The line of a key that is kept here.
async fn line(house: &House, key: &str) -> String {
    let read = house.engine.read_key(&house.root, at(key)).await.unwrap();
    let newest = read.key().newest().unwrap();
    let spki = newest.public_spki.as_ref().unwrap();
    PublicKey::from_spki(spki).unwrap().line("kept")
}

#[tokio::test]
async fn ssh_certificates_fall_with_the_authority_and_with_their_key() {
    let house = House::new().await;
    ssh_authority(&house, "users").await;
    ssh_authority(&house, "others").await;
    house.create("host", Algorithm::Ed25519).await;
    let kept = line(&house, "host").await;
    let stranger = {
        house.create("stranger", Algorithm::Ed25519).await;
        line(&house, "stranger").await
    };
    let mut serials = Vec::new();
    for (by, key) in [
        ("users", &kept),
        ("users", &stranger),
        ("others", &stranger),
    ] {
        serials.push((by, sign(&house, by, key).await.unwrap()));
    }
    let revoked = async |house: &House, at: usize| {
        let (by, serial) = &serials[at];
        let read = house
            .engine
            .read_ssh_certificate(&house.root, "root", by, serial);
        read.await.unwrap().revoked
    };
    let graph = lineage(&house, "host").await;
    let shown = named(&graph, "ssh-certificate");
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].1, "certifies");
    let graph = lineage(&house, "users").await;
    let shown = named(&graph, "ssh-certificate");
    assert!(shown.iter().all(|one| one.1 == "issued"), "{shown:?}");
    assert_eq!(shown.len(), 2);

    // The certified key alone.
    let plan = house
        .engine
        .plan_compromise(&house.root, at("host"), order())
        .await
        .unwrap();
    assert_eq!(plan.incident.counts.ssh_certificates, 1);
    assert!(!revoked(&house, 0).await, "a dry run changes nothing");
    let begun = compromise(&house, "host", order()).await;
    house.engine.finish_incidents().await.unwrap();
    assert!(revoked(&house, 0).await);
    assert!(!revoked(&house, 1).await && !revoked(&house, 2).await);
    // The list that servers fetch says so, and nothing is certified for it.
    let list = house.engine.published_ssh_list("root", "users").unwrap();
    let names = skms_pki::ssh::Krl::decode(&list.bytes).unwrap().revoked;
    let key = PublicKey::from_line(&kept).unwrap();
    assert!(names.names(0, "", &key));
    assert!(sign(&house, "users", &kept).await.is_err());
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    let done = done.await.unwrap();
    assert_eq!(done.counts.ssh_certificates, 1);
    let all = touched(&house, &done).await;
    let one = all.iter().find(|one| one.kind == "ssh-certificate");
    assert_eq!(one.unwrap().outcome, "revoked");

    // The authority, and all that it issued; what has ended is left out.
    house.config.clock.advance_seconds(60);
    let order = Order {
        since: Some(UnixSeconds(START_MS / 1000)),
        ..order()
    };
    let begun = compromise(&house, "users", order).await;
    assert!(revoked(&house, 1).await, "from the call on");
    house.engine.finish_incidents().await.unwrap();
    let done = house.engine.read_incident(&house.root, "root", begun.id);
    let counts = done.await.unwrap().counts;
    assert_eq!((counts.ssh_certificates, counts.authorities), (2, 1));
    let house = house.restart().await;
    assert!(revoked(&house, 0).await && revoked(&house, 1).await);
    assert!(!revoked(&house, 2).await);
    let more = house
        .engine
        .revoke_ssh(&house.root, "root", "others", vec![What::Key(kept)]);
    more.await.unwrap();
}
