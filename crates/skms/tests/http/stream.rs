//! The stream of events: nothing missed and nothing twice over broken
//! connections and restarts, nothing of others, and an end when it may not go
//! on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use skms_client::{Client, Config, EventSelection};
use skms_wire::SecretText;
use skms_wire::native::routes::{DEFAULT_NAMESPACE, NAMESPACE_HEADER};

use crate::{
    house::{House, Server},
    wire::Connection,
};

const STREAM: &str = "/api/v1/events/stream";
const KEYS: &str = "/api/v1/keyrings/default/keys";
/// What "at once" is on a machine that does other things too.
const SOON: Duration = Duration::from_secs(10);

/// An open stream, read by hand.
pub struct Sse {
    connection: Connection,
    raw: Vec<u8>,
    text: String,
    ended: bool,
    /// The last place that was said.
    pub id: Option<String>,
}

impl Sse {
    pub fn open(server: &Server, token: &str, query: &str, headers: &[(&str, &str)]) -> Self {
        let mut connection = server.connect();
        let path = format!("{STREAM}{query}");
        let answer = connection.ask(token, "GET", &path, None, headers);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        Self {
            connection,
            raw: answer.body,
            text: String::new(),
            ended: false,
            id: None,
        }
    }

    /// Takes whole chunks out of what was read.
    fn unchunk(&mut self) {
        while let Some(at) = self.raw.windows(2).position(|pair| pair == b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..at]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            if self.raw.len() < at + 2 + size + 2 {
                break;
            }
            let chunk: Vec<u8> = self.raw.drain(..at + 2 + size + 2).collect();
            self.text
                .push_str(std::str::from_utf8(&chunk[at + 2..at + 2 + size]).unwrap());
            self.ended |= size == 0;
        }
    }

    /// The next message that says something: its kind and its data. None at
    /// the end.
    pub fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let mut lines = block.lines();
                    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    value.map(str::to_owned)
                };
                self.id = field("id").or(self.id.take());
                if let Some(data) = field("data") {
                    let kind = field("event").unwrap_or_default();
                    return Some((kind, serde_json::from_str(&data).unwrap()));
                }
            }
            self.unchunk();
            if self.text.contains("\n\n") {
                continue;
            }
            if self.ended {
                return None;
            }
            match self.connection.some() {
                Ok(more) => self.raw.extend(more),
                Err(_) => return None,
            }
        }
    }

    /// The next event.
    pub fn event(&mut self) -> Value {
        let (kind, data) = self.next().expect("the stream ended");
        assert_eq!(kind, "", "{data}");
        data
    }

    /// What the stream ends with, after events that are passed over.
    pub fn end(&mut self) -> Value {
        loop {
            let (kind, data) = self.next().expect("the stream ended without a word");
            if kind == "end" {
                assert!(self.next().is_none());
                return data;
            }
        }
    }
}

fn token(server: &Server, principal: &str, groups: &[&str]) -> (String, String) {
    let made = json!({"principal": principal, "groups": groups});
    let made = server.must("POST", "/api/v1/tokens", Some(made));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["token"]), text(&made["info"]["id"]))
}

fn make_key(server: &Server, name: &str) {
    let key = json!({"name": name, "algorithm": "AES-256-GCM"});
    server.must("POST", KEYS, Some(key));
}

#[test]
fn events_come_as_they_happen_and_only_those_that_are_wanted() {
    let house = House::new();
    let server = house.serve();
    make_key(&server, "before");
    let mut all = Sse::open(&server, &server.token, "", &[]);
    let mut some = Sse::open(
        &server,
        &server.token,
        "?action=key.*&outcome=success,failed&target=or*",
        &[],
    );
    for name in ["orders", "bills", "orchids"] {
        make_key(&server, name);
    }
    assert_eq!(
        server.ask("GET", &format!("{KEYS}/order"), None).status,
        404
    );
    let wanted: Vec<Value> = (0..2).map(|_| some.event()).collect();
    for (event, name) in wanted.iter().zip(["orders", "orchids"]) {
        assert_eq!(event["action"], "key.create");
        let place = format!("{DEFAULT_NAMESPACE}/default/{name}");
        assert_eq!(event["targets"][0]["name"], place.as_str());
    }
    let (number, event) = (&wanted[1]["sequence"], &wanted[1]["id"]);
    let place = format!("{number}-{}", &event.as_str().unwrap()[..8]);
    assert_eq!(some.id, Some(place));
    // All of them, and in the form of the list.
    let last = wanted[1]["sequence"].as_u64().unwrap();
    let mut seen = vec![all.event()];
    while seen.last().unwrap()["sequence"] != last {
        seen.push(all.event());
    }
    let first = seen[0]["sequence"].as_u64().unwrap();
    let page = format!("/api/v1/events?limit={}&after={}", seen.len(), first - 1);
    let listed = server.must("GET", &page, None);
    assert_eq!(listed["items"], Value::Array(seen));
}

