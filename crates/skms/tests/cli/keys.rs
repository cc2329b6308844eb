//! The life of keys, and who may do what.

use crate::support::{Server, is_private, run};

/// A key that looks like one: others are refused.
const DRAWN: [u8; 32] = [
    0x3b, 0x8e, 0x51, 0xd6, 0x07, 0xfa, 0x94, 0x2c, 0xc9, 0x1d, 0x70, 0xa3, 0xe8, 0x45, 0x66, 0xbf,
    0x12, 0xd9, 0x8a, 0x3f, 0x5c, 0xe1, 0x04, 0xb7, 0x6d, 0xf0, 0x29, 0x9e, 0x43, 0xca, 0x15, 0x88,
];

#[test]
fn from_creation_to_deletion() {
    let server = Server::dev();
    server
        .run(&["keyring", "create", "pay", "--algorithm", "AES-256-GCM"])
        .ok();
    let made = server.json(&[
        "key",
        "create",
        "pay/orders",
        "--tag",
        "team=a",
        "--destroy-window",
        "0s",
    ]);
    assert_eq!(made["key"]["algorithm"], "AES-256-GCM");
    assert_eq!(made["key"]["tags"]["team"], "a");
    server
        .run(&["key", "create", "pay/orders"])
        .fails(4, "choose another name");
    let old = server.run_with(&["encrypt", "pay/orders"], b"one").ok().out;

    assert_eq!(
        server.json(&["key", "rotate", "pay/orders"])["key"]["latest_version"],
        2
    );
    let moved = server.run_with(&["rewrap", "pay/orders"], &old).ok();
    assert!(moved.text().starts_with("skms:v2:"));

    server.run(&["key", "suspend", "pay/orders"]).ok();
    server
        .run_with(&["encrypt", "pay/orders"], b"x")
        .fails(4, "suspended");
    server.run(&["key", "resume", "pay/orders"]).ok();
    server.run_with(&["encrypt", "pay/orders"], b"x").ok();

    let revoke = [
        "key",
        "revoke",
        "pay/orders",
        "--version",
        "1",
        "--reason",
        "keyCompromise",
    ];
    server.run(&revoke).ok();
    server
        .run_with(&["decrypt", "pay/orders"], &old)
        .fails(4, "compromised");
    server
        .run(&[
            "key",
            "grant",
            "pay/orders",
            "--version",
            "1",
            "--for",
            "1h",
            "--reason",
            "rescue",
        ])
        .ok();
    assert_eq!(
        server.run_with(&["decrypt", "pay/orders"], &old).ok().out,
        b"one"
    );

    let shown = server.json(&["key", "show", "pay/orders", "--versions"]);
    assert_eq!(
        shown["versions"][0]["revocation"]["reason"],
        "keyCompromise"
    );
    server
        .run(&[
            "key",
            "update",
            "pay/orders",
            "--minimum-decrypt-version",
            "2",
            "--force",
        ])
        .ok();
    server
        .run_with(&["decrypt", "pay/orders"], &old)
        .fails(4, "");
    server
        .run(&["key", "update", "pay/orders"])
        .fails(2, "nothing to change");

    server.run(&["keyring", "delete", "pay"]).fails(4, "");
    server
        .run(&["key", "show", "pay/nonesuch"])
        .fails(3, "--namespace");
    let list = server.text(&["key", "list", "pay"]);
    assert!(list.contains("orders") && list.contains("active"), "{list}");
}

#[test]
fn destruction_waits_and_can_be_cancelled() {
    let server = Server::dev();
    server
        .run(&["key", "create", "k", "-a", "AES-256-GCM"])
        .ok();
    let encrypted = server.run_with(&["encrypt", "k"], b"x").ok().out;
    let destroyed = server.json(&["key", "destroy", "k"]);
    assert!(destroyed["versions"][0]["destroy_at"].is_string());
    for shown in [&["key", "show", "k"][..], &["key", "list"]] {
        let shown = server.text(shown);
        assert!(shown.contains("active, to be destroyed 2"), "{shown}");
    }
    server.run(&["key", "restore", "k"]).ok();
    assert!(
        !server
            .text(&["key", "show", "k"])
            .contains("to be destroyed")
    );
    assert_eq!(server.json(&["key", "show", "k"])["state"], "active");
    server.run_with(&["decrypt", "k"], &encrypted).ok();
    server.run(&["key", "delete", "k"]).fails(4, "");
}

#[test]
fn keys_travel_only_as_they_were_made_to() {
    let server = Server::dev();
    server
        .run(&["key", "create", "stays", "-a", "EC-P256"])
        .ok();
    server
        .run(&["key", "export", "stays"])
        .fails(4, "--exportable");
    let pem = server.text(&["key", "public", "stays"]);
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{pem}");

    server
        .run(&["key", "create", "goes", "-a", "EC-P256", "--exportable"])
        .ok();
    server.file("pass", b"correct horse\n");
    let export = [
        "key",
        "export",
        "goes",
        "--format",
        "pkcs8-pem",
        "--passphrase-file",
        "pass",
        "-o",
        "goes.pem",
    ];
    server.run(&export).ok();
    assert!(is_private(&server.path("goes.pem")));
    let pem = std::fs::read_to_string(server.path("goes.pem")).unwrap();
    assert!(pem.contains("ENCRYPTED PRIVATE KEY"), "{pem}");
    let import = ["key", "import", "back", "--in", "goes.pem"];
    server.run(&import).fails(2, "");
    server
        .run(&[&import[..], &["--passphrase-file", "pass"]].concat())
        .ok();
    assert_eq!(
        server.text(&["key", "public", "back"]),
        server.text(&["key", "public", "goes"])
    );

    server
        .run_with(
            &[
                "key",
                "import",
                "raw",
                "--in",
                "-",
                "--format",
                "raw",
                "-a",
                "AES-256-GCM",
            ],
            &DRAWN,
        )
        .ok();
    server
        .run_with(
            &[
                "key",
                "import",
                "bad",
                "--in",
                "-",
                "--format",
                "raw",
                "-a",
                "AES-256-GCM",
            ],
            &[7; 31],
        )
        .fails(2, "");
    server
        .run(&["key", "import", "bad", "--in", "missing"])
        .fails(2, "cannot read");
}

