//! More than the server takes on: what is turned away is told so before any
//! work is begun, and what must get through does.

use std::time::Duration;

use serde_json::{Value, json};
use skms_wire::native::routes::DEFAULT_NAMESPACE;

use crate::{
    house::{House, Server},
    wire::{Answer, Connection},
};

const KEYS: &str = "/api/v1/keyrings/default/keys";

fn metric(server: &Server, line: &str) -> bool {
    let text = server.ask("GET", "/api/v1/metrics", None).text();
    text.lines().any(|known| known == line)
}

/// Begins a request whose body does not come.
fn hang(server: &Server, length: usize) -> Connection {
    let mut connection = server.connect();
    let head = format!(
        "POST /api/v1/random HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{{",
        server.token
    );
    connection.write(head.as_bytes()).unwrap();
    connection
}

fn assert_shed(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.problem()),
        (503, "unavailable".into())
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
}

/// Asks until it is answered so: a request that was just begun elsewhere is
/// not seen by the server at once.
fn until(mut ask: impl FnMut() -> Answer, status: u16) -> Answer {
    loop {
        let answer = ask();
        if answer.status == status {
            return answer;
        }
        std::thread::yield_now();
    }
}

#[test]
fn what_is_urgent_gets_through_while_the_rest_is_turned_away() {
    let house = House::new();
    let path = house.path("few.toml");
    std::fs::write(&path, "workers = 1\n[limits]\nrequests_per_worker = 1\n").unwrap();
    let server = house.serve_with(&["--config", &path.display().to_string()]);
    server.must(
        "POST",
        KEYS,
        Some(json!({"name": "a", "algorithm": "AES-256-GCM"})),
    );
    let held = hang(&server, 100);
    let encrypt = json!({"plaintext": "AA=="});
    let path = format!("{KEYS}/a/encrypt");
    let shed = until(|| server.ask("POST", &path, Some(encrypt.clone())), 503);
    assert_shed(&shed);
    assert_eq!(server.must("GET", "/api/v1/health", None)["status"], "ok");
    let suspend = format!("{KEYS}/a/suspend");
    assert_eq!(
        server.must("POST", &suspend, None)["key"]["state"],
        "suspended"
    );
    let revoke = json!({"reason": "keyCompromise"});
    server.must("POST", &format!("{KEYS}/a/revoke"), Some(revoke));
    drop(held);
    // The place is free again as soon as the server sees the end.
    until(|| server.ask("GET", KEYS, None), 200);
    let counted = server.ask("GET", "/api/v1/metrics", None).text();
    let shed = counted
        .lines()
        .find_map(|line| line.strip_prefix("skms_shed_total{reason=\"requests\"} "))
        .unwrap();
    assert!(shed.parse::<u64>().unwrap() >= 1, "{counted}");
    let held = hang(&server, 100);
    until(|| server.ask("GET", KEYS, None), 503);
    let sealed = server.ask("POST", "/api/v1/seal", None);
    assert_eq!(sealed.status, 200, "{}", sealed.text());
    drop(held);
}

#[test]
fn large_bodies_share_their_memory() {
    let house = House::new();
    let server = house.serve_limited("body_memory_bytes = 1048576");
    let held = hang(&server, 1_000_000);
    let large = json!({"data": "A".repeat(200_000)});
    let shed = until(
        || server.ask("POST", "/api/v1/hash", Some(large.clone())),
        503,
    );
    assert_shed(&shed);
    server.must("POST", "/api/v1/hash", Some(json!({"data": "AA=="})));
    drop(held);
    until(
        || server.ask("POST", "/api/v1/hash", Some(large.clone())),
        200,
    );
}

