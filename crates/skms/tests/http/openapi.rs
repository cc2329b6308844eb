//! Every route, as it really answers, against the document it serves.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use skms_wire::native::routes::ROUTES;

use crate::{describe::Described, house::House};

pub fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn create(api: &Described<'_>, name: &str, algorithm: &str, more: Value) -> Value {
    let mut body = json!({"name": name, "algorithm": algorithm});
    for (member, value) in more.as_object().unwrap() {
        body[member] = value.clone();
    }
    api.good("key-create", &["default"], Some(body))
}

#[test]
fn every_route_answers_as_described() {
    let house = House::new();
    let server = house.serve();
    let api = Described::new(&server);
    about_the_server(&api);
    crate::certificates::validated(&api);
    containers(&api);
    keys(&api);
    crate::incidents::described(&api);
    crate::jobs::described(&api);
    crate::withdrawals::described(&api);
    encryption(&api);
    signatures(&api);
    secrets_shared(&api);
    ways_in_and_out(&api);
    identities(&api);
    certificates(&api);
    crate::ssh::described(&api);
    crate::trusts::described(&api);
    crate::weak::described(&api);
    crate::groups::described(&api);
    crate::rules::described(&api);
    crate::approvals::described(&api);
    crate::notifications::described(&api);
    storage(&api);
    sealing(&api, &house.key);
    let missed: Vec<&str> = ROUTES
        .iter()
        .map(|route| route.id)
        .filter(|id| !api.hit().contains(id))
        // Theirs take messages: exchange.rs, bound.rs and directory.rs try them.
        .filter(|id| !id.starts_with("exchange") && !id.starts_with("directory-"))
        .collect();
    assert!(missed.is_empty(), "never answered well: {missed:?}");
}

