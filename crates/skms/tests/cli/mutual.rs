//! The command line, known by the certificate that `skms init` made.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Ran, Server, is_private, run, skms};

fn init(folder: &Path, options: &[&str]) -> Ran {
    let mut command = skms();
    command
        .current_dir(folder)
        .args(["init", "--data-dir", "data"])
        .args(options);
    run(command, b"")
}

/// A server of an installation by `skms init`, unsealed.
pub fn serve() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let made = init(
        folder.path(),
        &["--key-file", "key", "--token-out", "root.token"],
    )
    .ok();
    assert!(
        made.text().contains("SKMS_CONFIG=root.toml"),
        "{}",
        made.text()
    );
    let (data, key) = (folder.path().join("data"), folder.path().join("key"));
    let options = [
        "--data-dir",
        data.to_str().unwrap(),
        "--unseal-key-file",
        key.to_str().unwrap(),
    ];
    Server::start(&options, folder, "https")
}

/// A command with the settings that `skms init` wrote, and nothing else but
/// the server's port.
pub fn with_settings(server: &Server, arguments: &[&str]) -> Ran {
    let mut command = skms();
    command
        .current_dir(server.folder.path())
        .env("SKMS_CONFIG", "root.toml")
        .env("SKMS_ADDR", &server.address)
        .arg("--json")
        .args(arguments);
    run(command, b"")
}

#[test]
fn one_variable_is_enough_to_be_an_administrator_by_mutual_tls() {
    let server = serve();
    let own = with_settings(&server, &["token", "self"]).ok();
    assert_eq!(own.said, "", "no warning of an end that is far off");
    assert_eq!(own.json()["principal"], "admin");
    assert_eq!(own.json()["authentication"], "certificate");
    with_settings(&server, &["key", "create", "k", "-a", "AES-256-GCM"]).ok();
    let settings = fs::read_to_string(server.path("root.toml")).unwrap();
    assert!(settings.contains("https://127.0.0.1:8200"), "{settings}");

    // Without the certificate nobody is there.
    let bare: String = settings
        .lines()
        .filter(|line| !line.starts_with("client_"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(server.path("root.toml"), bare).unwrap();
    with_settings(&server, &["token", "self"]).fails(3, "");
}

#[test]
fn ones_own_certificate_is_renewed_on_a_key_made_here() {
    let server = serve();
    let file = server.path("root.pem");
    // For as long as the one before, and for nobody else.
    let kept = with_settings(&server, &["cert", "renew", "--own"])
        .ok()
        .json();
    assert_eq!(kept["subject"], "");
    let all = with_settings(&server, &["cert", "list", "--ca", "admins"])
        .ok()
        .json();
    let days = |one: &Value| {
        let text = one["not_after"].as_str().unwrap();
        text.parse::<skms_wire::Moment>().unwrap().unix_seconds() / 86_400
    };
    let first = days(&all[0]);
    assert!((first..=first + 1).contains(&days(&kept)), "{all} {kept}");

    let before = fs::read_to_string(&file).unwrap();
    let made = with_settings(&server, &["cert", "renew", "--own", "--lifetime", "2d"]).ok();
    let after = fs::read_to_string(&file).unwrap();
    assert!(is_private(&file));
    let part = |text: &str, label: &str| {
        let begin = text.find(&format!("-----BEGIN {label}")).unwrap();
        let end = text[begin..].find("-----END").unwrap();
        text[begin..begin + end].to_owned()
    };
    for label in ["PRIVATE KEY", "CERTIFICATE"] {
        assert_ne!(part(&before, label), part(&after, label), "{label}");
    }
    assert_eq!(
        part(&after, "CERTIFICATE"),
        part(made.json()["certificate"].as_str().unwrap(), "CERTIFICATE")
    );
    let own = with_settings(&server, &["token", "self"]).ok().json();
    assert_eq!(own["principal"], "admin");

    // In two files as well, and with less than a third left it warns.
    let soon = with_settings(&server, &["cert", "renew", "--own", "--lifetime", "80m"]);
    soon.ok();
    let text = fs::read_to_string(&file).unwrap();
    server.file("own.key", text.as_bytes());
    server.file("own.pem", text.as_bytes());
    let settings = fs::read_to_string(server.path("root.toml")).unwrap();
    let settings = settings
        .replace(
            "client_certificate = \"root.pem\"",
            "client_certificate = \"own.pem\"",
        )
        .replace("client_key = \"root.pem\"", "client_key = \"own.key\"");
    server.file("root.toml", settings.as_bytes());
    let warned = with_settings(&server, &["token", "self"]);
    assert!(warned.said.contains("renew --own"), "{}", warned.said);
    with_settings(&server, &["cert", "renew", "--own", "--lifetime", "2d"]).ok();
    assert!(
        !fs::read_to_string(server.path("own.pem"))
            .unwrap()
            .contains("PRIVATE")
    );
    assert!(
        fs::read_to_string(server.path("own.key"))
            .unwrap()
            .contains("PRIVATE")
    );
    let own = with_settings(&server, &["token", "self"]).ok();
    assert_eq!(own.json()["principal"], "admin");
    assert_eq!(own.said, "");
}

#[test]
fn a_certificate_of_nobody_here_is_not_renewed() {
    let server = serve();
    let key = rcgen::KeyPair::generate().unwrap();
    let strange = rcgen::CertificateParams::new(vec!["x".to_owned()]).unwrap();
    let strange = strange.self_signed(&key).unwrap().pem();
    server.file(
        "x.pem",
        format!("{}{strange}", key.serialize_pem()).as_bytes(),
    );
    let mut command = server.command(&["cert", "renew", "--own"]);
    command
        .env("SKMS_TOKEN_FILE", "root.token")
        .env("SKMS_CLIENT_CERT", "x.pem")
        .env("SKMS_CLIENT_KEY", "x.pem");
    run(command, b"").fails(2, "no authority of this namespace");
    let mut command = server.command(&["cert", "renew", "--own"]);
    command.env("SKMS_TOKEN_FILE", "root.token");
    run(command, b"").fails(2, "no client certificate is set");
}

#[test]
fn init_overwrites_no_certificate_and_names_files_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name);
    fs::write(here("root.pem"), "precious").unwrap();
    let options = ["--key-file", "key", "--token-out", "root.token"];
    init(folder.path(), &options).fails(2, "root.pem exists already");
    assert!(!here("data").exists() && !here("key").exists());
    let named = ["--key-file", "key", "--token-out", "root.pem"];
    fs::remove_file(here("root.pem")).unwrap();
    init(folder.path(), &named).fails(2, "--admin-out");
    let more = ["--admin-out", "me.pem", "--tls-name", "kms.example"];
    let made = init(folder.path(), &[&["--json"], &options[..], &more].concat()).ok();
    let report: Value = made.json();
    assert_eq!(report["admin_file"], "me.pem");
    assert_eq!(report["client_settings"], "me.toml");
    assert!(is_private(&here("me.pem")) && is_private(&here("me.toml")));
    assert!(!here("root.pem").exists());
    // The store holds the authorities' keys; no file does.
    assert!(!here("data/ca-key.pem").exists());
}
