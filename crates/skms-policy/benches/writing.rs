//! What writing one policy of many costs: compiling its document, and putting
//! it into the set that is in force. And what compiling all of them costs,
//! which is done when the server is unsealed.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use skms_policy::{Document, MAX_STATEMENTS, PolicyName, PolicySet};

/// What a tenant's policy looks like: somebody, something to do, somewhere.
fn document(number: usize) -> (PolicyName, String) {
    let text = format!(
        "permit (principal == SKMS::Principal::\"team-{number}\", \
         action in SKMS::Action::\"use\", \
         resource in SKMS::Keyring::\"root/ring-{}\");",
        number % 100
    );
    let name = PolicyName::new("root", format!("policy-{number}")).unwrap();
    (name, text)
}

fn writing(c: &mut Criterion) {
    let mut group = c.benchmark_group("policies");
    let (name, text) = document(4711);
    group.bench_function("compile a document", |b| {
        b.iter(|| Document::compile(black_box(&name), black_box(&text)).unwrap());
    });
    let longest: String = (0..MAX_STATEMENTS).map(|at| document(at).1).collect();
    group.sample_size(10);
    group.bench_function("compile the longest document", |b| {
        b.iter(|| Document::compile(black_box(&name), black_box(&longest)).unwrap());
    });
    group.sample_size(100);
    for count in [100, 10_000] {
        let set = PolicySet::compile((0..count).map(document)).unwrap();
        group.bench_function(format!("write one of {count}"), |b| {
            b.iter(|| set.with(Document::compile(&name, &text).unwrap()));
        });
        group.bench_function(format!("delete one of {count}"), |b| {
            b.iter(|| set.without(black_box(&document(count / 2).0)));
        });
    }
    // All in one place of the index: the dearest to copy.
    let heap = (0..10_000).map(|number| {
        let text = "permit (principal, action, resource) when { context.tls };";
        (document(number).0, text.to_owned())
    });
    let heap = PolicySet::compile(heap).unwrap();
    group.bench_function("write one of 10000 without a principal or resource", |b| {
        let text = "permit (principal, action, resource) when { context.tls };";
        b.iter(|| heap.with(Document::compile(&name, text).unwrap()));
    });
    group.sample_size(10);
    group.bench_function("compile 10000", |b| {
        b.iter(|| PolicySet::compile((0..10_000).map(document)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, writing);
criterion_main!(benches);