fn certificates(api: &Described<'_>) {
    for name in ["top", "mid", "far"] {
        create(api, name, "EC-P256", json!({"uses": ["sign"]}));
    }
    let top = json!({"name": "top", "key": "top", "subject": "CN=Top,O=Test", "path_length": 2});
    api.good("authority-create", &[], Some(top.clone()));
    assert_eq!(
        api.bad("authority-create", &[], Some(top)),
        "already-exists"
    );
    let mid = json!({
        "name": "mid", "key": "mid", "subject": "CN=Mid,O=Test", "parent": "top",
        "name_constraints": {"permitted": ["dns:example.org"]},
        "rules": {"profiles": ["tls-server"], "publish_url": "http://pki.example.org"},
    });
    let mid = api.good("authority-create", &[], Some(mid));
    assert_eq!(mid["issuers"][0]["chain"].as_array().unwrap().len(), 1);
    let far = json!({"name": "far", "key": "far", "subject": "CN=Far,O=Test", "external": true});
    let far = api.good("authority-create", &[], Some(far));
    let made = json!({"request": far["request"], "path_length": 0});
    let made = api.good("authority-certify", &["top"], Some(made));
    let chain = [&made["certificate"], &made["chain"][0]];
    let chain = chain.map(|pem| pem.as_str().unwrap()).concat();
    let chain = json!({"certificates": chain});
    let installed = api.good("authority-install", &["far"], Some(chain));
    assert!(installed["request"].is_null());
    assert_eq!(
        api.bad("authority-certify", &["top"], Some(json!({}))),
        "invalid-argument"
    );
    api.good("authority-read", &["mid"], None);
    assert_eq!(api.bad("authority-read", &["nobody"], None), "not-found");
    let page = api.good("authority-list", &["?limit=2"], None);
    assert_eq!(page["next"], "mid");
    let rules = json!({"rules": {"crl_seconds": 86400}});
    let changed = api.good("authority-update", &["mid"], Some(rules));
    assert_eq!(changed["rules"]["crl_seconds"], 86400);
    let rules = json!({"rules": {"crl_seconds": 1}});
    assert_eq!(
        api.bad("authority-update", &["mid"], Some(rules)),
        "invalid-argument"
    );
    let renewed = api.good(
        "authority-renew",
        &["mid"],
        Some(json!({"lifetime_seconds": 86400})),
    );
    assert_eq!(renewed["issuers"][0]["cross"].as_array().unwrap().len(), 1);
    api.good("authority-publish", &["mid"], None);
    let own = json!({"base": "tls-server", "domains": ["example.org"], "most_names": 2});
    let changed = api.good("authority-profile-put", &["mid", "web"], Some(own));
    assert_eq!(changed["profiles"]["web"]["domains"][0], "example.org");
    for bad in [
        json!({"base": "root"}),
        json!({"base": "tls-server", "purposes": ["1.3.6.1.5.5.7.3.9"]}),
        json!({"base": "tls-server", "networks": ["10.0.0.0/99"]}),
    ] {
        let bad = api.bad("authority-profile-put", &["mid", "bad"], Some(bad));
        assert_eq!(bad, "invalid-argument");
    }
    api.good("authority-profile-delete", &["mid", "web"], None);
    assert_eq!(
        api.bad("authority-profile-delete", &["mid", "web"], None),
        "not-found"
    );

    let wanted =
        |name: &str| json!({"profile": "tls-server", "names": [name], "new_key": "EC-P256"});
    let made = api.good(
        "certificate-issue",
        &["mid"],
        Some(wanted("www.example.org")),
    );
    assert!(
        made["private_key"]
            .as_str()
            .unwrap()
            .contains("PRIVATE KEY")
    );
    let refused = api.bad(
        "certificate-issue",
        &["mid"],
        Some(wanted("www.example.com")),
    );
    assert_eq!(refused, "invalid-certificate");
    let serial = made["certificate"]["serial"].as_str().unwrap();
    api.good("certificate-read", &["mid", serial], None);
    api.good("certificate-list", &["mid"], None);
    acme(api);
    est(api);
    create(api, "scribe", "EC-P256", json!({"uses": ["sign"]}));
    let mut wanted = wanted("www.example.org");
    wanted["key"] = json!({"keyring": "default", "key": "scribe"});
    wanted.as_object_mut().unwrap().remove("new_key");
    let own = api.good("certificate-issue", &["mid"], Some(wanted));
    let of = json!({"authority": "mid", "serial": own["certificate"]["serial"]});
    let scribe = ["default", "scribe"];
    let document = json!({"format": "cms", "content": "AAAA", "certificate": of});
    api.good("sign-document", &scribe, Some(document));
    let digest = json!({"format": "cms", "digest": "AAAA", "hash": "SHA-256", "certificate": of});
    assert_eq!(
        api.bad("sign-document", &scribe, Some(digest)),
        "invalid-argument"
    );
    crate::stamping::stamp(api, &of);
    crate::verified::verified(api);
    let neither = json!({"format": "cms", "certificate": of});
    assert_eq!(
        api.bad("sign-document", &scribe, Some(neither)),
        "malformed-request"
    );
    let hold = json!({"reason": "certificateHold"});
    let held = api.good("certificate-revoke", &["mid", serial], Some(hold));
    assert_eq!(held["status"], "on-hold");
    let free = api.good("certificate-release", &["mid", serial], None);
    assert_eq!(free["status"], "good");
    let gone = json!({"reason": "superseded", "invalid_since": "2026-01-01T00:00:00Z"});
    let gone = api.good("certificate-revoke", &["mid", serial], Some(gone));
    assert_eq!(gone["status"], "revoked");
    assert_eq!(
        api.bad("certificate-release", &["mid", serial], None),
        "invalid-argument"
    );
    assert_eq!(api.bad("authority-delete", &["mid"], None), "not-empty");
    create(api, "brief", "Ed25519", json!({"uses": ["sign"]}));
    let brief = json!({"name": "brief", "key": "brief", "subject": "CN=Brief"});
    api.good("authority-create", &[], Some(brief));
    api.good("authority-delete", &["brief"], None);
}

