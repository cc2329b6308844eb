//! Authorities and certificates under restarts, races and misuse: what is
//! issued is known, what is revoked stays revoked and is said at once.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod enrolment;
mod held;
mod profiles;
mod responder;
mod stamps;
mod withdrawal;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{House, at};
use skms_crypto::Algorithm;
use skms_engine::acts::authorities::{Extent, Foundation, NewAuthority, Rules};
use skms_engine::acts::certificates::{Issued, NewCertificate, Status, SubjectKey};
use skms_engine::acts::publish::{OcspAnswer, Pace};
use skms_engine::{Engine, Error};
use skms_keys::{KeyState, RevocationReason, Revoke, UnixSeconds, Versions};
use skms_pki::issue::ocsp::{CertIdBuf, CertIdHash, request};
use skms_pki::issue::{ProfileKind, Serial};
use skms_pki::ocsp::{OcspResponse, SingleStatus};
use skms_pki::{Certificate, Crl};

async fn authority(house: &House, name: &str, algorithm: Algorithm, rules: Rules) {
    house.create(name, algorithm).await;
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
    assert_eq!(made.await.unwrap().issuers.len(), 1);
}

fn wanted(key: SubjectKey) -> NewCertificate {
    NewCertificate {
        profile: ProfileKind::TlsServer.into(),
        key,
        subject: None,
        names: vec!["www.example.org".parse().unwrap()],
        lifetime_seconds: None,
    }
}

async fn issue(house: &House, authority: &str, key: SubjectKey) -> Result<Issued, Error> {
    let new = wanted(key);
    house
        .engine
        .issue_certificate(&house.root, "root", authority, new)
        .await
}

fn kept(name: &str) -> SubjectKey {
    SubjectKey::Kept {
        keyring: "default".to_owned(),
        key: name.to_owned(),
        version: None,
    }
}

/// What OCSP says about a certificate of the authority's first issuer.
async fn ocsp(engine: &Engine, authority: &str, chain: &[Vec<u8>]) -> SingleStatus {
    let issuer = Certificate::from_der(&chain[1]).unwrap();
    let own = Certificate::from_der(&chain[0]).unwrap();
    let serial = Serial::from_contents(own.serial()).unwrap();
    let (name, key) = (issuer.subject().as_der(), issuer.public_key().der);
    let id = CertIdBuf::new(CertIdHash::Sha1, name, key, &serial).unwrap();
    let asked = request(&[id], None).unwrap();
    let answer = engine.ocsp(("root", authority, 1), &asked, || Ok(())).await;
    let OcspAnswer::Signed(response) = answer.unwrap() else {
        panic!("no signed response");
    };
    let read = OcspResponse::from_der(&response.der).unwrap();
    read.basic().unwrap().responses[0].status
}

/// Has the lists made that are due.
async fn publish(house: &House) {
    house.engine.publish_due(Pace::Quick).await.unwrap();
}

async fn revoke(house: &House, serial: &Serial, reason: RevocationReason) -> Result<Status, Error> {
    let serial = serial.to_string();
    let view = house
        .engine
        .revoke_certificate(&house.root, "root", "ca", &serial, reason, None)
        .await?;
    Ok(view.status)
}

