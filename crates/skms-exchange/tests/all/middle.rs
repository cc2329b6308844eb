//! A man in the middle: he reads, changes, swaps, drops and repeats messages,
//! and may have an honest certificate of his own. He has nobody else's key.

use coset::cbor::Value;
use skms_crypto::Algorithm;
use skms_exchange::suite::{X_WING, X25519};
use skms_exchange::{Outcome, ServerName};

use crate::support::{
    LABEL_1, NOW, OTHER, Opened, SERVER, World, agreement, distribution, edited, flip, to_cbor,
};

fn parts(value: &mut Value) -> &mut Vec<Value> {
    value.as_array_mut().unwrap()
}

/// Every field of message 1, changed so that it still reads.
#[test]
fn no_field_of_the_request_can_be_changed() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING, X25519]);
    let (other, _) = world.begin(agreement(), &[X_WING, X25519]);
    let share = Opened::of(&other).field(3).clone();
    let versions = Value::Array(vec![Value::from(2), Value::from(1)]);
    let server = Value::Array(vec![Value::from(6), Value::from("https://kms.example.org")]);
    let request = |name: &str| {
        let mut opened = Opened::of(&first);
        let fields = opened.field(8).as_map_mut().unwrap();
        fields[3].1 = Value::from(name);
        opened.field(8).clone()
    };
    let mut wide = World::new();
    wide.responder
        .names
        .push(ServerName::uri("https://kms.example.org").unwrap());
    for (what, message, world, name) in [
        (
            "versions",
            edited(&first, 1, |it| *it = versions),
            &world,
            "signature",
        ),
        (
            "both shares",
            edited(&first, 3, |it| *it = share),
            &world,
            "signature",
        ),
        (
            "one share",
            edited(&first, 3, |it| flip(&mut parts(&mut parts(it)[1])[3])),
            &world,
            "signature",
        ),
        (
            "order of suites",
            edited(&first, 3, |it| parts(it).reverse()),
            &world,
            "signature",
        ),
        (
            "post-quantum half",
            edited(&first, 3, |it| drop(parts(it).remove(0))),
            &world,
            "signature",
        ),
        (
            "all but post-quantum",
            edited(&first, 3, |it| drop(parts(it).pop())),
            &world,
            "signature",
        ),
        (
            "certificate",
            edited(&first, 4, flip),
            &world,
            "wrong-certificate",
        ),
        (
            "server",
            edited(&first, 5, |it| *it = server.clone()),
            &world,
            "wrong-server",
        ),
        ("nonce", edited(&first, 6, flip), &world, "signature"),
        (
            "time",
            edited(&first, 7, |it| *it = Value::from(NOW.0 + 1)),
            &world,
            "signature",
        ),
        (
            "request",
            edited(&first, 8, |it| *it = request("other")),
            &world,
            "signature",
        ),
    ] {
        assert_eq!(world.refused(&message), name, "{what}");
    }
    // For a server that has both names too.
    let (first, _) = wide.begin(agreement(), &[X_WING]);
    let other_name = edited(&first, 5, |it| *it = server);
    assert_eq!(wide.refused(&other_name), "signature");
    assert!(wide.respond(&first).is_ok());
}

#[test]
fn no_field_of_the_answer_can_be_changed() {
    let world = World::new();
    let answer = |request: fn() -> skms_exchange::Request| {
        let (first, waiting) = world.begin(request(), &[X_WING, X25519]);
        let reply = world.respond(&first).unwrap();
        (waiting, reply.message)
    };
    let weaker = || {
        let numbers = [0x20, 1, 2].map(Value::from);
        Value::Array(numbers.to_vec())
    };
    type Change = fn(&mut Value);
    let changes: &[(u64, Change, &str)] = &[
        (1, |it| *it = Value::from(2), "unsupported-version"),
        (3, flip, "transcript"),
        (5, flip, "signature"),
        (6, flip, "wrong-certificate"),
        (7, flip, "signature"),
        (8, |it| *it = Value::from(NOW.0 + 1), "signature"),
        (
            9,
            |it| it.as_map_mut().unwrap()[3].1 = Value::from("other"),
            "signature",
        ),
        (11, flip, "signature"),
    ];
    for (field, change, name) in changes {
        for request in [agreement, distribution] {
            let (waiting, message) = answer(request);
            let message = edited(&message, *field, change);
            assert_eq!(world.refusal(waiting, &message), *name, "field {field}");
        }
    }
    let (waiting, message) = answer(agreement);
    let message = edited(&message, 4, |it| *it = weaker());
    assert_eq!(world.refusal(waiting, &message), "signature");
    let (waiting, message) = answer(distribution);
    assert_eq!(
        world.refusal(waiting, &edited(&message, 10, flip)),
        "signature"
    );
}