fn acme(api: &Described<'_>) {
    assert_eq!(api.good("acme-read", &["mid"], None)["enabled"], false);
    assert_eq!(api.bad("acme-key-create", &["mid"], None), "not-found");
    let how = json!({"profile": "tls-server", "challenges": ["dns-01"]});
    let open = api.good("acme-enable", &["mid"], Some(how));
    assert_eq!(open["challenges"], json!(["dns-01"]));
    for bad in [
        json!({"profile": "root"}),
        json!({"profile": "tls-server", "challenges": ["x"]}),
        json!({"profile": "tls-server", "challenges": []}),
        json!({"profile": "tls-server", "terms_of_service": "terms"}),
    ] {
        assert_eq!(
            api.bad("acme-enable", &["mid"], Some(bad)),
            "invalid-argument"
        );
    }
    let key = api.good(
        "acme-key-create",
        &["mid"],
        Some(json!({"description": "one"})),
    );
    let id = key["info"]["id"].as_str().unwrap();
    let keys = api.good("acme-key-list", &["mid"], None);
    assert_eq!(keys["items"][0]["description"], "one");
    api.good("acme-key-revoke", &["mid", id], None);
    assert_eq!(api.bad("acme-key-revoke", &["mid", id], None), "not-found");
    api.good("acme-disable", &["mid"], None);
}

fn est(api: &Described<'_>) {
    assert_eq!(api.good("est-read", &["mid"], None)["enabled"], false);
    let how = json!({"profiles": ["tls-server"], "renewal_by_certificate": true});
    let open = api.good("est-enable", &["mid"], Some(how));
    assert_eq!(open["labels"], json!(["root:mid:tls-server"]));
    for bad in [
        json!({"profiles": []}),
        json!({"profiles": ["root"]}),
        json!({"profiles": ["tls-server", "tls-client"]}),
        json!({"profiles": ["nonesuch"]}),
        json!({"profiles": ["tls-server"], "key_algorithm": "X25519"}),
        json!({"profiles": ["tls-server"], "key_algorithm": "AES-256-GCM"}),
    ] {
        let refused = api.bad("est-enable", &["mid"], Some(bad));
        assert_eq!(refused, "invalid-argument");
    }
    let still = api.good("est-read", &["mid"], None);
    assert_eq!(still["key_algorithm"], "EC-P256");
    api.good("est-disable", &["mid"], None);
    assert_eq!(api.good("est-read", &["mid"], None)["enabled"], false);
}

fn about_the_server(api: &Described<'_>) {
    assert_eq!(api.good("health", &[], None)["status"], "ok");
    api.good("openapi", &[], None);
    let status = api.good("status", &[], None);
    assert!(status["weakest_seal"].is_string());
    let metrics = api.good("metrics", &[], None);
    assert!(metrics.as_str().unwrap().contains("skms_sealed 0"));
    let algorithms = api.good("algorithms", &[], None);
    assert!(algorithms["items"].as_array().unwrap().len() > 40);
    api.good("random", &[], Some(json!({"length_bytes": 16})));
    api.good("random", &[], None);
    let hash = api.good("hash", &[], Some(json!({"data": b64(b"abc")})));
    assert_eq!(
        hash["digest"],
        "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
    );
    assert_eq!(
        api.bad("hash", &[], Some(json!({"data": "", "hash": "SHA-1"}))),
        "invalid-argument"
    );
}

fn containers(api: &Described<'_>) {
    api.good("namespace-create", &[], Some(json!({"name": "team-a"})));
    assert_eq!(
        api.bad("namespace-create", &[], Some(json!({"name": "team-a"}))),
        "already-exists"
    );
    api.good("namespace-list", &[], None);
    let page = api.good("namespace-list", &["?limit=1"], None);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let next = page["next"].as_str().unwrap().to_owned();
    let page = api.good("namespace-list", &[&format!("?limit=1&after={next}")], None);
    assert!(page["next"].is_null());
    api.good("namespace-read", &["team-a"], None);
    assert_eq!(api.bad("namespace-read", &["team-b"], None), "not-found");
    api.good("namespace-delete", &["team-a"], None);

    let defaults = json!({"algorithm": "AES-256-GCM-SIV", "exportable": true});
    api.good(
        "keyring-create",
        &[],
        Some(json!({"name": "spare", "defaults": defaults})),
    );
    api.good("keyring-list", &[], None);
    api.good("keyring-read", &["spare"], None);
    api.good("key-create", &["spare"], Some(json!({"name": "inside"})));
    assert_eq!(api.bad("keyring-delete", &["spare"], None), "not-empty");
    api.good("keyring-create", &[], Some(json!({"name": "empty"})));
    api.good("keyring-delete", &["empty"], None);
}