/// A peer that writes on after the answer reads it all the same: the server
/// does not close the connection over what is still on its way.
#[test]
fn who_still_writes_reads_the_answer() {
    let house = House::new();
    let server = house.serve();
    for _ in 0..5 {
        let mut connection = server.connect();
        let head = "POST /api/v1/hash HTTP/1.1\r\nHost: localhost\r\n\
                    Authorization: Bearer nonsense\r\nContent-Length: 600000\r\n\r\n";
        connection.write(head.as_bytes()).unwrap();
        for _ in 0..60 {
            connection.write(&[b' '; 10_000]).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(connection.answer().unwrap().status, 401);
    }
}

#[test]
fn a_principal_over_its_rate_is_told_when_to_come_back() {
    let house = House::new();
    let server = house.serve();
    let made = server.must(
        "POST",
        "/api/v1/tokens",
        Some(json!({"principal": "loud", "groups": ["admin"]})),
    );
    let token = made["token"].as_str().unwrap();
    server.must(
        "POST",
        KEYS,
        Some(json!({"name": "a", "algorithm": "AES-256-GCM"})),
    );
    let limits = json!({"rates": {"loud": {"per_second": 1, "burst": 2}}});
    let set = server.must("PUT", "/api/v1/limits", Some(limits.clone()));
    assert_eq!(set, limits);
    let mut connection = server.connect();
    let mut ask = || connection.ask(token, "GET", KEYS, None, &[]);
    let limited = until(&mut ask, 429);
    assert_eq!(limited.problem(), "too-many-requests");
    assert_eq!(limited.header("retry-after"), Some("1"));
    assert_eq!(limited.header("ratelimit"), Some("\"default\";r=0;t=1"));
    // Others are not concerned, and a compromised key can still be revoked.
    server.must("GET", KEYS, None);
    until(&mut ask, 429);
    let revoke = json!({"reason": "keyCompromise"});
    let revoked = server.ask_as(token, "POST", &format!("{KEYS}/a/revoke"), Some(revoke));
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    let events = server.must("GET", "/api/v1/events?limit=1000", None);
    let limited: Vec<&Value> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["action"] == "request.limited")
        .collect();
    assert!(!limited.is_empty());
    assert!(limited.iter().all(|event| event["principal"] == "loud"));
    server.must("PUT", "/api/v1/limits", Some(json!({})));
    for _ in 0..20 {
        assert_eq!(ask().status, 200);
    }
}

#[test]
fn quotas_are_set_and_kept_over_the_interface() {
    let house = House::new();
    let server = house.serve();
    server.must(
        "PUT",
        "/api/v1/limits",
        Some(json!({"keys": 1, "tokens_per_principal": 1})),
    );
    let key = |name: &str| json!({"name": name, "algorithm": "AES-256-GCM"});
    server.must("POST", KEYS, Some(key("a")));
    let over = server.ask("POST", KEYS, Some(key("b")));
    assert_eq!(
        (over.status, over.problem()),
        (409, "quota-exceeded".into())
    );
    let token = json!({"principal": "robot"});
    server.must("POST", "/api/v1/tokens", Some(token.clone()));
    let over = server.ask("POST", "/api/v1/tokens", Some(token));
    assert_eq!(
        (over.status, over.problem()),
        (409, "quota-exceeded".into())
    );
    for bad in [
        json!({"keys": -1}),
        json!({"key": 1}),
        json!({"rate": {"per_second": 0}}),
        json!({"rate": {"burst": 1}}),
    ] {
        let refused = server.ask("PUT", "/api/v1/limits", Some(bad.clone()));
        assert!(
            [400, 422].contains(&refused.status),
            "{bad}: {}",
            refused.text()
        );
    }
    assert_eq!(server.must("GET", "/api/v1/limits", None)["keys"], 1);
}

#[test]
fn strangers_have_a_rate_and_those_who_are_known_are_not_held_to_it() {
    let house = House::new();
    let server = house.serve_limited("stranger_requests_per_second = 1\nstranger_burst = 3");
    // Known from here on, also on other connections.
    server.must("GET", KEYS, None);
    let wrong = format!("skms_{}", "A".repeat(43));
    let mut connection = server.connect();
    let mut ask = |token: &str, path: &str| connection.ask(token, "GET", path, None, &[]);
    assert_eq!(ask(&wrong, KEYS).status, 401);
    let limited = until(|| ask(&wrong, KEYS), 429);
    assert_eq!(limited.problem(), "too-many-requests");
    assert!(limited.header("retry-after").is_some());
    let nobody = until(|| ask("", "/api/v1/algorithms"), 429);
    assert_eq!(nobody.problem(), "too-many-requests");
    assert_eq!(server.ask_as("", "GET", "/api/v1/health", None).status, 200);
    server.must("GET", KEYS, None);
}

