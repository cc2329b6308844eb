//! Compromises reach the key and its other certificates whatever happens in
//! between, and an authority without a good certificate of its own vouches for
//! nobody.

use skms_crypto::{Algorithm, Format, KeyMaterial, Message, OpenKey};
use skms_engine::Error;
use skms_engine::acts::authorities::{Extent, Foundation, NewAuthority, Rules};
use skms_engine::acts::certificates::{Status, SubjectKey, View};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::import_key::Incoming;
use skms_keys::{KeyState, RevocationReason, Revoke, Versions};
use skms_pki::Crl;
use skms_pki::issue::{Request, Serial, SigningScheme};
use skms_pki::ocsp::SingleStatus;

use crate::common::{House, at};
use crate::{authority, issue, kept, ocsp, publish, revoke};

/// Polls some work a number of times, then lets go of it as a server does when
/// its caller hangs up. Returns whether it was done by then.
async fn broken_off<T>(work: impl Future<Output = T>, polls: usize) -> bool {
    tokio::pin!(work);
    for _ in 0..polls {
        tokio::select! {
            biased;
            _ = &mut work => return true,
            () = tokio::task::yield_now() => {}
        }
    }
    false
}

/// A key imported under a name, and a signed request for its certificate.
pub async fn imported(house: &House, name: &'static str) -> Vec<u8> {
    let material = KeyMaterial::generate(Algorithm::EcP256).unwrap();
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
    house
        .engine
        .import_key(&house.root, at(name), spec, incoming)
        .await
        .unwrap();
    let spki = material.public_key().unwrap().unwrap();
    let subject = "CN=www.example.org".parse().unwrap();
    let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
    let planned = Request::new(subject, spki.spki_der().to_vec())
        .to_csr(scheme)
        .unwrap();
    let signature = OpenKey::open(&material)
        .unwrap()
        .sign(Message::Raw(planned.tbs()), &scheme.sign_options())
        .unwrap();
    planned.signed(&signature).unwrap()
}

async fn state(house: &House, name: &'static str) -> KeyState {
    let key = house.engine.read_key(&house.root, at(name)).await.unwrap();
    key.key().versions[0].state
}

fn is_revoked(status: SingleStatus) -> bool {
    matches!(status, SingleStatus::Revoked { .. })
}

/// How many revocations of certificates are in the record.
async fn told(house: &House) -> usize {
    let (mut from, mut count) = (0, 0);
    loop {
        let read = house.engine.read_events(&house.root, "root", from, 1000);
        let (events, next) = read.await.unwrap();
        count += events
            .iter()
            .filter(|one| one.event.action.as_str() == "certificate.revoke")
            .filter(|one| one.event.outcome.name() == "success")
            .count();
        // Each reading is told of in turn.
        if events.len() < 1000 {
            return count;
        }
        from = next;
    }
}

