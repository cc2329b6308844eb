//! Keys that are agreed on by a key which stays here: what is derived, what is
//! recorded, who may, and which public keys are refused.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{House, at};
use skms_crypto::{Algorithm, Format, Hash, KeyMaterial, OpenKey, Use, Uses, hkdf};
use skms_engine::acts::agree_key::{AgreedKey, NewAgreement};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::{agree, export_key};
use skms_engine::{Caller, Error, IdempotencyKey, KeyRef, Result};
use skms_evidence::{DetailKey, DetailValue, Event};
use skms_keys::{Origin, RevocationReason, Revoke, VersionNumber, Versions};

const PEER: &str = "peer@example.org";

fn wanted(peer: Vec<u8>, format: Format) -> NewAgreement {
    NewAgreement {
        peer,
        format,
        peer_party: PEER.into(),
        own_party: None,
        hash: Hash::Sha256,
        salt: b"salt".to_vec(),
        version: None,
        spec: NewKeySpec {
            algorithm: Some(Algorithm::Aes256Gcm),
            exportable: Some(true),
            ..NewKeySpec::default()
        },
    }
}

/// Somebody else's key pair.
struct Peer {
    open: OpenKey,
    raw: Vec<u8>,
    fingerprint: [u8; 32],
}

impl Peer {
    fn new(algorithm: Algorithm) -> Self {
        let open = OpenKey::open(&KeyMaterial::generate(algorithm).unwrap()).unwrap();
        let public = open.public_key().unwrap().clone();
        Self {
            open,
            raw: public.to_raw().unwrap(),
            fingerprint: public.fingerprint(),
        }
    }
}

/// A key that agrees.
async fn create(house: &House, name: &str, algorithm: Algorithm) {
    let spec = NewKeySpec {
        algorithm: Some(algorithm),
        uses: Some(Uses::of(&[Use::Agree])),
        ..NewKeySpec::default()
    };
    let made = house.engine.create_key(&house.root, at(name), spec);
    made.await.unwrap();
}

async fn agree_as(
    house: &House,
    caller: &Arc<Caller>,
    name: &str,
    peer: &[u8],
) -> Result<AgreedKey> {
    let wanted = wanted(peer.to_vec(), Format::Raw);
    house
        .engine
        .agree_on_key(caller, at("dh"), at(name), wanted)
        .await
}

async fn events(house: &House) -> Vec<Event> {
    let mut all = Vec::new();
    let mut from = 0;
    loop {
        let read = house.engine.read_events(&house.root, "root", from, 1000);
        let (some, next) = read.await.unwrap();
        // Reading leaves an event, too: an empty page never comes.
        let last = some.len() < 1000;
        all.extend(some.into_iter().map(|recorded| recorded.event));
        if last {
            return all;
        }
        from = next;
    }
}

async fn is_absent(house: &House, name: &str) -> bool {
    let read = house.engine.read_key(&house.root, at(name)).await;
    matches!(read, Err(Error::NotFound { .. }))
}

async fn exported(house: &House, name: &str) -> Vec<u8> {
    let request = export_key::Request {
        version: None,
        format: Format::Raw,
        passphrase: None,
        wrapped_with: None,
    };
    let left = house.engine.export_key(&house.root, at(name), request);
    left.await.unwrap().bytes.expose().to_vec()
}

