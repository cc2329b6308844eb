//! Who signs OCSP responses, and when: a delegate where there is one, and ahead
//! of being asked where an authority wants it.

use skms_crypto::Algorithm;
use skms_engine::Error;
use skms_engine::acts::authorities::{Rules, RulesChange};
use skms_engine::acts::certificates::SubjectKey;
use skms_engine::acts::publish::OcspAnswer;
use skms_keys::{RevocationReason, Versions};
use skms_pki::Certificate;
use skms_pki::issue::Serial;
use skms_pki::issue::ocsp::{CertIdBuf, CertIdHash, request};
use skms_pki::ocsp::{OcspResponse, SingleStatus};
use skms_pki::signature::{Standard, Verify as _};

use crate::common::{House, at};
use crate::{authority, issue, publish, revoke};

/// The answer about a certificate of `ca`, if there is one without signing.
async fn answer(house: &House, chain: &[Vec<u8>], sign: bool) -> Option<Vec<u8>> {
    let issuer = Certificate::from_der(&chain[1]).unwrap();
    let own = Certificate::from_der(&chain[0]).unwrap();
    let serial = Serial::from_contents(own.serial()).unwrap();
    let (name, key) = (issuer.subject().as_der(), issuer.public_key().der);
    let id = CertIdBuf::new(CertIdHash::Sha1, name, key, &serial).unwrap();
    let asked = request(&[id], None).unwrap();
    let may_sign = || if sign { Ok(()) } else { Err(Error::Busy) };
    match house.engine.ocsp(("root", "ca", 1), &asked, may_sign).await {
        Ok(OcspAnswer::Signed(response)) => Some(response.der.clone()),
        Ok(OcspAnswer::Refused(_)) | Err(_) => None,
    }
}

/// The certificate of a response's signer, and what it says. `None` for the
/// authority's own signature. Either is checked.
fn read(response: &[u8], authority: &[u8]) -> (Option<Vec<u8>>, SingleStatus) {
    let read = OcspResponse::from_der(response).unwrap();
    let basic = read.basic().unwrap();
    let issuer = Certificate::from_der(authority).unwrap();
    let along = basic.certificates.first().copied();
    match along {
        None => {
            Standard.verify(issuer.public_key(), &basic.signed).unwrap();
        }
        Some(der) => {
            let signer = Certificate::from_der(der).unwrap();
            Standard.verify(signer.public_key(), &basic.signed).unwrap();
            Standard
                .verify(issuer.public_key(), signer.signed())
                .unwrap();
            let purposes = signer.extensions().extended_key_usage.unwrap();
            assert!(purposes.contains(skms_pki::oid::OCSP_SIGNING));
        }
    }
    (along.map(<[u8]>::to_vec), basic.responses[0].status)
}

async fn change(house: &House, change: RulesChange) -> Result<(), Error> {
    house
        .engine
        .update_authority(&house.root, "root", "ca", change)
        .await
        .map(drop)
}

fn signer(name: &str) -> RulesChange {
    let signer = (!name.is_empty()).then(|| ("default".to_owned(), name.to_owned()));
    RulesChange {
        ocsp_signer: Some(signer),
        ..RulesChange::default()
    }
}

