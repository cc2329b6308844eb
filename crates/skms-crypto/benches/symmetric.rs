//! How fast the ciphers are, nonce included: what one `encrypt` or `decrypt`
//! costs below the engine.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use skms_crypto::symmetric::{SymmetricKey, generate};
use skms_crypto::{Algorithm, Family};

const AAD: &[u8] = b"namespace/keyring/key/1";

fn ciphers() -> impl Iterator<Item = (Algorithm, SymmetricKey)> {
    Algorithm::all()
        .iter()
        .filter(|algorithm| algorithm.family() == Family::Aead)
        .map(|&algorithm| {
            let key = generate(algorithm).unwrap();
            (
                algorithm,
                SymmetricKey::new(algorithm, key.expose()).unwrap(),
            )
        })
}

fn encrypt(criterion: &mut Criterion) {
    for len in [64, 1024, 16 * 1024] {
        let mut group = criterion.benchmark_group(format!("encrypt {len}"));
        group.throughput(Throughput::Bytes(len as u64));
        let plaintext = vec![7; len];
        for (algorithm, key) in ciphers() {
            let mut out = Vec::new();
            group.bench_function(BenchmarkId::from_parameter(algorithm), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    key.encrypt_into(black_box(&plaintext), AAD, &mut out)
                        .unwrap();
                });
            });
        }
    }
}

fn decrypt(criterion: &mut Criterion) {
    for len in [64, 1024, 16 * 1024] {
        let mut group = criterion.benchmark_group(format!("decrypt {len}"));
        group.throughput(Throughput::Bytes(len as u64));
        for (algorithm, key) in ciphers() {
            let sealed = key.encrypt(&vec![7; len], AAD).unwrap();
            group.bench_function(BenchmarkId::from_parameter(algorithm), |bencher| {
                bencher.iter(|| key.decrypt(black_box(&sealed), AAD).unwrap());
            });
        }
    }
}

fn randomness(criterion: &mut Criterion) {
    for len in [12, 24, 512, 4096] {
        let mut bytes = vec![0; len];
        criterion.bench_function(&format!("random {len}"), |bencher| {
            bencher.iter(|| skms_crypto::rand::fill(black_box(&mut bytes)).unwrap());
        });
    }
}

criterion_group!(benches, randomness, encrypt, decrypt);
criterion_main!(benches);
