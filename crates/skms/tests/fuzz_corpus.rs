//! Replays every fuzzing corpus on stable: each file as it is, cut short and
//! with bits flipped. The same functions run under libFuzzer by
//! `cargo xtask fuzz`.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

type Parser = fn(&[u8]);

/// A folder in `fuzz/corpus/` and the parser that its files are for.
const TARGETS: &[(&str, Parser)] = &[
    ("client_event_stream", skms_client::fuzzing::event_stream),
    ("client_file_header", skms_client::fuzzing::file_header),
    ("client_file_identity", skms_client::fuzzing::file_identity),
    ("crypto_import_any", skms_crypto::fuzzing::import_any),
    ("crypto_jwk", skms_crypto::fuzzing::jwk),
    ("crypto_pem", skms_crypto::fuzzing::pem),
    ("crypto_pkcs1", skms_crypto::fuzzing::pkcs1),
    ("crypto_pkcs8", skms_crypto::fuzzing::pkcs8),
    ("crypto_sec1", skms_crypto::fuzzing::sec1),
    ("crypto_spki", skms_crypto::fuzzing::spki),
    ("exchange_first", skms_exchange::fuzzing::first),
    ("exchange_second", skms_exchange::fuzzing::second),
    ("exchange_sealed", skms_exchange::fuzzing::sealed),
    ("exchange_statement", skms_exchange::fuzzing::statement),
    ("exchange_status", skms_exchange::fuzzing::status),
    ("exchange_third", skms_exchange::fuzzing::third),
    ("exchange_waiting", skms_exchange::fuzzing::waiting),
    ("pki_certificate", skms_pki::fuzzing::certificate),
    ("pki_crl", skms_pki::fuzzing::crl),
    ("pki_csr", skms_pki::fuzzing::csr),
    ("pki_ocsp", skms_pki::fuzzing::ocsp),
    ("pki_cms", skms_pki::fuzzing::cms),
    ("pki_cose", skms_pki::fuzzing::cose),
    ("pki_jws", skms_pki::fuzzing::jws),
    ("pki_timestamp", skms_pki::fuzzing::timestamp),
    ("pki_path", skms_pki::fuzzing::path),
    ("pki_ssh_certificate", skms_pki::fuzzing::ssh_certificate),
    ("pki_ssh_krl", skms_pki::fuzzing::ssh_krl),
    (
        "policy_policy_document",
        skms_policy::fuzzing::policy_document,
    ),
    ("policy_policy_rule", skms_policy::fuzzing::policy_rule),
    ("store_journal_frame", skms_store::fuzzing::journal_frame),
    (
        "store_journal_segment",
        skms_store::fuzzing::journal_segment,
    ),
    ("store_key_file", skms_store::fuzzing::key_file),
    ("store_share_text", skms_store::fuzzing::share_text),
    ("store_backup_file", skms_store::fuzzing::backup_file),
    ("store_store_header", skms_store::fuzzing::store_header),
    ("weak_blocklist", skms_weak::fuzzing::blocklist),
    ("weak_public_key", skms_weak::fuzzing::public_key),
    ("wire_acme_jws", skms_wire::fuzzing::acme_jws),
    ("wire_base64", skms_wire::fuzzing::base64),
    ("wire_ciphertext", skms_wire::fuzzing::ciphertext),
    ("keys_schedule", skms_keys::fuzzing::schedule),
    ("wire_moment", skms_wire::fuzzing::moment),
    ("wire_native_request", skms_wire::fuzzing::native_request),
    ("wire_query", skms_wire::fuzzing::query),
    ("wire_smtp_reply", skms_wire::fuzzing::smtp_reply),
];

/// How many cut and how many flipped forms of a file are tried: enough to
/// reach the branches between its fields, few enough for slow parsers.
const VARIANTS: usize = 24;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// The file itself, then variants that are spread evenly over its length.
fn variants(data: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![data.to_vec()];
    let step = (data.len() / VARIANTS).max(1);
    for place in (0..data.len()).step_by(step) {
        all.push(data[..place].to_vec());
        let mut flipped = data.to_vec();
        flipped[place] ^= 1 << (place % 8);
        all.push(flipped);
    }
    all
}

fn replay(target: &str, parser: Parser) -> Vec<String> {
    let mut failures = Vec::new();
    let mut files = 0;
    for entry in fs::read_dir(corpus().join(target)).unwrap() {
        let path = entry.unwrap().path();
        files += 1;
        for (number, data) in variants(&fs::read(&path).unwrap()).iter().enumerate() {
            if catch_unwind(AssertUnwindSafe(|| parser(data))).is_err() {
                failures.push(format!("{}, variant {number}", path.display()));
            }
        }
    }
    assert!(files > 0, "{target} has no corpus");
    failures
}

#[test]
fn no_input_makes_a_parser_panic() {
    let failures: Vec<String> = TARGETS
        .iter()
        .flat_map(|(target, parser)| replay(target, *parser))
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_corpus_has_a_parser_and_every_parser_a_corpus() {
    let folders: BTreeSet<String> = fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders, targets);
}

#[test]
fn a_panic_is_noticed() {
    fn fails_on_a_cut_file(data: &[u8]) {
        assert!(data.len() > 3, "cut");
    }
    assert!(!replay("wire_ciphertext", fails_on_a_cut_file).is_empty());
}
