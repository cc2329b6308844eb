//! SSH certificates and revocation lists, with `ssh-keygen` as the one who
//! reads them, and what is refused.

mod crash;

use std::path::Path;
use std::process::Command;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use skms_policy::ROOT_NAMESPACE;

use crate::{
    describe::Described,
    house::{House, Server},
};

const USERS: &str = "/api/v1/ssh/authorities/users";
const SIGN: &str = "/api/v1/ssh/authorities/users/roles/ops/sign";

/// A public key that nobody has the other half of.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFP7VaWE6lFaqakVNBW4SKcWMJ0XzpEmXCQDFZUpnRqS someone";

/// Every route once, as described.
pub fn described(api: &Described<'_>) {
    let key = json!({"name": "shell", "algorithm": "Ed25519", "uses": ["sign"]});
    api.good("key-create", &["default"], Some(key));
    let new = json!({"name": "users", "key": "shell", "certificate_type": "user"});
    let made = api.good("ssh-authority-create", &[], Some(new.clone()));
    assert_eq!(made["signature"], "ssh-ed25519");
    assert_eq!(
        api.bad("ssh-authority-create", &[], Some(new)),
        "already-exists"
    );
    // A key that seals data signs nothing.
    let other = json!({"name": "other", "key": "data", "certificate_type": "host"});
    assert_eq!(
        api.bad("ssh-authority-create", &[], Some(other)),
        "unsupported-operation"
    );
    let role = json!({"principals": ["alice", "*.ops"], "default_principals": ["alice"],
        "default_seconds": 600, "max_seconds": 3600, "source_addresses": ["10.0.0.0/8"]});
    let ops = ["users", "ops"];
    let written = api.good("ssh-role-write", &ops, Some(role));
    assert_eq!(written["roles"]["ops"]["max_seconds"], 3600);
    for bad in [
        json!({"principals": []}),
        json!({"principals": ["a*b"]}),
        json!({"principals": ["a"], "source_addresses": ["nowhere"]}),
        json!({"principals": ["a"], "extensions": ["permit-everything"]}),
    ] {
        let refused = api.bad("ssh-role-write", &ops, Some(bad.clone()));
        assert_eq!(refused, "invalid-argument", "{bad}");
    }
    api.good("ssh-authority-read", &["users"], None);
    assert_eq!(
        api.bad("ssh-authority-read", &["nobody"], None),
        "not-found"
    );
    let listed = api.good("ssh-authority-list", &[], None);
    assert_eq!(listed["items"][0]["name"], "users");

    let asked = json!({"public_key": KEY});
    let made = api.good("ssh-sign", &ops, Some(asked.clone()));
    let serial = made["serial"].as_str().unwrap();
    assert_eq!(
        api.bad("ssh-sign", &["users", "none"], Some(asked)),
        "not-found"
    );
    let read = api.good("ssh-certificate-read", &["users", serial], None);
    assert_eq!(read["certificate"], made["certificate"]);
    assert_eq!(
        api.bad("ssh-certificate-read", &["users", "1"], None),
        "not-found"
    );
    for odd in ["0", "x", "18446744073709551616"] {
        assert_eq!(
            api.bad("ssh-certificate-read", &["users", odd], None),
            "invalid-argument"
        );
    }
    let page = api.good("ssh-certificate-list", &["users", "?limit=1"], None);
    assert_eq!(page["items"][0]["serial"], serial);
    assert_eq!(
        api.bad("ssh-authority-delete", &["users"], None),
        "not-empty"
    );
    let revoked = api.good("ssh-revoke", &["users"], Some(json!({"serials": [serial]})));
    assert_eq!(revoked["krl_version"], 1);
    for (bad, problem) in [
        (json!({}), "invalid-argument"),
        (json!({"serials": ["x"]}), "invalid-argument"),
        (json!({"serials": ["1"]}), "not-found"),
        (json!({"key_ids": [""]}), "invalid-argument"),
        (json!({"public_keys": ["ssh-dss AAAA"]}), "invalid-argument"),
    ] {
        let refused = api.bad("ssh-revoke", &["users"], Some(bad.clone()));
        assert_eq!(refused, problem, "{bad}");
    }
    let list = api.good("ssh-krl", &["users"], None);
    assert_eq!(list["version"], 1);
    api.good("ssh-role-delete", &ops, None);
    assert_eq!(api.bad("ssh-role-delete", &ops, None), "not-found");
    let new = json!({"name": "brief", "key": "shell", "certificate_type": "host"});
    api.good("ssh-authority-create", &[], Some(new));
    api.good("ssh-authority-delete", &["brief"], None);
    assert_eq!(
        api.bad("ssh-authority-delete", &["brief"], None),
        "not-found"
    );
}

