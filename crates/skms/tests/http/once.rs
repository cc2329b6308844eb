//! `Idempotency-Key`: a create that is sent again is not done again, also
//! when the server was killed in between.

use std::{collections::BTreeSet, thread};

use serde_json::{Value, json};

use crate::{
    house::{House, Server},
    wire::Answer,
};

const KEYS: &str = "/api/v1/keyrings/default/keys";

fn send(server: &Server, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("Idempotency-Key", key)];
    server
        .connect()
        .ask(&server.token, "POST", path, Some(body), &headers)
}

#[test]
fn a_create_is_answered_the_same_after_a_power_cut() {
    let house = House::new();
    let body = json!({"name": "a", "algorithm": "AES-256-GCM"});
    let server = house.serve();
    let first = send(&server, KEYS, "\"k-1\"", &body);
    assert_eq!(first.status, 201, "{}", first.text());
    let token = send(
        &server,
        "/api/v1/tokens",
        "t-1",
        &json!({"principal": "robot"}),
    );
    assert_eq!(token.status, 201, "{}", token.text());
    server.kill();
    let server = house.serve();
    // Quoted or bare, it is the same key.
    for key in ["\"k-1\"", "k-1"] {
        let again = send(&server, KEYS, key, &body);
        assert_eq!((again.status, again.text()), (201, first.text()));
    }
    // A secret that was given once is not given again, and not made anew.
    let again = send(
        &server,
        "/api/v1/tokens",
        "t-1",
        &json!({"principal": "robot"}),
    );
    assert_eq!(
        (again.status, again.problem()),
        (409, "secret-already-given".into())
    );
    let id = token.json()["info"]["id"].as_str().unwrap().to_owned();
    assert!(again.json()["detail"].as_str().unwrap().contains(&id));
    // Another body, another route and another parameter are other requests.
    let mut other = body.clone();
    other["name"] = "b".into();
    for (path, body) in [
        (KEYS, &other),
        ("/api/v1/keyrings", &body),
        ("/api/v1/keyrings/default/keys?x=1", &body),
    ] {
        let refused = send(&server, path, "k-1", body);
        assert!(
            [400, 422].contains(&refused.status),
            "{path}: {} {}",
            refused.status,
            refused.text()
        );
    }
    let refused = send(&server, KEYS, "k-1", &other);
    assert_eq!(
        (refused.status, refused.problem()),
        (422, "idempotency-key-reused".into())
    );
    assert_eq!(
        server.must("GET", "/api/v1/storage/verify", None)["intact"],
        true
    );
}

#[test]
fn many_at_once_make_one_key() {
    let house = House::new();
    let server = house.serve();
    // Slow to make, so that they overlap.
    let body = json!({"name": "a", "algorithm": "RSA-2048"});
    let answers: Vec<Answer> = thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| send(&server, KEYS, "k", &body)))
            .collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut made = BTreeSet::new();
    for answer in &answers {
        match answer.status {
            201 => drop(made.insert(answer.text())),
            _ => assert_eq!(
                (answer.status, answer.problem()),
                (409, "idempotency-key-in-use".into())
            ),
        }
    }
    assert_eq!(made.len(), 1);
    let keys = server.must("GET", KEYS, None);
    assert_eq!(keys["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_key_where_nothing_remembers_it_is_refused_and_a_bad_one_too() {
    let house = House::new();
    let server = house.serve();
    let body = json!({"name": "a", "algorithm": "AES-256-GCM"});
    let long = "k".repeat(256);
    for bad in ["", "\"\"", "\"open", long.as_str()] {
        let answer = send(&server, KEYS, bad, &body);
        assert_eq!(
            (answer.status, answer.problem()),
            (400, "malformed-request".into())
        );
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    let answer = server
        .connect()
        .ask(&server.token, "POST", KEYS, Some(&body), &twice);
    assert_eq!(
        (answer.status, answer.problem()),
        (400, "malformed-request".into())
    );
    assert_eq!(send(&server, KEYS, "k", &body).status, 201);
    let rotate = send(&server, &format!("{KEYS}/a/rotate"), "k", &json!({}));
    assert_eq!(
        (rotate.status, rotate.problem()),
        (400, "malformed-request".into())
    );
    let encrypt = send(
        &server,
        &format!("{KEYS}/a/encrypt"),
        "k",
        &json!({"plaintext": "AA=="}),
    );
    assert_eq!(encrypt.status, 200, "{}", encrypt.text());
}
