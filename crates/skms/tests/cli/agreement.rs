//! `skms key agree` with a peer that is a program of its own, in Python, written
//! from docs/agreement.md; and what the command refuses.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use skms_wire::native::routes::DEFAULT_NAMESPACE;

use crate::support::{Server, run};

const MESSAGE: &str = "known to both";

/// What the peer makes of the key; `None`, and a visible skip, without a Python
/// that has `cryptography`.
fn peer(request: &Value) -> Option<Value> {
    let Some(python) = std::env::var_os("SKMS_TEST_PYTHON") else {
        eprintln!("SKIPPED: SKMS_TEST_PYTHON names no interpreter");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/peer.py");
    let mut command = Command::new(python);
    command.arg(script).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(
        run(command, &serde_json::to_vec(request).unwrap())
            .ok()
            .json(),
    )
}

/// One agreement of the peer's with a fresh key of the server's.
struct Case {
    group: &'static str,
    algorithm: &'static str,
    hash: &'static str,
    salt: &'static [u8],
    own_party: Option<&'static str>,
}

impl Case {
    fn name(&self) -> String {
        format!("from-{}", self.group.to_lowercase())
    }

    fn request(&self, server: &Server) -> Value {
        let ours = format!("dh-{}", self.group.to_lowercase());
        let create = ["key", "create", &ours, "-a", self.group, "--use", "agree"];
        server.run(&create).ok();
        let default = format!("skms:{DEFAULT_NAMESPACE}/default/{ours}");
        json!({
            "group": self.group,
            "server_key": server.text(&["key", "public", &ours]),
            "server_party": self.own_party.unwrap_or(&default),
            "peer_party": "peer@example.org",
            "namespace": DEFAULT_NAMESPACE,
            "keyring": "default",
            "name": self.name(),
            "algorithm": self.algorithm,
            "length": 32,
            "hash": self.hash,
            "salt": self.salt.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "message": MESSAGE,
            "public_out": server.path("peer.pem"),
        })
    }

    fn agree(&self, server: &Server) -> Value {
        let (name, ours) = (self.name(), format!("dh-{}", self.group.to_lowercase()));
        server.file("salt", self.salt);
        let mut arguments = vec!["key", "agree", &name, "--with", &ours, "--peer", "peer.pem"];
        arguments.extend(["--peer-party", "peer@example.org", "--hash", self.hash]);
        arguments.extend(["--algorithm", self.algorithm, "--salt-file", "salt"]);
        if let Some(party) = self.own_party {
            arguments.extend(["--own-party", party]);
        }
        server.json(&arguments)
    }
}

#[test]
fn a_peer_of_another_make_derives_the_same_key() {
    let server = Server::dev();
    server.file("m", MESSAGE.as_bytes());
    for case in [
        Case {
            group: "EC-P256",
            algorithm: "HMAC-SHA-256",
            hash: "SHA-256",
            salt: b"",
            own_party: None,
        },
        Case {
            group: "X25519",
            algorithm: "AES-256-GCM",
            hash: "SHA-512",
            salt: b"some salt",
            // Before the peer's in the order of bytes; the default comes after.
            own_party: Some("a server"),
        },
        Case {
            group: "ffdhe2048",
            algorithm: "HMAC-SHA-256",
            hash: "SHA-384",
            salt: b"x",
            own_party: None,
        },
        Case {
            group: "EC-P521",
            algorithm: "AES-256-GCM",
            hash: "SHA-256",
            salt: b"",
            own_party: None,
        },
    ] {
        let Some(theirs) = peer(&case.request(&server)) else {
            return;
        };
        let agreed = case.agree(&server);
        let group = case.group;
        assert_eq!(agreed["fixed_info"], theirs["fixed_info"], "{group}");
        assert!(agreed.get("secret").is_none());
        let name = case.name();
        if let Some(ciphertext) = theirs["ciphertext"].as_str() {
            let opened = server
                .run_with(&["decrypt", &name], ciphertext.as_bytes())
                .ok();
            assert_eq!(opened.out, MESSAGE.as_bytes(), "{group}");
        } else {
            let mac = server.text(&["mac", &name, "m", "--encoding", "hex"]);
            assert_eq!(theirs["mac"], mac, "{group}");
        }
        let shown = server.json(&["key", "show", &name, "--versions"]);
        assert_eq!(shown["exportable"], false);
        let version = &shown["versions"][0];
        let ours = format!("dh-{}", group.to_lowercase());
        let ours = server.json(&["key", "show", &ours]);
        assert_eq!(version["origin"], "agreed");
        assert_eq!(version["agreed"]["key"], ours["id"]);
        assert_eq!(version["agreed"]["version"], 1);
    }
}

#[test]
fn the_command_says_what_it_needs_and_why_it_was_refused() {
    let server = Server::dev();
    for (name, algorithm) in [("dh", "X25519"), ("other", "X25519"), ("ec", "EC-P256")] {
        let create = ["key", "create", name, "-a", algorithm, "--use", "agree"];
        server.run(&create).ok();
        server.run(&["key", "public", name, "-o", name]).ok();
    }
    let agree = |name: &str, peer: &str, more: &[&str]| {
        let fixed = ["key", "agree", name, "--with", "dh", "--peer", peer];
        server.run(&[&fixed[..], &["-a", "AES-256-GCM"], more].concat())
    };
    let bob = ["--peer-party", "bob"];
    agree("k", "other", &[]).fails(2, "--peer-party");
    agree("k", "dh", &bob).fails(2, "the key's own");
    agree("k", "ec", &bob).fails(2, "expected a key for X25519");
    // A private key is not sent to find that out.
    let private = b"-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n";
    server.file("private", private);
    let refused = agree("k", "private", &bob).fails(2, "has a private key");
    assert!(!refused.said.contains("request"), "{}", refused.said);
    let same = [&bob[..], &["--own-party", "bob"]].concat();
    agree("k", "other", &same).fails(2, "differ");
    server
        .run(&[
            "key",
            "agree",
            "k",
            "--with",
            "dh",
            "--peer",
            "other",
            "--peer-party",
            "bob",
            "-a",
            "EC-P256",
        ])
        .fails(2, "symmetric");
    server.run(&["key", "show", "k"]).fails(3, "");
    let text = agree("k", "other", &bob).ok();
    assert!(text.text().contains("own party"), "{}", text.text());
    let rows = server.text(&["key", "show", "k", "--versions"]);
    assert!(rows.contains("agreed") && rows.contains("by key"), "{rows}");
    agree("k", "other", &bob).fails(4, "exists");
}
