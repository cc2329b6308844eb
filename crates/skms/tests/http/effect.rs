//! What takes effect takes effect at once, on connections that are open too.

use serde_json::json;

use crate::{house::House, wire::Connection};

#[test]
fn a_revoked_token_ends_on_open_connections_too() {
    let house = House::new();
    let server = house.serve();
    let made = server.must(
        "POST",
        "/api/v1/tokens",
        Some(json!({"groups": ["reader"]})),
    );
    let token = made["token"].as_str().unwrap();
    let mut open = server.connect();
    let path = "/api/v1/keyrings";
    assert_eq!(open.ask(token, "GET", path, None, &[]).status, 200);
    let id = made["info"]["id"].as_str().unwrap();
    server.must("DELETE", &format!("/api/v1/tokens/{id}"), None);
    assert_eq!(open.ask(token, "GET", path, None, &[]).status, 401);
    assert_eq!(open.ask(&server.token, "GET", path, None, &[]).status, 200);
}

#[test]
fn a_policy_is_in_force_when_its_answer_is_there() {
    let house = House::new();
    let server = house.serve();
    let keys = "/api/v1/keyrings/default/keys";
    server.must(
        "POST",
        keys,
        Some(json!({"name": "k", "algorithm": "AES-256-GCM"})),
    );
    let made = json!({"principal": "rita", "groups": ["reader"]});
    let made = server.must("POST", "/api/v1/tokens", Some(made));
    let rita = made["token"].as_str().unwrap();
    // Enough connections that every worker has some.
    let mut connections: Vec<Connection> = (0..6).map(|_| server.connect()).collect();
    let text = "permit (principal == SKMS::Principal::\"rita\", \
        action == SKMS::Action::\"key.encrypt\", resource);";
    for _ in 0..40 {
        for (method, body, status) in [
            ("PUT", Some(json!({"policy": text})), 200),
            ("DELETE", None, 403),
        ] {
            server.must(method, "/api/v1/policies/rita", body);
            for connection in &mut connections {
                let one = json!({"plaintext": "AA=="});
                let path = format!("{keys}/k/encrypt");
                let answer = connection.ask(rita, "POST", &path, Some(&one), &[]);
                assert_eq!(answer.status, status, "{}", answer.text());
            }
        }
    }
}