#[test]
fn nothing_of_another_namespace_appears() {
    let house = House::new();
    let server = house.serve();
    server.must("POST", "/api/v1/namespaces", Some(json!({"name": "team"})));
    server.must("POST", "/api/v1/namespaces", Some(json!({"name": "other"})));
    let inside = |name: &str| [(NAMESPACE_HEADER, name.to_owned())];
    let ask = |namespace: &str, token: &str, method: &str, path: &str, body: Option<Value>| {
        let header = inside(namespace);
        let header = [(header[0].0, header[0].1.as_str())];
        let answer = server
            .connect()
            .ask(token, method, path, body.as_ref(), &header);
        assert!(answer.status < 300, "{}", answer.text());
        answer.json()
    };
    let text = "permit (principal, action == SKMS::Action::\"event.read\", resource);";
    let root = server.token.clone();
    let body = json!({"policy": text});
    ask("team", &root, "PUT", "/api/v1/policies/log", Some(body));
    let made = json!({"principal": "rita"});
    let made = ask("team", &root, "POST", "/api/v1/tokens", Some(made));
    let rita = made["token"].as_str().unwrap();
    // Elsewhere there is nothing to follow for her.
    let answer = server.ask_as(rita, "GET", STREAM, None);
    assert_eq!(answer.status, 404, "{}", answer.text());
    let mut stream = Sse::open(&server, rita, "?after=0", &[(NAMESPACE_HEADER, "team")]);
    for (place, name) in [("other", "theirs"), ("team", "ours"), ("other", "last")] {
        ask(
            place,
            &root,
            "POST",
            "/api/v1/keyrings",
            Some(json!({"name": name})),
        );
    }
    make_key(&server, "of-root");
    ask(
        "team",
        &root,
        "POST",
        "/api/v1/keyrings",
        Some(json!({"name": "end"})),
    );
    let mut names = Vec::new();
    loop {
        let event = stream.event();
        assert_eq!(event["namespace"], "team", "{event}");
        let name = event["targets"][0]["name"].as_str().unwrap().to_owned();
        let done = name == "team/end";
        names.push(name);
        if done {
            break;
        }
    }
    assert!(names.contains(&"team/ours".to_owned()), "{names:?}");
}

