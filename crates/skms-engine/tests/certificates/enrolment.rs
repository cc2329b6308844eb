//! EST by profiles of an authority's own.

use skms_crypto::{Algorithm, KeyMaterial, Message, OpenKey};
use skms_engine::Error;
use skms_engine::acts::authorities::{NamedProfile, Rules, end_entities};
use skms_engine::acts::certificates::{Issued, ProfileChoice};
use skms_engine::acts::est::{Label, Opening, Wish};
use skms_pki::issue::{NameBuf, Request, SigningScheme};

use crate::authority;
use crate::common::House;

const PLACE: (&str, &str) = ("root", "ca");

async fn house() -> House {
    let house = House::new().await;
    let rules = Rules {
        profiles: end_entities(),
        ..Rules::default()
    };
    authority(&house, "ca", Algorithm::EcP256, rules).await;
    house
}

async fn open(house: &House, profiles: &[&str]) -> Result<Option<Opening>, Error> {
    let opening = Opening {
        profiles: profiles
            .iter()
            .map(|name| ProfileChoice::from(*name))
            .collect(),
        renewal_by_certificate: true,
        key_algorithm: Algorithm::EcP256,
    };
    house
        .engine
        .est_open(&house.root, PLACE, Some(opening))
        .await
}

async fn put(house: &House, base: &str, seconds: u64) {
    let profile = NamedProfile {
        name: "short".to_owned(),
        base: base.to_owned(),
        max_lifetime_seconds: Some(seconds),
        ..NamedProfile::default()
    };
    house
        .engine
        .put_authority_profile(&house.root, PLACE.0, PLACE.1, profile)
        .await
        .unwrap();
}

fn csr(key: &OpenKey) -> Vec<u8> {
    let spki = key.public_key().unwrap().spki_der().to_vec();
    let mut request = Request::new(NameBuf::empty(), spki);
    request.names = vec!["www.example.org".parse().unwrap()];
    let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
    let unsigned = request.to_csr(scheme).unwrap();
    let signature = key
        .sign(Message::Raw(unsigned.tbs()), &scheme.sign_options())
        .unwrap();
    unsigned.signed(&signature).unwrap()
}

async fn ask(house: &House, profile: &str, wish: Wish<'_>, key: &OpenKey) -> Result<Issued, Error> {
    let label = Label {
        namespace: PLACE.0,
        authority: PLACE.1,
        profile,
    };
    let der = csr(key);
    house
        .engine
        .est_enrol(&house.root, label, wish, None, || Ok(der))
        .await
}

fn key() -> OpenKey {
    OpenKey::open(&KeyMaterial::generate(Algorithm::EcP256).unwrap()).unwrap()
}

#[tokio::test]
async fn nothing_by_which_others_are_certified_is_given() {
    let house = house().await;
    for name in [
        "root",
        "intermediate",
        "ocsp-signer",
        "principal",
        "nonesuch",
    ] {
        let opened = open(&house, &["tls-server", name]).await;
        assert!(matches!(opened, Err(Error::Invalid(_))), "{name}");
    }
    for base in ["ocsp-signer", "principal"] {
        put(&house, base, 86_400).await;
        let opened = open(&house, &["short"]).await;
        assert!(matches!(opened, Err(Error::Invalid(_))), "{base}");
    }
    let all = [
        "tls-server",
        "tls-client",
        "tls-mutual",
        "s-mime",
        "code-signing",
    ];
    open(&house, &all).await.unwrap();
}

#[tokio::test]
async fn a_profile_of_its_own_gives_and_renews_what_it_says_now() {
    let house = house().await;
    put(&house, "tls-server", 86_400).await;
    open(&house, &["short", "tls-server"]).await.unwrap();
    let own = key();
    let first = ask(&house, "short", Wish::Enrol, &own).await.unwrap();
    let der = first.certificate.chain[0].clone();
    let lasts = |issued: &Issued| {
        let read = skms_pki::Certificate::from_der(&issued.certificate.chain[0]).unwrap();
        read.not_after().0 - read.not_before().0 + 1
    };
    assert_eq!(lasts(&first), 86_400);
    let engine = &house.engine;
    let label = Label {
        namespace: PLACE.0,
        authority: PLACE.1,
        profile: "short",
    };
    let wider = Label {
        profile: "tls-server",
        ..label
    };
    // By its own label alone: neither gives what the other gave.
    let holder = engine.est_holder(label, &der, None, "test");
    assert!(holder.await.unwrap().is_some());
    let holder = engine.est_holder(wider, &der, None, "test");
    assert!(holder.await.unwrap().is_none());
    let shown = Wish::Renew(Some(&der));
    assert!(ask(&house, "tls-server", shown, &own).await.is_err());
    let plain = ask(&house, "tls-server", Wish::Enrol, &key())
        .await
        .unwrap();
    let plain = &plain.certificate.chain[0];
    let holder = engine.est_holder(label, plain, None, "test");
    assert!(holder.await.unwrap().is_none());

    // It is held to less by now.
    put(&house, "tls-server", 7_200).await;
    let renewed = ask(&house, "short", shown, &key()).await.unwrap();
    assert_eq!(lasts(&renewed), 7_200);
    // It is for clients by now: whoever had a server's gets no client's.
    put(&house, "tls-client", 86_400).await;
    let holder = engine.est_holder(label, &der, None, "test");
    assert!(holder.await.unwrap().is_none());
    assert!(ask(&house, "short", shown, &key()).await.is_err());
    ask(&house, "short", Wish::Enrol, &key()).await.unwrap();
    for base in ["principal", "ocsp-signer"] {
        put(&house, base, 86_400).await;
        let refused = ask(&house, "short", Wish::Enrol, &key()).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{base}");
        let holder = engine.est_holder(label, &der, None, "test").await;
        assert!(matches!(holder, Err(Error::NotFound { .. })), "{base}");
    }
    let gone = engine.remove_authority_profile(&house.root, PLACE.0, PLACE.1, "short");
    gone.await.unwrap();
    for wish in [Wish::Enrol, shown] {
        let refused = ask(&house, "short", wish, &own).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })));
    }
    assert!(engine.est_attributes(label).is_err());
    engine.est_attributes(wider).unwrap();
}