#[tokio::test]
async fn both_sides_derive_it_and_the_key_knows_where_it_comes_from() {
    for group in [Algorithm::EcP384, Algorithm::X25519, Algorithm::Ffdhe2048] {
        let house = House::new().await;
        create(&house, "dh", group).await;
        let peer = Peer::new(group);
        let agreed = agree_as(&house, &house.root, "new", &peer.raw)
            .await
            .unwrap();
        assert_eq!(
            agreed.own_party,
            format!("skms:{}/default/dh", at("").namespace)
        );

        let ours = house
            .engine
            .public_key(&house.root, at("dh"), None, Format::SpkiDer);
        let ours = ours.await.unwrap().bytes;
        let ours = skms_crypto::PublicKey::import(&ours, Format::SpkiDer, Some(group)).unwrap();
        let shared = peer.open.agree(&ours).unwrap();
        let info = &agreed.fixed_info;
        let theirs = hkdf(Hash::Sha256, shared.expose(), b"salt", info, 32).unwrap();
        assert_eq!(exported(&house, "new").await, theirs.expose(), "{group}");
        for part in [
            &ours.to_raw().unwrap()[..],
            &peer.raw,
            PEER.as_bytes(),
            b"new",
        ] {
            assert!(info.windows(part.len()).any(|window| window == part));
        }

        let by = house.engine.read_key(&house.root, at("dh")).await.unwrap();
        let house = house.restart().await;
        let read = house.engine.read_key(&house.root, at("new")).await.unwrap();
        let origin = Origin::Agreed {
            key: by.key().id,
            version: VersionNumber::FIRST,
            peer: peer.fingerprint,
        };
        assert_eq!(read.key().newest().unwrap().origin, origin);
        let all = events(&house).await;
        let find = |action: &str, name: &str| {
            let mut found = all.iter().filter(|event| {
                event.action.as_str() == action
                    && event
                        .targets
                        .first()
                        .is_some_and(|one| one.name.as_str().ends_with(name))
            });
            found.next().unwrap().clone()
        };
        let used = find("key.agree", "/dh");
        let made = find("key.create", "/new");
        assert_eq!(made.targets.len(), 2);
        assert!(made.targets[1].name.as_str().ends_with("/dh"));
        assert_eq!(made.targets[1].version, Some(1));
        for event in [&used, &made] {
            assert_eq!(event.outcome.name(), "success");
            let peer = event.details.get(DetailKey::Peer);
            assert_eq!(peer, Some(&DetailValue::from(PEER)));
            assert!(event.details.get(DetailKey::Fingerprint).is_some());
        }
    }
}

#[tokio::test]
async fn every_part_that_is_bound_makes_another_key() {
    let house = House::new().await;
    create(&house, "dh", Algorithm::X25519).await;
    let peer = Peer::new(Algorithm::X25519);
    let mut seen = Vec::new();
    type Change = fn(&mut NewAgreement);
    let changes: [(&str, Change); 6] = [
        ("plain", |_| {}),
        ("name", |_| {}),
        ("party", |wanted| wanted.peer_party = "another".into()),
        ("own", |wanted| wanted.own_party = Some("another".into())),
        ("salt", |wanted| wanted.salt.clear()),
        ("algorithm", |wanted| {
            wanted.spec.algorithm = Some(Algorithm::ChaCha20Poly1305);
        }),
    ];
    for (name, change) in changes {
        let mut wanted = wanted(peer.raw.clone(), Format::Raw);
        change(&mut wanted);
        let done = house
            .engine
            .agree_on_key(&house.root, at("dh"), at(name), wanted);
        done.await.unwrap();
        seen.push(exported(&house, name).await);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), changes.len());
}

/// A number with the prime's length.
fn padded(number: u8) -> Vec<u8> {
    let mut bytes = vec![0; 256];
    bytes[255] = number;
    bytes
}

/// The prime of ffdhe2048, from our own encoding of a key: the first INTEGER of
/// its parameters.
fn prime() -> Vec<u8> {
    let material = KeyMaterial::generate(Algorithm::Ffdhe2048).unwrap();
    let public = material.public_key().unwrap().unwrap();
    let spki = public.spki_der();
    let start = spki
        .windows(9)
        .position(|window| window == [0, 255, 255, 255, 255, 255, 255, 255, 255]);
    spki[start.unwrap() + 1..][..256].to_vec()
}

fn minus(prime: &[u8], y: &[u8]) -> Vec<u8> {
    let mut out = prime.to_vec();
    let mut borrow = 0i16;
    for (place, take) in out.iter_mut().zip(y).rev() {
        let left = i16::from(*place) - i16::from(*take) - borrow;
        borrow = i16::from(left < 0);
        *place = u8::try_from(left.rem_euclid(256)).unwrap();
    }
    out
}

