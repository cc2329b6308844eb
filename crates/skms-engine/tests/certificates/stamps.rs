//! Time-stamping authorities: who may make one, how much strangers get, and
//! that nothing that ended stamps.

use std::net::IpAddr;
use std::sync::Arc;

use skms_crypto::{Algorithm, Hash};
use skms_engine::Caller;
use skms_engine::Error;
use skms_engine::acts::authorities::Rules;
use skms_engine::acts::certificates::{NewCertificate, SubjectKey};
use skms_engine::acts::sign_document::CertificateOf;
use skms_engine::acts::tsa::{NewTsa, View};
use skms_pki::documents::timestamp::{QueryBuf, Response};
use skms_pki::issue::ProfileKind;

use crate::common::House;
use crate::{authority, kept};

const PLACE: (&str, &str) = ("root", "clock");

/// An authority `ca`, a key `clock` and its certificate for a day.
async fn house() -> (House, CertificateOf) {
    let house = House::new().await;
    authority(&house, "ca", Algorithm::EcP256, Rules::default()).await;
    house.create("clock", Algorithm::EcP256).await;
    let of = certificate(&house, kept("clock")).await;
    (house, of)
}

async fn certificate(house: &House, key: SubjectKey) -> CertificateOf {
    let new = NewCertificate {
        profile: ProfileKind::TimeStamping.into(),
        key,
        subject: Some("CN=Clock".parse().unwrap()),
        names: Vec::new(),
        lifetime_seconds: Some(86_400),
    };
    let made = house
        .engine
        .issue_certificate(&house.root, "root", "ca", new);
    CertificateOf::Chain(made.await.unwrap().certificate.chain)
}

fn new(certificate: CertificateOf, per_second: u32) -> NewTsa {
    NewTsa {
        name: PLACE.1.to_owned(),
        keyring: "default".to_owned(),
        key: "clock".to_owned(),
        certificate,
        scheme: None,
        policies: vec!["1.2.3".to_owned()],
        accuracy_seconds: Some(1),
        ordering: false,
        per_second,
    }
}

async fn create(house: &House, caller: &Arc<Caller>, new: NewTsa) -> Result<View, Error> {
    house.engine.create_tsa(caller, PLACE.0, new).await
}

fn query() -> Vec<u8> {
    let query = QueryBuf {
        hash: Hash::Sha256,
        digest: vec![7; 32],
        policy: None,
        nonce: Some([1; 16]),
        certificates: true,
    };
    query.to_der().unwrap()
}

/// Whether a request from an address is stamped.
async fn stamps(house: &House, from: [u8; 4]) -> Result<bool, Error> {
    let source = Some(IpAddr::from(from));
    let answer = house.engine.tsa_answer(PLACE, &query(), source).await?;
    Ok(matches!(
        Response::from_der(&answer).unwrap(),
        Response::Granted(_)
    ))
}

async fn events(house: &House) -> usize {
    let mut count = 0;
    let mut from = 0;
    loop {
        let page = house.engine.read_events(&house.root, PLACE.0, from, 1000);
        let (found, next) = page.await.unwrap();
        let stamps = found
            .iter()
            .filter(|one| one.event.action.as_str() == "tsa.stamp");
        count += stamps.count();
        // Reading is an event too: there is always one more.
        if found.len() < 1000 {
            return count;
        }
        from = next;
    }
}