#[test]
fn certificates_and_signatures_are_not_exchangeable() {
    let world = World::new();
    let eve = world.pki.client(Algorithm::Ed25519);
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    // Her certificate in place of the client's, the rest as it was.
    let payload = Opened::of(&first).payload();
    let hers = eve.seal(LABEL_1, &payload);
    assert_eq!(world.refused(&hers), "wrong-certificate");
    // Her signature under the client's certificate.
    let mut opened = Opened::of(&first);
    opened.message.signature = Opened::of(&hers).message.signature;
    assert_eq!(world.refused(&opened.close()), "signature");
    // And in the answer.
    let reply = world.respond(&first).unwrap();
    let mallory = world.pki.server(Algorithm::Ed25519, SERVER);
    let payload = Opened::of(&reply.message).payload();
    let his = mallory.seal("skms-exchange-v1 message 2", &payload);
    assert_eq!(world.refusal(waiting, &his), "wrong-certificate");
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    let reply = world.respond(&first).unwrap();
    let mut opened = Opened::of(&reply.message);
    opened.message.signature = Opened::of(&his).message.signature;
    assert_eq!(world.refusal(waiting, &opened.close()), "signature");
}

#[test]
fn a_signature_for_something_else_is_none_for_this() {
    let world = World::new();
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    let payload = Opened::of(&first).payload();
    // As a document that the key signed, and under another message's label.
    for label in [
        "",
        "skms-exchange-v1 message 2",
        "skms-exchange-v2 message 1",
    ] {
        assert_eq!(
            world.refused(&world.client.seal(label, &payload)),
            "signature"
        );
    }
    let reply = world.respond(&first).unwrap();
    let payload = Opened::of(&reply.message).payload();
    let document = world.server.seal("", &payload);
    assert_eq!(world.refusal(waiting, &document), "signature");
}

#[test]
fn weaker_suites_are_not_accepted_by_default() {
    let mut world = World::new();
    world.responder = skms_exchange::Responder::new(world.responder.names.clone());
    let (first, _) = world.begin(agreement(), &[X25519]);
    assert_eq!(world.refused(&first), "no-common-suite");
    let (first, waiting) = world.begin(agreement(), &[X25519, X_WING]);
    let reply = world.respond(&first).unwrap();
    world.receive(waiting, &reply.message).unwrap();
}

#[test]
fn a_session_is_not_replayed() {
    let world = World::new();
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    let reply = world.respond(&first).unwrap();
    assert_eq!(world.refused(&first), "replayed");
    let Outcome::Agreed(agreed) = world.receive(waiting, &reply.message).unwrap() else {
        panic!("a distribution");
    };
    // An old answer to a new request, and an old confirmation.
    let (second, waiting) = world.begin(agreement(), &[X_WING]);
    assert_eq!(world.refusal(waiting, &reply.message), "transcript");
    let ours = world.respond(&second).unwrap().agreed.unwrap();
    let old = ours.waiting.receive(&agreed.confirmation, NOW);
    assert_eq!(old.unwrap_err().name(), "transcript");
}

