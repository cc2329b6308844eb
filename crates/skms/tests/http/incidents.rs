//! A server that is killed in the middle of a cascade: nothing that depends on
//! the compromised key is ever used again, and the cascade is finished once.

use serde_json::{Value, json};

use crate::describe::Described;
use crate::house::{House, Server};

const KEYS: &str = "/api/v1/keyrings/default/keys";
/// Keys that are derived: several of the cascade's batches.
const DEPENDENTS: usize = 400;

fn use_of(server: &Server, name: &str) -> u16 {
    let body = json!({"plaintext": "aGVsbG8="});
    let path = format!("{KEYS}/{name}/encrypt");
    server.ask("POST", &path, Some(body)).status
}

#[test]
fn a_cascade_outlives_a_server_that_is_killed() {
    let house = House::new();
    let server = house.serve();
    let make = json!({"name": "master", "algorithm": "HKDF-SHA-256"});
    server.must("POST", KEYS, Some(make));
    for number in 0..DEPENDENTS {
        let body = json!({"name": format!("d{number}"), "algorithm": "XAES-256-GCM"});
        server.must("POST", &format!("{KEYS}/master/derive/key"), Some(body));
    }
    assert_eq!(use_of(&server, "d7"), 200);
    let order = json!({"reason": "lost", "rotate": "none"});
    let begun = server.must("POST", &format!("{KEYS}/master/compromise"), Some(order));
    let incident = format!("/api/v1/incidents/{}", begun["id"].as_str().unwrap());
    assert_eq!(use_of(&server, "d7"), 409);
    server.kill();
    let mut server = house.serve();
    assert_eq!(use_of(&server, "d399"), 409);
    for _ in 0..2 {
        server.kill();
        server = house.serve();
    }
    let done = loop {
        let read = server.must("GET", &incident, None);
        assert_eq!(use_of(&server, "d11"), 409);
        if read["finished"] == true {
            break read;
        }
    };
    assert_eq!(done["counts"]["compromised"], DEPENDENTS + 1);
    assert_eq!(done["touched"], DEPENDENTS + 1);
    for number in [0, 123, DEPENDENTS - 1] {
        let key: Value = server.must("GET", &format!("{KEYS}/d{number}"), None);
        assert_eq!(key["state"], "compromised");
    }
    let sound = server.must("GET", "/api/v1/storage/verify", None);
    assert_eq!(sound["intact"], true);
}

/// A key, what is derived from it, and the end of both.
pub fn described(api: &Described<'_>) {
    let made = json!({"name": "master", "algorithm": "HKDF-SHA-256"});
    api.good("key-create", &["default"], Some(made));
    let at = ["default", "master"];
    let wanted = json!({"name": "orders", "algorithm": "AES-256-GCM", "context": "eA=="});
    let made = api.good("derive-key", &at, Some(wanted.clone()));
    assert_eq!(made["version"], 1);
    assert_eq!(api.bad("derive-key", &at, Some(wanted)), "already-exists");
    let pair = json!({"name": "pair", "algorithm": "Ed25519"});
    assert_eq!(api.bad("derive-key", &at, Some(pair)), "invalid-argument");
    let orders = ["default", "orders"];
    let version = api.good("key-version-read", &["default", "orders", "1"], None);
    assert_eq!(version["origin"], "derived");
    let shown = api.good("key-lineage", &orders, None);
    assert_eq!(shown["nodes"].as_array().unwrap().len(), 3);
    let few = api.good("key-lineage", &["default", "orders", "?limit=2"], None);
    assert_eq!(few["truncated"], true);
    let none = ["default", "orders", "?limit=0"];
    assert_eq!(api.bad("key-lineage", &none, None), "invalid-argument");

    let order = json!({"reason": "lost", "since": "2026-01-01T00:00:00Z"});
    let plan = api.good("key-compromise-plan", &at, Some(order.clone()));
    assert_eq!(plan["incident"]["counts"]["compromised"], 2);
    assert_eq!(plan["touched"][1]["how"], "derived");
    let one = json!({"plaintext": "eA=="});
    api.good("encrypt", &orders, Some(one.clone()));
    let late = json!({"reason": "lost", "since": "2099-01-01T00:00:00Z"});
    assert_eq!(
        api.bad("key-compromise", &at, Some(late)),
        "invalid-argument"
    );
    let begun = api.good("key-compromise", &at, Some(order));
    let refused = api.bad("encrypt", &orders, Some(one));
    assert!(
        ["compromised-ancestor", "wrong-state"].contains(&refused.as_str()),
        "{refused}"
    );
    let id = begun["id"].as_str().unwrap();
    let done = loop {
        let read = api.good("incident-read", &[id], None);
        if read["finished"] == true {
            break read;
        }
        std::thread::yield_now();
    };
    assert_eq!(done["counts"], plan["incident"]["counts"]);
    let touched = api.good("incident-touched", &[id], None);
    assert_eq!(touched["items"].as_array().unwrap().len(), 2);
    let page = api.good("incident-touched", &[id, "?limit=1"], None);
    let next = format!("?limit=1&after={}", page["next"].as_str().unwrap());
    let rest = api.good("incident-touched", &[id, &next], None);
    assert_eq!(rest["items"][0], touched["items"][1]);
    let bad = [id, "?after=x"];
    assert_eq!(api.bad("incident-touched", &bad, None), "invalid-argument");
    let listed = api.good("incident-list", &[], None);
    assert_eq!(listed["items"][0]["id"], id);
    let key = api.good("incident-key", &[], None);
    let report = done["report"].as_str().unwrap();
    let pem = key["public_key"].as_str().unwrap();
    let says = skms_engine::acts::compromise::verify_report(report, pem.as_bytes()).unwrap();
    assert_eq!(says["incident"], id);
    assert_eq!(api.bad("incident-read", &["nonesuch"], None), "not-found");
}
