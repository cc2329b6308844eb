//! A leaf with a P-256 key from request to certificate, beside the signature
//! alone and its check.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use skms_crypto::{Algorithm, KeyMaterial, Message, OpenKey};
use skms_pki::Moment;
use skms_pki::issue::{Authority, Profile, ProfileKind, Request, Serial, SigningScheme};

const NOW: Moment = Moment(1_795_953_600);

fn key() -> OpenKey {
    OpenKey::open(&KeyMaterial::generate(Algorithm::EcP256).unwrap()).unwrap()
}

fn request(key: &OpenKey, subject: &str) -> Request {
    let spki = key.public_key().unwrap().spki_der().to_vec();
    Request::new(subject.parse().unwrap(), spki)
}

fn issue(
    profile: &Profile,
    authority: &Authority,
    request: &Request,
    key: &OpenKey,
    serial: u8,
) -> Vec<u8> {
    let serial = Serial::from_random([serial; 20]);
    let planned = profile.plan(authority, request, serial, NOW).unwrap();
    let options = planned.scheme().sign_options();
    let signature = key.sign(Message::Raw(planned.tbs()), &options).unwrap();
    planned.signed(&signature).unwrap()
}

fn leaf(c: &mut Criterion) {
    let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
    let (root_key, ca_key, leaf_key) = (key(), key(), key());
    let root = request(&root_key, "CN=Root");
    let authority = Authority::root(&root, scheme).unwrap();
    let root = issue(
        &ProfileKind::Root.profile(),
        &authority,
        &root,
        &root_key,
        1,
    );
    let authority = Authority::from_chain(vec![root.clone()], scheme).unwrap();
    let ca = request(&ca_key, "CN=Issuing");
    let profile = ProfileKind::Intermediate.profile();
    let ca = issue(&profile, &authority, &ca, &root_key, 2);
    let authority = Authority::from_chain(vec![ca, root], scheme).unwrap();
    let profile = ProfileKind::TlsServer.profile();
    let leaf = request(&leaf_key, "").with_name("dns:www.example.org".parse().unwrap());
    let serial = Serial::from_random([3; 20]);
    let planned = profile.plan(&authority, &leaf, serial, NOW).unwrap();
    let options = scheme.sign_options();
    let signature = ca_key.sign(Message::Raw(planned.tbs()), &options).unwrap();

    let mut group = c.benchmark_group("a P-256 leaf");
    group.bench_function("planned: profile, lints, validation", |b| {
        b.iter(|| {
            profile
                .plan(&authority, black_box(&leaf), serial, NOW)
                .unwrap()
        });
    });
    group.bench_function("signature alone", |b| {
        b.iter(|| {
            ca_key
                .sign(Message::Raw(black_box(planned.tbs())), &options)
                .unwrap()
        });
    });
    group.bench_function("signature checked and put in place", |b| {
        b.iter(|| planned.signed(black_box(&signature)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, leaf);
criterion_main!(benches);
