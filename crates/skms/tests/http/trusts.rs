//! Principals by authorities that are not in SKMS, over real TLS.

#[path = "../../../skms-engine/tests/trusts/openssl.rs"]
pub mod openssl;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use openssl::{AUTHORITY, Ca, EVER, Leaf};
use serde_json::{Value, json};

use crate::{
    describe::Described,
    house::{House, Server},
    wire::{Connection, Identity},
};

const OWN: &str = "/api/v1/tokens/self";
const TRUSTS: &str = "/api/v1/trusts";
const ALICE: &str = "URI:spiffe://corp/alice";

fn corp(folder: &std::path::Path) -> Ca {
    Ca::root(folder, "corp", "/O=Corp/CN=Corp", AUTHORITY)
}

fn trust(name: &str, ca: &Ca) -> Value {
    json!({"name": name, "anchors": [STANDARD.encode(ca.pem())], "identity": "uri"})
}

/// What names a trust.
pub fn some(name: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    trust(name, &corp(folder.path()))
}

fn binding(name: &str) -> Value {
    let identity = format!("spiffe://corp/{name}");
    json!({"name": name, "trust": "corp", "identity": identity, "groups": ["reader"]})
}

fn list(ca: &Ca) -> Value {
    json!({"crl": STANDARD.encode(ca.crl(EVER))})
}

/// A connection by somebody who shows a certificate, and those above it.
fn connect(server: &mut Server, house: &House, leaf: &Leaf, above: &[&Ca]) -> Connection {
    let mut certificate = leaf.pem.clone();
    for ca in above {
        certificate.push_str(&String::from_utf8(ca.pem()).unwrap());
    }
    let identity = Identity {
        certificate,
        key: leaf.key.clone(),
    };
    server.trust_as(&house.data_dir().join("ca.pem"), &identity);
    server.connect()
}

fn own(connection: &mut Connection) -> crate::wire::Answer {
    connection.ask("", "GET", OWN, None, &[])
}

/// Every route, as the description has it.
pub fn described(api: &Described<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let ca = corp(folder.path());
    let new = trust("corp", &ca);
    let made = api.good("trust-create", &[], Some(new.clone()));
    assert_eq!(made["revocation"], "if-known");
    assert_eq!(api.bad("trust-create", &[], Some(new)), "already-exists");
    let none = json!({"name": "none", "anchors": [], "identity": "cn"});
    assert_eq!(api.bad("trust-create", &[], Some(none)), "invalid-argument");
    let read = api.good("trust-read", &["corp"], None);
    assert_eq!(read["anchors"][0]["subject"], "O=Corp, CN=Corp");
    assert_eq!(api.bad("trust-read", &["nobody"], None), "not-found");
    let imported = api.good("trust-import-crl", &["corp"], Some(list(&ca)));
    assert_eq!(imported["crls"][0]["entries"], 0);
    assert_eq!(imported["revocation"], "path");
    let bad = json!({"crl": "AAAA"});
    assert_eq!(
        api.bad("trust-import-crl", &["corp"], Some(bad)),
        "invalid-argument"
    );
    let change = json!({"revocation": "leaf", "intermediates": []});
    let changed = api.good("trust-update", &["corp"], Some(change));
    assert_eq!(changed["revocation"], "leaf");
    assert_eq!(
        api.bad("trust-update", &["corp"], Some(json!({}))),
        "invalid-argument"
    );
    let listed = api.good("trust-list", &[], None);
    assert_eq!(listed["items"][0]["name"], "corp");
    let bound = api.good("principal-create", &[], Some(binding("outsider")));
    assert_eq!(bound["identity"], "spiffe://corp/outsider");
    let half = json!({"name": "m", "trust": "corp"});
    assert_eq!(
        api.bad("principal-create", &[], Some(half)),
        "invalid-argument"
    );
    api.good("principal-delete", &["outsider"], None);
    api.good("trust-delete", &["corp"], None);
}

