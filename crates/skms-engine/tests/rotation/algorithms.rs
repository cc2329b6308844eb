//! Keys that change their algorithm: what older versions made goes on being
//! opened, verified and agreed with.

use skms_crypto::{Algorithm, Format, Hash, KeyMaterial, SignOptions, Use, Uses};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::payload::Payload;
use skms_engine::acts::withdraw_algorithm::Order;
use skms_engine::acts::{agree, agree_key, sign, verify};
use skms_engine::{Error, Result};
use skms_evidence::DetailKey;
use skms_keys::{UnixSeconds, VersionNumber};

use crate::common::{House, START_MS, at};
use crate::detail;

const V1: VersionNumber = VersionNumber(1);
const V2: VersionNumber = VersionNumber(2);

impl House {
    async fn rotate_into(&self, name: &str, algorithm: Algorithm) {
        let (engine, root) = (&self.engine, &self.root);
        let rotated = engine.rotate_key_into(root, at(name), Some(algorithm), None);
        rotated.await.unwrap();
    }

    async fn algorithms(&self, name: &str) -> Vec<Algorithm> {
        let read = self.engine.read_key(&self.root, at(name)).await.unwrap();
        let key = read.key();
        let versions = key.versions.iter();
        versions.map(|one| key.algorithm_of(one.number)).collect()
    }
}

async fn withdraw(house: &House, algorithm: Algorithm) {
    let order = Order {
        algorithm: algorithm.name().into(),
        reason: "broken".into(),
        protects_until: None,
        successor: None,
        dry_run: false,
    };
    let done = house.engine.withdraw_algorithm(&house.root, order);
    done.await.unwrap();
}

#[tokio::test]
async fn what_was_encrypted_before_is_opened_and_moved_after() {
    let house = House::new().await;
    house.create("card", Algorithm::Aes128Gcm).await;
    let old = house.encrypt("card", b"old").await.unwrap();
    house.rotate_into("card", Algorithm::Xaes256Gcm).await;
    let new = house.encrypt("card", b"new").await.unwrap();
    assert_eq!((old.version, new.version), (V1, V2));
    // XAES has a nonce of 24 bytes, AES-GCM one of 12.
    assert_eq!(new.ciphertext.len(), old.ciphertext.len() + 12);
    let (first, second) = (Algorithm::Aes128Gcm, Algorithm::Xaes256Gcm);
    let all_is_there = async |house: &House| {
        for (sealed, text) in [(&old, b"old"), (&new, b"new")] {
            let opened = house.decrypt("card", sealed).await.unwrap();
            assert_eq!(opened.expose(), text);
        }
        assert_eq!(house.algorithms("card").await, [first, second]);
    };
    all_is_there(&house).await;
    let house = house.restart().await;
    all_is_there(&house).await;
    // The next version is of the new algorithm, without anybody saying so.
    let rotated = house.engine.rotate_key(&house.root, at("card"), None).await;
    rotated.unwrap();
    assert_eq!(house.algorithms("card").await, [first, second, second]);
    let moved = house
        .engine
        .reencrypt(
            &house.root,
            at("card"),
            vec![skms_engine::acts::reencrypt::Request {
                ciphertext: old.ciphertext.clone(),
                associated_data: b"context".to_vec(),
                version: V1,
                to: None,
                options: skms_crypto::EncryptOptions::default(),
            }],
        )
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(moved.version, VersionNumber(3));
    let opened = house.decrypt("card", &moved).await.unwrap();
    assert_eq!(opened.expose(), b"old");
}