#[test]
fn a_key_is_brought_and_taken_wrapped() {
    let server = Server::dev();
    server
        .run(&["key", "create", "kek", "-a", "AES-256-KWP"])
        .ok();
    server.file("plain", &DRAWN);
    server.run(&["wrap", "kek", "plain", "-o", "wrapped"]).ok();
    let import = [
        "key",
        "import",
        "mine",
        "--in",
        "wrapped",
        "--wrapped-with",
        "kek",
        "-a",
        "AES-256-GCM",
        "--format",
        "raw",
        "--exportable",
    ];
    server.run(&import).ok();
    let taken = server
        .run(&[
            "key",
            "export",
            "mine",
            "--format",
            "raw",
            "--encoding",
            "raw",
        ])
        .ok();
    assert_eq!(taken.out, DRAWN);
    server
        .run(&[
            "key",
            "export",
            "mine",
            "--format",
            "raw",
            "--wrapped-with",
            "kek",
            "-o",
            "out",
        ])
        .ok();
    let unwrapped = server
        .run(&["unwrap", "kek", "out", "--encoding", "raw"])
        .ok();
    assert_eq!(unwrapped.out, DRAWN);
}

#[test]
fn tokens_policies_and_strangers() {
    let server = Server::dev();
    server
        .run(&["key", "create", "k", "-a", "AES-256-GCM"])
        .ok();
    let made = server
        .run(&[
            "token",
            "create",
            "--principal",
            "rita",
            "--group",
            "reader",
            "--ttl",
            "1h",
            "-o",
            "rita",
        ])
        .ok();
    assert!(is_private(&server.path("rita")));
    let token = std::fs::read_to_string(server.path("rita")).unwrap();
    assert!(!made.text().contains(token.trim()));

    let as_rita = |arguments: &[&str]| {
        let mut command = server.command(arguments);
        command.env("SKMS_TOKEN_FILE", "rita");
        run(command, b"x")
    };
    assert!(as_rita(&["key", "list"]).ok().text().contains('k'));
    as_rita(&["encrypt", "k"]).fails(3, "");
    server.file("rita.cedar", br#"permit(principal == SKMS::Principal::"rita", action == SKMS::Action::"key.encrypt", resource);"#);
    server.run(&["policy", "put", "rita", "rita.cedar"]).ok();
    as_rita(&["encrypt", "k"]).ok();
    server.run(&["policy", "delete", "rita"]).ok();
    as_rita(&["encrypt", "k"]).fails(3, "");
    server
        .run_with(&["policy", "put", "bad"], b"permit(")
        .fails(2, "");
    assert!(server.text(&["policy", "show", "root"]).contains("permit"));

    let id = server.json(&["token", "list"]);
    let id = id
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["principal"] == "rita")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    server.run(&["token", "revoke", &id]).ok();
    as_rita(&["key", "list"]).fails(3, "SKMS_TOKEN");

    let mut stranger = server.command(&["key", "list"]);
    stranger
        .env_remove("SKMS_TOKEN_FILE")
        .env("SKMS_TOKEN", "planted-wrong-token");
    let refused = run(stranger, b"").fails(3, "");
    assert!(!refused.said.contains("planted-wrong-token"));
}

#[test]
fn namespaces_are_worlds_apart() {
    let server = Server::dev();
    server.run(&["namespace", "create", "team-a"]).ok();
    server
        .run(&["key", "create", "shared", "-a", "AES-256-GCM"])
        .ok();
    assert_eq!(
        server
            .json(&["namespace", "list"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    server
        .run(&["-n", "team-a", "key", "show", "shared"])
        .fails(3, "");
    server.run(&["-n", "nonesuch", "key", "list"]).fails(3, "");
    assert!(
        server
            .json(&["keyring", "list"])
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "default")
    );
}

#[test]
fn the_record_shows_what_was_done_and_denied() {
    let server = Server::dev();
    server
        .run(&["key", "create", "k", "-a", "AES-256-GCM"])
        .ok();
    server.run_with(&["encrypt", "k"], b"x").ok();
    server.run(&["key", "show", "nonesuch"]).fails(3, "");
    let log = server.text(&["log", "tail", "-l", "50"]);
    assert!(
        log.contains("success key.create") && log.contains("success key.encrypt"),
        "{log}"
    );
    let last = server.run(&["--json", "log", "tail", "-l", "1"]).ok();
    assert_eq!(last.text().lines().count(), 1);
    let sequence = last.json()["sequence"].as_u64().unwrap();
    let after = server.text(&["log", "tail", "--after", &sequence.to_string()]);
    assert!(
        after.lines().count() >= 1,
        "the reading itself is recorded: {after}"
    );
}
