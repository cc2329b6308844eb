//! A whole exchange, both sides of it, beside the primitives that it is made
//! of: the second is the floor of the first. It has each signature verified
//! once, by the peer; the exchange checks its own before they go out as well.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../tests/all/support.rs"]
#[allow(dead_code)] // The benches use a part of what the tests share.
mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use skms_crypto::hpke::{KeyPair, Receiver, Sender, Suite};
use skms_crypto::{Algorithm, Format, Hash, Message, PublicKey, VerifyingKey, hkdf, rand};
use skms_exchange::suite::{P256, X_WING, X25519};
use skms_exchange::{Outcome, Seen, Standing, Trust};
use skms_pki::issue::SigningScheme;
use skms_pki::{Certificate, Evidence};
use support::{NOW, World, agreed, agreement, sign};

/// Messages 1 to 3 and every check; certificates are parsed and paths found.
fn whole(world: &World, suite: Suite) {
    let (first, waiting) = world.begin(agreement(), &[suite]);
    let anchors = [Certificate::from_der(&world.pki.root).unwrap()];
    let evidence = Evidence {
        anchors: &anchors,
        ..Evidence::default()
    };
    let told = |_: &skms_pki::ValidPath<'_, '_>| Standing::Good;
    let trust = Trust::new(evidence).told(&told);
    let own = &world.server.identity;
    let received = world.responder.receive(&first, own, &trust, NOW).unwrap();
    let admitted = received.admit(Seen::First).unwrap();
    let unsigned = admitted.answer(&agreed(), NOW, &mut rand::fill).unwrap();
    let signature = sign(&world.server.key, unsigned.tbs(), unsigned.scheme());
    let reply = unsigned.signed(&signature).unwrap();
    let Outcome::Agreed(got) = waiting.receive(&reply.message, &trust, NOW).unwrap() else {
        panic!("a distribution");
    };
    let ours = reply.agreed.unwrap();
    ours.waiting.receive(&got.confirmation, NOW).unwrap();
    assert!(ours.key.ct_eq(got.key.expose()));
}

/// A key pair, an encapsulation and a decapsulation with three exports each,
/// two HKDF.
fn exchanged(suite: Suite) {
    let pair = KeyPair::generate(suite.kem, &mut rand::fill).unwrap();
    let algorithm = suite.kem.algorithm();
    let public = PublicKey::import(pair.public(), Format::Raw, Some(algorithm)).unwrap();
    let (enc, sender) = Sender::setup(&public, suite, b"info").unwrap();
    let receiver = Receiver::setup_once(&pair, suite, &enc, b"info").unwrap();
    for label in [&b"a"[..], b"b", b"c"] {
        let (one, two) = (sender.export(label, 64), receiver.export(label, 64));
        let key = one.unwrap();
        assert!(key.ct_eq(two.unwrap().expose()));
        if label == b"c" {
            for _ in 0..2 {
                black_box(hkdf(Hash::Sha512, key.expose(), b"salt", b"info", 32).unwrap());
            }
        }
    }
}

/// Two signatures, each verified; and the signatures of both paths.
fn signed(world: &World, message: &[u8]) {
    for party in [&world.client, &world.server] {
        let scheme = skms_exchange::Identity::scheme_for(party.key.algorithm()).unwrap();
        let signature = party
            .key
            .sign(Message::Raw(message), &scheme.sign_options())
            .unwrap();
        let own = Certificate::from_der(&party.chain[0]).unwrap();
        verify(own.public_key().der, scheme, message, &signature);
        let above = Certificate::from_der(&party.chain[1]).unwrap();
        let root = Certificate::from_der(&world.pki.root).unwrap();
        for (upper, lower) in [(&above, &own), (&root, &above)] {
            let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
            let signed = lower.signed();
            verify(
                upper.public_key().der,
                scheme,
                signed.message,
                signed.signature,
            );
        }
    }
}

fn verify(spki: &[u8], scheme: SigningScheme, message: &[u8], signature: &[u8]) {
    use skms_crypto::verifying::Scheme;
    let key = VerifyingKey::from_spki(spki).unwrap();
    let scheme = match scheme.hash() {
        Some(hash) => Scheme::Ecdsa(hash),
        None => Scheme::Pure(scheme.algorithm()),
    };
    assert!(key.verify(scheme, message, signature));
}

fn exchange(c: &mut Criterion) {
    let cases = [
        ("X-Wing, Ed25519", X_WING, Algorithm::Ed25519),
        ("X-Wing, ML-DSA-65", X_WING, Algorithm::MlDsa65),
        ("X25519, Ed25519", X25519, Algorithm::Ed25519),
        ("P-256, P-256", P256, Algorithm::EcP256),
    ];
    for (name, suite, algorithm) in cases {
        let world = World::with(algorithm, algorithm);
        let (first, _) = world.begin(agreement(), &[suite]);
        let mut group = c.benchmark_group(name);
        group.bench_function("primitives", |b| {
            b.iter(|| {
                exchanged(suite);
                signed(&world, &first);
            });
        });
        group.bench_function("whole exchange", |b| b.iter(|| whole(&world, suite)));
        group.finish();
    }
}

criterion_group!(benches, exchange);
criterion_main!(benches);
