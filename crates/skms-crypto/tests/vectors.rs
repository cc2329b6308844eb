//! The published vectors in testdata/, through the same harness that
//! `cargo run --example vectors` is. Every family pins how many of its cases
//! are run and passed, refused by policy, or not applicable, so that a case
//! that silently stops being run fails here as well.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../examples/vectors/harness/mod.rs"]
mod harness;

use std::path::{Path, PathBuf};

use harness::Report;
use skms_crypto::{Format, KeyMaterial, PublicKey};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// Runs the files of one folder whose names begin with one of `names`.
fn run(folder: &str, names: &[&str]) -> Report {
    let root = testdata().join(folder);
    let wanted = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        names.is_empty() || names.iter().any(|start| name.starts_with(start))
    };
    harness::run(&root, 2, wanted, |file| println!("{file}")).unwrap()
}

/// Passed, refused by policy, not applicable; and nothing failed.
#[track_caller]
fn expect(report: &Report, passed: usize, refused: usize, not_applicable: usize) {
    let total = report.total();
    let found = (
        total.failed,
        total.passed,
        total.refused,
        total.not_applicable,
    );
    let wanted = (0, passed, refused, not_applicable);
    assert_eq!(found, wanted, "(failed, passed, refused, not applicable)");
}

#[test]
fn wycheproof_aead() {
    let names = ["aes_gcm", "chacha20", "xchacha20"];
    expect(&run("wycheproof", &names), 946, 0, 212);
}

#[test]
fn wycheproof_mac_and_kdf() {
    let names = ["aes_cmac", "hmac", "hkdf"];
    expect(&run("wycheproof", &names), 726, 0, 102);
}

#[test]
fn wycheproof_key_wrap() {
    expect(&run("wycheproof", &["aes_wrap", "aes_kwp"]), 419, 0, 0);
}

#[test]
fn wycheproof_agreement() {
    expect(&run("wycheproof", &["ecdh", "x25519"]), 3630, 0, 0);
}

#[test]
fn wycheproof_ecdsa() {
    expect(&run("wycheproof", &["ecdsa"]), 3600, 0, 0);
}

#[test]
fn wycheproof_ed25519() {
    expect(&run("wycheproof", &["ed25519"]), 151, 0, 0);
}

#[test]
fn wycheproof_rsa_pkcs1() {
    let names = ["rsa_signature", "rsa_pkcs1"];
    expect(&run("wycheproof", &names), 1598, 78, 8);
}

#[test]
fn wycheproof_rsa_pss() {
    expect(&run("wycheproof", &["rsa_pss"]), 1018, 244, 48);
}

#[test]
fn wycheproof_rsa_oaep() {
    expect(&run("wycheproof", &["rsa_oaep"]), 141, 67, 0);
}

#[test]
fn wycheproof_ml_kem() {
    expect(&run("wycheproof", &["mlkem"]), 1701, 0, 0);
}

#[test]
fn wycheproof_ml_dsa_signing() {
    let names = ["mldsa_44_sign", "mldsa_65_sign", "mldsa_87_sign"];
    expect(&run("wycheproof", &names), 507, 0, 0);
}

#[test]
fn wycheproof_ml_dsa_verification() {
    let names = ["mldsa_44_verify", "mldsa_65_verify", "mldsa_87_verify"];
    expect(&run("wycheproof", &names), 631, 0, 0);
}

#[test]
fn wycheproof_json_web_keys() {
    expect(&run("wycheproof", &["json_web"]), 419, 6, 2);
}

#[test]
fn every_wycheproof_file_belongs_to_a_test_here() {
    let tested = [
        "aes_gcm",
        "chacha20",
        "xchacha20",
        "aes_cmac",
        "hmac",
        "hkdf",
        "aes_wrap",
        "aes_kwp",
        "ecdh",
        "x25519",
        "ecdsa",
        "ed25519",
        "rsa_signature",
        "rsa_pkcs1",
        "rsa_pss",
        "rsa_oaep",
        "mlkem",
        "mldsa_44_sign",
        "mldsa_65_sign",
        "mldsa_87_sign",
        "mldsa_44_verify",
        "mldsa_65_verify",
        "mldsa_87_verify",
        "json_web",
        "README",
    ];
    for entry in std::fs::read_dir(testdata().join("wycheproof")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(tested.iter().any(|start| name.starts_with(start)), "{name}");
    }
}

#[test]
fn acvp_slh_dsa_key_generation() {
    expect(&run("acvp-slh-dsa/SLH-DSA-keyGen-FIPS205", &[]), 20, 0, 0);
}

#[test]
fn acvp_slh_dsa_signing() {
    expect(&run("acvp-slh-dsa/SLH-DSA-sigGen-FIPS205", &[]), 46, 0, 0);
}

#[test]
fn acvp_slh_dsa_verification() {
    expect(&run("acvp-slh-dsa/SLH-DSA-sigVer-FIPS205", &[]), 25, 0, 0);
}

#[test]
fn acvp_forms() {
    expect(&run("acvp-forms", &[]), 242, 8, 18);
}