#[test]
fn a_stream_ends_when_it_may_not_go_on() {
    let house = House::new();
    let server = house.serve();
    // A token that is revoked.
    let (rita, id) = token(&server, "rita", &["auditor"]);
    let mut stream = Sse::open(&server, &rita, "", &[]);
    let began = Instant::now();
    server.must_nothing("DELETE", &format!("/api/v1/tokens/{id}"));
    make_key(&server, "not-for-rita");
    let mut seen = Vec::new();
    let end = loop {
        match stream.next().unwrap() {
            (kind, end) if kind == "end" => break end,
            (_, event) => seen.push(event["action"].clone()),
        }
    };
    assert_eq!(end["type"], "urn:skms:problem:unauthenticated");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(!seen.contains(&json!("key.create")), "{seen:?}");
    assert!(stream.next().is_none());
    // A policy that is taken away leaves an event of the refusal.
    let (nora, _) = token(&server, "nora", &[]);
    let text = "permit (principal == SKMS::Principal::\"nora\", \
        action == SKMS::Action::\"event.read\", resource);";
    server.must(
        "PUT",
        "/api/v1/policies/nora",
        Some(json!({"policy": text})),
    );
    let mut stream = Sse::open(&server, &nora, "", &[]);
    let began = Instant::now();
    server.must_nothing("DELETE", "/api/v1/policies/nora");
    assert_eq!(stream.end()["type"], "urn:skms:problem:not-found");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let denied = "/api/v1/events?limit=1000&outcome=denied&action=event.read";
    let denied = server.must("GET", denied, None);
    assert_eq!(denied["items"][0]["principal"], "nora", "{denied}");
    // A token whose time is up.
    let brief = json!({"principal": "brief", "groups": ["auditor"], "ttl_seconds": 2});
    let brief = server.must("POST", "/api/v1/tokens", Some(brief));
    let mut stream = Sse::open(&server, brief["token"].as_str().unwrap(), "", &[]);
    assert_eq!(stream.end()["type"], "urn:skms:problem:unauthenticated");
    // A server that is sealed does not wait for those who follow.
    let mut stream = Sse::open(&server, &server.token, "", &[]);
    let began = Instant::now();
    server.must("POST", "/api/v1/seal", None);
    assert_eq!(stream.end()["type"], "urn:skms:problem:sealed");
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_server_that_stops_ends_its_streams() {
    let house = House::new();
    let server = house.serve();
    let mut stream = Sse::open(&server, &server.token, "", &[]);
    let began = Instant::now();
    server.signal("TERM");
    assert_eq!(stream.end()["type"], "urn:skms:problem:unavailable");
    let (status, log) = server.stop();
    assert!(status.success() && log.contains("\"stopped\""), "{log}");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn one_principal_has_so_many_streams_and_others_have_theirs() {
    let house = House::new();
    let server = house.serve();
    let (rita, _) = token(&server, "rita", &["auditor"]);
    let mut held: Vec<Sse> = (0..16)
        .map(|_| Sse::open(&server, &rita, "", &[]))
        .collect();
    let over = server.ask_as(&rita, "GET", STREAM, None);
    assert_eq!(over.problem(), "quota-exceeded");
    let text = server.ask("GET", "/api/v1/metrics", None).text();
    assert!(text.contains("\nskms_event_streams 16\n"), "{text}");
    let own = Sse::open(&server, &server.token, "", &[]);
    drop((held.pop(), own));
    // Whoever is gone is seen to be gone.
    let began = Instant::now();
    while server.ask_as(&rita, "GET", STREAM, None).status != 200 {
        assert!(began.elapsed() < SOON);
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn places_that_are_none_are_refused() {
    let house = House::new();
    let server = house.serve();
    let ask = |id: &str| {
        let headers = [("Last-Event-ID", id)];
        server
            .connect()
            .ask(&server.token, "GET", STREAM, None, &headers)
    };
    for bad in [
        "x",
        "-1",
        "1.5",
        "18446744073709551616",
        "18446744073709551615",
        "4000",
    ] {
        assert_eq!(ask(bad).problem(), "invalid-argument", "{bad}");
    }
    let twice = [("Last-Event-ID", "1"), ("Last-Event-ID", "2")];
    let twice = server
        .connect()
        .ask(&server.token, "GET", STREAM, None, &twice);
    assert_eq!(twice.problem(), "malformed-request");
    // A place is that of its event, and of no other one with the same number.
    let mut first = Sse::open(&server, &server.token, "?after=0", &[]);
    first.event();
    let id = first.id.clone().unwrap();
    assert_eq!(ask(&id).status, 200);
    let other = match id.strip_suffix('0') {
        Some(most) => format!("{most}1"),
        None => format!("{}0", &id[..id.len() - 1]),
    };
    assert_eq!(ask(&other).problem(), "invalid-argument");
    // An empty one is none, and the header counts before the query.
    assert_eq!(ask("").status, 200);
    let mut stream = Sse::open(
        &server,
        &server.token,
        "?after=0",
        &[("Last-Event-ID", "1")],
    );
    assert_eq!(stream.event()["sequence"], 2);
}

/// Does things until it is told to stop.
fn load(
    server: &Server,
    stop: &Arc<AtomicBool>,
    done: &Arc<AtomicUsize>,
) -> thread::JoinHandle<()> {
    let (mut connection, token) = (server.connect(), server.token.clone());
    let (stop, done) = (Arc::clone(stop), Arc::clone(done));
    thread::spawn(move || {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        while !stop.load(Ordering::Relaxed) {
            match connection.send("POST", "/api/v1/random", None, &headers) {
                Ok(answer) => assert_eq!(answer.status, 200, "{}", answer.text()),
                // The server was killed.
                Err(_) => return,
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    })
}

#[test]
fn what_is_resumed_is_whole_over_broken_connections_and_killed_servers() {
    let house = House::new();
    let mut seen: Vec<u64> = Vec::new();
    let mut id = "0".to_owned();
    for round in 0..4 {
        let server = house.serve();
        let (stop, done) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        let writers: Vec<_> = (0..3).map(|_| load(&server, &stop, &done)).collect();
        // Connections that break after a few events, wherever they are.
        for part in 0..6 {
            let mut stream = Sse::open(&server, &server.token, "", &[("Last-Event-ID", &id)]);
            for _ in 0..20 + 7 * part + round {
                seen.push(stream.event()["sequence"].as_u64().unwrap());
            }
            id = stream.id.unwrap();
        }
        match round % 2 {
            0 => server.kill(),
            _ => drop(server.stop()),
        }
        stop.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
    }
    let server = house.serve();
    let newest = server.must("GET", "/api/v1/status", None)["journal_sequence"]
        .as_u64()
        .unwrap();
    let mut stream = Sse::open(&server, &server.token, "", &[("Last-Event-ID", &id)]);
    while seen.last().is_none_or(|last| *last < newest) {
        seen.push(stream.event()["sequence"].as_u64().unwrap());
    }
    let whole: Vec<u64> = (1..=*seen.last().unwrap()).collect();
    assert_eq!(seen, whole);
}

#[test]
fn a_slow_reader_costs_no_memory_and_misses_nothing() {
    let house = House::new();
    let server = house.serve();
    let resident = || {
        let text = server.ask("GET", "/api/v1/metrics", None).text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        line.unwrap().parse::<u64>().unwrap()
    };
    let (stop, done) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = (0..4).map(|_| load(&server, &stop, &done)).collect();
    // What the load itself takes is counted first.
    let grows = |count: usize| {
        let (before, from) = (resident(), done.load(Ordering::Relaxed));
        while done.load(Ordering::Relaxed) < from + count {
            thread::sleep(Duration::from_millis(10));
        }
        resident().saturating_sub(before)
    };
    grows(10_000);
    let alone = grows(12_000);
    let mut slow: Vec<Sse> = (0..4)
        .map(|_| Sse::open(&server, &server.token, "", &[]))
        .collect();
    // What readers take at once is there after a while.
    grows(8_000);
    // Some 5 MB for each, as they are sent: more than sockets and pieces hold.
    let beside = grows(12_000);
    stop.store(true, Ordering::Relaxed);
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    assert!(
        beside < alone + (8 << 20),
        "{beside} bytes, {alone} without"
    );
    let mut slow = slow.remove(0);
    let newest = server.must("GET", "/api/v1/status", None)["journal_sequence"]
        .as_u64()
        .unwrap();
    let mut last = slow.event()["sequence"].as_u64().unwrap();
    while last < newest {
        let next = slow.event()["sequence"].as_u64().unwrap();
        assert_eq!(next, last + 1);
        last = next;
    }
}

#[test]
fn the_client_follows_over_http_2_and_over_restarts() {
    let house = House::new();
    let server = house.serve();
    let port = server.address;
    let client = |address: &str| {
        let mut config = Config::new(address.parse().unwrap());
        config.ca_pem = Some(std::fs::read(house.data_dir().join("ca.pem")).unwrap());
        config.token = Some(SecretText::new(house.root_token.clone()));
        Client::new(config).unwrap()
    };
    let client = client(&format!("https://localhost:{}", port.port()));
    let wanted = EventSelection {
        actions: vec!["key.create".into()],
        ..EventSelection::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut following = client.follow(&wanted, Some(0));
    make_key(&server, "one");
    let name = |event: skms_wire::native::events::EventView| event.targets[0].name.clone().unwrap();
    let first = runtime.block_on(following.next()).unwrap();
    assert!(client.peer().unwrap().http2);
    assert!(name(first).ends_with("/one"));
    server.kill();
    let mut arguments = house.arguments();
    for argument in &mut arguments {
        if argument == "127.0.0.1:0" {
            *argument = port.to_string();
        }
    }
    arguments.push("--unseal-key-file".to_owned());
    arguments.push(house.key_file().display().to_string());
    let mut server = Server::start(&arguments).unwrap();
    server.trust(&house.data_dir().join("ca.pem"));
    server.token.clone_from(&house.root_token);
    make_key(&server, "two");
    make_key(&server, "three");
    for suffix in ["/two", "/three"] {
        let event = runtime.block_on(following.next()).unwrap();
        assert!(name(event).ends_with(suffix));
    }
    // What coming back does not help against is said.
    let beyond = client.follow(&wanted, Some(1 << 40));
    let mut beyond = beyond;
    let refused = runtime.block_on(beyond.next()).unwrap_err();
    assert_eq!(
        refused.problem_kind(),
        Some(skms_wire::native::ProblemKind::InvalidArgument)
    );
}
