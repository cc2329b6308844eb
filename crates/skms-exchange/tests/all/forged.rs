//! A second responder, written from docs/exchange.md with another CBOR and COSE
//! library, that lies where it is told to. It has an honest certificate, so that
//! what it says is signed; and it shows that the paper is enough.

use coset::cbor::Value;
use skms_crypto::hpke::{Sender, Suite};
use skms_crypto::{Algorithm, Format, Hash, KeyMaterial, OpenKey, PublicKey, hkdf};
use skms_exchange::suite::{ALL, P256, X_WING, X25519};
use skms_exchange::{Outcome, Request};

use crate::support::{
    LABEL_2, NOW, Opened, SECRET, World, agreement, distribution, sha512, sign1, to_cbor,
};

/// What it says, and where it may lie.
pub struct Lies {
    pub suite: Suite,
    /// The suite that it names.
    pub named: Suite,
    pub encapsulation: Option<Vec<u8>>,
    pub grant: Value,
    /// What it seals to other associated data.
    pub unbound: bool,
    /// Fields put in or replaced before the MAC and the signature.
    pub fields: Vec<(u64, Value)>,
    /// A MAC under the wrong label.
    pub wrong_label: bool,
}

fn words(words: &[&str]) -> Value {
    Value::Array(words.iter().map(|word| Value::from(*word)).collect())
}

fn map(fields: Vec<(u64, Value)>) -> Value {
    let fields = fields.into_iter();
    Value::Map(
        fields
            .map(|(key, value)| (Value::from(key), value))
            .collect(),
    )
}

pub fn agreement_grant() -> Vec<(u64, Value)> {
    vec![
        (1, Value::from(1)),
        (2, Value::from("root")),
        (3, Value::from("payments")),
        (4, Value::from("session")),
        (5, Value::from("AES-256-GCM")),
        (6, words(&["decrypt", "encrypt"])),
        (7, Value::from(3600)),
        (8, Value::from(1)),
        (9, Value::from("0192f5c7-key")),
        (10, Value::from(32)),
    ]
}

pub fn distribution_grant() -> Vec<(u64, Value)> {
    vec![
        (1, Value::from(2)),
        (2, Value::from("root")),
        (3, Value::from("payments")),
        (4, Value::from("session")),
        (5, Value::from("AES-256-GCM")),
        (6, words(&["decrypt"])),
        (8, Value::from(3)),
        (9, Value::from("0192f5c7-key")),
        (11, Value::from("raw")),
    ]
}

impl Lies {
    pub fn none(suite: Suite, grant: Vec<(u64, Value)>) -> Self {
        Self {
            suite,
            named: suite,
            encapsulation: None,
            grant: map(grant),
            unbound: false,
            fields: Vec::new(),
            wrong_label: false,
        }
    }
}

pub fn numbers(suite: Suite) -> Value {
    let ids = [suite.kem.id(), suite.kdf.id(), suite.aead.id()];
    Value::Array(ids.into_iter().map(Value::from).collect())
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = KeyMaterial::from_record(Algorithm::HmacSha512, key).unwrap();
    OpenKey::open(&key).unwrap().mac(message).unwrap()
}

