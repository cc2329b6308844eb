//! What badkeys flags is flagged: its own test keys, in the repository's
//! `testdata/weak/badkeys`, and what its tests say of them.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dashu_int::UBig;
use skms_weak::blocklist::{self, Scheme};
use skms_weak::{Blocklist, Detector, Finding, Gravity, PublicKey, check};

fn file(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/weak/badkeys");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The bytes of the only PEM block, and what it is.
fn pem(text: &str) -> (String, Vec<u8>) {
    let (_, rest) = text.split_once("-----BEGIN ").unwrap();
    let (label, rest) = rest.split_once("-----").unwrap();
    let (body, _) = rest.split_once("-----END").unwrap();
    let body: String = body.split_whitespace().collect();
    (label.to_owned(), STANDARD.decode(body).unwrap())
}

/// The SubjectPublicKeyInfo in a certificate or request: the first element in
/// it that is one, which is enough for these files.
fn spki_within(der: &[u8]) -> PublicKey {
    (0..der.len())
        .filter(|at| der[*at] == 0x30)
        .find_map(|at| {
            let rest = &der[at..];
            let length = match rest.get(1)? {
                length @ 0..=0x7f => 2 + usize::from(*length),
                0x81 => 3 + usize::from(*rest.get(2)?),
                0x82 => 4 + (usize::from(*rest.get(2)?) << 8) + usize::from(*rest.get(3)?),
                _ => return None,
            };
            PublicKey::from_spki(rest.get(..length)?).ok()
        })
        .unwrap()
}

fn key(name: &str) -> PublicKey {
    let text = file(name);
    if text.starts_with("ssh-") {
        return PublicKey::from_ssh_line(text.trim()).unwrap();
    }
    let (label, der) = pem(&text);
    match label.as_str() {
        "PUBLIC KEY" => PublicKey::from_spki(&der).unwrap(),
        "RSA PUBLIC KEY" => PublicKey::from_pkcs1(&der).unwrap(),
        "RSA PRIVATE KEY" => PublicKey::from_rsa_private(&der).unwrap(),
        "CERTIFICATE" | "CERTIFICATE REQUEST" => spki_within(&der),
        other => panic!("{name}: {other}"),
    }
}

fn names(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|one| one.detector.name()).collect()
}

#[test]
fn every_test_key_of_badkeys_is_judged_as_there() {
    use Gravity::{Compromised, Unusual, Weak};
    type Wanted = &'static [(&'static str, Gravity)];
    let table: &[(&str, Wanted)] = &[
        ("rsa-ok.key", &[]),
        ("ed25519-rfc-example.key", &[]),
        ("ec-p256-rfc-example.key", &[]),
        ("x448-ok.key", &[]),
        ("mldsa44.key", &[]),
        ("mldsa65-cert.crt", &[]),
        ("dh-ok.key", &[("dhinvalid", Weak)]),
        ("rsa-debianweak.key", &[]),
        ("rsa-fermat.crt", &[("fermat", Compromised)]),
        ("rsa-fermat.csr", &[("fermat", Compromised)]),
        ("rsa-fermat-pkcs1.key", &[("fermat", Compromised)]),
        ("rsa-fermat-pkcs8.key", &[("fermat", Compromised)]),
        ("rsa-roca.key", &[("roca", Compromised)]),
        (
            "rsa-pattern.key",
            &[
                ("rsapoly", Compromised),
                ("pattern", Weak),
                ("xzbackdoor", Weak),
            ],
        ),
        ("rsa-sharedprimes.key", &[("sharedprimes", Compromised)]),
        (
            "rsa-smallfactors-corrupt.key",
            &[("smallfactors", Compromised)],
        ),
        (
            "rsa-smallfactors-valid.key",
            &[("smallfactors", Compromised)],
        ),
        (
            "rsa-small-d.key",
            &[("smalld", Compromised), ("rsawarnings", Unusual)],
        ),
        ("rsa-large-e.key", &[("rsawarnings", Unusual)]),
        ("rsa-vanity.key", &[("rsabias", Weak)]),
        ("rsapoly128.key", &[("rsapoly", Compromised)]),
        (
            "rsapoly32.key",
            &[("rsapoly", Compromised), ("rsawarnings", Weak)],
        ),
        ("rsa-e1.key", &[("rsainvalid", Compromised)]),
        ("rsa-e-larger-n.key", &[("rsainvalid", Compromised)]),
        // badkeys reads these and says nothing.
        ("rsa-nprime.key", &[("rsainvalid", Compromised)]),
        ("rsanzero.key", &[("rsainvalid", Compromised)]),
        ("rsazerozero.key", &[("rsainvalid", Compromised)]),
        ("dsa-sshpub-ietf-example.key", &[("dhinvalid", Weak)]),
        ("ecdsa-explicit-pub.key", &[("curvepoint", Weak)]),
        ("rootagency.crt", &[("rsawarnings", Weak)]),
        ("rsa-fido.crt", &[]),
    ];
    for (name, wanted) in table {
        let found = check(&key(name), []);
        for (detector, gravity) in *wanted {
            let one = found.iter().find(|one| one.detector.name() == *detector);
            let one = one.unwrap_or_else(|| panic!("{name}: {detector} not among {found:?}"));
            assert_eq!(one.gravity, *gravity, "{name}: {one}");
        }
        assert_eq!(found.len(), wanted.len(), "{name}: {found:?}");
    }
}

