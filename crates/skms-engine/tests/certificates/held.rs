//! Certificates of keys that are suspended: held where their authority says so,
//! and good again when the key is, unless somebody else holds them.

use skms_crypto::{Algorithm, Format, KeyMaterial};
use skms_engine::Error;
use skms_engine::acts::authorities::{Rules, end_entities};
use skms_engine::acts::certificates::{NewCertificate, SubjectKey, View};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::import_key::Incoming;
use skms_keys::{RevocationReason, VersionNumber, Versions};
use skms_pki::Crl;
use skms_pki::crl::Reason;
use skms_pki::ocsp::SingleStatus;

use crate::common::{House, at};
use crate::withdrawal::imported;
use crate::{authority, kept, ocsp, publish, revoke};

const ALL: Versions = Versions::All;

/// An authority `ca` that holds, and a key `leaf`.
async fn house() -> House {
    let house = House::new().await;
    let rules = Rules {
        profiles: end_entities(),
        hold_suspended: true,
        publish_url: Some("http://pki.example.org".to_owned()),
        ..Rules::default()
    };
    authority(&house, "ca", Algorithm::EcP256, rules).await;
    house.create("leaf", Algorithm::EcP256).await;
    house
}

async fn issue(house: &House, ca: &str, profile: &str, key: SubjectKey) -> View {
    let new = NewCertificate {
        profile: profile.into(),
        key,
        subject: None,
        names: vec!["www.example.org".parse().unwrap()],
        lifetime_seconds: None,
    };
    let made = house.engine.issue_certificate(&house.root, "root", ca, new);
    made.await.unwrap().certificate
}

async fn suspend(house: &House, name: &str, versions: Versions) {
    let done = house.engine.suspend_key(&house.root, at(name), versions);
    done.await.unwrap();
}

async fn resume(house: &House, name: &str, versions: Versions) {
    let done = house.engine.resume_key(&house.root, at(name), versions);
    done.await.unwrap();
}

