//! What is refused, and by which name.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as B64};
use serde_json::{Value, json};
use skms_crypto::{Algorithm, Format, KeyMaterial, OpenKey};

use super::client::{Client, Key, exchange};
use super::stage::Stage;

/// Revocation by strangers, with wrong reasons, by the certificate's key, and
/// twice; renewal information around it.
pub fn revocation(owner: &Client, stranger: &Client, subject: &Key, chain: &str) {
    let body = chain.split("-----").nth(2).unwrap();
    let der = STANDARD
        .decode(body.split_whitespace().collect::<String>())
        .unwrap();
    let read = skms_pki::Certificate::from_der(&der).unwrap();
    let id = skms_pki::acme::cert_id(&read).unwrap();
    let info = exchange("GET", &owner.url(&format!("renewal-info/{id}")), "", b"").ok();
    let before = info.json()["suggestedWindow"]["start"]
        .as_str()
        .unwrap()
        .to_owned();
    let nobody = exchange("GET", &owner.url("renewal-info/AAAA.AAAA"), "", b"");
    assert_eq!(nobody.status, 404);

    let replacing = |client: &Client| {
        let names = json!([{"type": "dns", "value": "*.example.org"}]);
        client.post("new-order", &json!({"identifiers": names, "replaces": id}))
    };
    assert_eq!(replacing(stranger).problem(), "malformed");
    assert_eq!(replacing(owner).ok().json()["replaces"], json!(id));
    let twice = replacing(owner);
    assert_eq!(
        (twice.status, twice.problem()),
        (409, "alreadyReplaced".into())
    );

    let wanted = |reason: u8| json!({"certificate": B64.encode(&der), "reason": reason});
    assert_eq!(
        stranger.post("revoke-cert", &wanted(0)).problem(),
        "unauthorized"
    );
    assert_eq!(
        owner.post("revoke-cert", &wanted(6)).problem(),
        "badRevocationReason"
    );
    // Only the key can say that it is compromised.
    assert_eq!(
        owner.post("revoke-cert", &wanted(1)).problem(),
        "badRevocationReason"
    );
    let mut altered = der.clone();
    *altered.last_mut().unwrap() ^= 1;
    let altered = json!({"certificate": B64.encode(&altered)});
    assert_eq!(owner.post("revoke-cert", &altered).status, 404);
    // By the key of the certificate, without an account.
    let mut header = owner.header("revoke-cert");
    header.as_object_mut().unwrap().remove("kid");
    header["jwk"] = subject.jwk();
    owner
        .send("revoke-cert", &subject.jws(&header, &wanted(1).to_string()))
        .ok();
    assert_eq!(
        owner.post("revoke-cert", &wanted(0)).problem(),
        "alreadyRevoked"
    );
    let info = exchange("GET", &owner.url(&format!("renewal-info/{id}")), "", b"").ok();
    let after = info.json()["suggestedWindow"]["end"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(after < before, "{after} {before}");
}

#[test]
fn what_is_not_signed_as_it_must_be_is_refused() {
    let stage = Stage::set("", &[]);
    let client = Client::registered(&stage.directory());
    let good = client.header("new-order");
    let payload = r#"{"identifiers":[{"type":"dns","value":"a.example.org"}]}"#;
    let send = |header: &Value| client.send("new-order", &client.key.jws(header, payload));
    assert_eq!(send(&good).ok().status, 201);
    // The same nonce again, another's, none.
    assert_eq!(send(&good).problem(), "badNonce");
    let with = |member: &str, value: Value| {
        let mut header = client.header("new-order");
        header[member] = value;
        header
    };
    assert_eq!(send(&with("nonce", json!("AAAA"))).problem(), "badNonce");
    assert_eq!(send(&with("nonce", Value::Null)).problem(), "badNonce");
    let elsewhere = [client.url("new-account"), "http://evil.example/".into()];
    for url in elsewhere {
        assert_eq!(send(&with("url", json!(url))).problem(), "unauthorized");
    }
    for algorithm in ["none", "HS256", "RS512", "ES512", "es256"] {
        let answer = send(&with("alg", json!(algorithm)));
        assert_eq!(answer.problem(), "badSignatureAlgorithm", "{algorithm}");
        assert_eq!(answer.json()["algorithms"][0], "ES256");
    }
    // Another kind of signature than the key's.
    assert_eq!(send(&with("alg", json!("EdDSA"))).problem(), "malformed");
    let nobody = client.url("account/00000000-0000-0000-0000-000000000000");
    assert_eq!(
        send(&with("kid", json!(nobody))).problem(),
        "accountDoesNotExist"
    );
    let foreign = "http://evil.example/acme/team/issuing/account/1";
    assert_eq!(
        send(&with("kid", json!(foreign))).problem(),
        "accountDoesNotExist"
    );
    assert_eq!(send(&with("jwk", client.key.jwk())).problem(), "malformed");
    let other = Client::registered(&stage.directory());
    assert_eq!(send(&with("kid", json!(other.kid))).problem(), "malformed");
    let altered = |member: &str, text: &str| {
        let mut jws = client.key.jws(&client.header("new-order"), payload);
        jws[member] = json!(text);
        client.send("new-order", &jws)
    };
    assert_eq!(altered("payload", "e30").problem(), "malformed");
    assert_eq!(altered("signature", "AAAA").problem(), "malformed");
    assert_eq!(altered("header", "x").problem(), "malformed");
    let jws = client
        .key
        .jws(&client.header("new-order"), payload)
        .to_string();
    let url = client.url("new-order");
    let plain = exchange("POST", &url, "application/json", jws.as_bytes());
    assert_eq!(plain.status, 415);
    assert_eq!(exchange("GET", &url, "", b"").status, 405);
    let closed = stage.directory().replace("issuing", "root");
    assert_eq!(exchange("GET", &closed, "", b"").status, 404);

    // Names that cannot be, and times that are not the client's to say.
    for (kind, value, problem) in [
        ("dns", "a_b.example.org", "rejectedIdentifier"),
        ("dns", "192.0.2.1", "rejectedIdentifier"),
        ("ip", "2001:DB8::1", "rejectedIdentifier"),
        ("email", "a@example.org", "unsupportedIdentifier"),
    ] {
        let wanted = json!({"identifiers": [{"type": kind, "value": value}]});
        assert_eq!(
            client.post("new-order", &wanted).problem(),
            problem,
            "{value}"
        );
    }
    assert_eq!(
        client
            .post("new-order", &json!({"identifiers": []}))
            .problem(),
        "malformed"
    );
}

#[test]
fn accounts_are_their_holders_alone() {
    let stage = Stage::set("", &[]);
    let directory = stage.directory();
    let mut nobody = Client::new(&directory);
    let existing = json!({"onlyReturnExisting": true});
    assert_eq!(
        nobody.post("new-account", &existing).problem(),
        "accountDoesNotExist"
    );
    let mut header = nobody.header("new-account");
    header["jwk"] = nobody.key.private_jwk();
    let sent = nobody.send("new-account", &nobody.key.jws(&header, "{}"));
    assert_eq!(sent.problem(), "badPublicKey");
    let contact = json!({"contact": ["tel:1"]});
    assert_eq!(
        nobody.post("new-account", &contact).problem(),
        "unsupportedContact"
    );

    let client = Client::registered(&directory);
    let other = Client::registered(&directory);
    let kid = client.kid.clone().unwrap();
    assert_eq!(other.post(&kid, &json!({})).problem(), "unauthorized");
    let changed = client
        .post(&kid, &json!({"contact": ["mailto:a@example.org"]}))
        .ok();
    assert_eq!(changed.json()["contact"][0], "mailto:a@example.org");

    // To a key that has an account; by an inner message that is not its own;
    // to a free one.
    let change = |key: &Key, old: &Key, account: &str| {
        let inner = json!({"alg": "ES256", "jwk": key.jwk(), "url": client.url("key-change")});
        let said = json!({"account": account, "oldKey": old.jwk()}).to_string();
        client.post("key-change", &key.jws(&inner, &said))
    };
    let taken = change(&other.key, &client.key, &kid);
    assert_eq!(
        (taken.status, &taken.headers["location"]),
        (409, other.kid.as_ref().unwrap())
    );
    let new = Key::new();
    assert_eq!(change(&new, &other.key, &kid).problem(), "malformed");
    let others = other.kid.clone().unwrap();
    assert_eq!(change(&new, &client.key, &others).problem(), "malformed");
    change(&new, &client.key, &kid).ok();
    assert_eq!(client.get(&kid).problem(), "malformed");
    nobody.key = new;
    nobody.kid = Some(kid.clone());
    assert_eq!(nobody.get(&kid).ok().json()["status"], "valid");
    nobody.post(&kid, &json!({"status": "deactivated"})).ok();
    assert_eq!(nobody.get(&kid).problem(), "unauthorized");
    nobody.kid = None;
    assert_eq!(
        nobody.post("new-account", &json!({})).problem(),
        "unauthorized"
    );
}

#[test]
fn accounts_are_bound_to_keys_once() {
    let stage = Stage::set("", &["--eab-required"]);
    let client = Client::new(&stage.directory());
    let refused = client.post("new-account", &json!({}));
    assert_eq!(refused.problem(), "externalAccountRequired");
    let made = stage.server.json(&["acme", "eab", "create", "issuing"]);
    let (id, secret) = (
        made["info"]["id"].as_str().unwrap(),
        made["hmac_key"].as_str().unwrap(),
    );
    let bound = |client: &Client, id: &str, secret: &str, algorithm: &str, key: &Key| {
        let raw = B64.decode(secret).unwrap();
        let mac = Some(Algorithm::HmacSha256);
        let material = KeyMaterial::import(&raw, Format::Raw, mac, None).unwrap();
        let header = json!({"alg": algorithm, "kid": id, "url": client.url("new-account")});
        let (protected, payload) = (
            B64.encode(header.to_string()),
            B64.encode(key.jwk().to_string()),
        );
        let input = format!("{protected}.{payload}");
        let tag = OpenKey::open(&material)
            .unwrap()
            .mac(input.as_bytes())
            .unwrap();
        let binding =
            json!({"protected": protected, "payload": payload, "signature": B64.encode(tag)});
        client.post("new-account", &json!({"externalAccountBinding": binding}))
    };
    let wrong = B64.encode([7; 32]);
    let nobody = "00000000-0000-0000-0000-000000000000";
    let key = &client.key;
    assert_eq!(
        bound(&client, id, &wrong, "HS256", key).problem(),
        "unauthorized"
    );
    assert_eq!(
        bound(&client, nobody, secret, "HS256", key).problem(),
        "unauthorized"
    );
    assert_eq!(
        bound(&client, id, secret, "HS512", key).problem(),
        "unauthorized"
    );
    assert_eq!(
        bound(&client, id, secret, "HS256", &Key::new()).problem(),
        "unauthorized"
    );
    assert_eq!(bound(&client, id, secret, "HS256", key).ok().status, 201);
    let next = Client::new(&stage.directory());
    assert_eq!(
        bound(&next, id, secret, "HS256", &next.key).problem(),
        "unauthorized"
    );
    let listed = stage.server.json(&["acme", "eab", "list", "issuing"]);
    assert!(listed[0]["account"].is_string(), "{listed}");
    let other = stage.server.json(&["acme", "eab", "create", "issuing"]);
    let (id, secret) = (
        other["info"]["id"].as_str().unwrap(),
        other["hmac_key"].as_str().unwrap(),
    );
    stage
        .server
        .run(&["acme", "eab", "revoke", "issuing", id])
        .ok();
    assert_eq!(
        bound(&next, id, secret, "HS256", &next.key).problem(),
        "unauthorized"
    );
}

#[test]
fn the_server_goes_nowhere_it_may_not() {
    // Only this machine is allowed; the private network is not.
    let stage = Stage::set("allow = [\"127.0.0.0/8\"]", &[]);
    let client = Client::registered(&stage.directory());
    let fails = |name: &str| {
        let (url, order) = client.order(&[name]);
        let challenge = client.challenge(&order, "http-01");
        let order = client.respond(&challenge, &url);
        assert_eq!(order["status"], "invalid", "{order}");
        let problem = &order["error"];
        assert!(
            problem["type"].as_str().unwrap().ends_with(":connection"),
            "{problem}"
        );
        problem["detail"].as_str().unwrap().to_owned()
    };
    assert!(fails("inside.example.org").contains("none of its addresses"));
    let web = TcpListener::bind(("127.0.0.1", stage.http_port)).unwrap();
    let targets = [
        "http://inside.example.org/",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:22/",
        "gopher://a.example.org/",
    ];
    let server = std::thread::spawn(move || {
        for target in targets {
            let (mut stream, _) = web.accept().unwrap();
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).unwrap();
            let answer =
                format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    assert!(fails("a.example.org").contains("none of its addresses"));
    assert!(fails("a.example.org").contains("none of its addresses"));
    assert!(fails("a.example.org").contains("another port"));
    assert!(fails("a.example.org").contains("neither http nor https"));
    server.join().unwrap();
}