/// A served house with an authority `users` on a key of that name.
fn users(house: &House, role: Value) -> Server {
    let server = house.serve();
    let key = json!({"name": "users", "algorithm": "EC-P256", "uses": ["sign"]});
    server.must("POST", "/api/v1/keyrings/default/keys", Some(key));
    let new = json!({"name": "users", "key": "users", "certificate_type": "user"});
    server.must("POST", "/api/v1/ssh/authorities", Some(new));
    server.must("PUT", &format!("{USERS}/roles/ops"), Some(role));
    server
}

/// What `ssh-keygen` says, and whether it is content; a visible skip without.
fn keygen(folder: &Path, arguments: &[&str]) -> Option<(bool, String)> {
    let ran = Command::new("ssh-keygen")
        .current_dir(folder)
        .args(arguments)
        .output();
    match ran {
        Ok(out) => Some((
            out.status.success(),
            String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned(),
        )),
        Err(error) => {
            eprintln!("SKIPPED: ssh-keygen does not run: {error}");
            None
        }
    }
}

/// Signs the key that is there in `NAME.pub`; the certificate is in
/// `NAME-cert.pub`.
fn certified(server: &Server, folder: &Path, name: &str, mut asked: Value) -> Value {
    let line = std::fs::read_to_string(folder.join(format!("{name}.pub"))).unwrap();
    asked["public_key"] = line.into();
    let made = server.must("POST", SIGN, Some(asked));
    let line = made["certificate"].as_str().unwrap();
    std::fs::write(folder.join(format!("{name}-cert.pub")), line).unwrap();
    made
}

/// Where an SSH authority of the first namespace publishes.
pub fn published(rest: &str) -> String {
    format!("/pki/{ROOT_NAMESPACE}/ssh/{rest}")
}

#[test]
fn ssh_keygen_reads_what_is_certified_and_what_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, kind, bits) in [
        ("one", "ed25519", "256"),
        ("two", "rsa", "2048"),
        ("three", "ecdsa", "384"),
        ("four", "ed25519", "256"),
    ] {
        let make = ["-q", "-t", kind, "-b", bits, "-N", "", "-f", name];
        let Some((made, said)) = keygen(folder, &make) else {
            return;
        };
        assert!(made, "{said}");
    }
    let house = House::new();
    let server = users(
        &house,
        json!({"principals": ["alice", "bob"], "default_principals": ["alice"],
            "force_command": "/bin/true", "allowed_extensions": ["permit-port-forwarding"]}),
    );
    let one = certified(&server, folder, "one", json!({}));
    let serial = one["serial"].as_str().unwrap();
    let (_, shown) = keygen(folder, &["-L", "-f", "one-cert.pub"]).unwrap();
    for part in [
        "user certificate",
        "(using ecdsa-sha2-nistp256)",
        &format!("Serial: {serial}"),
        &format!("Key ID: \"root/ops/{serial}\""),
        "alice",
        "force-command /bin/true",
        "permit-pty",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(!shown.contains("bob"), "{shown}");

    let fetched = || {
        let answer = server.ask_as("", "GET", &published("users/krl"), None);
        assert_eq!(answer.status, 200);
        std::fs::write(folder.join("krl"), &answer.body).unwrap();
        answer
    };
    // None of these is revoked, then one after another is at once: by its
    // number, its key and its key identifier.
    let revoked = |name: &str| {
        let (good, said) =
            keygen(folder, &["-Q", "-f", "krl", &format!("{name}-cert.pub")]).unwrap();
        assert_ne!(good, said.contains("REVOKED"), "{said}");
        !good
    };
    let all = ["one", "two", "three", "four"];
    let others = ["two", "three", "four"].map(|name| certified(&server, folder, name, json!({})));
    fetched();
    assert_eq!(all.map(revoked), [false; 4]);
    let revoke = |what: Value| server.must("POST", &format!("{USERS}/revoke"), Some(what));
    revoke(json!({"serials": [serial]}));
    fetched();
    assert_eq!(all.map(revoked), [true, false, false, false]);
    let line = std::fs::read_to_string(folder.join("two.pub")).unwrap();
    revoke(json!({"public_keys": [line], "serials": [serial]}));
    fetched();
    assert_eq!(all.map(revoked), [true, true, false, false]);
    revoke(json!({"key_ids": [others[1]["key_id"]]}));
    let answer = fetched();
    assert_eq!(all.map(revoked), [true, true, true, false]);
    let shown = server.must("GET", &format!("{USERS}/certificates/{serial}"), None);
    assert_eq!(shown["revoked"], true);

    // The same list with an identity, and after a restart.
    let own = server.must("GET", &format!("{USERS}/krl"), None);
    assert_eq!(own["version"], 3);
    assert_eq!(own["krl"], STANDARD.encode(&answer.body));
    server.stop();
    let server = house.serve();
    let again = server.ask_as("", "GET", &published("users/krl"), None);
    assert_eq!(again.body, answer.body);
    assert_eq!(again.header("etag"), answer.header("etag"));
}

