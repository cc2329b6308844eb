//! `skms message`: two principals, past the server.

use std::process::Command;

use serde_json::Value;

use crate::mutual::{serve, with_settings};
use crate::support::{Ran, Server, is_private, run, skms};

const CONTENT: &[u8] = b"planted: the letter of the command line\n";

/// Certificates for some people, and the authority's.
fn people(server: &Server, names: &[&str]) {
    for name in names {
        let new = ["principal", "create", name, "--authority", "admins"];
        with_settings(server, &[&new[..], &["--group", "crypto-user"]].concat()).ok();
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let issue = ["cert", "issue", "--ca", "admins", "--principal", name];
        let out = ["--key-out", &key, "--out", &certificate];
        with_settings(server, &[&issue[..], &out].concat()).ok();
    }
    let authority = plainly(server, &["ca", "cert", "admins"]);
    let authority = run(authority, b"").ok();
    server.file("people.pem", &authority.out);
}

fn plainly(server: &Server, arguments: &[&str]) -> Command {
    let mut command = skms();
    command
        .current_dir(server.folder.path())
        .env("SKMS_CONFIG", "root.toml")
        .env("SKMS_ADDR", &server.address)
        .args(arguments);
    command
}

/// A command of one of them.
fn of(server: &Server, name: &str, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = skms();
    command
        .current_dir(server.folder.path())
        .env("SKMS_ADDR", &server.address)
        .env("SKMS_CACERT", "data/ca.pem")
        .env("SKMS_CLIENT_CERT", format!("{name}.pem"))
        .env("SKMS_CLIENT_KEY", format!("{name}.key"))
        .arg("message")
        .args(arguments);
    run(command, input)
}

#[test]
fn a_letter_from_bob_to_alice() {
    let server = serve();
    people(&server, &["alice", "bob", "mallory"]);
    let alice = |arguments: &[&str]| of(&server, "alice", arguments, b"");
    let bob = |arguments: &[&str]| of(&server, "bob", arguments, CONTENT);
    let anchors = ["--anchors", "people.pem"];

    server.file("passphrase", b"correct horse\n");
    let locked = ["--passphrase-file", "passphrase"];
    alice(&[&["keygen", "-o", "sealing.key"], &locked[..]].concat()).ok();
    assert!(is_private(&server.path("sealing.key")));
    let key = std::fs::read_to_string(server.path("sealing.key")).unwrap();
    assert!(key.contains("BEGIN ENCRYPTED PRIVATE KEY"), "{key}");
    alice(&["keygen", "-o", "sealing.key"]).fails(2, "exists already");
    alice(&["keygen", "-o", "x", "-a", "Ed25519"]).fails(2, "no algorithm to seal to");

    // Nothing is there before it is published.
    let lookup = [&["lookup", "alice"], &anchors[..]].concat();
    bob(&lookup).fails(3, "sealing key");
    let publish = ["publish", "--key", "sealing.key", "--lifetime"];
    alice(&[&publish[..], &["30d"]].concat()).fails(2, "passphrase");
    alice(&[&publish[..], &["367d"], &locked].concat()).fails(2, "366d");
    let published = alice(&[&publish[..], &["30d"], &locked].concat()).ok();
    assert!(published.text().contains("good"), "{}", published.text());
    let found = bob(&lookup).ok();
    assert!(found.text().contains("X-Wing, good"), "{}", found.text());

    let seal = [&["seal", "alice", "-o", "letter"], &anchors[..]].concat();
    bob(&seal).ok();
    let letter = std::fs::read(server.path("letter")).unwrap();
    assert!(!letter.windows(7).any(|part| part == b"planted"));
    let open = [
        &["open", "letter", "--key", "sealing.key"],
        &anchors[..],
        &locked,
    ]
    .concat();
    let opened = alice(&open).ok();
    assert_eq!(opened.out, CONTENT);
    assert!(opened.said.contains("/certificate/bob"), "{}", opened.said);
    let expecting = |who: &str| alice(&[&open[..], &["--from", who, "--max-age", "1h"]].concat());
    assert_eq!(expecting("bob").ok().out, CONTENT);
    expecting("mallory").fails(5, "wrong-sender");
    let told: Value = alice(&[&open[..], &["-o", "plain", "--json"]].concat())
        .ok()
        .json();
    assert!(told["content"].is_null(), "{told}");
    assert_eq!(told["id"].as_str().unwrap().len(), 64);
    assert_eq!(std::fs::read(server.path("plain")).unwrap(), CONTENT);
    assert!(is_private(&server.path("plain")));
    // As text through a pipe, too.
    let text = bob(&[&["seal", "alice"], &anchors[..]].concat()).ok();
    let piped = [
        &["open", "-", "--key", "sealing.key"],
        &anchors[..],
        &locked,
    ]
    .concat();
    assert_eq!(of(&server, "alice", &piped, &text.out).ok().out, CONTENT);

    // Others, other keys, other authorities, other bytes.
    of(
        &server,
        "mallory",
        &["keygen", "-o", "other.key", "-a", "ML-KEM-768"],
        b"",
    )
    .ok();
    let mallory = ["publish", "--key", "other.key"];
    of(&server, "mallory", &mallory, b"").ok();
    let others = [&["open", "letter", "--key", "other.key"], &anchors[..]].concat();
    of(&server, "mallory", &others, b"").fails(5, "wrong-recipient");
    let strange = ["seal", "alice", "-o", "x", "--anchors", "data/ca.pem"];
    bob(&strange).fails(5, "certificate-untrusted");
    let mut bent = letter.clone();
    *bent.last_mut().unwrap() ^= 1;
    server.file("letter", &bent);
    alice(&open).fails(5, "signature");
    server.file("letter", &letter);
    // Without the statement nothing opens.
    std::fs::rename(server.path("sealing.key.statements"), server.path("away")).unwrap();
    alice(&open).fails(2, "statements");
    std::fs::rename(server.path("away"), server.path("sealing.key.statements")).unwrap();

    // A key that quantum computers open is sealed to only if one says so.
    alice(&["keygen", "-o", "old.key", "-a", "X25519"]).ok();
    alice(&["publish", "--key", "old.key"]).ok();
    bob(&seal).fails(5, "no-common-suite");
    bob(&[&seal[..], &["--classical"]].concat()).ok();
    // What went to the key before still opens.
    server.file("letter", &letter);
    assert_eq!(alice(&open).ok().out, CONTENT);

    let listed = alice(&["list"]).ok();
    let rows: Vec<&str> = listed.text().lines().collect();
    assert_eq!(rows.len(), 3, "{}", listed.text());
    assert!(
        rows[1].contains("X25519") && rows[1].contains("good"),
        "{}",
        rows[1]
    );
    assert!(rows[2].contains("superseded"), "{}", rows[2]);
    assert!(alice(&["withdraw"]).ok().text().contains("withdrawn"));
    bob(&[&seal[..], &["--classical"]].concat()).fails(5, "statement-withdrawn");
    let classical = [&lookup[..], &["--classical"]].concat();
    bob(&classical).fails(5, "statement-withdrawn");

    // Somebody has to be known by a certificate.
    let mut bare = skms();
    bare.current_dir(server.folder.path())
        .env("SKMS_ADDR", &server.address)
        .env("SKMS_CACERT", "data/ca.pem")
        .args(["message", "lookup", "alice", "--anchors", "people.pem"]);
    run(bare, b"").fails(2, "client certificate");
}
