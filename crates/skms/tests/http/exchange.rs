//! The key exchange against the real server, with somebody in the middle.

use std::{
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use skms_client::{
    Client, Config,
    exchange::{
        Agreement, Distribution, Intent, KeyName, Moment, Outcome, Party, Request, ServerName, Uses,
    },
};
use skms_crypto::{Algorithm, Format, KeyMaterial, OpenKey};
use skms_exchange::AwaitingReply;

use crate::{
    describe::Described,
    house::Server,
    middle::{Change, Middle},
    mutual::Installed,
    wire::{Answer, Identity},
};

pub const KEYS: &str = "/api/v1/keyrings/default/keys";

pub fn now() -> Moment {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Moment(elapsed.as_secs().try_into().unwrap())
}

/// A client, by a certificate and the server's authority.
pub fn client(installed: &Installed, own: &Identity) -> Party {
    let authority = std::fs::read(installed.ca()).unwrap();
    let (certificate, key) = (own.certificate.as_bytes(), own.key.as_bytes());
    Party::from_pem(certificate, key, &authority).unwrap()
}

pub fn agreement(name: &str) -> Agreement {
    Agreement {
        key: KeyName::new("root", "default", name),
        algorithm: "HMAC-SHA-256".to_owned(),
        uses: Uses::default(),
        lifetime_seconds: Some(3600),
    }
}

fn distribution(name: &str) -> Distribution {
    Distribution {
        key: KeyName::new("root", "default", name),
        version: None,
    }
}

pub fn begin(client: &Party, request: Request) -> (Vec<u8>, AwaitingReply) {
    let intent = Intent::new(ServerName::host("localhost").unwrap(), request);
    client.begin(intent, now()).unwrap()
}

pub fn send(server: &Server, path: &str, message: &[u8]) -> Answer {
    let body = json!({"message": STANDARD.encode(message)});
    server.ask_as("", "POST", path, Some(body))
}

pub fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// Message 2 and the lists that came with it.
pub fn replied(answer: &Answer) -> (Vec<u8>, Vec<Vec<u8>>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    let lists = body["crls"].as_array().unwrap().iter().map(bytes).collect();
    (bytes(&body["message"]), lists)
}

/// That a message was refused by this name.
pub fn refused(answer: &Answer, name: &str) {
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(answer.problem(), "exchange-refused");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with(&format!("{name}:")), "{name}: {detail}");
}

pub fn state(server: &Server, name: &str) -> Value {
    server.must("GET", &format!("{KEYS}/{name}"), None)["state"].clone()
}

pub fn events(server: &Server, action: &str) -> Vec<Value> {
    let page = server.must("GET", "/api/v1/events?limit=500", None);
    let all = page["items"].as_array().unwrap().clone();
    all.into_iter()
        .filter(|event| event["action"] == action)
        .collect()
}

/// What the server makes of a message under a key of HMAC-SHA-256.
pub fn mac(server: &Server, name: &str) -> Vec<u8> {
    let body = json!({"data": STANDARD.encode(b"one")});
    bytes(&server.must("POST", &format!("{KEYS}/{name}/mac"), Some(body))["mac"])
}

pub fn mac_here(key: &[u8]) -> Vec<u8> {
    let material = KeyMaterial::import(key, Format::Raw, Some(Algorithm::HmacSha256), None);
    let open = OpenKey::open(&material.unwrap()).unwrap();
    open.mac(b"one").unwrap().to_vec()
}

