//! SSH certificates through the command line, with OpenSSH's client and server
//! as the ones who believe them or not.

mod sshd;

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use skms_wire::Moment;
use sshd::Sshd;

use crate::support::{Server, skms};

const OPS: [&str; 5] = ["ssh", "sign", "--ca", "users", "--role=ops"];

/// Two authorities, and a role of each.
fn stage() -> Server {
    let server = Server::dev();
    server.text(&["ssh", "authority", "create", "users"]);
    let hosts = ["ssh", "authority", "create", "hosts", "--host"];
    server.text(&[&hosts[..], &["--algorithm", "EC-P256"]].concat());
    let role = ["ssh", "role", "put", "--ca", "users", "ops"];
    let names = ["--principal", "ops", "--principal", "guest"];
    server.text(&[&role[..], &names, &["--default-principal", "ops"]].concat());
    let role = ["ssh", "role", "put", "--ca", "hosts", "servers"];
    let names = ["--principal", "*.example.org", "--lifetime", "30d"];
    server.text(&[&role[..], &names, &["--max-lifetime", "90d"]].concat());
    server
}

fn fetch(server: &Server) {
    server.text(&["ssh", "krl", "--ca", "users", "--out", "krl"]);
}

#[test]
fn sshd_lets_in_whom_the_authority_certified_until_it_is_revoked() {
    if !sshd::is_here() {
        return;
    }
    let server = stage();
    let folder = server.folder.path();
    for (name, kind) in [
        ("alice", "ed25519"),
        ("bob", "ecdsa"),
        ("guest", "ed25519"),
        ("brief", "ed25519"),
        ("stranger", "ed25519"),
        ("host", "ed25519"),
    ] {
        sshd::key(folder, name, kind);
    }
    let public = |name: &str| server.text(&["ssh", "authority", "public", name]);
    server.file("ca.pub", format!("{}\n", public("users")).as_bytes());
    let hosts = format!("@cert-authority *.example.org {}\n", public("hosts"));
    server.file("known_hosts", hosts.as_bytes());
    let host = ["ssh", "sign", "--ca", "hosts", "--role", "servers"];
    let name = ["--principal", "shell.example.org", "host.pub"];
    server.text(&[&host[..], &name].concat());
    fetch(&server);
    let sign = |key: &str, more: &[&str]| {
        let file = format!("{key}.pub");
        server.json(&[&OPS[..], more, &[&file]].concat())
    };
    let alice = sign("alice", &[]);
    let bob = sign("bob", &["--force-command", "echo forced"]);
    sign("guest", &["--principal", "guest"]);
    let sshd = Sshd::start(folder, "ops");

    assert!(sshd.lets_in("alice"));
    // The certificate says what runs.
    let forced = sshd.login("bob", "shell.example.org", "echo in");
    assert_eq!(forced.stdout, b"forced\n");
    // Others' principal; no certificate; another authority's.
    assert!(!sshd.lets_in("guest"));
    assert!(!sshd.lets_in("stranger"));
    let own = [
        "-q",
        "-s",
        "stranger",
        "-I",
        "x",
        "-n",
        "ops",
        "stranger.pub",
    ];
    let made = std::process::Command::new("ssh-keygen")
        .current_dir(folder)
        .args(own)
        .status();
    assert!(made.unwrap().success());
    assert!(!sshd.lets_in("stranger"));
    // Another's certificate beside one's own key.
    fs::copy(folder.join("alice-cert.pub"), folder.join("brief-cert.pub")).unwrap();
    assert!(!sshd.lets_in("brief"));

    // A certificate of a second's length ends.
    let short = ["ssh", "role", "put", "--ca", "users", "ops", "--principal"];
    server.text(&[&short[..], &["ops", "--default-principal", "ops"]].concat());
    let brief = sign("brief", &["--lifetime", "1s"]);
    let ends: Moment = serde_json::from_value(brief["valid_before"].clone()).unwrap();
    let ends = UNIX_EPOCH + Duration::from_secs(u64::try_from(ends.unix_seconds()).unwrap());
    while SystemTime::now() < ends {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!sshd.lets_in("brief"));

    // A host without a certificate for the name that was meant.
    let other = sshd.login("alice", "other.example.org", "echo in");
    assert!(other.stdout.is_empty());
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(said.contains("Host key verification failed"), "{said}");

    // Revoked means: not let in any more, as soon as the server has the list.
    let revoke = |what: &[&str]| server.text(&[&["ssh", "revoke", "--ca", "users"], what].concat());
    revoke(&["--serial", alice["serial"].as_str().unwrap()]);
    assert!(sshd.lets_in("alice"));
    fetch(&server);
    assert!(!sshd.lets_in("alice"));
    let forced = sshd.login("bob", "shell.example.org", "echo in");
    assert_eq!(forced.stdout, b"forced\n");
    // A new certificate for the same key is good again; then the key is gone.
    sign("alice", &[]);
    assert!(sshd.lets_in("alice"));
    revoke(&[
        "--key",
        "alice.pub",
        "--key-id",
        bob["key_id"].as_str().unwrap(),
    ]);
    fetch(&server);
    assert!(!sshd.lets_in("alice"));
    assert!(!sshd.lets_in("bob"));
    server
        .run(&[&OPS[..], &["alice.pub"]].concat())
        .fails(2, "revoked");

    // A compromised authority takes along everything that it signed.
    sign("guest", &[]);
    assert!(sshd.lets_in("guest"));
    server.text(&["key", "revoke", "users", "--reason", "keyCompromise"]);
    fetch(&server);
    assert!(!sshd.lets_in("guest"));
}