fn keys(api: &Described<'_>) {
    let made = create(
        api,
        "life",
        "AES-256-GCM",
        json!({"tags": {"env": "test"}, "rules": {"destroy_window_seconds": 0},
            "exportable": true, "owner": "somebody"}),
    );
    assert_eq!(made["key"]["state"], "active");
    let at = ["default", "life"];
    api.good("key-list", &["default"], None);
    api.good("key-due", &[], None);
    api.good("key-due", &["?within_seconds=86400&limit=1"], None);
    let refused = api.bad("key-due", &["?limit=0"], None);
    assert_eq!(refused, "invalid-argument");
    let page = api.good("key-list", &["default", "?limit=1"], None);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    api.good("key-read", &at, None);
    let changed = api.good(
        "key-update",
        &at,
        Some(json!({"tags": {"env": "prod"}, "rules": {"rotate_after_uses": 5}})),
    );
    assert_eq!(changed["key"]["rules"]["destroy_window_seconds"], 0);
    let rotated = api.good("key-rotate", &at, None);
    assert_eq!(rotated["key"]["latest_version"], 2);
    api.good("key-version-list", &at, None);
    let page = api.good("key-version-list", &["default", "life", "?limit=1"], None);
    assert_eq!(page["next"], "1");
    let version = api.good("key-version-read", &["default", "life", "1"], None);
    assert_eq!(version["version"], 1);
    for odd in ["3", "0", "x", "-1"] {
        assert_eq!(
            api.bad("key-version-read", &["default", "life", odd], None),
            "not-found"
        );
    }
    api.good("key-suspend", &at, Some(json!({"version": 2})));
    let one = json!({"plaintext": b64(b"x")});
    assert_eq!(api.bad("encrypt", &at, Some(one)), "wrong-state");
    api.good("key-resume", &at, None);
    let revoke = json!({"reason": "keyCompromise", "version": 1, "message": "lost"});
    api.good("key-revoke", &at, Some(revoke));
    let until = "2099-01-01T00:00:00Z";
    assert_eq!(
        api.bad(
            "key-recovery-grant",
            &at,
            Some(json!({"until": until, "reason": "x"}))
        ),
        "invalid-argument"
    );
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let soon = soon.duration_since(std::time::UNIX_EPOCH).unwrap();
    let until = skms_wire::Moment::from_unix_seconds(i64::try_from(soon.as_secs()).unwrap());
    let grant = json!({"until": until, "reason": "re-encrypting", "version": 1});
    api.good("key-recovery-grant", &at, Some(grant));
    let gone = ["default", "gone"];
    create(
        api,
        "gone",
        "AES-128-KW",
        json!({"rules": {"destroy_window_seconds": 3600}}),
    );
    assert_eq!(api.bad("key-delete", &gone, None), "not-empty");
    api.good("key-destroy", &gone, None);
    api.good("key-restore", &gone, None);
    assert_eq!(api.bad("key-restore", &gone, None), "wrong-state");
    create(
        api,
        "quick",
        "AES-128-KW",
        json!({"rules": {"destroy_window_seconds": 0}}),
    );
    let quick = ["default", "quick"];
    api.good("key-destroy", &quick, None);
    // The material goes with the next look at what is due.
    while api.good("key-read", &quick, None)["state"] != "destroyed" {
        std::thread::yield_now();
    }
    api.good("key-delete", &quick, None);
    assert_eq!(api.bad("key-read", &quick, None), "not-found");
}