#[tokio::test]
async fn a_delegate_signs_while_the_authority_itself_may_not() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP384, Rules::default()).await;
    house.create("ocsp", Algorithm::EcP256).await;
    house.create("box", Algorithm::Aes256Gcm).await;
    let new = || SubjectKey::New(Algorithm::EcP256);
    let first = issue(&house, "ca", new()).await.unwrap().certificate;
    let root = first.chain[1].clone();
    let own = answer(&house, &first.chain, true).await.unwrap();
    assert_eq!(read(&own, &root), (None, SingleStatus::Good));

    assert!(change(&house, signer("nobody")).await.is_err());
    assert!(change(&house, signer("box")).await.is_err());
    change(&house, signer("ocsp")).await.unwrap();
    publish(&house).await;
    let second = issue(&house, "ca", new()).await.unwrap().certificate;
    let by_delegate = answer(&house, &second.chain, true).await.unwrap();
    let (delegate, status) = read(&by_delegate, &root);
    assert_eq!(status, SingleStatus::Good);
    let delegate = delegate.unwrap();

    // It is known like every certificate, and goes on after a restart and
    // while the authority's key is suspended.
    let house = house.restart().await;
    house
        .engine
        .suspend_key(&house.root, at("ca"), Versions::All)
        .await
        .unwrap();
    let said = answer(&house, &first.chain, true).await.unwrap();
    assert_eq!(read(&said, &root).0, Some(delegate.clone()));
    house
        .engine
        .resume_key(&house.root, at("ca"), Versions::All)
        .await
        .unwrap();

    // It is certified anew before it ends, in time and not before.
    publish(&house).await;
    house.config.clock.advance_seconds(9 * 86_400);
    publish(&house).await;
    let said = answer(&house, &first.chain, true).await.unwrap();
    assert_eq!(read(&said, &root).0, Some(delegate.clone()));
    house.config.clock.advance_seconds(86_400);
    publish(&house).await;
    let said = answer(&house, &first.chain, true).await.unwrap();
    let newer = read(&said, &root).0.unwrap();
    assert_ne!(newer, delegate);

    // Revoked, it signs no more until it is set again. Lists are made meanwhile.
    let serial = |der: &[u8]| {
        let certificate = Certificate::from_der(der).unwrap();
        Serial::from_contents(certificate.serial()).unwrap()
    };
    let superseded = RevocationReason::Superseded;
    revoke(&house, &serial(&newer), superseded).await.unwrap();
    let said = answer(&house, &first.chain, true).await.unwrap();
    assert_eq!(read(&said, &root), (None, SingleStatus::Good));
    publish(&house).await;
    assert!(listed(&house, &serial(&newer)));
    let said = answer(&house, &second.chain, true).await.unwrap();
    assert_eq!(read(&said, &root).0, None);
    change(&house, signer("ocsp")).await.unwrap();
    publish(&house).await;
    let third = issue(&house, "ca", new()).await.unwrap().certificate;
    let said = answer(&house, &third.chain, true).await.unwrap();
    let newest = read(&said, &root).0.unwrap();
    assert_ne!(newest, newer);

    // Compromised, nothing that it signed is given again, and it signs no more.
    let compromise = RevocationReason::KeyCompromise;
    revoke(&house, &serial(&newest), compromise).await.unwrap();
    let said = answer(&house, &first.chain, true).await.unwrap();
    assert_eq!(read(&said, &root), (None, SingleStatus::Good));
    // A signer that cannot be certified stops no lists.
    change(&house, signer("ocsp")).await.unwrap_err();
    publish(&house).await;
    assert!(listed(&house, &serial(&newest)));
    let said = answer(&house, &second.chain, true).await.unwrap();
    assert_eq!(read(&said, &root).0, None);

    // Another key takes its place; then the authority itself again.
    house.create("ocsp-2", Algorithm::Ed25519).await;
    change(&house, signer("ocsp-2")).await.unwrap();
    publish(&house).await;
    let other = issue(&house, "ca", new()).await.unwrap().certificate;
    let said = answer(&house, &other.chain, true).await.unwrap();
    assert!(read(&said, &root).0.is_some());
    change(&house, signer("")).await.unwrap();
    let fourth = issue(&house, "ca", new()).await.unwrap().certificate;
    let said = answer(&house, &fourth.chain, true).await.unwrap();
    assert_eq!(read(&said, &root).0, None);
}

/// Whether the complete list names a certificate.
fn listed(house: &House, serial: &Serial) -> bool {
    let list = house.engine.published_list(("root", "ca", 1), 0, false);
    let list = list.unwrap();
    let list = skms_pki::Crl::from_der(&list.der).unwrap();
    list.entries().any(|one| one.serial == serial.as_bytes())
}

#[tokio::test]
async fn lists_and_responses_are_signed_with_a_withdrawn_algorithm_too() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let new = || SubjectKey::New(Algorithm::Ed25519);
    let good = issue(&house, "ca", new()).await.unwrap().certificate;
    let gone = issue(&house, "ca", new()).await.unwrap().certificate;
    let order = skms_engine::acts::withdraw_algorithm::Order {
        algorithm: "EC-P256".into(),
        reason: "broken".into(),
        protects_until: None,
        successor: None,
        dry_run: false,
    };
    let withdrawn = house.engine.withdraw_algorithm(&house.root, order);
    assert_eq!(withdrawn.await.unwrap().keys, 1);
    // It issues nothing any more, and goes on saying what is revoked.
    let refused = issue(&house, "ca", new()).await.err().unwrap();
    assert!(matches!(refused, Error::KeyForbids(_)), "{refused}");
    revoke(&house, &gone.serial, RevocationReason::Superseded)
        .await
        .unwrap();
    for _ in 0..2 {
        publish(&house).await;
        let list = house.engine.published_list(("root", "ca", 1), 0, false);
        let list = list.unwrap();
        let list = skms_pki::Crl::from_der(&list.der).unwrap();
        let issuer = Certificate::from_der(&gone.chain[1]).unwrap();
        Standard.verify(issuer.public_key(), list.signed()).unwrap();
        assert!(listed(&house, &gone.serial) && !listed(&house, &good.serial));
        for (view, said) in [(&good, true), (&gone, false)] {
            let response = answer(&house, &view.chain, true).await.unwrap();
            let (delegate, status) = read(&response, &view.chain[1]);
            assert_eq!((delegate, status == SingleStatus::Good), (None, said));
        }
        // And again when these have ended.
        house.config.clock.advance_seconds(60 * 86_400);
    }
}

