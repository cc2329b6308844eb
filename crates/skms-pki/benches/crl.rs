//! Revocation lists: a million entries in one list, and an update of one shard
//! of a thousand.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use skms_crypto::{Algorithm, KeyMaterial, Message, OpenKey};
use skms_pki::crl::Reason;
use skms_pki::issue::{
    Authority, DAY, List, ListEntry, ProfileKind, Request, Serial, SigningScheme,
};
use skms_pki::{Crl, Moment};

const NOW: Moment = Moment(1_795_953_600);

fn authority() -> (Authority, OpenKey) {
    let key = OpenKey::open(&KeyMaterial::generate(Algorithm::EcP256).unwrap()).unwrap();
    let spki = key.public_key().unwrap().spki_der().to_vec();
    let request = Request::new("CN=Root".parse().unwrap(), spki);
    let scheme = SigningScheme::for_key(Algorithm::EcP256).unwrap();
    let root = Authority::root(&request, scheme).unwrap();
    let profile = ProfileKind::Root.profile();
    let serial = Serial::from_random([1; 20]);
    let planned = profile.plan(&root, &request, serial, NOW).unwrap();
    let signature = sign(&key, planned.tbs(), scheme);
    let chain = vec![planned.signed(&signature).unwrap()];
    (Authority::from_chain(chain, scheme).unwrap(), key)
}

fn sign(key: &OpenKey, message: &[u8], scheme: SigningScheme) -> Vec<u8> {
    key.sign(Message::Raw(message), &scheme.sign_options())
        .unwrap()
}

/// Entries with serial numbers of 20 octets, half of them with a reason.
fn entries(count: u32) -> impl Iterator<Item = ListEntry> {
    (0..count).map(|index| {
        let mut bytes = [0x55; 20];
        bytes[1..5].copy_from_slice(&index.to_be_bytes());
        ListEntry {
            serial: Serial::from_random(bytes),
            date: Moment(NOW.0 - i64::from(index % 30_000_000)),
            reason: (index % 2 == 0).then_some(Reason::Superseded),
            invalidity: None,
        }
    })
}

fn lists(c: &mut Criterion) {
    let (authority, key) = authority();
    let make = |count: u32| {
        let list = List {
            point: vec!["http://pki.skms.invalid/17.crl".to_owned()],
            ..List::complete(7, NOW, Moment(NOW.0 + DAY))
        };
        let planned = list.plan(&authority, entries(count)).unwrap();
        let signature = sign(&key, planned.tbs(), planned.scheme());
        planned.signed(&signature).unwrap()
    };
    let read = make(1_000_000);
    assert_eq!(Crl::from_der(&read).unwrap().entries().count(), 1_000_000);

    let mut group = c.benchmark_group("revocation lists, signed with P-256");
    group.sample_size(10);
    group.bench_function("a million entries", |b| {
        b.iter(|| black_box(make(black_box(1_000_000))));
    });
    group.bench_function("one shard of a thousand entries", |b| {
        b.iter(|| black_box(make(black_box(1_000))));
    });
    group.finish();
}

criterion_group!(benches, lists);
criterion_main!(benches);
