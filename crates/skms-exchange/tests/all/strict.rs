//! One message, one form: what is encoded otherwise is refused, signed or not.

use coset::cbor::Value;
use skms_crypto::{Algorithm, Hash};
use skms_exchange::suite::{X_WING, X25519};
use skms_exchange::{AwaitingConfirmation, Outcome};
use skms_pki::issue::SigningScheme;

use crate::support::{
    LABEL_1, Opened, Party, World, agreement, distribution, from_cbor, sha512, sign1, sign1_with,
    to_cbor,
};

fn offer(suite: [u64; 3], public: usize) -> Value {
    let mut parts: Vec<Value> = suite.map(Value::from).to_vec();
    parts.push(Value::Bytes(vec![1; public]));
    Value::Array(parts)
}

#[test]
fn fields_outside_their_limits() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING]);
    let good = offer([0x647a, 1, 2], 1216);
    let array = |values: Vec<Value>| Value::Array(values);
    let numbers = |values: &[u64]| array(values.iter().map(|one| Value::from(*one)).collect());
    let many = (0..9).map(|kem| offer([kem, 1, 2], 32)).collect();
    let long = "x".repeat(256);
    for (what, key, value) in [
        ("no versions", 1, numbers(&[])),
        ("versions in another order", 1, numbers(&[1, 2])),
        ("a version twice", 1, numbers(&[1, 1])),
        ("nine versions", 1, numbers(&[9, 8, 7, 6, 5, 4, 3, 2, 1])),
        ("one version by itself", 1, Value::from(1)),
        ("no offers", 3, array(vec![])),
        ("nine offers", 3, array(many)),
        ("a suite twice", 3, array(vec![good.clone(), good.clone()])),
        ("an empty key", 3, array(vec![offer([0x647a, 1, 2], 0)])),
        ("a long key", 3, array(vec![offer([0x647a, 1, 2], 4097)])),
        (
            "a suite of a long number",
            3,
            array(vec![offer([0x10000, 1, 2], 32)]),
        ),
        (
            "an offer of three parts",
            3,
            array(vec![numbers(&[1, 2, 3])]),
        ),
        ("a short hash", 4, Value::Bytes(vec![0; 63])),
        ("a server by no form", 5, numbers(&[2, 2])),
        ("a short nonce", 6, Value::Bytes(vec![0; 31])),
        ("a time with a fraction", 7, Value::from(1.5)),
        ("a time before 1970", 7, Value::from(-1)),
        ("a time beyond all times", 7, Value::from(u64::MAX)),
        ("a request that is none", 8, Value::Null),
    ] {
        let mut opened = Opened::of(&first);
        *opened.field(key) = value;
        let message = world.client.seal(LABEL_1, &opened.payload());
        assert_eq!(world.refused(&message), "malformed", "{what}");
    }
    for (what, key, value) in [
        ("an empty name", 4u64, Value::from("")),
        ("a long name", 4, Value::from(long)),
        ("a name with a line's end", 4, Value::from("a\nb")),
        ("a name of bytes", 4, Value::Bytes(vec![1])),
        (
            "uses in another order",
            6,
            array(vec![Value::from("b"), Value::from("a")]),
        ),
        ("a lifetime of nothing", 7, Value::from(0)),
        ("another kind's field", 8, Value::from(1)),
        ("an unknown field", 9, Value::from(1)),
        ("another kind", 1, Value::from(2)),
        ("an unknown kind", 1, Value::from(3)),
    ] {
        let mut opened = Opened::of(&first);
        let request = opened.field(8).as_map_mut().unwrap();
        match request
            .iter_mut()
            .find(|(other, _)| *other == Value::from(key))
        {
            Some(field) => field.1 = value,
            None => request.push((Value::from(key), value)),
        }
        let message = world.client.seal(LABEL_1, &opened.payload());
        assert_eq!(world.refused(&message), "malformed", "{what}");
    }
}

#[test]
fn maps_that_are_not_in_order_not_whole_or_too_full() {
    let world = World::new();
    let (first, _) = world.begin(distribution(), &[X_WING]);
    type Change = fn(&mut Vec<(Value, Value)>);
    let changes: &[(&str, Change)] = &[
        ("two fields exchanged", |fields| fields.swap(5, 6)),
        ("a field twice", |fields| fields.push(fields[7].clone())),
        ("an unknown field", |fields| {
            fields.push((Value::from(9), Value::from(1)))
        }),
        ("a field by a name", |fields| {
            fields.push((Value::from("x"), Value::from(1)))
        }),
        ("no type", |fields| drop(fields.remove(1))),
        ("no versions", |fields| drop(fields.remove(0))),
        ("no offers", |fields| drop(fields.remove(2))),
        ("no hash", |fields| drop(fields.remove(3))),
        ("no server", |fields| drop(fields.remove(4))),
        ("no nonce", |fields| drop(fields.remove(5))),
        ("no time", |fields| drop(fields.remove(6))),
        ("no request", |fields| drop(fields.remove(7))),
        ("nothing", |fields| fields.clear()),
    ];
    for (what, change) in changes {
        let mut opened = Opened::of(&first);
        change(&mut opened.payload);
        let message = world.client.seal(LABEL_1, &opened.payload());
        assert_eq!(world.refused(&message), "malformed", "{what}");
    }
}