fn encryption(api: &Described<'_>) {
    let at = ["default", "data"];
    create(api, "data", "XAES-256-GCM", json!({}));
    let item = json!({"plaintext": b64(b"hello"), "associated_data": b64(b"ctx")});
    let one = api.good("encrypt", &at, Some(item.clone()));
    let opening = json!({"ciphertext": one["ciphertext"], "associated_data": b64(b"ctx")});
    let opened = api.good("decrypt", &at, Some(opening.clone()));
    assert_eq!(opened["plaintext"], b64(b"hello"));
    assert_eq!(opened["version"], 1);
    let elsewhere = json!({"ciphertext": one["ciphertext"], "associated_data": b64(b"cty")});
    assert_eq!(
        api.bad("decrypt", &at, Some(elsewhere.clone())),
        "decryption-failed"
    );
    let many = json!({"batch": [item, {"plaintext": ""}]});
    let many = api.good("encrypt", &at, Some(many));
    assert_eq!(many["results"].as_array().unwrap().len(), 2);
    let mixed = api.good("decrypt", &at, Some(json!({"batch": [opening, elsewhere]})));
    assert_eq!(mixed["results"][0]["ok"]["plaintext"], b64(b"hello"));
    assert_eq!(
        mixed["results"][1]["problem"]["type"],
        "urn:skms:problem:decryption-failed"
    );
    api.good("key-rotate", &at, Some(json!({})));
    let moved = json!({"ciphertext": one["ciphertext"], "associated_data": b64(b"ctx")});
    let moved = api.good("reencrypt", &at, Some(moved));
    assert_eq!(moved["version"], 2);
    let batch = json!({"batch": [{"ciphertext": one["ciphertext"]}]});
    let batch = api.good("reencrypt", &at, Some(batch));
    assert!(batch["results"][0]["problem"].is_object());

    let made = api.good("datakey", &at, Some(json!({"length_bytes": 16})));
    let opened = api.good(
        "decrypt",
        &at,
        Some(json!({"ciphertext": made["ciphertext"]})),
    );
    assert_eq!(opened["plaintext"], made["plaintext"]);
    let hidden = api.good("datakey", &at, Some(json!({"plaintext": false})));
    assert!(hidden.get("plaintext").is_none());
    assert_eq!(
        api.bad("datakey", &at, Some(json!({"length_bytes": 17}))),
        "invalid-argument"
    );

    create(api, "kek", "AES-256-KWP", json!({}));
    let kek = ["default", "kek"];
    let wrapped = api.good("wrap", &kek, Some(json!({"key": b64(&[7; 20])})));
    let wrapped = json!({"wrapped_key": wrapped["wrapped_key"]});
    let unwrapped = api.good("unwrap", &kek, Some(wrapped));
    assert_eq!(unwrapped["key"], b64(&[7; 20]));
    let torn = json!({"wrapped_key": b64(&[0; 24])});
    assert_eq!(api.bad("unwrap", &kek, Some(torn)), "decryption-failed");
    let use_not_permitted = json!({"plaintext": ""});
    assert_eq!(
        api.bad("encrypt", &kek, Some(use_not_permitted)),
        "use-not-permitted"
    );
}

fn signatures(api: &Described<'_>) {
    for (name, algorithm) in [("ed", "Ed25519"), ("p256", "EC-P256"), ("ml", "ML-DSA-44")] {
        create(api, name, algorithm, json!({"uses": ["sign", "verify"]}));
        let at = ["default", name];
        let signed = api.good("sign", &at, Some(json!({"message": b64(b"m")})));
        let signature = &signed["signature"];
        for (message, valid) in [(b"m", true), (b"n", false)] {
            let body = json!({"message": b64(message), "signature": signature});
            let verified = api.good("verify", &at, Some(body));
            assert_eq!(
                (&verified["valid"], &verified["version"]),
                (&json!(valid), &json!(1))
            );
        }
    }
    let digest = json!({"digest": b64(&[1; 32]), "hash": "SHA-256", "encoding": "p1363"});
    let signed = api.good("sign", &["default", "p256"], Some(digest));
    assert_eq!(signed["signature"].as_str().unwrap().len(), 88);
    for bad in [
        json!({}),
        json!({"message": "", "digest": ""}),
        json!({"digest": b64(&[1; 32])}),
    ] {
        assert_eq!(
            api.bad("sign", &["default", "p256"], Some(bad)),
            "invalid-argument"
        );
    }
    let public = api.good(
        "key-public",
        &["default", "p256", "?format=jwk&version=1"],
        None,
    );
    assert_eq!(public["format"], "jwk");
    api.good("key-public", &["default", "ed"], None);
    assert_eq!(
        api.bad("key-public", &["default", "data"], None),
        "unsupported-operation"
    );

    create(api, "mac", "HMAC-SHA-256", json!({}));
    let at = ["default", "mac"];
    let mac = api.good("mac", &at, Some(json!({"data": b64(b"d")})));
    let right = json!({"data": b64(b"d"), "mac": mac["mac"]});
    assert_eq!(api.good("mac-verify", &at, Some(right))["valid"], true);
    let wrong = json!({"data": b64(b"e"), "mac": mac["mac"], "version": 1});
    assert_eq!(api.good("mac-verify", &at, Some(wrong))["valid"], false);
}

