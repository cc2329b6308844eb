//! From nothing to an unsealed server over TLS, and back.

use std::fs;

use crate::support::{Server, is_private, run, skms};

fn init(folder: &tempfile::TempDir, options: &[&str], input: &[u8]) -> crate::support::Ran {
    let mut command = skms();
    command
        .current_dir(folder.path())
        .args(["init", "--data-dir", "data"])
        .args(options);
    run(command, input)
}

#[test]
fn three_seals_each_open_the_store_and_it_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let options = [
        "--shamir",
        "2/3",
        "--shares-dir",
        "shares",
        "--key-file",
        "key",
        "--passphrase-stdin",
        "--token-out",
        "token",
    ];
    let made = init(&folder, &options, b"correct horse battery\n").ok();
    assert!(!made.text().contains("skms-share-") && !made.text().contains("correct horse"));
    for secret in ["token", "key", "shares/share-1", "shares/share-3"] {
        assert!(is_private(&folder.path().join(secret)), "{secret}");
    }
    init(&folder, &["--passphrase-stdin"], b"another one\n").fails(4, "nothing was touched");

    let server = Server::start(&["--data-dir", data(&folder).as_str()], folder, "https");
    server.run(&["key", "list"]).fails(7, "skms unseal");
    server
        .run_with(&["unseal"], b"wrong passphrase\n")
        .fails(5, "");
    assert_eq!(server.json(&["status"])["seal"]["sealed"], true);
    let first = server
        .run(&["--json", "unseal", "--share-file", "shares/share-2"])
        .ok()
        .json();
    assert_eq!(first["sealed"], true);
    assert_eq!(first["progress"][0]["provided"], 1);
    let share = fs::read(server.path("shares/share-3")).unwrap();
    server.run_with(&["unseal"], &share).ok();
    let status = server.json(&["status"]);
    assert_eq!(status["seal"]["sealed"], false);
    assert_eq!(status["tls"]["key_exchange"], "X25519MLKEM768");
    server
        .run(&["key", "create", "k", "-a", "AES-256-GCM"])
        .ok();
    let encrypted = server.run_with(&["encrypt", "k"], b"kept").ok().out;

    server.run(&["seal"]).ok();
    server.run(&["key", "list"]).fails(7, "sealed");
    server
        .run_with(&["unseal"], b"correct horse battery\n")
        .ok();
    assert_eq!(
        server.run_with(&["decrypt", "k"], &encrypted).ok().out,
        b"kept"
    );

    let folder = server.kill();
    let server = Server::start(&["--data-dir", data(&folder).as_str()], folder, "https");
    server.run(&["unseal", "--key-file", "key"]).ok();
    assert_eq!(
        server.run_with(&["decrypt", "k"], &encrypted).ok().out,
        b"kept"
    );
    assert_eq!(server.json(&["storage", "verify"])["intact"], true);

    let mut untrusting = server.command(&["status"]);
    untrusting.env_remove("SKMS_CACERT");
    run(untrusting, b"").fails(6, "SKMS_CACERT");
}

fn data(folder: &tempfile::TempDir) -> String {
    folder.path().join("data").to_str().unwrap().to_owned()
}

#[test]
fn seals_and_storage_keys_change_while_the_server_runs() {
    let server = Server::dev();
    assert_eq!(server.json(&["seals", "list"]).as_array().unwrap().len(), 1);
    let added = server.json(&["seals", "add", "--shamir", "2/2"]);
    assert_eq!(added["shares"].as_array().unwrap().len(), 2);
    server
        .run(&["seals", "add", "--key-file", "second.key"])
        .ok();
    assert!(is_private(&server.path("second.key")));
    server
        .run(&["seals", "add", "--key-file", "second.key"])
        .fails(2, "exists already");
    server
        .run_with(&["seals", "add", "--passphrase-file", "-"], b"short\n")
        .fails(2, "passphrase");
    server
        .run(&["seals", "remove", added["seal"]["id"].as_str().unwrap()])
        .ok();
    assert_eq!(server.json(&["seals", "list"]).as_array().unwrap().len(), 2);

    let before = server.json(&["storage", "rotate-key"])["term"]
        .as_u64()
        .unwrap();
    assert_eq!(server.json(&["storage", "rotate-key"])["term"], before + 1);
    server.run(&["storage", "rotate-root"]).ok();
    assert_eq!(server.json(&["storage", "verify"])["intact"], true);
    server.run(&["seal"]).ok();
    server.run(&["unseal", "--key-file", "second.key"]).ok();
}

#[test]
fn init_refuses_what_it_would_overwrite() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "precious").unwrap();
    let options = ["--key-file", "key", "--token-out", "token"];
    init(&folder, &options, b"").fails(2, "exists already");
    assert!(!folder.path().join("key").exists() && !folder.path().join("data").exists());
    assert_eq!(fs::read(folder.path().join("token")).unwrap(), b"precious");
    init(&folder, &["--passphrase-stdin"], b"\n").fails(2, "empty");
}

fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn a_registered_certificate_is_known_and_another_is_not() {
    let folder = tempfile::tempdir().unwrap();
    init(&folder, &["--key-file", "key", "--token-out", "token"], b"").ok();
    let (data, key) = (data(&folder), folder.path().join("key"));
    let options = [
        "--data-dir",
        &data,
        "--unseal-key-file",
        key.to_str().unwrap(),
    ];
    let server = Server::start(&options, folder, "https");
    for name in ["known", "unknown"] {
        let (certificate, key) = certificate();
        server.file(&format!("{name}.pem"), certificate.as_bytes());
        server.file(&format!("{name}.key"), key.as_bytes());
    }
    let register = [
        "principal",
        "create",
        "robot",
        "--certificate",
        "known.pem",
        "--group",
        "reader",
    ];
    server.run(&register).ok();
    let with = |name: &str| {
        let mut command = server.command(&["--json", "token", "self"]);
        command
            .env_remove("SKMS_TOKEN_FILE")
            .env("SKMS_CLIENT_CERT", format!("{name}.pem"))
            .env("SKMS_CLIENT_KEY", format!("{name}.key"));
        run(command, b"")
    };
    let known = with("known").ok().json();
    assert_eq!(known["principal"], "robot");
    assert_eq!(known["authentication"], "certificate");
    with("unknown").fails(3, "");
    server.run(&["principal", "delete", "robot"]).ok();
    with("known").fails(3, "");
}