#[tokio::test]
async fn signatures_are_verified_and_public_halves_read_by_the_version_s_own() {
    let house = House::new().await;
    house.create("stamp", Algorithm::EcP256).await;
    let (engine, root) = (&house.engine, &house.root);
    let sign = async || {
        let request = sign::Request {
            payload: Payload::Raw(b"text".to_vec()),
            version: None,
            options: SignOptions::default(),
        };
        let done = engine.operate_one::<sign::Sign>(root, at("stamp"), request);
        done.await.unwrap()
    };
    let old = sign().await;
    house.rotate_into("stamp", Algorithm::MlDsa65).await;
    let new = sign().await;
    assert_eq!((old.version, new.version), (V1, V2));
    for signed in [old, new] {
        let request = verify::Request {
            payload: Payload::Raw(b"text".to_vec()),
            signature: signed.signature,
            version: Some(signed.version),
            options: SignOptions::default(),
        };
        let done = engine.operate_one::<verify::Verify>(root, at("stamp"), request);
        assert!(done.await.unwrap().valid);
    }
    let public = async |version| {
        let read = engine.public_key(root, at("stamp"), version, Format::SpkiDer);
        read.await.unwrap().algorithm
    };
    assert_eq!(public(Some(V1)).await, Algorithm::EcP256);
    assert_eq!(public(Some(V2)).await, Algorithm::MlDsa65);
    assert_eq!(public(None).await, Algorithm::MlDsa65);
}

#[tokio::test]
async fn each_version_agrees_in_its_own_group() {
    let house = House::new().await;
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::X25519),
        uses: Some(Uses::of(&[Use::Agree])),
        ..NewKeySpec::default()
    };
    let (engine, root) = (&house.engine, &house.root);
    engine.create_key(root, at("dh"), spec).await.unwrap();
    house.rotate_into("dh", Algorithm::EcP256).await;
    let peer = |algorithm| {
        let made = KeyMaterial::generate(algorithm).unwrap();
        let public = made.public_key().unwrap().unwrap();
        public.to_raw().unwrap()
    };
    let x25519 = peer(Algorithm::X25519);
    let p256 = peer(Algorithm::EcP256);
    let secret = async |version, peer: &[u8]| {
        let request = agree::Request {
            peer: peer.to_vec(),
            format: Format::Raw,
            kdf: agree::Kdf::Hkdf {
                hash: Hash::Sha256,
                salt: Vec::new(),
                info: b"ours".to_vec(),
                length: 32,
            },
            version,
        };
        let done = engine.operate_one::<agree::Agree>(root, at("dh"), request);
        done.await.map(|agreed| agreed.version)
    };
    assert_eq!(secret(None, &p256).await.unwrap(), V2);
    assert!(secret(None, &x25519).await.is_err());
    let kept = async |name: &'static str, version, peer: &[u8]| {
        let wanted = agree_key::NewAgreement {
            peer: peer.to_vec(),
            format: Format::Raw,
            peer_party: "peer".into(),
            own_party: None,
            hash: Hash::Sha256,
            salt: Vec::new(),
            version,
            spec: NewKeySpec {
                algorithm: Some(Algorithm::Aes256Gcm),
                ..NewKeySpec::default()
            },
        };
        let done = engine.agree_on_key(root, at("dh"), at(name), wanted).await;
        done.map(|agreed| agreed.version)
    };
    assert_eq!(kept("second", None, &p256).await.unwrap(), V2);
    assert!(kept("none", None, &x25519).await.is_err());
}

#[tokio::test]
async fn a_withdrawal_is_about_the_version_that_is_used() {
    let house = House::new().await;
    house.create("card", Algorithm::Aes128Gcm).await;
    let old = house.encrypt("card", b"old").await.unwrap();
    // One that waits for its date leaves the old one in use.
    let later = Some(UnixSeconds(START_MS / 1000 + 100));
    let (engine, root) = (&house.engine, &house.root);
    let into = Some(Algorithm::Aes256Gcm);
    let rotated = engine.rotate_key_into(root, at("card"), into, later).await;
    rotated.unwrap();
    withdraw(&house, Algorithm::Aes128Gcm).await;
    let refused = house.encrypt("card", b"x").await;
    assert!(matches!(refused, Err(Error::KeyForbids(_))));
    house.config.clock.advance_seconds(100);
    let new = house.encrypt("card", b"new").await.unwrap();
    assert_eq!(new.version, V2);
    house.decrypt("card", &old).await.unwrap();
    withdraw(&house, Algorithm::Aes256Gcm).await;
    assert!(house.encrypt("card", b"x").await.is_err());
    house.decrypt("card", &new).await.unwrap();
}