#[test]
fn both_sides_have_the_key_and_it_is_used_once_it_is_confirmed() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let admin = client(&installed, &installed.admin());
    let (first, waiting) = begin(&admin, Request::Agreement(agreement("agreed")));
    let (second, lists) = replied(&send(&server, "/api/v1/exchange", &first));
    let Outcome::Agreed(agreed) = admin.receive(waiting, &second, &lists, now()).unwrap() else {
        panic!("a distribution");
    };
    assert_eq!(agreed.grant.algorithm, "HMAC-SHA-256");
    assert_eq!(state(&server, "agreed"), "pre-activation");
    let body = json!({"data": STANDARD.encode(b"one")});
    let early = server.ask("POST", &format!("{KEYS}/agreed/mac"), Some(body));
    assert_eq!(early.problem(), "wrong-state");

    // A confirmation that was altered anywhere confirms nothing, and stops
    // nothing either.
    let path = "/api/v1/exchange/confirm";
    for place in [
        agreed.confirmation.len() - 1,
        agreed.confirmation.len() / 2,
        0,
    ] {
        let mut forged = agreed.confirmation.clone();
        forged[place] ^= 1;
        let answer = send(&server, path, &forged);
        assert_eq!(answer.problem(), "exchange-refused", "{place}");
        assert_eq!(state(&server, "agreed"), "pre-activation");
    }
    let done = send(&server, path, &agreed.confirmation);
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(done.json()["key"]["state"], "active");
    assert_eq!(mac(&server, "agreed"), mac_here(agreed.key.expose()));
    // Once.
    refused(&send(&server, path, &agreed.confirmation), "transcript");

    // It ends when that was asked for, and leaves with nobody.
    let key = server.must("GET", &format!("{KEYS}/agreed"), None);
    assert_eq!(key["exportable"], false);
    assert!(key["rules"]["expires_at"].is_string(), "{key}");
    let said = events(&server, "key.exchange");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said.iter()
            .all(|one| one["outcome"]["result"] == "success" || one["outcome"] == "success")
    );
    assert!(events(&server, "exchange.refused").len() >= 2);
}

#[test]
fn what_was_sent_before_is_refused_also_after_a_crash() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let admin = client(&installed, &installed.admin());
    let (first, waiting) = begin(&admin, Request::Agreement(agreement("once")));
    let (second, lists) = replied(&send(&server, "/api/v1/exchange", &first));
    refused(&send(&server, "/api/v1/exchange", &first), "replayed");
    let (other, other_waiting) = begin(&admin, Request::Agreement(agreement("other")));
    let (other_second, _) = replied(&send(&server, "/api/v1/exchange", &other));
    // An answer to another request, and both confirmations crossed.
    let crossed = admin.receive(other_waiting, &second, &lists, now());
    assert_eq!(crossed.unwrap_err().name(), "transcript");
    assert_ne!(second, other_second);
    server.kill();

    let server = installed.serve_unsealed(&[]);
    refused(&send(&server, "/api/v1/exchange", &first), "replayed");
    // What waited for its confirmation still does.
    let Outcome::Agreed(agreed) = admin.receive(waiting, &second, &lists, now()).unwrap() else {
        panic!("a distribution");
    };
    let done = send(&server, "/api/v1/exchange/confirm", &agreed.confirmation);
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(mac(&server, "once"), mac_here(agreed.key.expose()));
    assert_eq!(state(&server, "other"), "pre-activation");
}

/// Entries that came after a backup are lost with a restore, so that nothing is
/// taken until no message of before is in time any more.
#[test]
fn after_a_restore_no_exchange_begins() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let run = |arguments: &[&str]| {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_skms"))
            .current_dir(installed.path(""))
            .env("SKMS_CONFIG", "root.toml")
            .env(
                "SKMS_ADDR",
                format!("https://localhost:{}", server.address.port()),
            )
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    run(&["backup", "create", "copy"]);
    let admin = client(&installed, &installed.admin());
    let (first, _) = begin(&admin, Request::Agreement(agreement("before")));
    replied(&send(&server, "/api/v1/exchange", &first));
    server.signal("TERM");
    run(&["restore", "copy", "--to", "elsewhere", "--key-file", "key"]);
    let (data, key) = (installed.path("elsewhere"), installed.path("key"));
    // The listener's own files are not in a backup.
    for file in ["listener.pem", "ca.pem"] {
        std::fs::copy(installed.path("data").join(file), data.join(file)).unwrap();
    }
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        data.to_str().unwrap(),
        "--unseal-key-file",
        key.to_str().unwrap(),
    ];
    let arguments: Vec<String> = arguments.map(str::to_owned).into();
    let mut restored = Server::start(&arguments).unwrap();
    restored.tls.clone_from(&server.tls);
    let (fresh, _) = begin(&admin, Request::Agreement(agreement("after")));
    for message in [first, fresh] {
        let answer = send(&restored, "/api/v1/exchange", &message);
        assert_eq!(answer.status, 503, "{}", answer.text());
    }
}