#[test]
fn a_modulus_by_itself_is_judged() {
    let text = file("rsa-fermat-hexmodulus.txt");
    let n = UBig::from_str_radix(text.trim(), 16).unwrap();
    let found = check(&PublicKey::rsa(n, UBig::from(65_537_u32)), []);
    assert!(names(&found).contains(&"fermat"));
}

/// SHA-256 of the number that names a key, as badkeys 0.0.21 computes it.
const DEBIAN: &str = "31c152529eb033a010f8c272fd8d42b0a9bde378ae56982058985be84a743cea";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

#[test]
fn a_debian_key_is_found_on_the_list_of_badkeys() {
    let mut data = hex(&DEBIAN[..30]);
    data.push(3);
    let list = blocklist::badkeys("badkeys", &data, vec![(3, "debianssl".into())]).unwrap();
    let found = check(&key("rsa-debianweak.key"), [&list]);
    assert_eq!(names(&found), ["blocklist"]);
    assert_eq!(found[0].gravity, Gravity::Compromised);
    assert!(
        found[0].words.contains("badkeys (debianssl)"),
        "{}",
        found[0]
    );
    assert!(check(&key("rsa-ok.key"), [&list]).is_empty());
}

/// The last 80 bits of what `openssl rsa -pubin -noout -modulus | sha1sum`
/// says of the key.
const DEBIAN_SHA1: &str = "b7ead9492dfd921fc4f9";

#[test]
fn a_debian_key_is_found_on_the_list_of_debian() {
    let text = format!("# head\n{DEBIAN_SHA1}\n");
    let list = blocklist::openssl_blacklist("debian-2008", &text).unwrap();
    assert_eq!(
        names(&check(&key("rsa-debianweak.key"), [&list])),
        ["blocklist"]
    );
    assert!(check(&key("rsa-ok.key"), [&list]).is_empty());
    assert!(check(&key("ed25519-rfc-example.key"), [&list]).is_empty());
}

#[test]
fn published_keys_of_every_kind_are_found_by_their_names() {
    // By badkeys' numbers and by whole keys.
    let published = [
        (
            "ec-p256-rfc-example.key",
            "f9109dc651a11992575b3ec496aded2f3003f240bdf06939929d8d0f28071e5a",
        ),
        (
            "ecdsa-explicit-pub.key",
            "336ab2ef332415f3ec691a96a4dfd2f4c75493619282d39445eafb4478f51087",
        ),
        (
            "ed25519-rfc-example.key",
            "e744c0791320c3285460eddb523f14c88d857ada46b97a5690d88cf978b9191f",
        ),
        (
            "dsa-sshpub-ietf-example.key",
            "9ca83ea9df39e823f425c9d4da913d87aa7068dda0b2d53165e428ceb801df85",
        ),
        (
            "mldsa44.key",
            "9f107644c1084526af3bc8098680b05499a2325a644e388fb4f970e058d19d46",
        ),
        (
            "dh-ok.key",
            "0faf1628176afafc0285200a03c8aeb9d78e5687c00d39760057054ff62b15cb",
        ),
        (
            "x448-ok.key",
            "150a9ed4c48b3dd771b4babf7f018cb6f4ab9f8e1e55170b8923e08acb440de8",
        ),
    ];
    let entries = published
        .iter()
        .map(|(_, hash)| [&hex(hash)[..15], &[1]].concat())
        .collect();
    let sources = vec![(1, "rfc".to_owned())];
    let list = Blocklist::new("known", Scheme::Badkeys120, sources, entries).unwrap();
    for (name, _) in published {
        let found = check(&key(name), [&list]);
        assert!(names(&found).contains(&"blocklist"), "{name}: {found:?}");
    }
    assert!(check(&key("rsa-ok.key"), [&list]).is_empty());
}

#[test]
fn every_detector_has_its_own_name() {
    for detector in Detector::ALL {
        assert_eq!(detector.name().parse(), Ok(*detector));
    }
    assert!("".parse::<Detector>().is_err());
    for gravity in Gravity::ALL {
        assert_eq!(gravity.name().parse(), Ok(gravity));
    }
}