#[test]
fn other_encodings_of_the_same() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING]);
    let payload = Opened::of(&first).payload();
    // a8: a map of eight, whose first entry is 01 81 01.
    assert_eq!(payload[..4], [0xa8, 0x01, 0x81, 0x01]);
    let again = world.client.seal(LABEL_1, &payload);
    assert!(world.respond(&again).is_ok());
    for (what, other) in [
        ("a long map", [&[0xb8, 8][..], &payload[1..]].concat()),
        (
            "an endless map",
            [&[0xbf][..], &payload[1..], &[0xff]].concat(),
        ),
        ("a long key", [&[0xa8, 0x18, 1][..], &payload[2..]].concat()),
        (
            "a long number",
            [&[0xa8, 0x01, 0x81, 0x18, 1][..], &payload[4..]].concat(),
        ),
        (
            "an endless array",
            [&[0xa8, 0x01, 0x9f, 0x01, 0xff][..], &payload[4..]].concat(),
        ),
        ("a tag", [&[0xd8, 99][..], &payload].concat()),
        ("something behind", [&payload[..], &[0]].concat()),
        ("cut off", payload[..payload.len() - 1].to_vec()),
        ("nothing", Vec::new()),
    ] {
        let message = world.client.seal(LABEL_1, &other);
        assert_eq!(world.refused(&message), "malformed", "{what}");
    }
    // And around it.
    for (what, other) in [
        ("something behind", [&first[..], &[0]].concat()),
        ("cut off", first[..first.len() - 1].to_vec()),
        ("no tag", first[1..].to_vec()),
        ("another tag", [&[0xd1][..], &first[1..]].concat()),
        ("nothing", Vec::new()),
        ("no CBOR", vec![0xff; 100]),
    ] {
        assert_eq!(world.refused(&other), "malformed", "{what}");
    }
}

#[test]
fn headers_other_than_the_two() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING]);
    let payload = Opened::of(&first).payload();
    let chain = Value::Array(
        world
            .client
            .chain
            .iter()
            .cloned()
            .map(Value::Bytes)
            .collect(),
    );
    let alg = (Value::from(1), Value::from(-8));
    let x5chain = (Value::from(33), chain);
    let critical = (Value::from(2), Value::Array(vec![Value::from(33)]));
    let unknown = (Value::from(2), Value::Array(vec![Value::from(-70_000)]));
    let kid = (Value::from(4), Value::Bytes(vec![1]));
    let empty = || Value::Map(Vec::new());
    let sealed = |protected: Vec<(Value, Value)>, unprotected: Value| {
        let protected = to_cbor(&Value::Map(protected));
        sign1_with(
            &world.client.key,
            &protected,
            unprotected,
            LABEL_1,
            &payload,
        )
    };
    let good = sealed(vec![alg.clone(), x5chain.clone()], empty());
    assert!(world.respond(&good).is_ok());
    for (what, message) in [
        (
            "in another order",
            sealed(vec![x5chain.clone(), alg.clone()], empty()),
        ),
        (
            "critical ones",
            sealed(vec![alg.clone(), critical, x5chain.clone()], empty()),
        ),
        (
            "an unknown critical one",
            sealed(vec![alg.clone(), unknown, x5chain.clone()], empty()),
        ),
        (
            "a key identifier",
            sealed(vec![alg.clone(), kid.clone(), x5chain.clone()], empty()),
        ),
        (
            "one unprotected",
            sealed(vec![alg.clone(), x5chain.clone()], Value::Map(vec![kid])),
        ),
        (
            "the chain unprotected",
            sealed(vec![alg.clone()], Value::Map(vec![x5chain.clone()])),
        ),
        ("no chain", sealed(vec![alg.clone()], empty())),
    ] {
        assert_eq!(world.refused(&message), "malformed", "{what}");
    }
    let bare = sealed(vec![x5chain], empty());
    assert_eq!(world.refused(&bare), "signature-algorithm");
    let mut opened = Opened::of(&first);
    opened.message.payload = None;
    let detached = coset::TaggedCborSerializable::to_tagged_vec(opened.message).unwrap();
    assert_eq!(world.refused(&detached), "malformed");
    let nine: Vec<_> = vec![world.client.chain[0].clone(); 9];
    let many = sign1(&world.client.key, -8, &nine, LABEL_1, &payload);
    assert_eq!(world.refused(&many), "malformed");
}