/// A principal of the authority that `skms init` made.
pub fn principal(server: &Server, name: &str, groups: &[&str]) -> (Identity, String) {
    let new = json!({"name": name, "authority": "admins", "groups": groups});
    server.must("POST", "/api/v1/principals", Some(new));
    certificate_of(server, name)
}

/// A certificate for somebody who may be nobody here.
pub fn certificate_of(server: &Server, name: &str) -> (Identity, String) {
    certificate(server, "principal", &format!("uri:{}", uri(name)))
}

fn uri(name: &str) -> String {
    skms_pki::issue::principal_uri("root", "certificate", name)
        .map(|name| name.to_string())
        .unwrap()
        .trim_start_matches("uri:")
        .to_owned()
}

fn certificate(server: &Server, profile: &str, name: &str) -> (Identity, String) {
    let wanted = json!({"profile": profile, "names": [name], "new_key": "EC-P256"});
    let made = server.must(
        "POST",
        "/api/v1/authorities/admins/certificates",
        Some(wanted),
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let identity = Identity {
        certificate: text(&made["certificate"]["certificate"]),
        key: text(&made["private_key"]),
    };
    (identity, text(&made["certificate"]["serial"]))
}

#[test]
fn who_is_not_who_it_says_gets_nothing() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let (alice, serial) = principal(&server, "alice", &["root"]);
    let alice = client(&installed, &alice);
    let ask = |by: &Party, name: &str| {
        let (first, _) = begin(by, Request::Agreement(agreement(name)));
        send(&server, "/api/v1/exchange", &first)
    };
    assert_eq!(ask(&alice, "hers").status, 200);
    let change = |act: &str, body: Option<Value>| {
        let path = format!("/api/v1/authorities/admins/certificates/{serial}/{act}");
        server.must("POST", &path, body);
    };
    change("revoke", Some(json!({"reason": "certificateHold"})));
    refused(&ask(&alice, "held"), "certificate-on-hold");
    change("release", None);
    assert_eq!(ask(&alice, "good").status, 200);
    change("revoke", Some(json!({"reason": "privilegeWithdrawn"})));
    refused(&ask(&alice, "revoked"), "certificate-revoked");

    // A principal without rights, a certificate of nobody here, one for
    // servers, and one that somebody made himself.
    let (bob, _) = principal(&server, "bob", &[]);
    let answer = ask(&client(&installed, &bob), "bobs");
    assert!([403, 404].contains(&answer.status), "{}", answer.text());
    let (nobody, _) = certificate_of(&server, "nobody");
    let answer = ask(&client(&installed, &nobody), "nobodys");
    assert_eq!(answer.status, 401, "{}", answer.text());
    let own = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["x".to_owned()]).unwrap();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let self_made = Identity {
        certificate: params.self_signed(&own).unwrap().pem(),
        key: own.serialize_pem(),
    };
    refused(
        &ask(&client(&installed, &self_made), "self"),
        "certificate-untrusted",
    );

    // For another server, forwarded to this one.
    let admin = client(&installed, &installed.admin());
    let request = Request::Agreement(agreement("forwarded"));
    let intent = Intent::new(ServerName::host("other.example").unwrap(), request);
    let (forwarded, _) = admin.begin(intent, now()).unwrap();
    refused(
        &send(&server, "/api/v1/exchange", &forwarded),
        "wrong-server",
    );
    let mut request = Intent::new(
        ServerName::host("localhost").unwrap(),
        Request::Agreement(agreement("classical")),
    );
    request.suites = vec![skms_client::exchange::suite::X25519];
    let (classical, _) = admin.begin(request, now()).unwrap();
    refused(
        &send(&server, "/api/v1/exchange", &classical),
        "no-common-suite",
    );

    for name in [
        "held",
        "revoked",
        "bobs",
        "nobodys",
        "self",
        "forwarded",
        "classical",
    ] {
        let path = format!("{KEYS}/{name}");
        assert_eq!(server.ask("GET", &path, None).status, 404, "{name}");
    }
    assert!(events(&server, "exchange.refused").len() >= 4);
}