#[test]
fn what_is_published_is_asked_for_again_and_never_believed_old() {
    let house = House::new();
    let server = users(&house, json!({"principals": ["alice"]}));
    let get = |path: &str, headers: &[(&str, &str)]| {
        server.connect().send("GET", path, None, headers).unwrap()
    };
    let list = get(&published("users/krl"), &[]);
    assert_eq!(list.header("cache-control"), Some("no-cache"));
    assert_eq!(
        list.header("content-type"),
        Some("application/octet-stream")
    );
    let tag = list.header("etag").unwrap().to_owned();
    let known = [("If-None-Match", tag.as_str())];
    assert_eq!(get(&published("users/krl"), &known).status, 304);
    let revoke = json!({"key_ids": ["x"]});
    server.must("POST", &format!("{USERS}/revoke"), Some(revoke));
    let list = get(&published("users/krl"), &known);
    assert_eq!(list.status, 200);
    assert_ne!(list.header("etag"), Some(tag.as_str()));

    let key = get(&published("users/ca.pub"), &[]);
    let view = server.must("GET", USERS, None);
    assert_eq!(
        key.text(),
        format!("{}\n", view["public_key"].as_str().unwrap())
    );
    for absent in [
        published("nobody/krl"),
        "/pki/nowhere/ssh/users/krl".to_owned(),
        published("users/roles"),
    ] {
        assert_eq!(get(&absent, &[]).status, 404, "{absent}");
    }
    let posted = server.ask_as("", "POST", &published("users/krl"), Some(json!({})));
    assert_eq!(posted.status, 405);
}

#[test]
fn what_a_role_does_not_let_through_is_refused() {
    let house = House::new();
    let server = users(
        &house,
        json!({"principals": ["alice", "*.ops"], "default_principals": ["alice"],
            "max_seconds": 3600, "key_types": ["ssh-ed25519", "ssh-rsa"],
            "source_addresses": ["10.0.0.0/8"], "allowed_extensions": ["permit-port-forwarding"]}),
    );
    let ask = |changed: Value| {
        let mut body = json!({"public_key": KEY});
        for (member, value) in changed.as_object().unwrap() {
            body[member] = value.clone();
        }
        server.ask("POST", SIGN, Some(body))
    };
    for good in [
        json!({}),
        json!({"principals": ["bob.ops"]}),
        json!({"lifetime_seconds": 3600}),
        json!({"extensions": ["permit-port-forwarding"]}),
        json!({"source_addresses": ["10.1.0.0/16"]}),
        json!({"force_command": "/bin/true"}),
    ] {
        assert_eq!(ask(good.clone()).status, 201, "{good}");
    }
    // RSA of 1024 bits, by OpenSSL.
    let weak = concat!(
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDr5CRVwbGeXdL1fVcKvSouKdpdaKkwj+eX7AVmejxD",
        "NJzmQtZzHPqRHETAm2zfbPL91j3MP38wxhvb3HIBOmFS0bCgk2cUezc13IvD8L7BZe5HYzut6JJcJRgg",
        "AU57BbBXUkKk8ll6elxB17CB+umAbfnbzJ78HEB00Xjj+7d7xw=="
    );
    for (bad, said) in [
        (json!({"principals": ["root"]}), "principal: root"),
        (json!({"principals": ["alice", "*"]}), "principal: *"),
        (json!({"principals": [".ops"]}), "principal"),
        (json!({"lifetime_seconds": 3601}), "lifetime"),
        (json!({"extensions": ["permit-user-rc"]}), "permit-user-rc"),
        (json!({"source_addresses": ["0.0.0.0/0"]}), "source-address"),
        (json!({"source_addresses": ["10.0.0.0/40"]}), "no network"),
        (json!({"force_command": "a\nb"}), "force-command"),
        (json!({"public_key": "ssh-dss AAAAB3NzaC1kc3M="}), "DSA"),
        (json!({"public_key": weak}), "2048"),
        (json!({"public_key": ""}), ".pub"),
    ] {
        let refused = ask(bad.clone());
        assert_eq!(refused.problem(), "invalid-argument", "{bad}");
        assert!(refused.text().contains(said), "{bad}: {}", refused.text());
    }
    // Only those that were good are there.
    let listed = server.must("GET", &format!("{USERS}/certificates"), None);
    assert_eq!(listed["items"].as_array().unwrap().len(), 6);
}

