//! The power goes while writes are under way. Whatever was acknowledged is
//! there afterwards with its event, and nothing is there by half.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::house::{House, Server};

const KEYS: &str = "/api/v1/keyrings/default/keys";
/// Rounds in the tests; `SKMS_CRASH_ROUNDS` asks for more.
const ROUNDS: usize = 20;
const WRITERS: usize = 4;

/// What was acknowledged, over all rounds.
#[derive(Default)]
struct Acknowledged {
    /// The number of versions each key has at least.
    versions: BTreeMap<String, u64>,
    /// Keys that were revoked.
    revoked: BTreeSet<String>,
    /// The names of the requests.
    requests: BTreeSet<String>,
}

fn rounds() -> usize {
    std::env::var("SKMS_CRASH_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(ROUNDS)
}

#[test]
fn acknowledged_is_kept_and_nothing_is_left_by_half() {
    let house = House::new();
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    for round in 0..rounds() {
        let server = house.serve();
        check(&server, &acknowledged.lock().unwrap(), round);
        // Another moment each round, counted in answers and not in time.
        let enough = 3 + (round * 7) % 40;
        write_until_killed(server, &acknowledged, round, enough);
    }
    let server = house.serve();
    let kept = acknowledged.lock().unwrap();
    check(&server, &kept, rounds());
    assert!(kept.versions.len() >= rounds(), "{}", kept.versions.len());
    assert_eq!(
        server.must("GET", "/api/v1/storage/verify", None)["intact"],
        true
    );
}

fn write_until_killed(
    server: Server,
    acknowledged: &Arc<Mutex<Acknowledged>>,
    round: usize,
    enough: usize,
) {
    let answered = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (acknowledged, answered) = (Arc::clone(acknowledged), Arc::clone(&answered));
            let mut connection = server.connect();
            let token = server.token.clone();
            thread::spawn(move || {
                for number in 0.. {
                    let name = format!("r{round}-w{writer}-{number}");
                    let acts = [
                        (
                            KEYS.to_owned(),
                            json!({"name": name, "algorithm": "AES-256-GCM"}),
                        ),
                        (format!("{KEYS}/{name}/rotate"), json!({})),
                        (
                            format!("{KEYS}/{name}/revoke"),
                            json!({"reason": "keyCompromise"}),
                        ),
                    ];
                    for (step, (path, body)) in acts.into_iter().enumerate() {
                        let request = format!("{name}-{step}");
                        let bearer = format!("Bearer {token}");
                        let headers = [
                            ("Authorization", bearer.as_str()),
                            ("Content-Type", "application/json"),
                            ("X-Request-Id", request.as_str()),
                        ];
                        let body = body.to_string();
                        let sent = connection.send("POST", &path, Some(body.as_bytes()), &headers);
                        let Ok(answer) = sent else { return };
                        assert!(answer.status < 300, "{request}: {}", answer.text());
                        let mut kept = acknowledged.lock().unwrap();
                        match step {
                            0 => drop(kept.versions.insert(name.clone(), 1)),
                            1 => drop(kept.versions.insert(name.clone(), 2)),
                            _ => drop(kept.revoked.insert(name.clone())),
                        }
                        kept.requests.insert(request);
                        drop(kept);
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
        })
        .collect();
    while answered.load(Ordering::SeqCst) < enough {
        assert!(!writers.iter().any(thread::JoinHandle::is_finished));
        thread::yield_now();
    }
    server.kill();
    for writer in writers {
        writer.join().unwrap();
    }
}

fn pages(server: &Server, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut after = String::new();
    loop {
        let page = server.must("GET", &format!("{path}?limit=1000{after}"), None);
        let page_items = page["items"].as_array().unwrap();
        items.extend(page_items.iter().cloned());
        match page["next"].as_str() {
            Some(next) if !page_items.is_empty() => after = format!("&after={next}"),
            _ => return items,
        }
    }
}

fn check(server: &Server, kept: &Acknowledged, round: usize) {
    let mut requests = BTreeMap::new();
    for event in pages(server, "/api/v1/events") {
        if event["outcome"] == "success" {
            let request = event["request_id"].as_str().unwrap().to_owned();
            *requests.entry(request).or_insert(0) += 1;
        }
    }
    for request in &kept.requests {
        assert_eq!(
            requests.get(request),
            Some(&1),
            "round {round}: the event of {request}"
        );
    }
    let found: BTreeMap<String, Value> = pages(server, KEYS)
        .into_iter()
        .map(|key| (key["name"].as_str().unwrap().to_owned(), key))
        .collect();
    for (name, versions) in &kept.versions {
        let key = found
            .get(name)
            .unwrap_or_else(|| panic!("round {round}: {name} is gone"));
        assert!(
            key["latest_version"].as_u64().unwrap() >= *versions,
            "round {round}: {key}"
        );
    }
    for name in &kept.revoked {
        assert_eq!(found[name]["state"], "compromised", "round {round}: {name}");
    }
    // What was not acknowledged is there as a whole or not at all: with its
    // event, and with material that works.
    for (name, key) in &found {
        let latest = key["latest_version"].as_u64().unwrap();
        for step in 0..latest {
            let request = format!("{name}-{step}");
            assert_eq!(requests.get(&request), Some(&1), "round {round}: {request}");
        }
        let compromised = key["state"] == "compromised";
        assert_eq!(
            requests.contains_key(&format!("{name}-2")),
            compromised,
            "round {round}: {key}"
        );
        let latest_round = name.starts_with(&format!("r{}-", round.saturating_sub(1)));
        if latest_round && !compromised {
            let one = json!({"plaintext": "AA=="});
            server.must("POST", &format!("{KEYS}/{name}/encrypt"), Some(one));
        }
    }
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let house = House::new();
    let first = house.serve();
    let Err((status, said)) = Server::start(&house.arguments()) else {
        panic!("two servers on one store");
    };
    assert!(!status.success());
    assert!(said.contains("in use"), "{said}");
    assert_eq!(first.must("GET", "/api/v1/health", None)["status"], "ok");
    first.must(
        "POST",
        KEYS,
        Some(json!({"name": "still", "algorithm": "AES-256-GCM"})),
    );
    first.kill();
    // A killed server leaves nothing behind that keeps the next one out.
    let next = house.serve();
    next.must("GET", &format!("{KEYS}/still"), None);
}

#[test]
fn a_server_that_is_told_to_stop_finishes_what_is_open() {
    let house = House::new();
    let server = house.serve();
    let mut open = server.connect();
    let head = format!(
        "POST /api/v1/random HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n",
        server.token
    );
    open.write(head.as_bytes()).unwrap();
    // Seen by the server, so that it is open when the signal comes.
    server.must("GET", "/api/v1/health", None);
    server.signal("TERM");
    while !server.log().contains("\"stopping\"") {
        thread::yield_now();
    }
    open.write(b"{}").unwrap();
    let answer = open.answer().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(open.until_closed().is_empty());
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert!(log.contains("\"stopped\""), "{log}");
}