#[test]
fn algorithms_that_are_not_the_keys_or_not_ours() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING]);
    let payload = Opened::of(&first).payload();
    let as_alg = |alg| {
        sign1(
            &world.client.key,
            alg,
            &world.client.chain,
            LABEL_1,
            &payload,
        )
    };
    // Ed25519 by its newer number; ES256, PS256, ML-DSA-44, HMAC, none.
    assert!(world.respond(&as_alg(-19)).is_ok());
    for alg in [-7, -37, -48, 5, 0, -70_000] {
        assert_eq!(world.refused(&as_alg(alg)), "signature-algorithm", "{alg}");
    }
    // RSASSA-PKCS1-v1_5: a valid signature that the protocol does not have.
    let world = World::with(Algorithm::Rsa2048, Algorithm::Ed25519);
    let (first, _) = world.begin(agreement(), &[X_WING]);
    let payload = Opened::of(&first).payload();
    let pkcs1 = SigningScheme::rsa_pkcs1(Algorithm::Rsa2048, Hash::Sha256).unwrap();
    let message = world.client.seal_by(pkcs1, LABEL_1, &payload);
    assert_eq!(world.refused(&message), "signature-algorithm");
}

#[test]
fn messages_that_are_too_long_or_of_another_version() {
    let world = World::new();
    assert_eq!(world.refused(&vec![0; 65_537]), "too-long");
    assert_eq!(world.refused(&vec![0; 65_536]), "malformed");
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    assert_eq!(world.refusal(waiting, &vec![0; 65_537]), "too-long");
    let versions = |versions: &[u64]| {
        let mut opened = Opened::of(&first);
        *opened.field(1) = Value::Array(versions.iter().map(|one| Value::from(*one)).collect());
        world.client.seal(LABEL_1, &opened.payload())
    };
    assert_eq!(world.refused(&versions(&[2])), "unsupported-version");
    assert!(world.respond(&versions(&[7, 1])).is_ok());
}

#[test]
fn suites_that_are_not_known_are_passed_over() {
    let world = World::new();
    let unknown = || {
        let mut opened = Opened::of(&world.begin(agreement(), &[X25519]).0);
        let offers = opened.field(3).as_array_mut().unwrap();
        offers.insert(0, offer([0xfff0, 1, 2], 4096));
        // X25519 with another KDF is another suite.
        offers.insert(0, offer([0x20, 3, 2], 32));
        opened
    };
    let mut opened = unknown();
    let message = world.client.seal(LABEL_1, &opened.payload());
    assert!(world.respond(&message).is_ok());
    opened = unknown();
    opened.field(3).as_array_mut().unwrap().pop();
    let message = world.client.seal(LABEL_1, &opened.payload());
    assert_eq!(world.refused(&message), "no-common-suite");
}

#[test]
fn a_certificate_that_is_none() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING]);
    let chain = vec![vec![0x30, 0x00]];
    let mut opened = Opened::of(&first);
    *opened.field(4) = Value::Bytes(sha512(&chain[0]));
    let party: &Party = &world.client;
    let message = sign1(&party.key, -8, &chain, LABEL_1, &opened.payload());
    assert_eq!(world.refused(&message), "malformed");
}

#[test]
fn confirmations_have_one_form_too() {
    let world = World::new();
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    let reply = world.respond(&first).unwrap();
    let Outcome::Agreed(got) = world.receive(waiting, &reply.message).unwrap() else {
        panic!("a distribution");
    };
    let good = got.confirmation;
    let name = |message: &[u8]| match AwaitingConfirmation::exchange_of(message) {
        Ok(_) => "read",
        Err(error) => error.name(),
    };
    assert_eq!(name(&good), "read");
    let Value::Tag(17, inner) = from_cbor(&good) else {
        panic!("another tag");
    };
    let parts = inner.into_array().unwrap();
    let payload = parts[2].as_bytes().unwrap().clone();
    let with = |at: usize, value: Value| {
        let mut parts = parts.clone();
        parts[at] = value;
        to_cbor(&Value::Tag(17, Box::new(Value::Array(parts))))
    };
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let header = Value::Map(vec![(Value::from(4), bytes(&[1]))]);
    for (what, message) in [
        ("something behind", [&good[..], &[0]].concat()),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("another tag", [&[0xd2][..], &good[1..]].concat()),
        ("another algorithm", with(0, bytes(&[0xa1, 1, 5]))),
        ("an empty header", with(0, bytes(&[]))),
        ("an unprotected one", with(1, header)),
        ("a payload that is elsewhere", with(2, Value::Null)),
        (
            "something behind the payload",
            with(2, bytes(&[&payload[..], &[0]].concat())),
        ),
        (
            "a long map",
            with(2, bytes(&[&[0xb8, 3][..], &payload[1..]].concat())),
        ),
        (
            "a short payload",
            with(2, bytes(&payload[..payload.len() - 1])),
        ),
        ("a short tag", with(3, bytes(&[0; 63]))),
    ] {
        assert_eq!(name(&message), "malformed", "{what}");
    }
    let field = |key: u8, value: u8| {
        let mut payload = payload.clone();
        assert_eq!(payload[..5], [0xa3, 1, 1, 2, 3]);
        payload[usize::from(2 * key)] = value;
        with(2, bytes(&payload))
    };
    assert_eq!(name(&field(1, 2)), "unsupported-version");
    assert_eq!(name(&field(2, 2)), "wrong-message");
    assert_eq!(name(&vec![0; 1025]), "too-long");
}
