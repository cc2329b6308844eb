//! Keys that are bound: to a TLS connection, with somebody who ends it in the
//! middle and certificates that are revoked meanwhile; and to two parties.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::HandshakeKind;
use serde_json::{Value, json};
use skms_client::{Client, Config, Retry, exchange::AgreedKey};
use skms_exchange::channel::{Asked, Channel};

use crate::{
    describe::Described,
    exchange::{KEYS, agreement, certificate_of, events, mac, mac_here, state},
    house::Server,
    middle::Middle,
    mutual::Installed,
    wire::{Answer, Connection, Identity, client_config},
};

const PATH: &str = "/api/v1/exchange/bind";

/// A key of one agreement between two keys of the server's.
pub fn agreed_keys_are_described(api: &Described<'_>, own: &Value, peer: &Value) {
    let salt = STANDARD.encode(b"s");
    let wanted = json!({"peer_public_key": peer, "peer_party": "two", "own_party": "one",
        "hash": "SHA-512", "salt": salt, "version": 1, "name": "agreed",
        "algorithm": "AES-256-GCM", "uses": ["encrypt", "decrypt"], "exportable": false,
        "owner": "x", "tags": {"a": "b"}, "rules": {}});
    let kept = api.good("agree-key", &["default", "dh1"], Some(wanted));
    assert_eq!(kept["key"]["name"], "agreed");
    assert_eq!(kept["own_party"], "one");
    let version = api.good("key-version-read", &["default", "agreed", "1"], None);
    assert_eq!(version["origin"], "agreed");
    assert_eq!(version["agreed"]["version"], 1);
    let own = json!({"peer_public_key": own, "peer_party": "two", "name": "mirror"});
    let refused = api.bad("agree-key", &["default", "dh1"], Some(own));
    assert_eq!(refused, "invalid-key");
}

/// A client that shows this certificate and trusts this authority.
fn client(port: u16, own: &Identity, authority: Vec<u8>) -> Client {
    let address = format!("https://localhost:{port}");
    let mut config = Config::new(address.parse().unwrap());
    config.ca_pem = Some(authority);
    config.identity = Some(skms_client::Identity {
        certificates_pem: own.certificate.clone().into_bytes(),
        private_key_pem: own.key.clone().into_bytes().into(),
    });
    config.retry = Retry::NEVER;
    Client::new(config).unwrap()
}

fn bind(client: &Client, name: &str) -> Result<AgreedKey, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let done = runtime.block_on(client.bind_key(agreement(name)));
    done.map_err(|error| error.to_string())
}

fn asked(name: &str) -> Asked {
    Asked {
        wanted: agreement(name),
        nonce: *b"a nonce that is used but once...",
    }
}

/// A request with the MAC that `channel` gives.
fn request(channel: &Channel, name: &str) -> Value {
    let asked = asked(name);
    let mac = channel.request_mac(&asked).unwrap();
    json!({"keyring": "default", "name": name, "algorithm": "HMAC-SHA-256",
        "lifetime_seconds": 3600, "nonce": STANDARD.encode(asked.nonce),
        "mac": STANDARD.encode(mac)})
}

fn send(connection: &mut Connection, body: &Value) -> Answer {
    connection.ask("", "POST", PATH, Some(body), &[])
}

/// That the server refused, and has no key.
fn refused(server: &Server, answer: &Answer, name: &str) {
    assert_eq!(answer.status, 422, "{name}: {}", answer.text());
    assert_eq!(answer.problem(), "exchange-refused");
    let detail = answer.json()["detail"].to_string();
    assert!(detail.starts_with("\"channel:"), "{name}: {detail}");
    absent(server, name);
}

fn absent(server: &Server, name: &str) {
    let path = format!("{KEYS}/{name}");
    assert_eq!(server.ask("GET", &path, None).status, 404, "{name}");
}