#[tokio::test]
async fn a_signer_that_cannot_be_certified_stops_no_lists() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    house.create("ocsp", Algorithm::EcP256).await;
    change(&house, signer("ocsp")).await.unwrap();
    house
        .engine
        .suspend_key(&house.root, at("ocsp"), Versions::All)
        .await
        .unwrap();
    let key = SubjectKey::New(Algorithm::EcP256);
    let view = issue(&house, "ca", key).await.unwrap().certificate;
    revoke(&house, &view.serial, RevocationReason::Superseded)
        .await
        .unwrap();
    let quick = skms_engine::acts::publish::Pace::Quick;
    // A key that may not sign is passed over.
    house.engine.publish_due(quick).await.unwrap();
    assert!(listed(&house, &view.serial));
}

#[tokio::test]
async fn keys_that_authorities_stand_on_sign_nothing_that_is_handed_in() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    house.create("ocsp", Algorithm::EcP256).await;
    house.create("free", Algorithm::EcP256).await;
    let sign = async |name: &'static str| {
        let request = skms_engine::acts::sign::Request {
            payload: skms_engine::acts::payload::Payload::Raw(b"TBSCertificate".to_vec()),
            version: None,
            options: skms_crypto::SignOptions::default(),
        };
        house
            .engine
            .operate_one::<skms_engine::acts::sign::Sign>(&house.root, at(name), request)
            .await
    };
    assert!(sign("free").await.is_ok() && sign("ocsp").await.is_ok());
    change(&house, signer("ocsp")).await.unwrap();
    for name in ["ca", "ocsp"] {
        let refused = sign(name).await.map(drop);
        assert!(matches!(refused, Err(Error::KeyForbids(_))), "{name}");
    }
    let house = house.restart().await;
    let request = skms_engine::acts::sign::Request {
        payload: skms_engine::acts::payload::Payload::Raw(b"TBSCertificate".to_vec()),
        version: None,
        options: skms_crypto::SignOptions::default(),
    };
    let refused = house
        .engine
        .operate_one::<skms_engine::acts::sign::Sign>(&house.root, at("ca"), request)
        .await
        .map(drop);
    assert!(matches!(refused, Err(Error::KeyForbids(_))));
}

#[tokio::test]
async fn responses_are_signed_ahead_where_that_is_wanted() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    authority(&house, "other", Algorithm::EcP256, Rules::default()).await;
    let key = SubjectKey::New(Algorithm::EcP256);
    issue(&house, "other", key).await.unwrap();
    let mut chains = Vec::new();
    for _ in 0..5 {
        let key = SubjectKey::New(Algorithm::EcP256);
        chains.push(issue(&house, "ca", key).await.unwrap().certificate);
    }
    assert_eq!(house.engine.presign_due().await.unwrap(), 0);
    assert!(answer(&house, &chains[0].chain, false).await.is_none());
    let presign = RulesChange {
        ocsp_presign: Some(true),
        ..RulesChange::default()
    };
    change(&house, presign).await.unwrap();
    revoke(&house, &chains[4].serial, RevocationReason::Superseded)
        .await
        .unwrap();
    assert_eq!(house.engine.presign_due().await.unwrap(), 5);
    for view in &chains {
        let said = answer(&house, &view.chain, false).await.unwrap();
        let (by, status) = read(&said, &view.chain[1]);
        assert_eq!(by, None);
        let revoked = matches!(status, SingleStatus::Revoked { .. });
        assert_eq!(revoked, view.serial == chains[4].serial);
    }
    // Nothing to do until an eighth of their time is over; then what changed,
    // and what is half over.
    assert_eq!(house.engine.presign_due().await.unwrap(), 0);
    revoke(&house, &chains[0].serial, RevocationReason::Superseded)
        .await
        .unwrap();
    assert!(answer(&house, &chains[0].chain, false).await.is_none());
    house.config.clock.advance_seconds(86_400 / 8);
    assert_eq!(house.engine.presign_due().await.unwrap(), 1);
    house.config.clock.advance_seconds(3 * 86_400 / 8);
    assert_eq!(house.engine.presign_due().await.unwrap(), 4);
    // What has ended is not asked about any more.
    house.config.clock.advance_seconds(400 * 86_400);
    assert_eq!(house.engine.presign_due().await.unwrap(), 0);
}

#[tokio::test]
async fn what_was_never_issued_takes_no_room() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let new = || SubjectKey::New(Algorithm::EcP256);
    let view = issue(&house, "ca", new()).await.unwrap().certificate;
    answer(&house, &view.chain, true).await.unwrap();
    assert!(answer(&house, &view.chain, false).await.is_some());
    // One that another authority issued, asked of this one.
    authority(&house, "other", Algorithm::EcP256, Rules::default()).await;
    let other = issue(&house, "other", new()).await.unwrap().certificate;
    let chain = [other.chain[0].clone(), view.chain[1].clone()];
    let said = answer(&house, &chain, true).await.unwrap();
    assert_eq!(read(&said, &view.chain[1]), (None, SingleStatus::Unknown));
    assert!(answer(&house, &chain, false).await.is_none());
}