#[test]
fn each_role_and_key_is_permitted_by_itself_and_every_act_leaves_an_event() {
    let house = House::new();
    let server = users(
        &house,
        json!({"principals": ["*"], "default_principals": ["x"]}),
    );
    server.must(
        "PUT",
        &format!("{USERS}/roles/other"),
        Some(json!({"principals": ["*"]})),
    );
    let token = json!({"principal": "carol"});
    let token = server.must("POST", "/api/v1/tokens", Some(token));
    let carol = token["token"].as_str().unwrap();
    let write = |policy: &str| {
        let body = json!({"policy": policy});
        server.must("PUT", "/api/v1/policies/carol", Some(body));
    };
    let sign = |role: &str| {
        let path = format!("{USERS}/roles/{role}/sign");
        let body = json!({"public_key": KEY, "principals": ["x"]});
        server.ask_as(carol, "POST", &path, Some(body)).status
    };
    let role = "permit (principal == SKMS::Principal::\"carol\", action == \
        SKMS::Action::\"ssh-certificate.sign\", resource == SKMS::SshRole::\"root/users/ops\");";
    write(role);
    // The role alone is not enough: the key is one's own to permit.
    assert_eq!(sign("ops"), 404);
    write(&format!(
        "{role} permit (principal == SKMS::Principal::\"carol\", action == \
         SKMS::Action::\"ssh-certificate.sign\", resource == SKMS::Key::\"root/default/users\");"
    ));
    assert_eq!(sign("ops"), 201);
    assert_eq!(sign("other"), 404);
    let odd = format!("{USERS}/certificates/x");
    assert_eq!(server.ask_as(carol, "GET", &odd, None).status, 404);
    let revoke = format!("{USERS}/revoke");
    let body = json!({"serials": ["x"]});
    assert_eq!(
        server.ask_as(carol, "POST", &revoke, Some(body)).status,
        404
    );

    let listed = server.must("GET", &format!("{USERS}/certificates"), None);
    let listed = listed["items"].as_array().unwrap();
    assert_eq!(
        (listed.len(), &listed[0]["issued_to"]),
        (1, &json!("carol"))
    );
    let serial = listed[0]["serial"].as_str().unwrap();
    server.must("POST", &revoke, Some(json!({"serials": [serial]})));
    let events = server.must("GET", "/api/v1/events?limit=1000", None);
    let count = |action: &str, outcome: &str| {
        let events = events["items"].as_array().unwrap().iter();
        let fits = |event: &&Value| event["action"] == action && event["outcome"] == outcome;
        events.filter(fits).count()
    };
    assert_eq!(count("ssh-certificate.sign", "success"), 1, "{events:#}");
    assert_eq!(count("ssh-certificate.sign", "denied"), 2);
    assert_eq!(count("ssh-certificate.revoke", "success"), 1);
    assert_eq!(count("ssh-certificate.revoke", "denied"), 1);
    assert_eq!(count("ssh-role.write", "success"), 2);
}