#[tokio::test]
async fn public_keys_that_are_none_are_refused_by_name_and_leave_an_event() {
    let p = prime();
    let minus_one = minus(&p, &padded(1));
    let outside = minus(&p, &Peer::new(Algorithm::Ffdhe2048).raw);
    let beyond = vec![0xff; 256];
    let mut off_curve = Peer::new(Algorithm::EcP256).raw;
    *off_curve.last_mut().unwrap() ^= 1;
    let mut too_large = vec![4; 1];
    too_large.extend([0xff; 64]);
    let spki = |algorithm| {
        let material = KeyMaterial::generate(algorithm).unwrap();
        material.public_key().unwrap().unwrap().spki_der().to_vec()
    };
    // The points of small order on the curve and its twist (RFC 7748, section 7).
    let mut small = vec![vec![0; 32], vec![0; 32]];
    small[1][0] = 1;
    for hex in [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        small.push((0..32).map(byte).collect());
    }
    let mut cases: Vec<(Algorithm, &str, Vec<u8>, Format)> = vec![
        (
            Algorithm::Ffdhe2048,
            "not in the group",
            padded(0),
            Format::Raw,
        ),
        (
            Algorithm::Ffdhe2048,
            "not in the group",
            padded(1),
            Format::Raw,
        ),
        (
            Algorithm::Ffdhe2048,
            "not in the group",
            minus_one,
            Format::Raw,
        ),
        (Algorithm::Ffdhe2048, "not in the group", p, Format::Raw),
        (
            Algorithm::Ffdhe2048,
            "not in the group",
            beyond,
            Format::Raw,
        ),
        (
            Algorithm::Ffdhe2048,
            "not in the group",
            outside,
            Format::Raw,
        ),
        (Algorithm::Ffdhe2048, "256 are needed", vec![2], Format::Raw),
        (
            Algorithm::Ffdhe2048,
            "found one for ffdhe3072",
            spki(Algorithm::Ffdhe3072),
            Format::SpkiDer,
        ),
        (
            Algorithm::EcP256,
            "not on the curve",
            off_curve,
            Format::Raw,
        ),
        (
            Algorithm::EcP256,
            "not on the curve",
            too_large,
            Format::Raw,
        ),
        (Algorithm::EcP256, "point encoding", vec![0], Format::Raw),
        (
            Algorithm::EcP256,
            "point encoding",
            Peer::new(Algorithm::EcP384).raw,
            Format::Raw,
        ),
        (
            Algorithm::EcP256,
            "found one for EC-P384",
            spki(Algorithm::EcP384),
            Format::SpkiDer,
        ),
        (
            Algorithm::EcP256,
            "found one for X25519",
            spki(Algorithm::X25519),
            Format::SpkiDer,
        ),
        (Algorithm::X25519, "32 bytes", vec![9; 31], Format::Raw),
        (
            Algorithm::X25519,
            "found one for Ed25519",
            spki(Algorithm::Ed25519),
            Format::SpkiDer,
        ),
    ];
    cases.extend(
        small
            .into_iter()
            .map(|point| (Algorithm::X25519, "small order", point, Format::Raw)),
    );
    let house = House::new().await;
    for (index, group) in [Algorithm::Ffdhe2048, Algorithm::EcP256, Algorithm::X25519]
        .iter()
        .enumerate()
    {
        create(&house, &format!("dh-{index}"), *group).await;
        for (_, why, peer, format) in cases.iter().filter(|case| case.0 == *group) {
            let before = events(&house).await.len();
            let (with, new) = (format!("dh-{index}"), at("none"));
            let wanted = wanted(peer.clone(), *format);
            let done = house
                .engine
                .agree_on_key(&house.root, at(&with), new, wanted)
                .await;
            let refused = done.err().unwrap();
            assert!(
                matches!(refused, Error::Crypto(_)),
                "{group} {why}: {refused}"
            );
            assert!(
                refused.to_string().contains(why),
                "{group} {why}: {refused}"
            );
            assert!(is_absent(&house, "none").await, "{group} {why}");
            let all = events(&house).await;
            let failed = all[before..]
                .iter()
                .filter(|event| event.outcome.name() == "failed");
            let acts: Vec<&str> = failed.map(|event| event.action.as_str()).collect();
            assert_eq!(acts, ["key.agree", "key.create"], "{group} {why}");
            let said = all[before..]
                .iter()
                .find_map(|event| event.outcome.reason());
            assert!(said.unwrap().as_str().contains(why));
        }
    }
    assert!(cases.len() >= 23);
}