#[tokio::test]
async fn a_compromise_takes_the_key_even_when_the_caller_hangs_up() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let (mut broken, mut gone) = (0, 0);
    for round in 0..24 {
        let name: &'static str = format!("key-{round}").leak();
        house.create(name, Algorithm::EcP256).await;
        let view = issue(&house, "ca", kept(name)).await.unwrap().certificate;
        let work = revoke(&house, &view.serial, RevocationReason::KeyCompromise);
        broken += usize::from(!broken_off(work, round).await);
        // It goes on to its end, or never began.
        let mut settled = (false, KeyState::Active);
        for _ in 0..200 {
            let gone = is_revoked(ocsp(&house.engine, "ca", &view.chain).await);
            settled = (gone, state(&house, name).await);
            if gone {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        // The key goes first.
        let expected = if settled.0 {
            KeyState::Compromised
        } else {
            KeyState::Active
        };
        assert_eq!(settled.1, expected, "after {round} polls");
        gone += usize::from(settled.0);
    }
    assert!(broken > 0, "no call was broken off");
    // And who asked for it is in the record, each time.
    for _ in 0..200 {
        if told(&house).await == gone {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(told(&house).await, gone);
}

#[tokio::test]
async fn a_compromise_takes_every_kept_key_of_the_same_public_half() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let csr = imported(&house, "imported").await;
    let of_key = issue(&house, "ca", kept("imported")).await.unwrap();
    // Another certificate of the key, by a request from outside.
    let by_request = issue(&house, "ca", SubjectKey::Request(csr.clone()))
        .await
        .unwrap()
        .certificate;
    let compromise = RevocationReason::AaCompromise;
    revoke(&house, &by_request.serial, compromise)
        .await
        .unwrap();
    assert_eq!(state(&house, "imported").await, KeyState::Compromised);
    let said = ocsp(&house.engine, "ca", &of_key.certificate.chain).await;
    assert!(is_revoked(said), "{said:?}");
    let again = issue(&house, "ca", SubjectKey::Request(csr)).await;
    assert!(matches!(again, Err(Error::KeyForbids(_))));
}

#[tokio::test]
async fn a_compromised_key_without_certificates_gets_none() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    for (name, reason) in [
        ("known", RevocationReason::KeyCompromise),
        ("guessed", RevocationReason::CaCompromise),
        ("left", RevocationReason::Superseded),
    ] {
        let csr = imported(&house, name).await;
        let revoke = Revoke {
            versions: Versions::All,
            reason,
            message: String::new(),
            compromise_occurred_at: None,
        };
        house
            .engine
            .revoke_key(&house.root, at(name), revoke)
            .await
            .unwrap();
        let made = issue(&house, "ca", SubjectKey::Request(csr)).await;
        assert_eq!(
            matches!(made, Err(Error::KeyForbids(_))),
            reason.is_compromise(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn lists_whose_making_is_broken_off_lose_nothing() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    publish(&house).await;
    let (mut broken, mut all) = (0, Vec::new());
    for round in 0..24 {
        let key = SubjectKey::New(Algorithm::EcP256);
        let view = issue(&house, "ca", key).await.unwrap().certificate;
        revoke(&house, &view.serial, RevocationReason::Superseded)
            .await
            .unwrap();
        all.push(view.serial.as_bytes().to_vec());
        all.sort();
        broken += usize::from(!broken_off(publish(&house), round).await);
        publish(&house).await;
        let list = house.engine.published_list(("root", "ca", 1), 0, false);
        let list = list.unwrap();
        let listed = Crl::from_der(&list.der).unwrap();
        let serials: Vec<_> = listed.entries().map(|one| one.serial.to_vec()).collect();
        assert_eq!(serials, all, "after {round} polls");
    }
    assert!(broken > 0, "no making was broken off");
}

/// The certificate of an authority below `ca`, which is made.
async fn below(house: &House) -> View {
    house.create("below", Algorithm::EcP256).await;
    let new = NewAuthority {
        name: "below".to_owned(),
        keyring: "default".to_owned(),
        key: "below".to_owned(),
        subject: "CN=below".parse().unwrap(),
        foundation: Foundation::Parent("ca".to_owned()),
        extent: Extent::default(),
        signature: None,
        rules: Rules::default(),
    };
    let made = house.engine.create_authority(&house.root, "root", new);
    let made = made.await.unwrap();
    let serial = Serial::from_contents(&made.issuers[0].serial).unwrap();
    house
        .engine
        .read_certificate(&house.root, "root", "ca", &serial.to_string())
        .await
        .unwrap()
}

#[tokio::test]
async fn an_authority_whose_certificate_is_revoked_issues_nothing() {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    let own = below(&house).await;
    let new = || SubjectKey::New(Algorithm::EcP256);
    issue(&house, "below", new()).await.map(drop).unwrap();
    let hold = RevocationReason::CertificateHold;
    assert_eq!(
        revoke(&house, &own.serial, hold).await.unwrap(),
        Status::OnHold
    );
    let refused = issue(&house, "below", new()).await;
    let refused = refused.map(|made| made.certificate).unwrap_err();
    assert!(matches!(refused, Error::KeyForbids(_)), "{refused:?}");
    let serial = own.serial.to_string();
    house
        .engine
        .release_certificate(&house.root, "root", "ca", &serial)
        .await
        .unwrap();
    issue(&house, "below", new()).await.map(drop).unwrap();
    let gone = RevocationReason::CessationOfOperation;
    revoke(&house, &own.serial, gone).await.unwrap();
    let house = house.restart().await;
    let refused = issue(&house, "below", new()).await;
    let refused = refused.map(|made| made.certificate).unwrap_err();
    assert!(matches!(refused, Error::KeyForbids(_)), "{refused:?}");
    // Its issuer goes on.
    assert!(issue(&house, "ca", new()).await.is_ok());
    // With a new certificate it does too.
    house
        .engine
        .renew_authority(&house.root, "root", "below", None, None)
        .await
        .unwrap();
    issue(&house, "below", new()).await.map(drop).unwrap();
}