fn secrets_shared(api: &Described<'_>) {
    create(api, "kdf", "HKDF-SHA-256", json!({}));
    let derive = json!({"length_bytes": 42, "info": b64(b"i"), "salt": b64(b"s")});
    let first = api.good("derive", &["default", "kdf"], Some(derive.clone()));
    assert_eq!(first, api.good("derive", &["default", "kdf"], Some(derive)));

    create(api, "dh1", "X25519", json!({}));
    create(api, "dh2", "X25519", json!({}));
    let share = |name: &str| api.good("key-public", &["default", name], None)["public_key"].clone();
    let agree = |own: &str, peer: &str| {
        let body = json!({"peer_public_key": share(peer), "info": b64(b"both")});
        api.good("agree", &["default", own], Some(body))["secret"].clone()
    };
    assert_eq!(agree("dh1", "dh2"), agree("dh2", "dh1"));
    crate::bound::agreed_keys_are_described(api, &share("dh1"), &share("dh2"));

    create(api, "kem", "ML-KEM-768", json!({}));
    let at = ["default", "kem"];
    let made = api.good("encapsulate", &at, Some(json!({})));
    let opened = json!({"ciphertext": made["ciphertext"]});
    let opened = api.good("decapsulate", &at, Some(opened));
    assert_eq!(opened["shared_secret"], made["shared_secret"]);
}

fn ways_in_and_out(api: &Described<'_>) {
    let import = json!({"name": "brought", "key": b64(&crate::weak::DRAWN), "format": "raw",
        "algorithm": "AES-256-GCM", "exportable": true});
    api.good("key-import", &["default"], Some(import.clone()));
    assert_eq!(
        api.bad("key-import", &["default"], Some(import)),
        "already-exists"
    );
    let out = api.good("key-export", &["default", "brought"], None);
    assert_eq!(
        (&out["key"], &out["format"]),
        (&json!(b64(&crate::weak::DRAWN)), &json!("raw"))
    );
    let wrapped = json!({"format": "raw", "wrapped_with": {"keyring": "default", "name": "kek"}});
    let wrapped = api.good("key-export", &["default", "brought"], Some(wrapped));
    let back = json!({"name": "back", "key": wrapped["key"], "format": "raw",
        "algorithm": "AES-256-GCM", "wrapped_with": {"keyring": "default", "name": "kek"}});
    api.good("key-import", &["default"], Some(back));
    assert_eq!(
        api.bad("key-export", &["default", "data"], None),
        "not-exportable"
    );
    let short =
        json!({"name": "s", "key": b64(&[9; 31]), "format": "raw", "algorithm": "AES-256-GCM"});
    let refused = api.bad("key-import", &["default"], Some(short));
    assert!(["invalid-key", "invalid-argument"].contains(&refused.as_str()));
}

fn identities(api: &Described<'_>) {
    let made = api.good(
        "token-create",
        &[],
        Some(json!({"principal": "p", "groups": ["g"], "ttl_seconds": 60, "description": "d"})),
    );
    api.good("token-create", &[], None);
    let id = made["info"]["id"].as_str().unwrap();
    api.good("token-list", &[], None);
    let page = api.good("token-list", &["?limit=1"], None);
    let next = page["next"].as_str().unwrap();
    api.good("token-list", &[&format!("?after={next}")], None);
    api.good("token-read", &[id], None);
    let own = api.good("token-self", &[], None);
    assert_eq!(own["authentication"], "token");
    api.good("token-revoke", &[id], None);
    assert_eq!(api.bad("token-read", &[id], None), "not-found");
    assert_eq!(api.bad("token-read", &["none"], None), "not-found");

    let text =
        "permit (principal in SKMS::Group::\"g\", action in SKMS::Action::\"use\", resource);";
    api.good("policy-write", &["own"], Some(json!({"policy": text})));
    api.good("policy-read", &["own"], None);
    api.good("policy-list", &[], None);
    let bad = json!({"policy": "permit (principal, action, resource) when { x };"});
    assert_eq!(
        api.bad("policy-write", &["own"], Some(bad)),
        "policy-invalid"
    );
    assert_eq!(api.good("policy-read", &["own"], None)["policy"], text);
    api.good("policy-delete", &["own"], None);

    let limits = json!({"keys": 1000, "keyrings": {"default": 900}, "tokens_per_principal": 99,
        "rate": {"per_second": 90_000}, "rates": {"x": {"per_second": 1, "burst": 2}}});
    api.good("limits-write", &[], Some(limits));
    let set = api.good("limits-read", &[], None);
    assert_eq!(set["rate"], json!({"per_second": 90_000, "burst": 90_000}));
    let bad = json!({"rate": {"per_second": 0}});
    assert_eq!(api.bad("limits-write", &[], Some(bad)), "invalid-argument");

    let print = "ab".repeat(32);
    let new = json!({"name": "machine", "fingerprint": print, "groups": ["g"]});
    api.good("principal-create", &[], Some(new));
    api.good("principal-list", &[], None);
    api.good("principal-read", &["machine"], None);
    assert_eq!(api.bad("principal-read", &["nobody"], None), "not-found");
    api.good("principal-delete", &["machine"], None);
    let both = json!({"name": "m", "fingerprint": print, "certificate": "x"});
    assert_eq!(
        api.bad("principal-create", &[], Some(both)),
        "invalid-argument"
    );
}

