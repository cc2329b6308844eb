//! `skms cert`, which needs no server for validating.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::support::{Ran, run, skms};

/// A file of the certificate room's suite.
fn suite(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = folder.join("../skms-pki/testdata/rfc5280-section-6");
    folder.join(name).to_str().unwrap().to_owned()
}

/// `skms cert validate` of the suite's leaf with these further arguments.
fn validate(more: &[&str]) -> Ran {
    let mut command = skms();
    command.args(["cert", "validate", &suite("certs/Leaf.crt")]);
    command.args(["--anchor", &suite("certs/Root.crt")]);
    command.args(more);
    run(command, b"")
}

const AT: [&str; 2] = ["--at", "2030-06-15T12:00:00Z"];

#[test]
fn a_path_is_found_or_the_rule_is_named() {
    let ca = suite("certs/CA.crt");
    let with = |more: &[&str]| validate(&[&["--chain", &ca], &AT[..], more].concat());
    let valid = with(&[]).ok();
    let lines: Vec<_> = valid.text().lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0] == "valid" && lines[3].contains("CN=Root"));
    let alone = validate(&AT).fails(5, "no-issuer");
    assert!(alone.text().starts_with("refused"));
    with(&["--name", "a.example"]).fails(5, "(RFC 9525, 6), at certificate 0 (CN=Leaf)");
    with(&["--profile", "web", "--purpose", "server"]).fails(5, "extension-presence");
    with(&["--purpose", "1.2.3", "--policy", "2.999.1"]).fails(5, "policy");
    with(&["--revocation", "required"]).fails(5, "revocation-unknown");
    let (root, own) = (suite("crls/Root.crl"), suite("crls/CA.crl"));
    let gone = suite("crls/CA-revokes.crl");
    with(&["--crl", &root, "--crl", &own, "--revocation", "required"]).ok();
    with(&["--crl", &gone]).fails(5, "revoked");
    with(&["--crl", &gone, "--revocation", "off"]).ok();
    validate(&["--chain", &ca, "--at", "2050-01-01T00:00:00Z"]).fails(5, "expired");
}

#[test]
fn json_tells_the_other_paths_too() {
    let (ca, sister) = (suite("certs/CA.crt"), suite("certs/CA-of-sister.crt"));
    let lists = [suite("crls/CA-revokes.crl"), suite("certs/Sister.crt")];
    let mut arguments = vec!["--json", "--chain", &ca, "--chain", &sister];
    arguments.extend(["--chain", &lists[1], "--crl", &lists[0]]);
    arguments.extend(AT);
    let refused = validate(&arguments).fails(5, "revoked");
    let verdict = refused.json();
    assert_eq!(verdict["valid"], false);
    assert_eq!(verdict["refusal"]["rule"], "revoked");
    assert_eq!(verdict["refusal"]["section"], "RFC 5280, 6.3.3");
    // The path that got furthest is told first, the other beside it.
    let length = |path: &serde_json::Value| path["path"].as_array().unwrap().len();
    assert_eq!(length(&verdict["refusal"]), 4, "{verdict}");
    let others = verdict["alternatives"].as_array().unwrap();
    assert!(others.len() == 1 && length(&others[0]) == 3, "{verdict}");
    let valid = validate(&[&["--json", "--chain", &ca], &AT[..]].concat()).ok();
    assert_eq!(valid.json()["path"][2]["subject"], "CN=Root");
}

#[test]
fn pem_and_der_are_read_and_nonsense_is_not() {
    let pem = |name: &str| {
        let der = std::fs::read(suite(name)).unwrap();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(der)
        )
    };
    let chain = [pem("certs/Leaf.crt"), pem("certs/CA.crt")].concat();
    let anchor = suite("certs/Root.crt");
    let ask = |input: &[u8]| {
        let mut command = skms();
        command.args(["cert", "validate", "-", "--anchor", &anchor]);
        command.args(AT);
        run(command, input)
    };
    ask(chain.as_bytes()).ok();
    ask(pem("certs/Leaf.crt").as_bytes()).fails(5, "no-issuer");
    ask(b"").fails(2, "malformed certificate");
    ask(b"-----BEGIN CERTIFICATE-----\n").fails(2, "without an end");
    ask(&chain.as_bytes()[..chain.len() - 30]).fails(2, "without an end");
    validate(&["--crl", &anchor]).fails(2, "malformed revocation list");
    validate(&["--ocsp", &anchor]).fails(2, "malformed OCSP response");
    validate(&["--chain", "/nonexistent"]).fails(2, "cannot read");
    validate(&["--purpose", "everything"]).fails(2, "unknown purpose");
    validate(&["--at", "yesterday"]).fails(2, "--at");
}