#[tokio::test]
async fn one_s_own_share_comes_back_in_vain() {
    for group in [Algorithm::EcP256, Algorithm::X25519, Algorithm::Ffdhe2048] {
        let house = House::new().await;
        create(&house, "dh", group).await;
        let own = house
            .engine
            .public_key(&house.root, at("dh"), None, Format::Raw);
        let own = own.await.unwrap().bytes;
        let mut dressed = own.clone();
        match group {
            // The same point mirrored, and compressed.
            Algorithm::EcP256 => {
                dressed.truncate(33);
                dressed[0] = 3 - (own[64] & 1);
            }
            Algorithm::X25519 => dressed[31] |= 0x80,
            _ => {}
        }
        house
            .engine
            .rotate_key(&house.root, at("dh"), None)
            .await
            .unwrap();
        let newer = house
            .engine
            .public_key(&house.root, at("dh"), None, Format::Raw);
        for share in [own, dressed, newer.await.unwrap().bytes] {
            let refused = agree_as(&house, &house.root, "mirror", &share)
                .await
                .err()
                .unwrap();
            assert!(refused.to_string().contains("own"), "{group}: {refused}");
            assert!(is_absent(&house, "mirror").await);
        }
        let other = Peer::new(group);
        agree_as(&house, &house.root, "mirror", &other.raw)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn it_takes_a_permission_on_either_key() {
    let house = House::new().await;
    create(&house, "dh", Algorithm::X25519).await;
    let peer = Peer::new(Algorithm::X25519).raw;
    let app = house.caller_in("app", &[]).await;
    let allow = |action: &'static str, key: &'static str| {
        let (engine, root) = (&house.engine, &house.root);
        async move {
            let place = at(key);
            let text = format!(
                r#"permit (principal == SKMS::Principal::"app",
                    action == SKMS::Action::"{action}",
                    resource == SKMS::Key::"{}/default/{key}");"#,
                place.namespace
            );
            let name = action.replace('.', "-");
            engine
                .write_policy(root, place.namespace, &name, &text)
                .await
        }
    };
    let refused = agree_as(&house, &app, "new", &peer).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    allow("key.create", "new").await.unwrap();
    let refused = agree_as(&house, &app, "new", &peer).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    let (engine, root) = (&house.engine, &house.root);
    engine
        .delete_policy(root, at("").namespace, "key-create")
        .await
        .unwrap();
    allow("key.agree", "dh").await.unwrap();
    let refused = agree_as(&house, &app, "new", &peer).await;
    assert!(refused.is_err() && is_absent(&house, "new").await);
    let denied = events(&house).await;
    let denied = denied
        .iter()
        .rfind(|event| event.outcome.name() == "denied" && event.principal.as_str() == "app")
        .unwrap();
    assert_eq!(denied.action.as_str(), "key.create");
    let text = format!(
        r#"permit (principal == SKMS::Principal::"app", action == SKMS::Action::"key.create",
            resource in SKMS::Keyring::"{}/default");"#,
        at("").namespace
    );
    let written = engine.write_policy(root, at("").namespace, "creating", &text);
    written.await.unwrap();
    agree_as(&house, &app, "new", &peer).await.unwrap();
}

#[tokio::test]
async fn it_is_done_once_under_an_idempotency_key() {
    let house = House::new().await;
    create(&house, "dh", Algorithm::EcP256).await;
    let peer = Peer::new(Algorithm::EcP256).raw;
    let under = |request: u8| {
        Arc::new(Caller {
            idempotency: Some(IdempotencyKey::new("k".to_owned(), [request; 32]).unwrap()),
            calling: skms_engine::approvals::Calling::default(),
            ..Caller::clone(&house.root)
        })
    };
    let first = agree_as(&house, &under(1), "new", &peer).await.unwrap();
    house
        .engine
        .rotate_key(&house.root, at("dh"), None)
        .await
        .unwrap();
    let again = agree_as(&house, &under(1), "new", &peer).await.unwrap();
    assert_eq!(first.key.key(), again.key.key());
    assert_eq!(
        (first.version, &first.own_party),
        (again.version, &again.own_party)
    );
    assert_eq!(first.fixed_info, again.fixed_info);
    let other = agree_as(&house, &under(2), "other", &peer).await;
    assert!(matches!(other, Err(Error::IdempotencyReused)));
    let other = agree_as(&house, &house.root, "new", &peer).await;
    assert!(matches!(other, Err(Error::Exists { .. })));
}