fn refusal<T>(result: Result<T>) -> String {
    match result {
        Err(Error::Key(why)) => why.to_string(),
        Err(Error::KeyForbids(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was let through"),
    }
}

#[tokio::test]
async fn what_does_not_do_what_the_key_is_for_is_refused_and_recorded() {
    let house = House::new().await;
    house.create("card", Algorithm::Aes128Gcm).await;
    let (engine, root) = (&house.engine, &house.root);
    let into = async |algorithm| {
        let rotated = engine.rotate_key_into(root, at("card"), Some(algorithm), None);
        refusal(rotated.await.map(drop))
    };
    let wraps = into(Algorithm::Aes256Kw).await;
    assert!(
        wraps.contains("cannot be rotated into AES-256-KW"),
        "{wraps}"
    );
    let pair = into(Algorithm::Rsa3072).await;
    assert!(pair.contains("a key pair a key pair"), "{pair}");
    withdraw(&house, Algorithm::ChaCha20Poly1305).await;
    let withdrawn = into(Algorithm::ChaCha20Poly1305).await;
    assert!(withdrawn.contains("no new version of it"), "{withdrawn}");
    assert_eq!(house.newest("card").await, 1);
    house.encrypt("card", b"x").await.unwrap();
    let events = engine.read_events(root, "root", 0, 1000).await.unwrap().0;
    let failed = events.iter().filter(|one| {
        let failed = matches!(one.event.outcome, skms_evidence::Outcome::Failed { .. });
        failed && one.event.action.as_str() == "key.rotate"
    });
    assert_eq!(failed.count(), 3);
    house.rotate_into("card", Algorithm::Aes256Gcm).await;
    let events = engine.read_events(root, "root", 0, 1000).await.unwrap().0;
    let rotated = events
        .iter()
        .rfind(|one| one.event.action.as_str() == "key.rotate");
    let algorithm = detail(rotated.unwrap(), DetailKey::Algorithm);
    assert_eq!(algorithm, "AES-256-GCM");
}

/// A policy that names algorithms is asked about the one that the key gets, and
/// an answer about the key as it is does not count for that.
#[tokio::test]
async fn policy_has_to_permit_the_algorithm_that_the_key_gets() {
    let house = House::new().await;
    house.create("card", Algorithm::Aes128Gcm).await;
    let (engine, root) = (&house.engine, &house.root);
    let policy = "permit (principal == SKMS::Principal::\"ann\", \
                  action in [SKMS::Action::\"key.rotate\", SKMS::Action::\"key.read\"], \
                  resource) \
                  when { resource is SKMS::Key && \
                  [\"AES-128-GCM\", \"AES-256-GCM\"].contains(resource.algorithm) };";
    let written = engine.write_policy(root, "root", "rotation", policy);
    drop(written.await.unwrap());
    let ann = house.caller_in("ann", &[]).await;
    let into = async |algorithm| {
        let rotated = engine.rotate_key_into(&ann, at("card"), Some(algorithm), None);
        rotated.await.map(drop)
    };
    for _ in 0..2 {
        let refused = into(Algorithm::Xaes256Gcm).await;
        assert!(
            matches!(refused, Err(Error::Forbidden { .. })),
            "{refused:?}"
        );
    }
    into(Algorithm::Aes128Gcm).await.unwrap();
    into(Algorithm::Aes256Gcm).await.unwrap();
    assert_eq!(house.newest("card").await, 3);
}