fn storage(api: &Described<'_>) {
    api.good("storage-rotate-storage-key", &[], None);
    api.good("storage-rotate-root", &[], None);
    let report = api.good("storage-verify", &[], None);
    assert_eq!(report["intact"], true, "{report}");
    api.good("storage-backup", &[], None);
    api.good("seal-list", &[], None);
    let shamir = json!({"kind": "shamir", "threshold": 2, "shares": 3});
    let added = api.good("seal-add", &[], Some(shamir));
    assert_eq!(added["shares"].as_array().unwrap().len(), 3);
    let file = api.good("seal-add", &[], Some(json!({"kind": "key-file"})));
    assert!(file["key_file"].is_string());
    api.good(
        "seal-remove",
        &[added["seal"]["id"].as_str().unwrap()],
        None,
    );

    let mut after = String::new();
    let mut seen = 0;
    loop {
        let page = api.good("event-list", &[&format!("?limit=50{after}")], None);
        seen += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) if seen < 400 => after = format!("&after={next}"),
            _ => break,
        }
    }
    assert!(seen > 100, "{seen}");
    assert_eq!(
        api.bad("event-list", &["?after=x"], None),
        "invalid-argument"
    );
    assert_eq!(
        api.bad("event-list", &["?limit=0"], None),
        "invalid-argument"
    );
    let only = &["?limit=1000&action=seal.*&outcome=success&target=the+server"];
    let only = api.good("event-list", only, None);
    let only = only["items"].as_array().unwrap();
    assert!(only.len() > 2, "{only:?}");
    for event in only {
        assert!(event["action"].as_str().unwrap().starts_with("seal."));
    }
    api.good("event-stream", &["?after=3&action=key.*"], None);
    for bad in [
        "limit=1",
        "action=A",
        "outcome=well",
        "after=x",
        "after=99999999",
    ] {
        let query = format!("?{bad}");
        assert_eq!(
            api.bad("event-stream", &[&query], None),
            "invalid-argument",
            "{bad}"
        );
    }
}

fn sealing(api: &Described<'_>, key: &[u8]) {
    let right = json!({"key_file": b64(b64(key).as_bytes())});
    assert_eq!(
        api.bad("unseal", &[], Some(right.clone())),
        "already-unsealed"
    );
    assert_eq!(api.good("seal", &[], None)["sealed"], true);
    assert_eq!(api.good("health", &[], None)["status"], "sealed");
    assert_eq!(api.good("seal-status", &[], None)["sealed"], true);
    assert_eq!(api.bad("key-list", &["default"], None), "sealed");
    let wrong = json!({"key_file": b64(b64(&[1; 32]).as_bytes())});
    assert_eq!(api.bad("unseal", &[], Some(wrong)), "unseal-failed");
    assert_eq!(api.bad("unseal", &[], Some(json!({}))), "invalid-argument");
    assert_eq!(api.good("unseal", &[], Some(right))["sealed"], false);
    api.good("key-list", &["default"], None);
}