#[tokio::test]
async fn what_ended_stamps_nothing() {
    let (house, of) = house().await;
    create(&house, &house.root, new(of, 5)).await.unwrap();
    assert!(stamps(&house, [192, 0, 2, 1]).await.unwrap());
    // What was made is there after a restart.
    let house = house.restart().await;
    assert!(stamps(&house, [192, 0, 2, 1]).await.unwrap());
    // The certificate began an hour before it was made.
    house.config.clock.advance_seconds(86_400 - 3_600 - 1);
    assert!(stamps(&house, [192, 0, 2, 1]).await.unwrap());
    house.config.clock.advance_seconds(1);
    assert!(!stamps(&house, [192, 0, 2, 1]).await.unwrap());
    let nowhere = house.engine.tsa_answer(("root", "x"), &query(), None).await;
    assert!(matches!(nowhere, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn nothing_is_made_on_what_ended_nor_by_whoever_may_not() {
    let (house, of) = house().await;
    let nobody = house.caller_in("nobody", &[]).await;
    let refused = create(&house, &nobody, new(of, 5)).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    let of = certificate(&house, kept("clock")).await;
    house.config.clock.advance_seconds(86_400);
    let refused = create(&house, &house.root, new(of, 5)).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    // Of the authority's, but of another key.
    let of = certificate(&house, SubjectKey::New(Algorithm::EcP256)).await;
    let refused = create(&house, &house.root, new(of, 5)).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    // A key that signs no documents.
    house.create("slow", Algorithm::SlhDsaSha2_128f).await;
    let of = certificate(&house, kept("slow")).await;
    let mut slow = new(of, 5);
    slow.key = "slow".to_owned();
    let refused = create(&house, &house.root, slow).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    let of = certificate(&house, kept("clock")).await;
    let made = create(&house, &house.root, new(of, 5)).await.unwrap();
    assert_eq!((made.version, made.chain.len()), (1, 2));
    let nobody = house.caller_in("nobody", &[]).await;
    for name in ["clock", "x"] {
        let refused = house.engine.read_tsa(&nobody, "root", name).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })));
        let refused = house.engine.delete_tsa(&nobody, "root", name).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })));
    }
    let refused = house.engine.list_tsas(&nobody, "root").await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_namespace_has_so_many_on_a_key_each() {
    let (house, of) = house().await;
    create(&house, &house.root, new(of, 5)).await.unwrap();
    let named = |name: &str, key: &str, of| NewTsa {
        name: name.to_owned(),
        key: key.to_owned(),
        ..new(of, 5)
    };
    let of = certificate(&house, kept("clock")).await;
    let refused = create(&house, &house.root, named("twin", "clock", of)).await;
    assert!(matches!(refused, Err(Error::KeyForbids(_))), "{refused:?}");
    for number in 1..17 {
        let key = format!("key-{number}");
        house.create(&key, Algorithm::EcP256).await;
        let of = certificate(&house, kept(&key)).await;
        let made = create(&house, &house.root, named(&key, &key, of)).await;
        match number {
            16 => assert!(matches!(made, Err(Error::TooLarge { limit: 16, .. }))),
            _ => drop(made.unwrap()),
        }
    }
}

#[tokio::test]
async fn what_fails_leaves_an_event_a_second() {
    let (house, of) = house().await;
    create(&house, &house.root, new(of, 5)).await.unwrap();
    let all = skms_keys::Versions::All;
    let suspended = house
        .engine
        .suspend_key(&house.root, crate::common::at("clock"), all);
    suspended.await.unwrap();
    for seconds in 1..3 {
        for _ in 0..10 {
            assert!(!stamps(&house, [192, 0, 2, 1]).await.unwrap());
        }
        assert_eq!(events(&house).await, seconds);
        house.config.clock.advance_seconds(1);
    }
}

#[tokio::test]
async fn strangers_get_so_much_and_leave_no_more_behind() {
    let (house, of) = house().await;
    create(&house, &house.root, new(of, 2)).await.unwrap();
    let one = [192, 0, 2, 1];
    for _ in 0..200 {
        assert!(stamps(&house, one).await.unwrap());
    }
    for _ in 0..5 {
        let refused = stamps(&house, one).await;
        assert!(matches!(refused, Err(Error::RateLimited { .. })));
    }
    assert_eq!(events(&house).await, 200);
    // Others still get theirs, until the authority gives no more.
    for _ in 0..200 {
        assert!(stamps(&house, [192, 0, 2, 2]).await.unwrap());
    }
    let refused = stamps(&house, [192, 0, 2, 4]).await;
    assert!(matches!(refused, Err(Error::RateLimited { .. })));
    assert_eq!(events(&house).await, 400);
    house.config.clock.advance_seconds(1);
    for _ in 0..2 {
        assert!(stamps(&house, [192, 0, 2, 5]).await.unwrap());
    }
    assert!(stamps(&house, [192, 0, 2, 5]).await.is_err());
    // What is not stamped costs nobody anything.
    house.config.clock.advance_seconds(1);
    for _ in 0..300 {
        let answer = house.engine.tsa_answer(PLACE, b"x", None).await.unwrap();
        assert!(matches!(
            Response::from_der(&answer).unwrap(),
            Response::Refused(2)
        ));
    }
    assert!(stamps(&house, one).await.unwrap());
}