/// Message 2, and the key as this responder has it.
pub fn reply(world: &World, first: &[u8], lies: &Lies) -> (Vec<u8>, Vec<u8>) {
    let mut request = Opened::of(first);
    let wanted = numbers(lies.suite);
    let offers = request.field(3).as_array().unwrap().clone();
    let offered = offers
        .iter()
        .map(|offer| offer.as_array().unwrap())
        .find(|offer| Value::Array(offer[..3].to_vec()) == wanted)
        .unwrap();
    let algorithm = lies.suite.kem.algorithm();
    let public = offered[3].as_bytes().unwrap();
    let public = PublicKey::import(public, Format::Raw, Some(algorithm)).unwrap();
    let t1 = sha512(first);
    let info = [&b"skms-exchange-v1 hpke"[..], &t1].concat();
    let (enc, mut context) = Sender::setup(&public, lies.suite, &info).unwrap();
    let export = |label: &str| context.export(label.as_bytes(), 64).unwrap();
    let confirm = if lies.wrong_label {
        "skms-exchange-v1 confirm 3"
    } else {
        "skms-exchange-v1 confirm 2"
    };
    let (kc2, z) = (export(confirm), export("skms-exchange-v1 agree"));

    let mut fields = vec![
        (1, Value::from(1)),
        (2, Value::from(2)),
        (3, Value::Bytes(t1)),
        (4, numbers(lies.named)),
        (5, Value::Bytes(lies.encapsulation.clone().unwrap_or(enc))),
        (6, Value::Bytes(world.server.hash())),
        (7, Value::Bytes(vec![7; 32])),
        (8, Value::from(NOW.0)),
        (9, lies.grant.clone()),
    ];
    for (key, value) in &lies.fields {
        match fields.iter_mut().find(|(other, _)| other == key) {
            Some(field) => field.1 = value.clone(),
            None => fields.push((*key, value.clone())),
        }
    }
    let head = to_cbor(&map(fields.clone()));
    let sealed = fields[8]
        .1
        .as_map()
        .unwrap()
        .iter()
        .any(|(key, _)| *key == Value::from(11));
    if sealed && !fields.iter().any(|(key, _)| *key == 10) {
        let aad: &[u8] = if lies.unbound { b"elsewhere" } else { &head };
        fields.push((10, Value::Bytes(context.seal(aad, SECRET).unwrap())));
    }
    let body = to_cbor(&map(fields.clone()));
    fields.push((11, Value::Bytes(hmac(kc2.expose(), &body))));
    let payload = to_cbor(&map(fields));
    let message = sign1(
        &world.server.key,
        -8,
        &world.server.chain,
        LABEL_2,
        &payload,
    );

    let get = |key: u64| {
        let fields = lies.grant.as_map().unwrap().iter();
        let mut found = fields.filter(|(other, _)| *other == Value::from(key));
        found.next().map_or(Value::Null, |(_, value)| value.clone())
    };
    let fixed_info = Value::Array(vec![
        Value::from("skms-exchange-v1 key"),
        request.field(4).clone(),
        Value::Bytes(world.server.hash()),
        request.field(5).clone(),
        get(2),
        get(3),
        get(4),
        get(9),
        get(8),
        get(5),
        get(10),
    ]);
    let salt = sha512(&message);
    let key = hkdf(Hash::Sha512, z.expose(), &salt, &to_cbor(&fixed_info), 32).unwrap();
    (message, key.expose().to_vec())
}

/// What the client says of an answer with these lies.
fn said(request: Request, lies: &Lies) -> &'static str {
    let world = World::new();
    let offered = [X_WING, X25519];
    let (first, waiting) = world.begin(request, &offered);
    let (message, _) = reply(&world, &first, lies);
    match world.receive(waiting, &message) {
        Ok(_) => "accepted",
        Err(error) => error.name(),
    }
}

#[test]
fn a_second_responder_and_ours_are_one_protocol() {
    for suite in ALL {
        let world = World::new();
        let (first, waiting) = world.begin(agreement(), &[suite]);
        let (message, key) = reply(&world, &first, &Lies::none(suite, agreement_grant()));
        let Outcome::Agreed(agreed) = world.receive(waiting, &message).unwrap() else {
            panic!("a distribution");
        };
        assert!(agreed.key.ct_eq(&key), "{suite:?}");
        let (first, waiting) = world.begin(distribution(), &[suite]);
        let (message, _) = reply(&world, &first, &Lies::none(suite, distribution_grant()));
        let Outcome::Distributed(got) = world.receive(waiting, &message).unwrap() else {
            panic!("an agreement");
        };
        assert!(got.key.ct_eq(SECRET), "{suite:?}");
    }
}

#[test]
fn a_suite_that_was_not_offered() {
    let mut lies = Lies::none(X_WING, agreement_grant());
    lies.named = P256;
    assert_eq!(said(agreement(), &lies), "suite-not-offered");
    // Offered, and not the one that was used.
    lies.named = X25519;
    assert_eq!(said(agreement(), &lies), "encapsulation");
    lies.encapsulation = Some(vec![9; 32]);
    assert_eq!(said(agreement(), &lies), "confirmation");
}

fn with(mut grant: Vec<(u64, Value)>, key: u64, value: Option<Value>) -> Lies {
    grant.retain(|(other, _)| *other != key);
    grant.extend(value.map(|value| (key, value)));
    grant.sort_by_key(|(key, _)| *key);
    Lies::none(X_WING, grant)
}

#[test]
fn another_key_than_was_asked_for() {
    let text = |text: &str| Some(Value::from(text));
    let number = |number: u64| Some(Value::from(number));
    assert_eq!(
        said(agreement(), &with(agreement_grant(), 9, text("x"))),
        "accepted"
    );
    assert_eq!(
        said(agreement(), &with(agreement_grant(), 7, number(1))),
        "accepted"
    );
    for (key, value) in [
        (2, text("other")),
        (3, text("other")),
        (4, text("other")),
        (5, text("AES-128-GCM")),
        (6, Some(words(&["decrypt"]))),
        (6, Some(words(&[]))),
        (7, number(3601)),
        (7, None),
        (10, number(16)),
        (10, number(33)),
    ] {
        let lies = with(agreement_grant(), key, value);
        assert_eq!(said(agreement(), &lies), "grant", "field {key}");
    }
    for key in [2, 3, 4] {
        let lies = with(distribution_grant(), key, text("other"));
        assert_eq!(said(distribution(), &lies), "grant", "field {key}");
    }
    // The other kind, and another version than was asked for.
    let other = Lies::none(X_WING, distribution_grant());
    assert_eq!(said(agreement(), &other), "grant");
    let other = Lies::none(X_WING, agreement_grant());
    assert_eq!(said(distribution(), &other), "grant");
    let Request::Distribution(mut wanted) = distribution() else {
        panic!("an agreement");
    };
    for (version, name) in [(3, "accepted"), (2, "grant")] {
        wanted.version = Some(version);
        let lies = Lies::none(X_WING, distribution_grant());
        assert_eq!(said(Request::Distribution(wanted.clone()), &lies), name);
    }
}