#[test]
fn a_key_is_fetched_by_who_may_and_only_if_it_may_leave() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let make = |name: &str, exportable: bool| {
        let new = json!({"name": name, "algorithm": "HMAC-SHA-256", "exportable": exportable});
        server.must("POST", KEYS, Some(new));
    };
    make("leaves", true);
    make("stays", false);
    let admin = client(&installed, &installed.admin());
    let (first, waiting) = begin(&admin, Request::Distribution(distribution("leaves")));
    let (second, lists) = replied(&send(&server, "/api/v1/exchange", &first));
    let outcome = admin.receive(waiting, &second, &lists, now()).unwrap();
    let Outcome::Distributed(fetched) = outcome else {
        panic!("an agreement");
    };
    assert_eq!(mac(&server, "leaves"), mac_here(fetched.key.expose()));
    let (first, _) = begin(&admin, Request::Distribution(distribution("stays")));
    let stays = send(&server, "/api/v1/exchange", &first);
    assert_eq!(stays.problem(), "not-exportable", "{}", stays.text());
    let said = events(&server, "key.distribute");
    assert_eq!(said.len(), 2);

    // The right to export by HTTP is another one.
    let policy = "permit(principal in SKMS::Group::\"exporters\", \
                  action in [SKMS::Action::\"key.export\", SKMS::Action::\"key.read\"], resource);";
    server.must(
        "PUT",
        "/api/v1/policies/exporters",
        Some(json!({"policy": policy})),
    );
    let (carol, _) = principal(&server, "carol", &["exporters"]);
    let carol = client(&installed, &carol);
    let (first, _) = begin(&carol, Request::Distribution(distribution("leaves")));
    let answer = send(&server, "/api/v1/exchange", &first);
    assert_eq!(answer.status, 403, "{}", answer.text());
}

/// Both routes answer as the served description says.
#[test]
fn the_routes_are_as_described() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let api = Described::new(&server);
    let admin = client(&installed, &installed.admin());
    let (first, waiting) = begin(&admin, Request::Agreement(agreement("described")));
    let body = |message: &[u8]| Some(json!({"message": STANDARD.encode(message)}));
    let reply = api.good("exchange", &[], body(&first));
    assert_eq!(api.bad("exchange", &[], body(&first)), "exchange-refused");
    assert_eq!(api.bad("exchange", &[], body(b"")), "exchange-refused");
    let long = vec![0; 65_537];
    assert_eq!(api.bad("exchange", &[], body(&long)), "exchange-refused");
    let lists: Vec<_> = reply["crls"]
        .as_array()
        .unwrap()
        .iter()
        .map(bytes)
        .collect();
    let done = admin.receive(waiting, &bytes(&reply["message"]), &lists, now());
    let Outcome::Agreed(agreed) = done.unwrap() else {
        panic!("a distribution");
    };
    api.good("exchange-confirm", &[], body(&agreed.confirmation));
    assert_eq!(
        api.bad("exchange-confirm", &[], body(&agreed.confirmation)),
        "exchange-refused"
    );
}