#[test]
fn a_key_that_is_suspended_or_revoked_certifies_nothing() {
    let server = stage();
    let key = "ssh-ed25519 \
         AAAAC3NzaC1lZDI1NTE5AAAAIFP7VaWE6lFaqakVNBW4SKcWMJ0XzpEmXCQDFZUpnRqS x";
    server.file("x.pub", key.as_bytes());
    let sign = [&OPS[..], &["x.pub"]].concat();
    server.text(&sign);
    server.text(&["key", "suspend", "users"]);
    server.run(&sign).fails(4, "suspended");
    server.text(&["key", "resume", "users"]);
    server.text(&sign);
    server.text(&["key", "revoke", "users", "--reason", "superseded"]);
    server.run(&sign).fails(4, "deactivated");
    // Nothing that it signed is revoked by that.
    let shown = server.json(&["ssh", "authority", "show", "users"]);
    assert_eq!(shown["krl_version"], 0);
    // And there is none but those that were answered.
    let listed = server.json(&["ssh", "list", "--ca", "users"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

#[test]
fn what_the_command_line_makes_of_files_and_names() {
    let server = stage();
    let key = "ssh-ed25519 \
         AAAAC3NzaC1lZDI1NTE5AAAAIFP7VaWE6lFaqakVNBW4SKcWMJ0XzpEmXCQDFZUpnRqS x";
    server.file("id.pub", key.as_bytes());
    let made = server.json(&[&OPS[..], &["id.pub"]].concat());
    let written = fs::read_to_string(server.path("id-cert.pub")).unwrap();
    assert_eq!(written.trim_end(), made["certificate"].as_str().unwrap());
    assert!(written.starts_with("ssh-ed25519-cert-v01@openssh.com "));
    // From standard input there is no file to put it beside.
    let piped = [&OPS[..], &["-"]].concat();
    server
        .run_with(&piped, key.as_bytes())
        .fails(2, "where is the certificate to go");
    let piped = [&piped[..], &["--out", "piped"]].concat();
    server.run_with(&piped, key.as_bytes()).ok();
    assert!(server.path("piped").exists());
    server
        .run(&["ssh", "revoke", "--ca", "users"])
        .fails(2, "--serial");
    server
        .run(&[&OPS[..], &["--principal", "root", "id.pub"]].concat())
        .fails(2, "principal: root");
    let serial = made["serial"].as_str().unwrap();
    let shown = server.text(&["ssh", "show", "--ca", "users", serial]);
    assert!(shown.contains(serial) && shown.contains(written.trim_end()));
    let roles = server.text(&["ssh", "role", "list", "--ca", "users"]);
    assert!(roles.contains("ops"), "{roles}");
    server.text(&["ssh", "role", "delete", "--ca", "users", "ops"]);
    server
        .run(&[&OPS[..], &["id.pub"]].concat())
        .fails(3, "SSH role");
    // What still counts keeps its authority; an empty one goes.
    server
        .run(&["ssh", "authority", "delete", "users"])
        .fails(4, "have not ended");
    server.text(&["ssh", "authority", "delete", "hosts"]);
    let listed = server.text(&["ssh", "ca", "list"]);
    assert!(listed.contains("users") && !listed.contains("hosts"));
    let alone = skms().args(["ssh", "sign", "--help"]).output().unwrap();
    assert!(alone.status.success());
}