#[test]
fn what_does_not_confirm_or_open() {
    let mut lies = Lies::none(X_WING, agreement_grant());
    lies.wrong_label = true;
    assert_eq!(said(agreement(), &lies), "confirmation");
    let mut lies = Lies::none(X_WING, distribution_grant());
    lies.unbound = true;
    assert_eq!(said(distribution(), &lies), "sealed");
}

#[test]
fn answers_at_another_time_or_of_another_version() {
    let at = |seconds: i64| {
        let mut lies = Lies::none(X_WING, agreement_grant());
        lies.fields = vec![(8, Value::from(NOW.0 + seconds))];
        said(agreement(), &lies)
    };
    assert_eq!(at(61), "from-the-future");
    assert_eq!(at(60), "accepted");
    assert_eq!(at(-180), "accepted");
    assert_eq!(at(-181), "stale");
    let mut lies = Lies::none(X_WING, agreement_grant());
    lies.fields = vec![(1, Value::from(2))];
    assert_eq!(said(agreement(), &lies), "unsupported-version");
    lies.fields = vec![(2, Value::from(1))];
    assert_eq!(said(agreement(), &lies), "wrong-message");
}

#[test]
fn fields_that_do_not_belong_or_are_not_there() {
    let lies = |fields: Vec<(u64, Value)>, grant: Vec<(u64, Value)>| {
        let mut lies = Lies::none(X_WING, grant);
        lies.fields = fields;
        lies
    };
    let bytes = |length: usize| Value::Bytes(vec![0; length]);
    for (what, lies) in [
        (
            "a sealed key in an agreement",
            lies(vec![(10, bytes(48))], agreement_grant()),
        ),
        (
            "a short seal",
            lies(vec![(10, bytes(15))], distribution_grant()),
        ),
        (
            "a long seal",
            lies(vec![(10, bytes(16_385))], distribution_grant()),
        ),
        (
            "a short nonce",
            lies(vec![(7, bytes(31))], agreement_grant()),
        ),
        (
            "no encapsulation",
            lies(vec![(5, bytes(0))], agreement_grant()),
        ),
        (
            "a negative time",
            lies(vec![(8, Value::from(-1))], agreement_grant()),
        ),
        ("no id", with(agreement_grant(), 9, None)),
        ("no version", with(agreement_grant(), 8, None)),
        (
            "version zero",
            with(agreement_grant(), 8, Some(Value::from(0))),
        ),
        (
            "lifetime zero",
            with(agreement_grant(), 7, Some(Value::from(0))),
        ),
        ("no length", with(agreement_grant(), 10, None)),
        (
            "length and format",
            with(agreement_grant(), 11, Some(Value::from("raw"))),
        ),
        (
            "a short key",
            with(agreement_grant(), 10, Some(Value::from(15))),
        ),
        (
            "a long key",
            with(agreement_grant(), 10, Some(Value::from(513))),
        ),
        (
            "an unknown format",
            with(distribution_grant(), 11, Some(Value::from("jwk"))),
        ),
        (
            "uses out of order",
            with(agreement_grant(), 6, Some(words(&["b", "a"]))),
        ),
        (
            "a use twice",
            with(agreement_grant(), 6, Some(words(&["a", "a"]))),
        ),
        (
            "an unknown field",
            with(agreement_grant(), 12, Some(Value::from(1))),
        ),
    ] {
        assert_eq!(said(agreement(), &lies), "malformed", "{what}");
    }
    // Something behind the payload.
    let world = World::new();
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    let (message, _) = reply(&world, &first, &Lies::none(X_WING, agreement_grant()));
    let payload = [&Opened::of(&message).payload()[..], &[0]].concat();
    let message = world.server.seal(LABEL_2, &payload);
    assert_eq!(world.refusal(waiting, &message), "malformed");
    // The grant of a distribution without its key.
    let world = World::new();
    let (first, waiting) = world.begin(distribution(), &[X_WING]);
    let (message, _) = reply(&world, &first, &Lies::none(X_WING, distribution_grant()));
    let mut opened = Opened::of(&message);
    opened.payload.retain(|(key, _)| *key != Value::from(10));
    let message = world.server.seal(LABEL_2, &opened.payload());
    assert_eq!(world.refusal(waiting, &message), "malformed");
}
