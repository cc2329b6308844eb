//! A key and its chain in one PKCS #12 file, as `openssl`, `certtool` and
//! Python's `cryptography` read it. A peer that is missing is a visible skip.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "issue/folder.rs"]
#[allow(dead_code)] // Each test program uses a part of what they share.
mod folder;
#[path = "issue/support.rs"]
#[allow(dead_code)] // Each test program uses a part of what they share.
mod support;

use std::process::Command;

use folder::{Folder, have, said};
use skms_crypto::pkcs12::{Mac, bundle};
use skms_crypto::{Algorithm, Format, KeyMaterial, OpenKey};
use skms_pki::issue::ProfileKind;
use support::{Ca, good_request, spki};

const PASSPHRASE: &str = "grün und lang genug";

/// A key, its PKCS#8, and its file.
fn made(algorithm: Algorithm, mac: Mac) -> (Vec<u8>, Vec<u8>) {
    let ca = Ca::issuing(Algorithm::EcP256);
    let material = KeyMaterial::generate(algorithm).unwrap();
    let key = OpenKey::open(&material).unwrap();
    let kind = ProfileKind::TlsServer;
    let leaf = ca
        .issue(&kind.profile(), &good_request(kind, spki(&key)))
        .unwrap();
    let mut chain = vec![leaf.as_slice()];
    chain.extend(ca.authority.chain.iter().map(Vec::as_slice));
    let file = bundle(&material, &chain, "Größe 7", PASSPHRASE, mac).unwrap();
    let plain = material.export(Format::Pkcs8Der, None).unwrap();
    (plain.expose().to_vec(), file.expose().to_vec())
}

#[test]
fn openssl_and_certtool_read_the_classic_form() {
    for algorithm in [Algorithm::EcP256, Algorithm::Rsa2048, Algorithm::Ed25519] {
        let (plain, der) = made(algorithm, Mac::Classic);
        let folder = Folder::new();
        let file = folder.write("key.p12", &der);
        if have("openssl") {
            let password = format!("pass:{PASSPHRASE}");
            let read = ["pkcs12", "-in", &file, "-passin", &password, "-info"];
            let text = folder.run("openssl", &[&read[..], &["-nodes", "-nomacver"]].concat());
            assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3, "{text}");
            let text = folder.run("openssl", &[&read[..], &["-nodes"]].concat());
            assert!(text.contains("MAC: sha256, Iteration 600000"), "{text}");
            assert!(text.contains("AES-256-CBC"), "{text}");
            folder.write("all.pem", text.as_bytes());
            let key = [
                "pkey", "-in", "all.pem", "-outform", "DER", "-out", "key.der",
            ];
            folder.run("openssl", &key);
            let theirs = std::fs::read(folder.path("key.der")).unwrap();
            let read = |der: &[u8]| {
                let key = KeyMaterial::import(der, Format::Auto, Some(algorithm), None);
                key.unwrap().public_key().unwrap().unwrap()
            };
            assert_eq!(read(&theirs), read(&plain));
            folder.refuses(
                "openssl",
                &["pkcs12", "-in", &file, "-passin", "pass:other"],
            );
            let mut altered = der.clone();
            let middle = altered.len() / 3;
            altered[middle] ^= 1;
            let file = folder.write("altered.p12", &altered);
            folder.refuses("openssl", &["pkcs12", "-in", &file, "-passin", &password]);
        }
        if have("certtool") {
            let read = ["--p12-info", "--inder", "--infile", &file, "--password"];
            let text = folder.run("certtool", &[&read[..], &[PASSPHRASE]].concat());
            assert!(text.contains("BEGIN CERTIFICATE"), "{text}");
            folder.refuses("certtool", &[&read[..], &["other"]].concat());
        }
    }
}

/// Prints how many certificates came with the key, and the key's kind.
const READ: &str = r"
import sys
from cryptography.hazmat.primitives.serialization import pkcs12
file = open(sys.argv[1], 'rb').read()
found = pkcs12.load_pkcs12(file, sys.argv[2].encode())
print(len(found.additional_certs), type(found.key).__name__, found.cert.friendly_name.decode())
";

#[test]
fn python_reads_both_forms() {
    let Some(python) = std::env::var_os("SKMS_TEST_PYTHON") else {
        return eprintln!("SKIPPED: SKMS_TEST_PYTHON names no interpreter");
    };
    for mac in [Mac::Classic, Mac::Pbmac1] {
        let folder = Folder::new();
        let (_, der) = made(Algorithm::EcP384, mac);
        let file = folder.write("key.p12", &der);
        let ask = |passphrase: &str| {
            Command::new(&python)
                .args(["-c", READ, &file, passphrase])
                .output()
                .unwrap()
        };
        let output = ask(PASSPHRASE);
        let text = said(&output);
        assert!(output.status.success(), "{mac:?}: {text}");
        assert!(text.starts_with("2 ") && text.contains("Größe 7"), "{text}");
        assert!(!ask("other").status.success(), "{mac:?}");
    }
}