/// n - s for P-256's order n.
fn negated(s: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut out = vec![0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i32::from(ORDER[at]) - i32::from(s[at]) - borrow;
        borrow = i32::from(difference < 0);
        out[at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    out
}

/// An ECDSA signature has a twin that holds as well, which makes another
/// message of the same content.
#[test]
fn a_reshaped_signature_is_no_new_message() {
    let world = World::with(Algorithm::EcP256, Algorithm::EcP256);
    let reshaped = |message: &[u8]| {
        let mut opened = Opened::of(message);
        let s = negated(&opened.message.signature[32..]);
        opened.message.signature.truncate(32);
        opened.message.signature.extend(s);
        opened.close()
    };
    let (first, _) = world.begin(agreement(), &[X_WING]);
    world.respond(&first).unwrap();
    assert_eq!(world.refused(&reshaped(&first)), "replayed");
    // Reshaped before the server sees it, the answer is to another message.
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    let reply = world.respond(&reshaped(&first)).unwrap();
    assert_eq!(world.refusal(waiting, &reply.message), "transcript");
    // A reshaped answer is believed, and its confirmation is not: the key
    // never becomes active, and the two do not have one key.
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    let reply = world.respond(&first).unwrap();
    let Outcome::Agreed(agreed) = world.receive(waiting, &reshaped(&reply.message)).unwrap() else {
        panic!("a distribution");
    };
    let ours = reply.agreed.unwrap();
    let confirmed = ours.waiting.receive(&agreed.confirmation, NOW);
    assert_eq!(confirmed.unwrap_err().name(), "transcript");
    assert!(!ours.key.ct_eq(agreed.key.expose()));
}

#[test]
fn messages_are_not_reflected() {
    let world = World::new();
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    assert_eq!(world.refusal(waiting, &first), "wrong-message");
    let reply = world.respond(&first).unwrap();
    assert_eq!(world.refused(&reply.message), "wrong-message");
    let ours = reply.agreed.unwrap();
    for message in [&first, &reply.message] {
        let name = ours.waiting.receive(message, NOW).unwrap_err().name();
        assert!(["too-long", "malformed"].contains(&name), "{name}");
    }
}

#[test]
fn a_request_is_not_forwarded_to_another_server() {
    let world = World::new();
    let (first, _) = world.begin(agreement(), &[X_WING]);
    let mut other = World::new();
    other.pki = world.pki;
    other.server = other.pki.server(Algorithm::Ed25519, OTHER);
    other.responder.names = vec![ServerName::host(OTHER).unwrap()];
    assert_eq!(other.refused(&first), "wrong-server");
}

/// Unknown key share: Eve asks with the client's ephemeral key as if it were
/// hers, so that the server shares with her, in its view, what the client has.
#[test]
fn runs_are_not_spliced() {
    let world = World::new();
    let eve = world.pki.client(Algorithm::Ed25519);
    let (first, waiting) = world.begin(agreement(), &[X_WING]);
    let mut stolen = Opened::of(&first);
    *stolen.field(4) = Value::Bytes(eve.hash());
    let hers = eve.seal(LABEL_1, &stolen.payload());
    let reply = world.respond(&hers).unwrap();
    assert_eq!(world.refusal(waiting, &reply.message), "transcript");

    // Two honest runs, their answers and confirmations crossed.
    let (one, waits_one) = world.begin(agreement(), &[X_WING]);
    let (two, waits_two) = world.begin(agreement(), &[X_WING]);
    let (to_one, to_two) = (world.respond(&one).unwrap(), world.respond(&two).unwrap());
    assert_eq!(world.refusal(waits_one, &to_two.message), "transcript");
    let Outcome::Agreed(agreed) = world.receive(waits_two, &to_two.message).unwrap() else {
        panic!("a distribution");
    };
    let ours = to_one.agreed.unwrap();
    let crossed = ours.waiting.receive(&agreed.confirmation, NOW);
    assert_eq!(crossed.unwrap_err().name(), "transcript");
    // The first run's hash with the second run's tag.
    let crossed = replace(
        &agreed.confirmation,
        to_two.agreed.unwrap().waiting.exchange(),
        ours.waiting.exchange(),
    );
    let confirmed = ours.waiting.receive(&crossed, NOW);
    assert_eq!(confirmed.unwrap_err().name(), "confirmation");
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|part| part == from)
        .unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn one_key_on_both_sides_is_refused() {
    let world = World::new();
    // The server's key with a client's certificate, and the other way round.
    let request = crate::support::client_request(&world.server.key);
    let profile = skms_pki::issue::ProfileKind::TlsClient.profile();
    let chain = world.pki.chain(world.pki.certify(&profile, &request));
    let mut opened = Opened::of(&world.begin(agreement(), &[X_WING]).0);
    *opened.field(4) = Value::Bytes(crate::support::sha512(&chain[0]));
    let scheme = skms_exchange::Identity::scheme_for(Algorithm::Ed25519).unwrap();
    let signer = skms_pki::documents::Signer::new(chain, scheme).unwrap();
    let payload = to_cbor(&Value::Map(opened.payload));
    let planned =
        skms_pki::documents::cose::plan_with(&signer, &payload, LABEL_1.as_bytes()).unwrap();
    let signature = crate::support::sign(&world.server.key, planned.tbs(), scheme);
    let message = planned.signed(&signature, false).unwrap();
    assert_eq!(world.refused(&message), "same-party");
}