#[test]
fn somebody_by_an_external_authority_comes_in_until_a_list_names_them() {
    let house = House::new();
    let mut server = house.serve();
    let folder = tempfile::tempdir().unwrap();
    let (ca, other) = (
        corp(folder.path()),
        Ca::root(folder.path(), "other", "/O=Corp/CN=Corp", AUTHORITY),
    );
    let below = ca.below("below", "/O=Corp/CN=Below", AUTHORITY);
    let (alice, bob) = (
        ca.client("alice", ALICE),
        below.client("bob", "URI:spiffe://corp/bob"),
    );
    // The server is running: what is trusted changes without a restart.
    let mut early = connect(&mut server, &house, &alice, &[]);
    assert_eq!(own(&mut early).status, 401);
    server.must("POST", TRUSTS, Some(trust("corp", &ca)));
    assert_eq!(own(&mut early).status, 401);
    server.must("POST", "/api/v1/principals", Some(binding("alice")));
    server.must("POST", "/api/v1/principals", Some(binding("bob")));
    let said = own(&mut early);
    assert_eq!(said.json()["principal"], "alice", "{}", said.text());
    let mut first = connect(&mut server, &house, &alice, &[]);
    assert_eq!(own(&mut first).json()["principal"], "alice");
    let keys = "/api/v1/keyrings/default/keys";
    assert_eq!(first.ask("", "GET", keys, None, &[]).status, 200);
    let mut second = connect(&mut server, &house, &bob, &[&below]);
    assert_eq!(own(&mut second).json()["principal"], "bob");
    let strange = other.client("alice-2", ALICE);
    let mut strange = connect(&mut server, &house, &strange, &[&other]);
    assert_eq!(own(&mut strange).status, 401);

    let crls = format!("{TRUSTS}/corp/crls");
    let keep = json!({"revocation": "if-known"});
    server.must("PATCH", &format!("{TRUSTS}/corp"), Some(keep));
    ca.revoke(&alice);
    server.must("POST", &crls, Some(list(&ca)));
    for open in [&mut early, &mut first] {
        let cut = own(open);
        assert_eq!(cut.status, 401);
        // Strangers are not told what of it was wrong.
        assert!(!cut.text().contains("corp"), "{}", cut.text());
    }
    let mut anew = connect(&mut server, &house, &alice, &[]);
    assert_eq!(own(&mut anew).status, 401);
    assert_eq!(own(&mut second).status, 200);

    // Who asks for more learns why nobody is let in, and so does the log.
    let strict = json!({"revocation": "path"});
    server.must("PATCH", &format!("{TRUSTS}/corp"), Some(strict));
    let refused = own(&mut second);
    assert_eq!(refused.status, 401);
    assert!(
        refused.text().contains("no list covers it"),
        "{}",
        refused.text()
    );
    let events = server.must("GET", "/api/v1/events?limit=1000", None);
    let events = events["items"].as_array().unwrap();
    for why in ["corp: revoked", "no list covers it"] {
        let told = events.iter().any(|event| {
            event["action"] == "credential.refused" && event.to_string().contains(why)
        });
        assert!(told, "{why}");
    }
    drop(server);

    // It outlasts the server.
    let mut server = house.serve();
    let lenient = json!({"revocation": "if-known"});
    server.must("PATCH", &format!("{TRUSTS}/corp"), Some(lenient));
    let mut second = connect(&mut server, &house, &bob, &[&below]);
    assert_eq!(own(&mut second).json()["principal"], "bob");
    let mut anew = connect(&mut server, &house, &alice, &[]);
    assert_eq!(own(&mut anew).status, 401);
    server.must_nothing("DELETE", &format!("{TRUSTS}/corp"));
    assert_eq!(own(&mut second).status, 401);
}

#[test]
fn more_certificates_than_a_path_needs_are_not_listened_to() {
    let house = House::new();
    let mut server = house.serve();
    let folder = tempfile::tempdir().unwrap();
    let ca = corp(folder.path());
    server.must("POST", TRUSTS, Some(trust("corp", &ca)));
    server.must("POST", "/api/v1/principals", Some(binding("alice")));
    let alice = ca.client("alice", ALICE);
    let mut open = connect(&mut server, &house, &alice, &[&ca; 8]);
    assert_eq!(own(&mut open).status, 200);
    let identity = Identity {
        certificate: alice.pem.clone() + &String::from_utf8(ca.pem()).unwrap().repeat(9),
        key: alice.key.clone(),
    };
    server.trust_as(&house.data_dir().join("ca.pem"), &identity);
    let opened = Connection::open(server.address, server.tls.as_ref());
    // The server's refusal comes after the client's side of the handshake.
    let answered = opened.and_then(|mut open| open.send("GET", OWN, None, &[]));
    assert!(answered.is_err());
}