/// By its identifier, the new key is in the same keyring all the same.
#[tokio::test]
async fn the_key_that_agrees_may_be_called_by_its_identifier() {
    let house = House::new().await;
    create(&house, "dh", Algorithm::X25519).await;
    let by = house.engine.read_key(&house.root, at("dh")).await.unwrap();
    let id = by.key().id.to_string();
    let called = |name| KeyRef {
        keyring: "-",
        ..at(name)
    };
    let wanted = wanted(Peer::new(Algorithm::X25519).raw, Format::Raw);
    let (with, new) = (called(&id), called("new"));
    let done = house.engine.agree_on_key(&house.root, with, new, wanted);
    let agreed = done.await.unwrap();
    assert_eq!(agreed.key.at(), at("new"));
    assert!(agreed.own_party.ends_with("/default/dh"));
}

#[tokio::test]
async fn what_cannot_be_is_said() {
    let house = House::new().await;
    create(&house, "dh", Algorithm::X25519).await;
    house.create("data", Algorithm::Aes256Gcm).await;
    let peer = Peer::new(Algorithm::X25519).raw;
    let attempt = |with: &'static str, change: fn(&mut NewAgreement)| {
        let mut wanted = wanted(peer.clone(), Format::Raw);
        change(&mut wanted);
        let (engine, root) = (&house.engine, &house.root);
        async move {
            let done = engine
                .agree_on_key(root, at(with), at("none"), wanted)
                .await;
            done.err().unwrap().to_string()
        }
    };
    type Change = fn(&mut NewAgreement);
    let refused: [(&str, Change); 7] = [
        ("differ", |wanted| wanted.own_party = Some(PEER.into())),
        ("1 to 255 bytes", |wanted| wanted.peer_party = String::new()),
        ("1 to 255 bytes", |wanted| {
            wanted.own_party = Some("a\u{7}".into())
        }),
        ("1 to 255 bytes", |wanted| {
            wanted.peer_party = "a".repeat(256)
        }),
        ("SHA-256", |wanted| wanted.hash = Hash::Sha3_256),
        ("symmetric", |wanted| {
            wanted.spec.algorithm = Some(Algorithm::EcP256)
        }),
        ("version", |wanted| wanted.version = Some(VersionNumber(9))),
    ];
    for (why, change) in refused {
        let said = attempt("dh", change).await;
        assert!(said.contains(why), "{why}: {said}");
    }
    attempt("data", |_| {}).await;
    attempt("absent", |_| {}).await;
    let elsewhere = KeyRef {
        keyring: "elsewhere",
        ..at("none")
    };
    let wanted = wanted(peer.clone(), Format::Raw);
    let done = house
        .engine
        .agree_on_key(&house.root, at("dh"), elsewhere, wanted)
        .await;
    assert!(matches!(done, Err(Error::NotFound { what: "keyring" })));
    let revoke = Revoke {
        versions: Versions::All,
        reason: RevocationReason::KeyCompromise,
        message: String::new(),
        compromise_occurred_at: None,
    };
    house
        .engine
        .revoke_key(&house.root, at("dh"), revoke)
        .await
        .unwrap();
    let done = agree_as(&house, &house.root, "none", &peer).await;
    assert!(matches!(done, Err(Error::StateForbids { .. })));
    assert!(is_absent(&house, "none").await);
}

/// Whoever may derive bytes with the key would otherwise have every key that
/// stays here.
#[tokio::test]
async fn what_is_bound_into_kept_keys_is_nobody_s_info() {
    let house = House::new().await;
    create(&house, "dh", Algorithm::X25519).await;
    let peer = Peer::new(Algorithm::X25519).raw;
    let agreed = agree_as(&house, &house.root, "kept", &peer).await.unwrap();
    let derive = |info: Vec<u8>| {
        let request = agree::Request {
            peer: peer.clone(),
            format: Format::Raw,
            kdf: agree::Kdf::Hkdf {
                hash: Hash::Sha256,
                salt: b"salt".to_vec(),
                info,
                length: 32,
            },
            version: None,
        };
        house
            .engine
            .operate_one::<agree::Agree>(&house.root, at("dh"), request)
    };
    let refused = derive(agreed.fixed_info.clone()).await.err().unwrap();
    assert!(matches!(refused, Error::Invalid(_)), "{refused}");
    let free = derive(b"ours".to_vec()).await.unwrap();
    assert_ne!(free.secret.expose(), exported(&house, "kept").await);
}