/// Agrees on a key, or fetches one, through somebody in the middle whom TLS
/// trusts.
fn through(middle: &Middle, by: &Party, name: &str) -> Result<Vec<u8>, String> {
    let address = format!("https://localhost:{}", middle.address.port());
    let mut config = Config::new(address.parse().unwrap());
    config.ca_pem = Some(middle.authority.clone().into_bytes());
    config.retry = skms_client::Retry::NEVER;
    let client = Client::new(config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let agreed = runtime.block_on(client.agree_on_key(by, agreement(name)));
    match agreed {
        Ok(agreed) => Ok(agreed.key.expose().to_vec()),
        Err(error) => Err(error.to_string()),
    }
}

/// With one bit of the message other than it was.
fn flip(mut body: Value, place: impl Fn(usize) -> usize) -> Value {
    let mut message = bytes(&body["message"]);
    let place = place(message.len());
    message[place] ^= 1;
    body["message"] = STANDARD.encode(message).into();
    body
}

#[test]
fn whoever_ends_tls_in_the_middle_learns_and_changes_nothing() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let admin = client(&installed, &installed.admin());

    let quiet = Middle::new(&server, Box::new(|_, _, body| body));
    let key = through(&quiet, &admin, "watched").unwrap();
    assert_eq!(mac(&server, "watched"), mac_here(&key));
    let seen = quiet.seen.lock().unwrap().clone();
    let seen = String::from_utf8(seen).unwrap();
    assert!(!seen.contains(STANDARD.encode(&key).trim_end_matches('=')));

    type Attack = (&'static str, Box<Change>, &'static [&'static str]);
    let old = Arc::new(Mutex::new(None));
    let recorded = Arc::clone(&old);
    let attacks: Vec<Attack> = vec![
        // The signature of the first message, its last byte.
        (
            "a signature",
            Box::new(|path, answer, body| match (path, answer) {
                ("/api/v1/exchange", false) => flip(body, |length| length - 1),
                _ => body,
            }),
            &["signature:"],
        ),
        // The certificate or the key share, somewhere in the middle.
        (
            "the first message",
            Box::new(|path, answer, body| match (path, answer) {
                ("/api/v1/exchange", false) => flip(body, |length| length / 2),
                _ => body,
            }),
            &[
                "signature:",
                "malformed:",
                "wrong-certificate:",
                "certificate",
            ],
        ),
        (
            "the encapsulation",
            Box::new(|path, answer, body| match (path, answer) {
                ("/api/v1/exchange", true) => flip(body, |length| length / 2),
                _ => body,
            }),
            &[
                "signature:",
                "malformed:",
                "wrong-certificate:",
                "certificate",
            ],
        ),
        (
            "the confirmation",
            Box::new(|path, answer, body| match (path, answer) {
                ("/api/v1/exchange/confirm", false) => flip(body, |length| length - 1),
                _ => body,
            }),
            &["confirmation:"],
        ),
        // Its own request, sent back to its sender as the answer.
        (
            "a reflection",
            Box::new(move |path, answer, mut body| {
                let mut kept = recorded.lock().unwrap();
                match (path, answer) {
                    ("/api/v1/exchange", false) => *kept = Some(body["message"].clone()),
                    ("/api/v1/exchange", true) => body["message"] = kept.take().unwrap(),
                    _ => {}
                }
                body
            }),
            &["wrong-message:", "malformed:", "signature:"],
        ),
    ];
    drop(old);
    for (what, change, names) in attacks {
        let middle = Middle::new(&server, change);
        let name = what.replace(' ', "-");
        let why = through(&middle, &admin, &name).unwrap_err();
        assert!(names.iter().any(|name| why.contains(name)), "{what}: {why}");
        let key = server.ask("GET", &format!("{KEYS}/{name}"), None);
        if key.status == 200 {
            assert_eq!(key.json()["state"], "pre-activation", "{what}");
        }
    }

    // A whole run of before, played to the server and to the client.
    let first = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&first);
    let record = Middle::new(
        &server,
        Box::new(move |path, answer, body| {
            if path == "/api/v1/exchange" {
                let mut kept = kept.lock().unwrap();
                match (answer, &mut *kept) {
                    (false, none @ None) => *none = Some((body.clone(), Value::Null)),
                    (true, Some((_, reply))) => *reply = body.clone(),
                    _ => {}
                }
            }
            body
        }),
    );
    through(&record, &admin, "recorded").unwrap();
    let (request, reply) = first.lock().unwrap().clone().unwrap();
    let again = Middle::new(
        &server,
        Box::new(move |path, answer, body| match (path, answer) {
            ("/api/v1/exchange", false) => request.clone(),
            _ => body,
        }),
    );
    let why = through(&again, &admin, "replayed").unwrap_err();
    assert!(why.contains("replayed:"), "{why}");
    let stale = Middle::new(
        &server,
        Box::new(move |path, answer, body| match (path, answer) {
            ("/api/v1/exchange", true) => reply.clone(),
            _ => body,
        }),
    );
    let why = through(&stale, &admin, "old-answer").unwrap_err();
    assert!(why.contains("transcript:"), "{why}");
}