/// Whether OCSP says that a certificate is on hold, rather than good.
async fn held(house: &House, ca: &str, view: &View) -> bool {
    match ocsp(&house.engine, ca, &view.chain).await {
        SingleStatus::Good => false,
        SingleStatus::Revoked { reason, .. } => {
            assert_eq!(reason, Some(Reason::CertificateHold));
            true
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_hold_lasts_as_long_as_the_suspension() {
    let house = house().await;
    let one = issue(&house, "ca", "tls-server", kept("leaf")).await;
    house.create("other", Algorithm::EcP256).await;
    let other = issue(&house, "ca", "tls-server", kept("other")).await;
    publish(&house).await;
    suspend(&house, "leaf", ALL).await;
    assert!(held(&house, "ca", &one).await);
    assert!(!held(&house, "ca", &other).await);
    // It is as good after a restart, and ends all the same.
    let house = house.restart().await;
    assert!(held(&house, "ca", &one).await);
    resume(&house, "leaf", ALL).await;
    assert!(!held(&house, "ca", &one).await);
    suspend(&house, "leaf", ALL).await;
    assert!(held(&house, "ca", &one).await);
    resume(&house, "leaf", ALL).await;
    assert!(!held(&house, "ca", &one).await);
}

#[tokio::test]
async fn a_delta_says_that_the_hold_ended() {
    let house = house().await;
    let one = issue(&house, "ca", "tls-server", kept("leaf")).await;
    suspend(&house, "leaf", ALL).await;
    let reasons = async |delta: bool| {
        let list = house.engine.published_list(("root", "ca", 1), 0, delta);
        let list = list.unwrap();
        let read = Crl::from_der(&list.der).unwrap();
        let mut found = Vec::new();
        for entry in read.entries() {
            if entry.serial == one.serial.as_bytes() {
                found.push(entry.reason);
            }
        }
        found
    };
    publish(&house).await;
    assert_eq!(reasons(false).await.len(), 1);
    resume(&house, "leaf", ALL).await;
    publish(&house).await;
    let delta = reasons(true).await;
    assert_eq!(delta, [Some(Reason::RemoveFromCrl)]);
}

#[tokio::test]
async fn an_authority_holds_only_if_it_is_told_to() {
    let house = house().await;
    authority(&house, "plain", Algorithm::EcP256, Rules::default()).await;
    let plain = issue(&house, "plain", "tls-server", kept("leaf")).await;
    let web = issue(&house, "ca", "tls-server-web", kept("leaf")).await;
    let one = issue(&house, "ca", "tls-server", kept("leaf")).await;
    suspend(&house, "leaf", ALL).await;
    assert!(!held(&house, "plain", &plain).await);
    assert!(!held(&house, "ca", &web).await);
    assert!(held(&house, "ca", &one).await);
    resume(&house, "leaf", ALL).await;
    assert!(!held(&house, "ca", &one).await);
}

#[tokio::test]
async fn what_somebody_else_did_stays() {
    let house = house().await;
    let hold = RevocationReason::CertificateHold;
    let before = issue(&house, "ca", "tls-server", kept("leaf")).await;
    let meanwhile = issue(&house, "ca", "tls-server", kept("leaf")).await;
    let gone = issue(&house, "ca", "tls-server", kept("leaf")).await;
    let released = issue(&house, "ca", "tls-server", kept("leaf")).await;
    revoke(&house, &before.serial, hold).await.unwrap();
    suspend(&house, "leaf", ALL).await;
    // Twice is too often, but a hold of one's own outlasts the key's.
    assert!(revoke(&house, &before.serial, hold).await.is_err());
    revoke(&house, &meanwhile.serial, hold).await.unwrap();
    assert!(revoke(&house, &meanwhile.serial, hold).await.is_err());
    let superseded = RevocationReason::Superseded;
    revoke(&house, &gone.serial, superseded).await.unwrap();
    let serial = released.serial.to_string();
    let engine = &house.engine;
    let done = engine.release_certificate(&house.root, "root", "ca", &serial);
    done.await.unwrap();
    assert!(!held(&house, "ca", &released).await);
    resume(&house, "leaf", ALL).await;
    assert!(held(&house, "ca", &before).await);
    assert!(held(&house, "ca", &meanwhile).await);
    assert!(!held(&house, "ca", &released).await);
    let status = ocsp(&house.engine, "ca", &gone.chain).await;
    assert!(
        matches!(
            status,
            SingleStatus::Revoked {
                reason: Some(Reason::Superseded),
                ..
            }
        ),
        "{status:?}"
    );
}

#[tokio::test]
async fn nothing_is_issued_for_a_suspended_key() {
    let house = house().await;
    authority(&house, "plain", Algorithm::EcP256, Rules::default()).await;
    let request = imported(&house, "asks").await;
    let asks = async |ca: &str| {
        let new = NewCertificate {
            profile: "tls-server".into(),
            key: SubjectKey::Request(request.clone()),
            subject: None,
            names: vec!["www.example.org".parse().unwrap()],
            lifetime_seconds: None,
        };
        let made = house.engine.issue_certificate(&house.root, "root", ca, new);
        made.await.map(|made| made.certificate)
    };
    // Before it had any certificate, and once it has one.
    for _ in 0..2 {
        suspend(&house, "asks", ALL).await;
        let refused = asks("ca").await;
        assert!(matches!(refused, Err(Error::KeyForbids(_))), "{refused:?}");
        resume(&house, "asks", ALL).await;
        let good = asks("ca").await.unwrap();
        assert!(!held(&house, "ca", &good).await);
    }
    // One that does not hold has nothing to keep.
    suspend(&house, "asks", ALL).await;
    asks("plain").await.unwrap();
}

#[tokio::test]
async fn each_version_holds_its_own() {
    let house = house().await;
    let first = issue(&house, "ca", "tls-server", kept("leaf")).await;
    let rotated = house.engine.rotate_key(&house.root, at("leaf"), None);
    rotated.await.unwrap();
    let second = issue(&house, "ca", "tls-server", kept("leaf")).await;
    suspend(&house, "leaf", Versions::One(VersionNumber(2))).await;
    assert!(!held(&house, "ca", &first).await);
    assert!(held(&house, "ca", &second).await);
    resume(&house, "leaf", ALL).await;
    assert!(!held(&house, "ca", &second).await);
}

#[tokio::test]
async fn two_keys_with_one_public_half_hold_until_both_are_resumed() {
    let house = house().await;
    let material = KeyMaterial::generate(Algorithm::EcP256).unwrap();
    for name in ["one", "two"] {
        let incoming = Incoming {
            bytes: material.export(Format::Pkcs8Der, None).unwrap(),
            format: Format::Pkcs8Der,
            passphrase: None,
            wrapped_with: None,
        };
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::EcP256),
            ..NewKeySpec::default()
        };
        let made = house
            .engine
            .import_key(&house.root, at(name), spec, incoming);
        made.await.unwrap();
    }
    let one = issue(&house, "ca", "tls-server", kept("one")).await;
    suspend(&house, "one", ALL).await;
    suspend(&house, "two", ALL).await;
    resume(&house, "one", ALL).await;
    assert!(held(&house, "ca", &one).await);
    resume(&house, "two", ALL).await;
    assert!(!held(&house, "ca", &one).await);
}
