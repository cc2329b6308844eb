//! `skms weak`: files looked at on the spot, lists made, and what badkeys says.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{run, skms};

fn badkeys_file(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/weak/badkeys");
    folder.join(name).to_str().unwrap().to_owned()
}

fn check(arguments: &[&str], input: &[u8]) -> crate::support::Ran {
    let mut command = skms();
    command.args(["weak", "check", "--json"]).args(arguments);
    run(command, input)
}

/// Every detector that something in a file is flagged by.
fn flags(said: &Value) -> Vec<String> {
    let items = said.as_array().unwrap().iter();
    let findings = items.flat_map(|one| one["findings"].as_array().unwrap());
    findings
        .map(|one| one["detector"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn files_are_looked_at_without_a_server() {
    let good = check(&[&badkeys_file("rsa-ok.key")], &[]).ok();
    assert!(flags(&good.json()).is_empty());
    for (file, detector) in [
        ("rsa-roca.key", "roca"),
        ("rsa-fermat.crt", "fermat"),
        ("rsa-fermat.csr", "fermat"),
        ("rsa-fermat-pkcs1.key", "fermat"),
        ("rsa-sharedprimes.key", "sharedprimes"),
        ("dsa-sshpub-ietf-example.key", "dhinvalid"),
        ("ecdsa-explicit-pub.key", "curvepoint"),
    ] {
        let ran = check(&[&badkeys_file(file)], &[]).fails(5, "compromised or weak");
        assert!(flags(&ran.json()).contains(&detector.to_owned()), "{file}");
    }
    // What is merely unusual is said and is no matter.
    let large = check(&[&badkeys_file("rsa-vanity.key")], &[]);
    assert_eq!(large.code, 5);
    // By standard input, several at once: one of them is enough.
    let both = [
        fs::read(badkeys_file("rsa-ok.key")).unwrap(),
        fs::read(badkeys_file("rsa-roca.key")).unwrap(),
    ]
    .concat();
    let ran = check(&["-"], &both).fails(5, "");
    assert_eq!(ran.json().as_array().unwrap().len(), 2);
    // What cannot be read is no verdict.
    for bad in [
        &b"nothing"[..],
        b"",
        b"-----BEGIN PUBLIC KEY-----\nMII",
        b"-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        b"ssh-ed25519 AAAA x",
    ] {
        check(&["-"], bad).fails(2, "");
    }
}

#[test]
fn keys_that_were_just_made_are_good() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..],
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
        &[
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:secp256k1",
        ],
        &["-algorithm", "ED25519"],
        &["-algorithm", "X25519"],
    ] {
        let made = Command::new("openssl")
            .arg("genpkey")
            .args(arguments)
            .output();
        let Ok(made) = made else {
            eprintln!("SKIPPED: no openssl");
            return;
        };
        let path = folder.path().join("key.pem");
        fs::write(&path, &made.stdout).unwrap();
        let path = path.to_str().unwrap();
        let ran = check(&[path], &[]).ok();
        assert!(flags(&ran.json()).is_empty(), "{arguments:?}");
        let public = Command::new("openssl")
            .args(["pkey", "-pubout", "-in", path])
            .output()
            .unwrap();
        let ran = check(&["-"], &public.stdout).ok();
        assert!(flags(&ran.json()).is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_list_is_made_of_keys_and_found_in() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let build = |arguments: &[&str]| {
        let mut command = skms();
        command.args(["weak", "blocklist", "build", "--name", "known"]);
        command.args(arguments);
        run(command, &[])
    };
    let (list, ok) = (path("list"), badkeys_file("rsa-ok.key"));
    let example = badkeys_file("ed25519-rfc-example.key");
    build(&["--from", "keys", "--out", &list, &ok, &example]).ok();
    check(&[&ok, "--list", &list], &[]).fails(5, "");
    check(&[&badkeys_file("x448-ok.key"), "--list", &list], &[]).ok();

    // badkeys' own, with the digest that says whether it is whole.
    let data: Vec<u8> = (0..64).collect();
    let digest: String = skms_crypto::hash::sha256(&[&data])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    fs::write(path("blocklist.dat"), &data).unwrap();
    let about = serde_json::json!({"bkformat": 0, "blocklist_sha256": digest,
        "blocklists": [{"id": 15, "name": "rfc", "type": "github"}]});
    fs::write(path("data.json"), about.to_string()).unwrap();
    let (dat, about) = (path("blocklist.dat"), path("data.json"));
    let arguments = [
        "--from",
        "badkeys",
        "--sources",
        &about,
        "--out",
        &list,
        &dat,
    ];
    build(&arguments).ok();
    fs::write(&dat, &data[..48]).unwrap();
    build(&arguments).fails(2, "cut off");

    // A list that is cut off is no list.
    let whole = fs::read(&list).unwrap();
    fs::write(&list, &whole[..whole.len() - 1]).unwrap();
    check(&[&ok, "--list", &list], &[]).fails(2, "cut off or altered");
}

/// What badkeys says of each file, by itself, and of keys made to be bad.
const SCRIPT: &str = r#"
import json, sys, pathlib, random, badkeys.checks as c
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import rsa
checks = [k for k in c.allchecks if k != "blocklist"]
out = {}
def note(name, text):
    r = c.detectandcheck(text, checks=checks)
    if r["type"] not in ("unparseable", "unsupported", "notfound"):
        out[name] = {"text": text, "flags": sorted(r["results"])}
for f in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    if f.suffix in (".key", ".crt", ".csr"):
        note(f.name, f.read_text())
import gmpy2
random.seed(8)
def pem(n, e=65537):
    return rsa.RSAPublicNumbers(e, int(n)).public_key().public_bytes(
        s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode()
def prime(bits, top=3):
    return gmpy2.next_prime(random.getrandbits(bits) | (top << (bits - 2)))
def without(make):
    while c.smallfactors(n := make()):
        pass
    return n
for i in range(12):
    p, q = prime(1024), prime(1024)
    note(f"good-{i}", pem(p * q))
    note(f"close-{i}", pem(p * gmpy2.next_prime(p + (1 << (480 + 5 * i)))))
    note(f"small-{i}", pem(prime(2 + i) * prime(2046 - i)))
    note(f"e-{i}", pem(p * q, [3, 5, 17, 257, 65539, (1 << 33) + 1][i % 6]))
    d = prime(16 + 40 * i)
    note(f"d-{i}", pem(p * q, int(gmpy2.invert(d, (p - 1) * (q - 1)))))
    zeros = bytes(16) if i % 2 else bytes([7]) * (14 + i)
    def pattern():
        n = bytearray(random.randbytes(256)); n[0] |= 0x80; n[100:100 + len(zeros)] = zeros
        return int.from_bytes(n, "big") | 1
    note(f"pattern-{i}", pem(without(pattern)))
    a = [prime(512 + 64 * i, 3), prime(500 + 64 * i, 3)]
    note(f"size-{i}", pem(a[0] * a[1]))
    note(f"poly-{i}", pem(without(lambda: sum(
        random.getrandbits(12) << (128 * k) for k in range(16)) | (1 << 2047) | 1)))
    note(f"bias-{i}", pem(without(lambda: sum(
        (random.random() < 0.30 + i * 0.035) << k for k in range(2048)) | (1 << 2047) | 1)))
json.dump(out, sys.stdout)
"#;

#[test]
fn what_badkeys_flags_is_flagged() {
    let Some(python) = std::env::var_os("SKMS_TEST_PYTHON") else {
        eprintln!("SKIPPED: SKMS_TEST_PYTHON names no interpreter");
        return;
    };
    let output = Command::new(python)
        .args(["-W", "ignore", "-c", SCRIPT, &badkeys_file("")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = all.as_object().unwrap();
    assert!(all.len() > 100, "{}", all.len());
    let mut flagged = 0;
    for (name, one) in all {
        let ours = check(&["-"], one["text"].as_str().unwrap().as_bytes());
        assert_ne!(ours.code, 2, "{name}: {}", ours.said);
        let ours = flags(&ours.json());
        let theirs = one["flags"].as_array().unwrap();
        for flag in theirs {
            flagged += 1;
            let flag = flag.as_str().unwrap();
            assert!(
                ours.iter().any(|own| own == flag),
                "{name}: {flag} not in {ours:?}"
            );
        }
        if name.starts_with("good-") {
            assert!(ours.is_empty() && theirs.is_empty(), "{name}: {ours:?}");
        }
        // Nothing by its name that badkeys does not say.
        for own in ours.iter().filter(|own| !ONLY_OURS.contains(&own.as_str())) {
            assert!(
                theirs.iter().any(|flag| flag == own),
                "{name}: {own} is ours alone"
            );
        }
    }
    assert!(flagged > 80, "{flagged}");
}

/// What badkeys has not, or says less of: secrets such as that of RFC 9935's
/// example, moduli that are primes, exponents that are even, curves and groups.
const ONLY_OURS: [&str; 6] = [
    "lowentropy",
    "rsainvalid",
    "curvepoint",
    "smallscalar",
    "smallorder",
    "dhinvalid",
];