#[test]
fn a_source_has_so_many_connections_and_no_more() {
    let house = House::new();
    let server = house.serve_limited("connections_per_source = 3");
    let mut held: Vec<Connection> = (0..3).map(|_| server.connect()).collect();
    // The next is closed without a word, before any handshake.
    let mut over = Connection::open(server.address, None).unwrap();
    assert!(over.until_closed().is_empty());
    drop(held.pop());
    // Until the server has seen the end of the one that went.
    let mut connection = loop {
        match Connection::open(server.address, server.tls.as_ref()) {
            Ok(connection) => break connection,
            Err(_) => std::thread::yield_now(),
        }
    };
    let text = connection
        .ask(&server.token, "GET", "/api/v1/metrics", None, &[])
        .text();
    assert!(
        !text.contains("skms_shed_total{reason=\"source-connections\"} 0\n"),
        "{text}"
    );
    drop(held);
    assert!(metric_exists(
        &text,
        "skms_requests_under_way{worker=\"0\"}"
    ));
}

#[test]
fn nobody_who_wants_a_stamp_holds_a_place_while_the_body_drips() {
    let house = House::new();
    let path = house.path("few.toml");
    let few = "workers = 1\n[limits]\nrequests_per_worker = 1\n\
               stranger_requests_per_second = 1\nstranger_burst = 4\n";
    std::fs::write(&path, few).unwrap();
    let server = house.serve_with(&["--config", &path.display().to_string()]);
    for key in ["ca", "clock"] {
        let key = json!({"name": key, "algorithm": "EC-P256", "uses": ["sign"]});
        server.must("POST", KEYS, Some(key));
    }
    let ca = json!({"name": "ca", "key": "ca", "subject": "CN=CA"});
    server.must("POST", "/api/v1/authorities", Some(ca));
    let wanted = json!({"profile": "time-stamping", "subject": "CN=Clock",
        "key": {"keyring": "default", "key": "clock"}});
    let issued = "/api/v1/authorities/ca/certificates";
    let issued = server.must("POST", issued, Some(wanted));
    let of = json!({"authority": "ca", "serial": issued["certificate"]["serial"]});
    let tsa = json!({"name": "clock", "key": "clock", "certificate": of, "policies": ["1.2.3"]});
    server.must("POST", "/api/v1/tsa", Some(tsa));
    let drip = |name: &str| {
        let mut connection = server.connect();
        let head = format!(
            "POST /tsa/{DEFAULT_NAMESPACE}/{name} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/timestamp-query\r\nContent-Length: 3\r\n\r\nx"
        );
        connection.write(head.as_bytes()).unwrap();
        connection
    };
    let mut dripping = drip("clock");
    // One that does not exist is told so before its body is there.
    assert_eq!(drip("none").answer().unwrap().status, 404);
    for _ in 0..10 {
        server.must("GET", KEYS, None);
    }
    dripping.write(b"xx").unwrap();
    assert_eq!(dripping.answer().unwrap().status, 200);
    // And who asks too often is told so before anything else.
    let limited = until(|| drip("none").answer().unwrap(), 429);
    assert!(limited.header("retry-after").is_some());
}

fn metric_exists(text: &str, name: &str) -> bool {
    text.lines().any(|line| line.starts_with(name))
}

#[test]
fn a_stranger_s_dripping_body_holds_no_place() {
    let house = House::new();
    let path = house.path("few.toml");
    std::fs::write(&path, "workers = 1\n[limits]\nrequests_per_worker = 1\n").unwrap();
    let server = house.serve_with(&["--config", &path.display().to_string()]);
    let mut dripping = server.connect();
    let head = "POST /api/v1/unseal HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    dripping.write(head.as_bytes()).unwrap();
    server.must("GET", KEYS, None);
    // While it is being served, the one that counts is the asker's own.
    assert!(metric(&server, "skms_requests_under_way{worker=\"0\"} 1"));
}
