//! A path of three certificates with P-256 keys, from DER to verdict, beside
//! its bare signature checks: the second is the floor of the first.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use skms_crypto::verifying::Scheme;
use skms_crypto::{Hash, VerifyingKey};
use skms_pki::path::{PolicyInputs, RevocationMode};
use skms_pki::{Certificate, Crl, Evidence, Moment, Options, validate};

/// 2030-06-15T12:00:00Z, as the suite asks.
const NOW: Moment = Moment(1_907_755_200);

fn read(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rfc5280-section-6");
    std::fs::read(folder.join(name)).unwrap()
}

fn three_certificates(c: &mut Criterion) {
    let [root, ca, leaf] = ["Root", "CA", "Leaf"].map(|name| read(&format!("certs/{name}.crt")));
    let lists = ["Root", "CA"].map(|name| read(&format!("crls/{name}.crl")));
    let mut group = c.benchmark_group("three P-256 certificates");

    let parsed: Vec<_> = [&root, &ca, &leaf]
        .map(|der| Certificate::from_der(der).unwrap())
        .into();
    group.bench_function("signature checks alone", |b| {
        b.iter(|| {
            for (issuer, child) in [(&parsed[0], &parsed[1]), (&parsed[1], &parsed[2])] {
                let key = VerifyingKey::from_spki(issuer.public_key().der).unwrap();
                let signed = child.signed();
                let scheme = Scheme::Ecdsa(Hash::Sha256);
                assert!(key.verify(scheme, signed.message, black_box(signed.signature)));
            }
        });
    });

    group.bench_function("parsing alone", |b| {
        b.iter(|| {
            for der in [&root, &ca, &leaf] {
                black_box(Certificate::from_der(black_box(der)).unwrap());
            }
        });
    });

    group.bench_function("parsing and validation", |b| {
        b.iter(|| {
            let anchors = [Certificate::from_der(black_box(&root)).unwrap()];
            let intermediates = [Certificate::from_der(black_box(&ca)).unwrap()];
            let leaf = Certificate::from_der(black_box(&leaf)).unwrap();
            let evidence = Evidence {
                anchors: &anchors,
                intermediates: &intermediates,
                ..Evidence::default()
            };
            let options = Options::new(NOW);
            assert_eq!(
                validate(&leaf, &evidence, &options)
                    .unwrap()
                    .certificates
                    .len(),
                3
            );
        });
    });

    // Four signatures: the lists' too.
    group.bench_function("parsing and validation with two lists", |b| {
        b.iter(|| {
            let anchors = [Certificate::from_der(black_box(&root)).unwrap()];
            let intermediates = [Certificate::from_der(black_box(&ca)).unwrap()];
            let leaf = Certificate::from_der(black_box(&leaf)).unwrap();
            let lists = lists.each_ref().map(|der| Crl::from_der(der).unwrap());
            let evidence = Evidence {
                anchors: &anchors,
                intermediates: &intermediates,
                crls: &lists,
                ocsp: &[],
            };
            let mut options = Options::new(NOW);
            options.revocation.mode = RevocationMode::Require;
            options.policies = PolicyInputs::default();
            assert_eq!(
                validate(&leaf, &evidence, &options)
                    .unwrap()
                    .certificates
                    .len(),
                3
            );
        });
    });
    group.finish();
}

criterion_group!(benches, three_certificates);
criterion_main!(benches);