#[test]
fn cavp_responses() {
    expect(&run("cavp", &[]), 2025, 297, 1419);
}

#[test]
fn key_wrap_records() {
    expect(&run("aes-kw-kwp", &[]), 139, 0, 16);
}

#[test]
fn cctv_ml_kem() {
    expect(&run("cctv-ml-kem", &[]), 2601, 0, 0);
}

#[test]
fn finite_field_groups() {
    expect(&run("dh-groups", &[]), 13, 0, 17);
}

#[test]
fn hpke_and_x_wing() {
    expect(&run("hpke", &[]), 51, 0, 16);
}

#[test]
fn hmac_and_hkdf_records() {
    expect(&run("kdf-mac", &[]), 21, 4, 0);
}

/// Which refusals count as policy depends on what the installed `openssl`
/// still reads, so only their sum is pinned here, and below what is imported.
#[test]
fn key_files() {
    let total = run("key-formats", &[]).total();
    assert_eq!((total.failed, total.not_applicable), (0, 0));
    assert_eq!(total.passed + total.refused, 75);
}

#[test]
fn key_files_that_are_imported() {
    let mut folders = vec![testdata().join("key-formats")];
    let mut imported = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if imports(&std::fs::read(&path).unwrap()) {
                imported.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    imported.sort();
    assert_eq!(imported, IMPORTED);
}

fn imports(bytes: &[u8]) -> bool {
    let private = |passphrase: Option<&[u8]>| {
        KeyMaterial::import(bytes, Format::Auto, None, passphrase).is_ok()
    };
    PublicKey::import(bytes, Format::Auto, None).is_ok()
        || private(None)
        || private(Some(b"password"))
        || private(Some(b"123456"))
        || private(Some(b"foobar"))
}

/// Everything else in the folder is broken, obsolete, too weak, or of an
/// algorithm that is not offered.
const IMPORTED: &[&str] = &[
    "ca_key.pem",
    "ec-consistent-curve.pem",
    "ec_private_key.pem",
    "ed25519-pkcs8-enc.pem",
    "ed25519-pkcs8.pem",
    "ed25519-pub.der",
    "ed25519-pub.pem",
    "high-bit-set.pem",
    "rsa_public_key.der",
    "testrsa.pem",
    "x25519-pkcs8-enc.der",
    "x25519-pkcs8.der",
];

#[test]
fn rsa_laboratories_texts() {
    expect(&run("pkcs1-oaep-pss", &[]), 1, 2, 0);
}

#[test]
fn post_quantum_key_files() {
    expect(&run("pq-key-formats", &[]), 40, 0, 0);
}

#[test]
fn rfc_6979() {
    expect(&run("rfc6979", &[]), 57, 90, 318);
}

/// A case that the library gets wrong must be seen: here the vector is wrong.
#[test]
fn a_wrong_vector_fails() {
    let folder = tempfile::tempdir().unwrap();
    let vector = |result: &str, tag: &str| {
        format!(
            r#"{{"algorithm": "HMACSHA256", "numberOfTests": 1, "testGroups": [{{
                "type": "MacTest", "keySize": 160, "tagSize": 256, "tests": [{{
                "tcId": 1, "comment": "RFC 4231", "key": "{}", "msg": "4869205468657265",
                "tag": "{tag}", "result": "{result}", "flags": []}}]}}]}}"#,
            "0b".repeat(20)
        )
    };
    let right = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
    let wrong = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff8";
    for (name, result, tag) in [
        ("1", "valid", right),
        ("2", "valid", wrong),
        ("3", "invalid", wrong),
        ("4", "invalid", right),
        ("5", "acceptable", wrong),
        ("6", "surely", right),
    ] {
        std::fs::write(folder.path().join(name), vector(result, tag)).unwrap();
    }
    let report = harness::run(folder.path(), 2, |_| true, |file| println!("{file}")).unwrap();
    let failed: Vec<usize> = report.files.iter().map(|file| file.counts.failed).collect();
    assert_eq!(failed, [0, 1, 0, 1, 0, 1]);
    assert_eq!(report.total().passed, 3);
}

/// What is in no known format has no cases, and says why.
#[test]
fn unknown_contents_are_not_applicable() {
    let folder = tempfile::tempdir().unwrap();
    let contents = [
        ("json", &b"{\"testGroups\": [{\"type\": 1}]}"[..]),
        ("text", b"just words"),
        ("empty", b""),
        ("binary", &[0xff, 0xfe, 0x00]),
        (
            "pem",
            b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
        ),
        ("gzip", &[0x1f, 0x8b, 0x00]),
    ];
    for (name, bytes) in contents {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut lines = Vec::new();
    let told = |file: &harness::FileReport| lines.push(file.to_string());
    let report = harness::run(folder.path(), 2, |_| true, told).unwrap();
    assert_eq!(lines.len(), contents.len());
    assert!(
        lines.iter().all(|line| line.contains(": not applicable: ")),
        "{lines:?}"
    );
    assert!(report.to_string().contains("nothing was run"), "{report}");
    assert_eq!(report.total().cases, 0);
}