#[test]
fn both_ends_of_the_connection_have_the_key() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let authority = std::fs::read(installed.ca()).unwrap();
    let admin = client(server.address.port(), &installed.admin(), authority);
    let first = bind(&admin, "one").unwrap();
    let second = bind(&admin, "two").unwrap();
    assert_eq!(mac(&server, "one"), mac_here(first.key.expose()));
    assert_eq!(mac(&server, "two"), mac_here(second.key.expose()));
    assert_ne!(first.key.expose(), second.key.expose());
    assert_eq!(state(&server, "one"), "active");
    assert_eq!(first.grant.lifetime_seconds, Some(3600));
    let key = server.must("GET", &format!("{KEYS}/one"), None);
    assert_eq!(key["exportable"], false);
    assert_eq!(key["owner"], "admin");
    assert!(key["rules"]["expires_at"].is_string(), "{key}");
    let why = bind(&admin, "one").unwrap_err();
    assert!(why.contains("exists already"), "{why}");
    let said = events(&server, "key.exchange");
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(
        said.iter()
            .any(|one| one["details"]["exchange"].is_string())
    );
}

#[test]
fn the_answer_is_as_described_and_a_request_counts_on_its_own_connection_alone() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let api = Described::new(&server);
    let own = installed.admin();
    let config = client_config(&installed.ca(), Some(&own));
    let open = || Connection::bound(server.address, &config, &own);
    let (mut connection, channel, _) = open();
    let body = request(&channel, "plain");
    let answer = send(&mut connection, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    api.are_described("exchange-bind", &body, &answer);
    // Once more, word for word.
    let again = send(&mut connection, &body);
    assert_eq!(again.problem(), "already-exists");
    api.are_described("exchange-bind", &body, &again);

    // Altered, or recorded on another connection of the same client.
    let (mut other, other_channel, _) = open();
    refused(
        &server,
        &send(&mut other, &request(&channel, "moved")),
        "moved",
    );
    let mut renamed = request(&channel, "first");
    renamed["name"] = "renamed".into();
    refused(&server, &send(&mut connection, &renamed), "renamed");
    let mut longer = request(&channel, "longer");
    longer["lifetime_seconds"] = 7200.into();
    refused(&server, &send(&mut connection, &longer), "longer");
    let mut unsigned = request(&channel, "unsigned");
    unsigned["mac"] = "".into();
    refused(&server, &send(&mut connection, &unsigned), "unsigned");
    // By a token on the right connection, and by one on a connection without a
    // client certificate.
    let body = request(&other_channel, "token");
    let by_token = other.ask(&server.token, "POST", PATH, Some(&body), &[]);
    refused(&server, &by_token, "token");
    refused(&server, &server.ask("POST", PATH, Some(body)), "token");
    let short = json!({"keyring": "default", "name": "x", "algorithm": "HMAC-SHA-256",
        "nonce": "AAAA", "mac": ""});
    assert_eq!(send(&mut other, &short).problem(), "invalid-argument");
    let mut asymmetric = asked("pair");
    asymmetric.wanted.algorithm = "EC-P256".to_owned();
    let mac = other_channel.request_mac(&asymmetric).unwrap();
    let mut body = request(&other_channel, "pair");
    body["algorithm"] = "EC-P256".into();
    body["mac"] = STANDARD.encode(mac).into();
    assert_eq!(send(&mut other, &body).problem(), "invalid-argument");
    // The connection is as good as before.
    assert_eq!(
        send(&mut other, &request(&other_channel, "after")).status,
        200
    );
    let failed = events(&server, "key.exchange");
    let failed = failed
        .iter()
        .filter(|one| one.to_string().contains("channel:"));
    assert_eq!(failed.count(), 6);
}