#[tokio::test]
async fn what_is_issued_and_revoked_outlasts_a_restart() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let new = || SubjectKey::New(Algorithm::EcP256);
    let good = issue(&house, "ca", new()).await.unwrap().certificate;
    let held = issue(&house, "ca", new()).await.unwrap().certificate;
    let gone = issue(&house, "ca", new()).await.unwrap().certificate;
    let hold = RevocationReason::CertificateHold;
    assert_eq!(
        revoke(&house, &held.serial, hold).await.unwrap(),
        Status::OnHold
    );
    let superseded = RevocationReason::Superseded;
    revoke(&house, &gone.serial, superseded).await.unwrap();
    publish(&house).await;
    let place = ("root", "ca", 1);
    let before = house.engine.published_list(place, 0, false).unwrap();

    let house = house.restart().await;
    for (view, status) in [
        (&good, Status::Good),
        (&held, Status::OnHold),
        (&gone, Status::Revoked),
    ] {
        let read = house
            .engine
            .read_certificate(&house.root, "root", "ca", &view.serial.to_string())
            .await
            .unwrap();
        assert_eq!((read.status, &read.chain), (status, &view.chain));
    }
    publish(&house).await;
    let after = house.engine.published_list(place, 0, false).unwrap();
    let number = |der: &[u8]| {
        Crl::from_der(der)
            .unwrap()
            .extensions()
            .number
            .unwrap()
            .to_vec()
    };
    assert!(
        number(&after.der) > number(&before.der),
        "a list number came again"
    );
    let listed = Crl::from_der(&after.der).unwrap();
    let serials: Vec<_> = listed.entries().map(|one| one.serial.to_vec()).collect();
    let mut expected = vec![
        held.serial.as_bytes().to_vec(),
        gone.serial.as_bytes().to_vec(),
    ];
    expected.sort();
    assert_eq!(serials, expected);

    // The end of a hold, and nothing else, can be taken back.
    let (engine, root) = (&house.engine, &house.root);
    let release = |serial: Serial| async move {
        engine
            .release_certificate(root, "root", "ca", &serial.to_string())
            .await
    };
    assert_eq!(release(held.serial).await.unwrap().status, Status::Good);
    assert!(matches!(release(gone.serial).await, Err(Error::Invalid(_))));
    assert!(matches!(release(good.serial).await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn a_status_is_said_before_the_revocation_returns() {
    let house = Arc::new(House::new().await);
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    for _ in 0..10 {
        let key = SubjectKey::New(Algorithm::EcP256);
        let view = issue(&house, "ca", key).await.unwrap().certificate;
        assert_eq!(
            ocsp(&house.engine, "ca", &view.chain).await,
            SingleStatus::Good
        );
        let returned = Arc::new(AtomicBool::new(false));
        let askers: Vec<_> = (0..3)
            .map(|_| {
                let (house, returned, chain) = (
                    Arc::clone(&house),
                    Arc::clone(&returned),
                    view.chain.clone(),
                );
                tokio::spawn(async move {
                    loop {
                        let before = returned.load(Ordering::SeqCst);
                        match ocsp(&house.engine, "ca", &chain).await {
                            SingleStatus::Good => assert!(!before, "good after its revocation"),
                            SingleStatus::Revoked { .. } => return,
                            SingleStatus::Unknown => panic!("an issued certificate is unknown"),
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        revoke(&house, &view.serial, RevocationReason::PrivilegeWithdrawn)
            .await
            .unwrap();
        returned.store(true, Ordering::SeqCst);
        for asker in askers {
            asker.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_key_takes_its_certificates_with_it_and_they_take_it() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    house.create("one", Algorithm::EcP256).await;
    house.create("two", Algorithm::Ed25519).await;
    let first = issue(&house, "ca", kept("one")).await.unwrap().certificate;
    let second = issue(&house, "ca", kept("one")).await.unwrap().certificate;
    let other = issue(&house, "ca", kept("two")).await.unwrap().certificate;
    let revoke_key = |name: &'static str, reason| {
        let revoke = Revoke {
            versions: Versions::All,
            reason,
            message: String::new(),
            compromise_occurred_at: None,
        };
        house.engine.revoke_key(&house.root, at(name), revoke)
    };
    revoke_key("one", RevocationReason::Superseded)
        .await
        .unwrap();
    for view in [&first, &second] {
        let said = ocsp(&house.engine, "ca", &view.chain).await;
        assert!(matches!(said, SingleStatus::Revoked { .. }), "{said:?}");
    }
    assert_eq!(
        ocsp(&house.engine, "ca", &other.chain).await,
        SingleStatus::Good
    );
    assert!(issue(&house, "ca", kept("one")).await.is_err());

    // A certificate whose key is compromised takes the key, and its others.
    let twin = issue(&house, "ca", kept("two")).await.unwrap().certificate;
    let compromise = RevocationReason::KeyCompromise;
    revoke(&house, &other.serial, compromise).await.unwrap();
    let said = ocsp(&house.engine, "ca", &twin.chain).await;
    assert!(matches!(said, SingleStatus::Revoked { .. }), "{said:?}");
    let key = house.engine.read_key(&house.root, at("two")).await.unwrap();
    assert_eq!(key.key().versions[0].state, KeyState::Compromised);
    let again = revoke(&house, &other.serial, RevocationReason::Superseded).await;
    assert!(matches!(again, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn certificates_of_a_key_that_is_revoked_meanwhile_do_not_slip_through() {
    let house = Arc::new(House::new().await);
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    for round in 0..10 {
        let name: &'static str = format!("key-{round}").leak();
        house.create(name, Algorithm::EcP256).await;
        let issuers: Vec<_> = (0..4)
            .map(|_| {
                let house = Arc::clone(&house);
                tokio::spawn(async move { issue(&house, "ca", kept(name)).await })
            })
            .collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let revoke = Revoke {
            versions: Versions::All,
            reason: RevocationReason::CessationOfOperation,
            message: String::new(),
            compromise_occurred_at: None,
        };
        house
            .engine
            .revoke_key(&house.root, at(name), revoke)
            .await
            .unwrap();
        for issuer in issuers {
            if let Ok(issued) = issuer.await.unwrap() {
                let said = ocsp(&house.engine, "ca", &issued.certificate.chain).await;
                assert!(matches!(said, SingleStatus::Revoked { .. }), "{said:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_authority_obeys_the_state_of_its_key() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let new = || SubjectKey::New(Algorithm::EcP256);
    house
        .engine
        .suspend_key(&house.root, at("ca"), Versions::All)
        .await
        .unwrap();
    let refused = issue(&house, "ca", new()).await.err().unwrap();
    assert!(matches!(
        refused,
        Error::StateForbids {
            state: KeyState::Suspended,
            ..
        }
    ));
    house
        .engine
        .resume_key(&house.root, at("ca"), Versions::All)
        .await
        .unwrap();
    assert!(issue(&house, "ca", new()).await.is_ok());
    let rotated = house.engine.rotate_key(&house.root, at("ca"), None).await;
    assert!(matches!(rotated, Err(Error::KeyForbids(_))));
    // Nor does it certify itself as an end entity.
    let own = issue(&house, "ca", kept("ca")).await;
    assert!(matches!(own, Err(Error::KeyForbids(_))));
}

#[tokio::test]
async fn who_may_issue_needs_both_the_authority_and_its_key() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let policy = |resource: &str| {
        format!(
            "permit (principal == SKMS::Principal::\"clerk\", \
             action in [SKMS::Action::\"certificate.issue\", SKMS::Action::\"read\"], \
             resource in {resource});"
        )
    };
    let clerk = house.caller_in("clerk", &[]).await;
    let attempt = || {
        let new = wanted(SubjectKey::New(Algorithm::EcP256));
        house.engine.issue_certificate(&clerk, "root", "ca", new)
    };
    assert!(matches!(attempt().await, Err(Error::NotFound { .. })));
    for (resource, allowed) in [
        ("SKMS::Authority::\"root/ca\"", false),
        ("SKMS::Key::\"root/default/ca\"", false),
        ("SKMS::Namespace::\"root\"", true),
    ] {
        let text = policy(resource);
        house
            .engine
            .write_policy(&house.root, "root", "clerks", &text)
            .await
            .unwrap();
        assert_eq!(attempt().await.is_ok(), allowed, "{resource}");
    }
    // Issuing does not include certifying authorities, nor revoking.
    let new = NewAuthority {
        name: "below".to_owned(),
        keyring: "default".to_owned(),
        key: "ca".to_owned(),
        subject: "CN=below".parse().unwrap(),
        foundation: Foundation::Parent("ca".to_owned()),
        extent: Extent::default(),
        signature: None,
        rules: Rules::default(),
    };
    assert!(
        house
            .engine
            .create_authority(&clerk, "root", new)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn lists_are_divided_and_tell_what_changed() {
    let house = House::new().await;
    let rules = Rules {
        crl_shards: 4,
        publish_url: Some("http://pki.example.org".to_owned()),
        ..Rules::default()
    };
    authority(&house, "ca", Algorithm::EcP256, rules).await;
    publish(&house).await;
    let list = |shard, delta| {
        let found = house.engine.published_list(("root", "ca", 1), shard, delta);
        found.unwrap().der.clone()
    };
    let first: Vec<_> = (0..4).map(|shard| list(shard, false)).collect();
    let mut serials = Vec::new();
    for _ in 0..12 {
        let key = SubjectKey::New(Algorithm::EcP256);
        serials.push(issue(&house, "ca", key).await.unwrap().certificate.serial);
    }
    let held = serials[0];
    house.config.clock.advance_seconds(5);
    revoke(&house, &held, RevocationReason::CertificateHold)
        .await
        .unwrap();
    publish(&house).await;
    for shard in 0..4 {
        let entries = |delta| {
            Crl::from_der(&list(shard, delta))
                .unwrap()
                .entries()
                .count()
        };
        let mine = usize::from(held.shard(4) == shard);
        assert_eq!((entries(false), entries(true)), (mine, mine), "{shard}");
        // The other shards' lists are the ones from before.
        assert_eq!(list(shard, false) == first[shard as usize], mine == 0);
    }
    // The next complete lists are the base; ending the hold is a difference.
    house
        .engine
        .publish_authority(&house.root, "root", "ca")
        .await
        .unwrap();
    house.config.clock.advance_seconds(5);
    house
        .engine
        .release_certificate(&house.root, "root", "ca", &held.to_string())
        .await
        .unwrap();
    publish(&house).await;
    let delta = list(held.shard(4), true);
    let delta = Crl::from_der(&delta).unwrap();
    let entries: Vec<_> = delta.entries().collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        entries[0].reason.map(|one| one.name()),
        Some("removeFromCRL")
    );
    assert_eq!(
        Crl::from_der(&list(held.shard(4), false))
            .unwrap()
            .entries()
            .count(),
        0
    );

    // What has ended is on one more list, then on none.
    revoke(&house, &held, RevocationReason::Superseded)
        .await
        .unwrap();
    house.config.clock.advance_seconds(91 * 86_400);
    publish(&house).await;
    let entries = |der: &[u8]| Crl::from_der(der).unwrap().entries().count();
    assert_eq!(entries(&list(held.shard(4), false)), 1);
    house.config.clock.advance_seconds(8 * 86_400);
    publish(&house).await;
    assert_eq!(entries(&list(held.shard(4), false)), 0);
}

#[tokio::test]
async fn only_what_was_issued_is_good() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    authority(&house, "other", Algorithm::EcP256, Rules::default()).await;
    let key = SubjectKey::New(Algorithm::EcP256);
    let view = issue(&house, "other", key).await.unwrap().certificate;
    assert_eq!(
        ocsp(&house.engine, "other", &view.chain).await,
        SingleStatus::Good
    );
    // The same serial number, asked of the other authority.
    let ca = house.engine.read_authority(&house.root, "root", "ca").await;
    let chain = [
        view.chain[0].clone(),
        ca.unwrap().issuers[0].chain[0].clone(),
    ];
    assert_eq!(
        ocsp(&house.engine, "ca", &chain).await,
        SingleStatus::Unknown
    );
    // Asked about an issuer that it is not, it does not answer.
    let asked = {
        let own = Certificate::from_der(&view.chain[1]).unwrap();
        let (name, key) = (own.subject().as_der(), own.public_key().der);
        let id = CertIdBuf::new(CertIdHash::Sha256, name, key, &view.serial).unwrap();
        request(&[id], None).unwrap()
    };
    let refused = house
        .engine
        .ocsp(("root", "ca", 1), &asked, || Ok(()))
        .await;
    let OcspAnswer::Refused(bytes) = refused.unwrap() else {
        panic!("answered for another issuer");
    };
    assert!(matches!(
        OcspResponse::from_der(&bytes).unwrap(),
        OcspResponse::Failed(skms_pki::ocsp::Failure::Unauthorized)
    ));
    // A nonce comes back, and nothing that was signed before is given for it.
    let own = Certificate::from_der(&view.chain[1]).unwrap();
    let (name, key) = (own.subject().as_der(), own.public_key().der);
    let id = CertIdBuf::new(CertIdHash::Sha256, name, key, &view.serial).unwrap();
    let asked = request(&[id], Some(&[9; 16])).unwrap();
    let answer = house
        .engine
        .ocsp(("root", "other", 1), &asked, || Ok(()))
        .await;
    let OcspAnswer::Signed(response) = answer.unwrap() else {
        panic!("no signed response");
    };
    let read = OcspResponse::from_der(&response.der).unwrap();
    assert_eq!(read.basic().unwrap().nonce, Some(&[9; 16][..]));
    // Who may not have something signed gets it only if it is there.
    let refuse = || Err(Error::Busy);
    let other = house
        .engine
        .ocsp(("root", "other", 1), &asked, refuse)
        .await;
    assert!(matches!(other, Err(Error::Busy)));
}

#[tokio::test]
async fn lifetimes_and_profiles_are_the_authoritys() {
    let house = House::new().await;
    let rules = Rules {
        profiles: vec![ProfileKind::TlsServer],
        max_lifetime_seconds: Some(86_400),
        ..Rules::default()
    };
    authority(&house, "ca", Algorithm::EcP256, rules).await;
    let attempt = |new| {
        house
            .engine
            .issue_certificate(&house.root, "root", "ca", new)
    };
    let key = || SubjectKey::New(Algorithm::EcP256);
    let made = attempt(wanted(key())).await.unwrap().certificate;
    let UnixSeconds(from) = made.not_before;
    assert_eq!(made.not_after.0 - from + 1, 86_400);
    let mut longer = wanted(key());
    longer.lifetime_seconds = Some(86_401);
    assert!(matches!(attempt(longer).await, Err(Error::Pki(_))));
    let mut client = wanted(key());
    client.profile = ProfileKind::TlsClient.into();
    assert!(matches!(attempt(client).await, Err(Error::Invalid(_))));
}
