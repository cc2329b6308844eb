//! Every route with no identity, with the wrong one, and spoken to badly.

use serde_json::json;
use skms_wire::native::routes::{Auth, Body, Method, PREFIX, ROUTES, Route};

use crate::{
    describe::fill,
    house::{House, Server},
    wire::Answer,
};

/// The route's path with a value for each parameter that is a name.
fn path(route: &Route, value: &str) -> String {
    let id = "6d1f0a52-0000-4000-8000-000000000000";
    let path = route
        .path
        .replace("{version}", "1")
        .replace("{token}", id)
        .replace("{seal}", id);
    let count = path.matches('{').count();
    let (path, _) = fill(&path, &vec![value; count]);
    format!("{PREFIX}{path}")
}

fn takes_body(route: &Route) -> bool {
    route.body != Body::None
}

/// Asks until it may: there are more routes than strangers may ask for at once.
fn patiently(ask: impl Fn() -> Answer) -> Answer {
    loop {
        let answer = ask();
        if answer.status != 429 {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn nobody_gets_through_without_an_identity() {
    let house = House::new();
    let server = house.serve();
    let mut tried = 0;
    let wrong = format!("{}x", house.root_token);
    let cut = &house.root_token[..house.root_token.len() - 1];
    for route in ROUTES {
        let Auth::Action(_) = route.auth else {
            continue;
        };
        tried += 1;
        let body = takes_body(route).then(|| json!({}));
        for value in ["default", "nonesuch"] {
            for token in ["", "x", &wrong, cut] {
                let answer = patiently(|| {
                    server.ask_as(
                        token,
                        route.method.name(),
                        &path(route, value),
                        body.clone(),
                    )
                });
                assert_eq!(answer.status, 401, "{} with {token:?}", route.id);
                assert_eq!(answer.problem(), "unauthenticated");
                assert!(
                    answer
                        .header("www-authenticate")
                        .unwrap()
                        .starts_with("Bearer")
                );
            }
        }
        for header in [
            format!("Basic {}", house.root_token),
            house.root_token.clone(),
            format!("Bearer{}", house.root_token),
        ] {
            let answer = patiently(|| {
                let (method, header) = (route.method.name(), [("Authorization", header.as_str())]);
                let sent = server
                    .connect()
                    .send(method, &path(route, "default"), None, &header);
                sent.unwrap()
            });
            assert_eq!(answer.status, 401, "{}", route.id);
        }
        let bearer = format!("Bearer {}", house.root_token);
        let twice = [
            ("Authorization", bearer.as_str()),
            ("Authorization", "Bearer x"),
        ];
        let answer = patiently(|| {
            let method = route.method.name();
            let sent = server
                .connect()
                .send(method, &path(route, "default"), None, &twice);
            sent.unwrap()
        });
        assert_eq!(answer.status, 401, "{}", route.id);
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn the_wrong_identity_sees_nothing_and_learns_nothing() {
    let house = House::new();
    let server = house.serve();
    server.must(
        "POST",
        "/api/v1/keyrings/default/keys",
        Some(json!({"name": "default", "algorithm": "AES-256-GCM", "exportable": true})),
    );
    server.must(
        "POST",
        "/api/v1/namespaces",
        Some(json!({"name": "default"})),
    );
    server.must(
        "POST",
        "/api/v1/keyrings/default/keys",
        Some(json!({"name": "ca", "algorithm": "EC-P256", "uses": ["sign"]})),
    );
    server.must(
        "POST",
        "/api/v1/authorities",
        Some(json!({"name": "default", "key": "ca", "subject": "CN=x"})),
    );
    server.must(
        "POST",
        "/api/v1/ssh/authorities",
        Some(json!({"name": "default", "key": "ca", "certificate_type": "user"})),
    );
    server.must(
        "PUT",
        "/api/v1/ssh/authorities/default/roles/default",
        Some(json!({"principals": ["alice"]})),
    );
    server.must(
        "POST",
        "/api/v1/keyrings/default/keys",
        Some(json!({"name": "clock", "algorithm": "EC-P256", "uses": ["sign"]})),
    );
    let of = server.must(
        "POST",
        "/api/v1/authorities/default/certificates",
        Some(json!({"profile": "time-stamping", "subject": "CN=x",
            "key": {"keyring": "default", "key": "clock"}})),
    );
    let of = json!({"authority": "default", "serial": of["certificate"]["serial"]});
    server.must(
        "POST",
        "/api/v1/tsa",
        Some(json!({"name": "default", "key": "clock", "certificate": of,
            "policies": ["1.2.3"]})),
    );
    server.must(
        "POST",
        "/api/v1/trusts",
        Some(crate::trusts::some("default")),
    );
    server.must(
        "POST",
        "/api/v1/groups",
        Some(json!({"name": "default", "key": "default"})),
    );
    server.must(
        "POST",
        "/api/v1/notifications/channels",
        Some(json!({"name": "default", "url": "https://hooks.example.org/"})),
    );
    let nobody = server.must(
        "POST",
        "/api/v1/tokens",
        Some(json!({"principal": "nobody"})),
    );
    let nobody = nobody["token"].as_str().unwrap();
    for route in ROUTES {
        let Auth::Action(action) = route.auth else {
            continue;
        };
        let body = good_body(route);
        let ask = |value: &str| {
            let place = path(route, value);
            let named = format!("{}.{value}", route.id);
            let answer = server.connect().ask(
                nobody,
                route.method.name(),
                &place,
                body.as_ref(),
                &[("X-Request-Id", &named)],
            );
            // What may differ between a thing that is there and one that is
            // not is only what the caller said.
            let text = answer.text().replace(value, "*");
            let id = answer.header("x-request-id").unwrap().to_owned();
            (answer.status, text.replace(&id, "*"))
        };
        let there = ask("default");
        if action == "token.self" {
            assert_eq!(there.0, 200);
            continue;
        }
        assert!(matches!(there.0, 403 | 404), "{}: {there:?}", route.id);
        assert_eq!(there, ask("absently"), "{}", route.id);
    }
    // And each left an event, of the very act that the table names.
    let events = server.must("GET", "/api/v1/events?limit=1000", None);
    let events = events["items"].as_array().unwrap();
    for route in ROUTES {
        let Auth::Action(action) = route.auth else {
            continue;
        };
        for value in ["default", "absently"] {
            if action == "token.self" && value == "absently" {
                continue;
            }
            let named = format!("{}.{value}", route.id);
            let acts: Vec<&str> = events
                .iter()
                .filter(|event| event["request_id"] == named.as_str())
                .map(|event| event["action"].as_str().unwrap())
                .collect();
            assert_eq!(acts, [action], "{named}");
        }
    }
}

/// PEM of no certificate.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

/// The least that the route can read.
fn good_body(route: &Route) -> Option<serde_json::Value> {
    let ciphertext = "skms:v1:AAAA";
    Some(match route.id {
        "namespace-create" | "keyring-create" => json!({"name": "x"}),
        "key-create" => json!({"name": "x"}),
        "key-import" => json!({"name": "x", "key": "AA=="}),
        "key-update" => json!({"owner": "x"}),
        "key-compromise" | "key-compromise-plan" => json!({"reason": "x"}),
        "derive-key" => json!({"name": "x"}),
        "algorithm-withdraw" => json!({"reason": "x"}),
        "job-update" => json!({"step": "pause"}),
        "job-batch" => json!({"number": 1, "items": [{"ciphertext": ciphertext}]}),
        "key-revoke" => json!({"reason": "unspecified"}),
        "key-recovery-grant" => json!({"until": "2030-01-01T00:00:00Z", "reason": "x"}),
        "key-export" => json!({"format": "raw"}),
        "encrypt" => json!({"plaintext": ""}),
        "decrypt" | "reencrypt" => json!({"ciphertext": ciphertext}),
        "wrap" => json!({"key": "AA=="}),
        "unwrap" => json!({"wrapped_key": "AA=="}),
        "sign" => json!({"message": ""}),
        "sign-document" => json!({"format": "cms", "content": "",
            "certificate": {"authority": "default", "serial": "1"}}),
        "timestamp" => json!({"query": "", "policy": "1.2.3",
            "certificate": {"authority": "default", "serial": "1"}}),
        "verify" => json!({"message": "", "signature": ""}),
        "document-verify" => json!({"format": "cms", "document": ""}),
        "certificate-validate" => json!({"certificate": "", "anchors": []}),
        "mac" | "hash" => json!({"data": ""}),
        "mac-verify" => json!({"data": "", "mac": ""}),
        "derive" => json!({"length_bytes": 1}),
        "agree" => json!({"peer_public_key": ""}),
        "exchange-bind" => json!({"keyring": "default", "name": "x", "algorithm": "AES-256-GCM",
            "nonce": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "mac": ""}),
        "agree-key" => json!({"peer_public_key": "", "peer_party": "x", "name": "x"}),
        "decapsulate" => json!({"ciphertext": ""}),
        "approval-approve" => json!({"hash": "00"}),
        "policy-write" => json!({"policy": "permit (principal, action, resource);"}),
        "rule-write" => json!({"rule": "@answer(\"warn\") permit (principal, action, resource);"}),
        "rule-test" => json!({"name": "default",
            "rule": "@answer(\"warn\") permit (principal, action, resource);"}),
        "verdict-submit" => json!({"principal": "x", "score": 1, "reason": "x"}),
        "limits-write" => json!({"keys": 1000}),
        "principal-create" => json!({"name": "x", "fingerprint": "ab".repeat(32)}),
        "est-enable" => json!({"profiles": ["tls-server"]}),
        "acme-enable" => json!({"profile": "tls-server"}),
        "authority-create" => json!({"name": "x", "key": "x", "subject": "CN=x"}),
        "authority-update" => json!({"rules": {}}),
        "authority-profile-put" => json!({"base": "tls-server"}),
        "authority-install" => json!({"certificates": CERTIFICATE}),
        "authority-certify" => json!({"authority": "x"}),
        "certificate-issue" => json!({"profile": "tls-server", "new_key": "EC-P256"}),
        "certificate-revoke" => json!({"reason": "unspecified"}),
        "seal-add" => json!({"kind": "key-file"}),
        "tsa-create" => {
            json!({"name": "x", "key": "x", "certificate": {"authority": "default", "serial": "1"},
                "policies": ["1.2.3"]})
        }
        "ssh-authority-create" => json!({"name": "x", "key": "x", "certificate_type": "user"}),
        "ssh-role-write" => json!({"principals": ["x"]}),
        "ssh-sign" => json!({"public_key": "ssh-ed25519 AAAA"}),
        "ssh-revoke" => json!({"serials": ["x"]}),
        "trust-create" => json!({"name": "x", "anchors": [], "identity": "uri"}),
        "trust-update" => json!({"revocation": "leaf"}),
        "trust-import-crl" => json!({"crl": ""}),
        "blocklist-import" => json!({"file": ""}),
        "group-create" => json!({"name": "x", "key": "x"}),
        "notification-channel-create" => {
            json!({"name": "x", "url": "https://hooks.example.org/"})
        }
        "notification-channel-update" => json!({"enabled": true}),
        "group-member-add" | "group-member-remove" => json!({"members": [{"name": "x"}]}),
        "directory-publish" => json!({"statement": ""}),
        "directory-lookup" => json!({"principal": "x", "nonce": format!("{}=", "A".repeat(43))}),
        "directory-crls" => json!({"certificates": []}),
        _ if takes_body(route) => json!({}),
        _ => return None,
    })
}

fn raw(server: &Server, route: &Route, body: &[u8], media_type: Option<&str>) -> Answer {
    let bearer = format!("Bearer {}", server.token);
    let mut headers = vec![("Authorization", bearer.as_str())];
    if let Some(media_type) = media_type {
        headers.push(("Content-Type", media_type));
    }
    server
        .connect()
        .send(
            route.method.name(),
            &path(route, "default"),
            Some(body),
            &headers,
        )
        .unwrap()
}

#[test]
fn bad_bodies_are_refused_by_every_route() {
    let house = House::new();
    let server = house.serve_limited("body_bytes = 4096");
    let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    let invalid = b"{\"\xff\":1}";
    for route in ROUTES {
        let json = Some("application/json");
        for body in [
            &b"{"[..],
            b"[]",
            b"null",
            b"\"text\"",
            b"{\"nonesuch\":1}",
            b"{} {}",
            deep.as_bytes(),
            invalid,
        ] {
            let answer = raw(&server, route, body, json);
            assert_eq!(answer.status, 400, "{}: {}", route.id, answer.text());
            assert_eq!(answer.problem(), "malformed-request");
        }
        if takes_body(route) {
            for media_type in [
                None,
                Some("text/plain"),
                Some("application/x-www-form-urlencoded"),
                Some("application/jsonp"),
            ] {
                let answer = raw(&server, route, b"{}", media_type);
                assert_eq!(answer.status, 415, "{} {media_type:?}", route.id);
                assert_eq!(answer.problem(), "unsupported-media-type");
            }
        }
        let answer = raw(&server, route, &[b' '; 4097], json);
        assert_eq!(
            (answer.status, answer.problem()),
            (413, "payload-too-large".into())
        );
        let answer = chunked(&server, route, 4097);
        assert_eq!(
            (answer.status, answer.problem()),
            (413, "payload-too-large".into())
        );
    }
    assert_eq!(server.must("GET", "/api/v1/health", None)["status"], "ok");
}

/// A body whose length is not announced.
fn chunked(server: &Server, route: &Route, length: usize) -> Answer {
    let mut connection = server.connect();
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{}\r\n0\r\n\r\n",
        route.method.name(),
        path(route, "default"),
        server.token,
        " ".repeat(length),
    );
    let _ = connection.write(head.as_bytes());
    connection.answer().unwrap()
}

#[test]
fn other_methods_and_paths_are_named_as_such() {
    let house = House::new();
    let server = house.serve();
    let methods = [
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
    ];
    for route in ROUTES {
        let known: Vec<&str> = ROUTES
            .iter()
            .filter(|other| other.path == route.path)
            .map(|other| other.method.name())
            .collect();
        for method in methods
            .iter()
            .map(|method| method.name())
            .chain(["TRACE", "OPTIONS"])
        {
            if known.contains(&method) || path(route, "self") != path(route, "other") {
                continue;
            }
            let answer = server.ask(method, &path(route, "default"), None);
            assert_eq!(answer.status, 405, "{method} {}", route.path);
            assert_eq!(answer.problem(), "method-not-allowed");
            let mut allow: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
            let mut known = known.clone();
            allow.sort_unstable();
            known.sort_unstable();
            assert_eq!(allow, known, "{}", route.path);
        }
    }
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v2/health",
        "/api/v1/health/x",
        "//",
    ] {
        let answer = server.ask("GET", path, None);
        assert_eq!(
            (answer.status, answer.problem()),
            (404, "no-such-route".into()),
            "{path}"
        );
    }
    for path in [
        "/api/v1/keyrings/%ff",
        "/api/v1/keyrings?limit=x",
        "/api/v1/keyrings?nonesuch=1",
        "/api/v1/keyrings?limit=1&limit=2",
        "/api/v1/tokens/self?x=1",
    ] {
        let answer = server.ask("GET", path, None);
        assert_eq!(
            (answer.status, answer.problem()),
            (400, "malformed-request".into()),
            "{path}"
        );
    }
    let encoded = server.ask("GET", "/api/v1/keyrings/def%61ult", None);
    assert_eq!(encoded.json()["name"], "default");
    let traversal = server.ask("GET", "/api/v1/keyrings/..%2f..%2fdefault", None);
    assert_eq!(traversal.status, 404);
}

#[test]
fn namespaces_and_request_names_come_in_headers() {
    let house = House::new();
    let server = house.serve();
    server.must(
        "POST",
        "/api/v1/namespaces",
        Some(json!({"name": "team-a"})),
    );
    let ask = |headers: &[(&str, &str)]| {
        let path = "/api/v1/keyrings";
        server
            .connect()
            .ask(&server.token, "GET", path, None, headers)
    };
    assert_eq!(ask(&[]).json()["items"][0]["namespace"], "root");
    let own = ask(&[("X-SKMS-Namespace", "team-a")]);
    assert_eq!(own.status, 200);
    let absent = ask(&[("X-SKMS-Namespace", "team-b")]);
    assert_eq!(absent.problem(), "not-found");
    let twice = ask(&[("X-SKMS-Namespace", "root"), ("X-SKMS-Namespace", "team-a")]);
    assert_eq!(twice.problem(), "malformed-request");
    let named = ask(&[("X-Request-Id", "my-request.1")]);
    assert_eq!(named.header("x-request-id"), Some("my-request.1"));
    let odd = ask(&[("X-Request-Id", "a b<script>")]);
    assert_ne!(odd.header("x-request-id"), Some("a b<script>"));
    assert_eq!(odd.header("cache-control"), Some("no-store"));
    assert_eq!(odd.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn batches_have_a_limit_and_items_their_own_results() {
    let house = House::new();
    let server = house.serve_limited("body_bytes = 4194304");
    let keys = "/api/v1/keyrings/default/keys";
    server.must(
        "POST",
        keys,
        Some(json!({"name": "k", "algorithm": "AES-256-GCM"})),
    );
    let encrypt = format!("{keys}/k/encrypt");
    let items = |count: usize| json!({"batch": vec![json!({"plaintext": "AA=="}); count]});
    let most = server.must("POST", &encrypt, Some(items(1000)));
    assert_eq!(most["results"].as_array().unwrap().len(), 1000);
    let over = server.ask("POST", &encrypt, Some(items(1001)));
    assert_eq!(
        (over.status, over.problem()),
        (413, "batch-too-large".into())
    );
    let none = server.ask("POST", &encrypt, Some(items(0)));
    assert_eq!(none.problem(), "malformed-request");
    let mixed = json!({"batch": [
        {"plaintext": "AA==", "oaep_hash": "nonesuch"},
        {"plaintext": "AQ=="},
    ]});
    let mixed = server.must("POST", &encrypt, Some(mixed));
    assert_eq!(
        mixed["results"][0]["problem"]["type"],
        "urn:skms:problem:invalid-argument"
    );
    assert!(mixed["results"][1]["ok"].is_object());
}