/// What the one in the middle does, and what the client and the server say.
#[test]
fn whoever_ends_tls_in_the_middle_is_refused_by_name() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let admin = installed.admin();
    let through = |middle: &Middle, name: &str| {
        let authority = middle.authority.clone().into_bytes();
        bind(&client(middle.address.port(), &admin, authority), name).unwrap_err()
    };
    let quiet = || Box::new(|_: &str, _: bool, body: Value| body);

    // Without a certificate it is nobody; with one of its own it is not whom
    // the client means.
    let bare = Middle::new(&server, quiet());
    let why = through(&bare, "bare");
    assert!(!why.contains("channel"), "{why}");
    absent(&server, "bare");
    let (mallory, _) = crate::exchange::principal(&server, "mallory", &["root"]);
    let config = client_config(&installed.ca(), Some(&mallory));
    let known = Middle::over(server.address, Arc::clone(&config), quiet());
    let why = through(&known, "known");
    assert!(why.contains("channel:"), "{why}");
    absent(&server, "known");
    let said = events(&server, "key.exchange");
    let last = said.iter().find(|one| one.to_string().contains("channel:"));
    assert_eq!(last.unwrap()["principal"], "mallory");

    // It asks for a key of the same name by itself, and passes that answer on.
    let (connection, channel, _) = Connection::bound(server.address, &config, &mallory);
    let own = Arc::new(Mutex::new((connection, channel)));
    let asks = Middle::before(quiet(), move || {
        let own = Arc::clone(&own);
        Box::new(move |_, body| {
            let mut own = own.lock().unwrap();
            let name = body["name"].as_str().unwrap().to_owned();
            let body = request(&own.1, &name);
            send(&mut own.0, &body)
        })
    });
    let why = through(&asks, "theirs");
    assert!(why.contains("refused here: channel:"), "{why}");
    let theirs = server.must("GET", &format!("{KEYS}/theirs"), None);
    assert_eq!(theirs["owner"], "mallory");

    // It makes an answer up.
    let invents = Middle::before(quiet(), move || {
        let theirs = theirs.clone();
        Box::new(move |_, body| {
            let mut key = theirs.clone();
            key["name"] = body["name"].clone();
            let answer = json!({"key": key, "version": 1, "lifetime_seconds": 3600,
                "length_bytes": 32, "nonce": body["nonce"], "mac": body["mac"]});
            Answer {
                status: 200,
                headers: vec![("content-type".into(), "application/json".into())],
                body: answer.to_string().into_bytes(),
            }
        })
    });
    let why = through(&invents, "invented");
    assert!(why.contains("refused here: channel:"), "{why}");
    absent(&server, "invented");
}

/// Every request judges the certificate as it is now, on a connection that was
/// made before too; and every connection is made in full, so that there is
/// none to resume.
#[test]
fn a_certificate_that_was_revoked_since_binds_no_key() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let (alice, serial) = crate::exchange::principal(&server, "alice", &["root"]);
    let config = client_config(&installed.ca(), Some(&alice));
    let (mut connection, channel, kind) = Connection::bound(server.address, &config, &alice);
    assert_eq!(kind, HandshakeKind::Full);
    assert_eq!(
        send(&mut connection, &request(&channel, "before")).status,
        200
    );
    let change = |act: &str, body: Option<Value>| {
        let path = format!("/api/v1/authorities/admins/certificates/{serial}/{act}");
        server.must("POST", &path, body);
    };
    change("revoke", Some(json!({"reason": "certificateHold"})));
    let held = send(&mut connection, &request(&channel, "held"));
    assert_eq!(held.status, 401, "{}", held.text());
    absent(&server, "held");
    change("release", None);
    let (mut connection, channel, kind) = Connection::bound(server.address, &config, &alice);
    assert_eq!(kind, HandshakeKind::Full);
    assert_eq!(
        send(&mut connection, &request(&channel, "released")).status,
        200
    );
    change("revoke", Some(json!({"reason": "keyCompromise"})));
    let revoked = send(&mut connection, &request(&channel, "revoked"));
    assert_eq!(revoked.status, 401, "{}", revoked.text());
    // A client that would resume, if the server gave it anything to.
    let (mut connection, channel, kind) = Connection::bound(server.address, &config, &alice);
    assert_eq!(kind, HandshakeKind::Full);
    let revoked = send(&mut connection, &request(&channel, "revoked"));
    assert_eq!(revoked.status, 401, "{}", revoked.text());
    absent(&server, "revoked");
}

#[test]
fn policy_decides_as_for_other_agreements() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let (bob, _) = crate::exchange::principal(&server, "bob", &[]);
    let config = client_config(&installed.ca(), Some(&bob));
    let (mut connection, channel, _) = Connection::bound(server.address, &config, &bob);
    let answer = send(&mut connection, &request(&channel, "bobs"));
    assert!([403, 404].contains(&answer.status), "{}", answer.text());
    absent(&server, "bobs");
    // A certificate of an authority here that is nobody's.
    let (nobody, _) = certificate_of(&server, "nobody");
    let config = client_config(&installed.ca(), Some(&nobody));
    let (mut connection, channel, _) = Connection::bound(server.address, &config, &nobody);
    let answer = send(&mut connection, &request(&channel, "nobodys"));
    assert_eq!(answer.status, 401, "{}", answer.text());
}
