//! x509-limbo (testdata/x509-limbo) with the web's profile.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../examples/shared/limbo.rs"]
mod limbo;
#[path = "../examples/shared/moment.rs"]
mod moment;
#[path = "../examples/shared/pem.rs"]
mod pem;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use limbo::{read_cases, run};
use skms_pki::path::Profile;

/// Everything that can go wrong here.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/x509-limbo")
}

/// Cases that come out otherwise, and why; docs/validation.md has the same.
const DIFFERENT: [&str; 3] = [
    // Contradicts webpki::nc::permitted-dns-match-noncritical; the Forum's word
    // counts in this profile.
    "rfc5280::nc::permitted-dns-match-noncritical",
    // Contradicts webpki::san::leftmost-wildcard-san and others, whose common
    // names are in no subjectAltName either.
    "webpki::cn::not-in-san",
    // A duty of authorities that no list shipped with a validator can check.
    "webpki::san::public-suffix-private-namespace-wildcard-san",
];

#[derive(serde::Deserialize)]
struct Peers {
    peers: BTreeMap<String, BTreeMap<String, String>>,
}

#[test]
fn every_case_is_as_expected_but_three() {
    let folder = folder();
    let cases = read_cases(&folder.join("limbo.json")).unwrap();
    let peers = std::fs::read(folder.join("peers.json")).unwrap();
    let peers: Peers = serde_json::from_slice(&peers).unwrap();
    let mut different = Vec::new();
    for case in &cases {
        let start = Instant::now();
        let verdict = run(case, Profile::WebPki);
        let took = start.elapsed();
        // A bound on hanging, not on speed: ordinary cases take a millisecond.
        assert!(took < Duration::from_secs(60), "{} hangs", case.id);
        if verdict.got == case.expected_result {
            continue;
        }
        assert_eq!(
            case.expected_result, "FAILURE",
            "{}: {}",
            case.id, verdict.reason
        );
        for (name, answers) in &peers.peers {
            let answer = answers.get(&case.id).map(String::as_str);
            assert_ne!(answer, Some("FAILURE"), "{name} refuses {}", case.id);
        }
        different.push(case.id.as_str());
    }
    assert_eq!(cases.len(), 104);
    assert_eq!(different, DIFFERENT);
}

#[test]
fn the_other_profile_decides_the_contradictory_pair_the_other_way() {
    let cases = read_cases(&folder().join("limbo.json")).unwrap();
    let got = |id: &str| {
        let case = cases.iter().find(|case| case.id == id).unwrap();
        run(case, Profile::Rfc5280).got
    };
    assert_eq!(
        got("rfc5280::nc::permitted-dns-match-noncritical"),
        "FAILURE"
    );
    assert_eq!(
        got("webpki::nc::permitted-dns-match-noncritical"),
        "FAILURE"
    );
    assert_eq!(got("webpki::eku::ee-without-eku"), "SUCCESS");
    assert_eq!(got("pathlen::intermediate-pathlen-may-increase"), "SUCCESS");
}
