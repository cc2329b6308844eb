//! The power goes while certificates are made and revoked. Whatever was answered
//! is known afterwards, and nothing that is known lacks its event.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use skms_pki::ssh::Krl;

use super::{KEY, SIGN, USERS, users};
use crate::house::{House, Server};

const ROUNDS: usize = 6;
const WRITERS: usize = 3;

/// What was answered: certificates, and the serial numbers of the revoked.
#[derive(Default)]
struct Answered {
    made: Vec<Value>,
    revoked: Vec<String>,
}

#[test]
fn no_certificate_is_out_there_that_the_store_does_not_know() {
    let house = House::new();
    users(
        &house,
        json!({"principals": ["x"], "default_principals": ["x"]}),
    )
    .stop();
    let answered = Arc::new(Mutex::new(Answered::default()));
    for round in 0..ROUNDS {
        let server = house.serve();
        check(&server, &answered.lock().unwrap());
        // Another moment each round, counted in answers and not in time.
        certify_until_killed(server, &answered, 5 + (round * 7) % 20);
    }
    let server = house.serve();
    let answered = answered.lock().unwrap();
    check(&server, &answered);
    assert!(answered.made.len() > ROUNDS && !answered.revoked.is_empty());
    let verified = server.must("GET", "/api/v1/storage/verify", None);
    assert_eq!(verified["intact"], true);
}

fn certify_until_killed(server: Server, answered: &Arc<Mutex<Answered>>, enough: usize) {
    let count = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (answered, count) = (Arc::clone(answered), Arc::clone(&count));
            let mut connection = server.connect();
            let bearer = format!("Bearer {}", server.token);
            thread::spawn(move || {
                let mut post = |path: &str, body: Value| {
                    let headers = [
                        ("Authorization", bearer.as_str()),
                        ("Content-Type", "application/json"),
                    ];
                    let body = body.to_string();
                    let sent = connection.send("POST", path, Some(body.as_bytes()), &headers);
                    let answer = sent.ok()?;
                    assert!(answer.status < 300, "{}", answer.text());
                    count.fetch_add(1, Ordering::SeqCst);
                    Some(answer.json())
                };
                loop {
                    let Some(made) = post(SIGN, json!({"public_key": KEY})) else {
                        return;
                    };
                    let serial = made["serial"].as_str().unwrap().to_owned();
                    answered.lock().unwrap().made.push(made);
                    let revoke = format!("{USERS}/revoke");
                    if post(&revoke, json!({"serials": [serial]})).is_none() {
                        return;
                    }
                    answered.lock().unwrap().revoked.push(serial);
                }
            })
        })
        .collect();
    while count.load(Ordering::SeqCst) < enough {
        assert!(!writers.iter().any(thread::JoinHandle::is_finished));
        thread::yield_now();
    }
    server.kill();
    for writer in writers {
        writer.join().unwrap();
    }
}

/// Every page of a list.
fn every(server: &Server, path: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let page = server.must("GET", &format!("{path}?limit=500{after}"), None);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

fn check(server: &Server, answered: &Answered) {
    for made in &answered.made {
        let serial = made["serial"].as_str().unwrap();
        let known = server.must("GET", &format!("{USERS}/certificates/{serial}"), None);
        assert_eq!(known["certificate"], made["certificate"]);
    }
    let list = server.ask_as("", "GET", &super::published("users/krl"), None);
    let list = Krl::decode(&list.body).unwrap().revoked;
    for serial in &answered.revoked {
        assert!(list.serials.contains(serial.parse().unwrap()), "{serial}");
    }
    // One event for each that is there, whether it was answered or not.
    let listed = every(server, &format!("{USERS}/certificates"));
    let events = every(server, "/api/v1/events");
    let signed = events
        .iter()
        .filter(|event| event["action"] == "ssh-certificate.sign" && event["outcome"] == "success");
    assert_eq!(signed.count(), listed.len());
}
