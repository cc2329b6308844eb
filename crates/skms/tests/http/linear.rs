//! Histories of keys under fire, from the binary, held to be linearisable:
//! every use and every change seems to happen at one moment between request
//! and answer, a crash in between or not. So what was answered as revoked or
//! suspended is so for every request that begins later, on any connection.

mod checker;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::checker::{Call, Outcome, Record, check};
use crate::{
    house::{House, Server},
    wire::Connection,
};

/// Keys that are used at once, and connections that use each.
const KEYS: usize = 3;
const USERS: usize = 4;
/// Changes of each key by each of two who change it.
const CHANGES: usize = 100;

/// What is known of one key.
struct Watched {
    path: String,
    /// A ciphertext by each version so far.
    ciphertexts: Mutex<Vec<(u32, String)>>,
    records: Mutex<Vec<Record>>,
}

impl Watched {
    fn new(server: &Server, name: &str) -> Self {
        let keys = "/api/v1/keyrings/default/keys";
        let body = json!({"name": name, "algorithm": "AES-256-GCM"});
        server.must("POST", keys, Some(body));
        let path = format!("{keys}/{name}");
        let first = server.must(
            "POST",
            &format!("{path}/encrypt"),
            Some(json!({"plaintext": "AA=="})),
        );
        Self {
            path,
            ciphertexts: Mutex::new(vec![(1, text(&first["ciphertext"]))]),
            records: Mutex::default(),
        }
    }

    /// Makes a call and keeps what came of it; false when the server is gone.
    fn call(&self, on: &mut Line<'_>, call: Call, dice: u64) -> bool {
        let mut call = call;
        let (act, body) = match call {
            Call::Protect => ("encrypt", Some(json!({"plaintext": "AA=="}))),
            Call::Process(_) => {
                let known = self.ciphertexts.lock().unwrap();
                let at = usize::try_from(dice).unwrap() % known.len();
                let (version, ciphertext) = &known[at];
                call = Call::Process(*version);
                ("decrypt", Some(json!({"ciphertext": ciphertext})))
            }
            Call::Suspend => ("suspend", None),
            Call::Resume => ("resume", None),
            Call::Rotate => ("rotate", None),
            Call::Compromise => ("revoke", Some(json!({"reason": "keyCompromise"}))),
        };
        let began = on.clock.elapsed();
        let answer = on.ask(&format!("{}/{act}", self.path), body.as_ref());
        let ended = on.clock.elapsed();
        let outcome = match &answer {
            None => Outcome::Unknown,
            Some((200, answer)) => {
                let version = match call {
                    Call::Process(version) => {
                        assert_eq!(answer["plaintext"], "AA==");
                        version
                    }
                    Call::Protect => {
                        let version = number(&answer["version"]);
                        self.keep(version, &answer["ciphertext"]);
                        version
                    }
                    Call::Rotate => newest(&answer["versions"]),
                    _ => 0,
                };
                Outcome::Done(version)
            }
            Some((409, problem)) => {
                let kind = text(&problem["type"]);
                if kind == "urn:skms:problem:conflict" {
                    // Nothing was done, whatever the state.
                    return true;
                }
                assert_eq!(kind, "urn:skms:problem:wrong-state", "{problem}");
                Outcome::Refused
            }
            Some((status, other)) => panic!("{call:?}: {status} {other}"),
        };
        self.records.lock().unwrap().push(Record {
            call,
            outcome,
            began,
            ended,
        });
        answer.is_some()
    }

    fn keep(&self, version: u32, ciphertext: &Value) {
        let mut known = self.ciphertexts.lock().unwrap();
        if known.iter().all(|(of, _)| *of != version) {
            known.push((version, text(ciphertext)));
        }
    }

    fn check(&self) -> (usize, usize) {
        let records = self.records.lock().unwrap();
        if let Err(why) = check(&records) {
            panic!("{}: {why}", self.path);
        }
        let refused = records
            .iter()
            .filter(|record| record.outcome == Outcome::Refused)
            .count();
        (records.len(), refused)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn newest(versions: &Value) -> u32 {
    let versions = versions.as_array().unwrap().iter();
    versions
        .map(|version| number(&version["version"]))
        .max()
        .unwrap()
}

/// A connection that stays open, and the clock of the history.
struct Line<'a> {
    connection: Connection,
    token: &'a str,
    clock: Instant,
}

impl<'a> Line<'a> {
    fn new(server: &'a Server, clock: Instant) -> Self {
        Self {
            connection: server.connect(),
            token: &server.token,
            clock,
        }
    }

    /// The answer; `None` when none came.
    fn ask(&mut self, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers = if body.is_empty() {
            &headers[..1]
        } else {
            &headers[..]
        };
        let body = (!body.is_empty()).then_some(body.as_bytes());
        let answer = self.connection.send("POST", path, body, headers).ok()?;
        Some((answer.status, answer.json()))
    }
}

/// The next of a run of numbers that look random (SplitMix64).
fn roll(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Uses and changes all keys at once, each from several connections, until the
/// changes are made or the server is gone.
fn load(server: &Server, keys: &[Watched], clock: Instant, seed: u64) {
    thread::scope(|scope| {
        for (at, key) in keys.iter().enumerate() {
            let done = std::sync::Arc::new(AtomicBool::new(false));
            for user in 0..USERS {
                let done = std::sync::Arc::clone(&done);
                scope.spawn(move || {
                    let mut line = Line::new(server, clock);
                    let mut dice = seed ^ ((at * USERS + user) as u64) << 20;
                    while !done.load(Ordering::Relaxed) {
                        let call = if user % 2 == 0 {
                            Call::Protect
                        } else {
                            Call::Process(0)
                        };
                        if !key.call(&mut line, call, roll(&mut dice)) {
                            return;
                        }
                    }
                });
            }
            let changers: Vec<_> = (0..2_u64)
                .map(|who| {
                    scope.spawn(move || {
                        let mut line = Line::new(server, clock);
                        let mut dice = seed ^ (at as u64) << 8 ^ who;
                        for _ in 0..CHANGES {
                            thread::sleep(Duration::from_millis(roll(&mut dice) % 8));
                            let call = match roll(&mut dice) % 8 {
                                0..=1 => Call::Suspend,
                                2..=4 => Call::Resume,
                                5..=6 => Call::Rotate,
                                _ => Call::Compromise,
                            };
                            if !key.call(&mut line, call, 0) {
                                return;
                            }
                        }
                    })
                })
                .collect();
            scope.spawn(move || {
                let ended: Vec<_> = changers.into_iter().map(|one| one.join()).collect();
                done.store(true, Ordering::Relaxed);
                assert!(ended.iter().all(Result::is_ok));
            });
        }
    });
}

#[test]
fn uses_and_revocations_seem_to_happen_one_after_the_other() {
    let house = House::new();
    let server = house.serve();
    let keys: Vec<Watched> = (0..KEYS)
        .map(|at| Watched::new(&server, &format!("watched-{at}")))
        .collect();
    load(&server, &keys, Instant::now(), 1);
    for key in &keys {
        let (calls, refused) = key.check();
        // A history in which nothing was refused or all was shows nothing.
        assert!(
            calls > 400 && refused > 40,
            "{calls} calls, {refused} refused"
        );
        assert!(refused + 40 < calls, "{calls} calls, {refused} refused");
        eprintln!("{}: {calls} calls, {refused} of them refused", key.path);
    }
}

#[test]
fn what_was_answered_before_a_crash_still_holds_after_it() {
    let house = House::new();
    let clock = Instant::now();
    let mut server = house.serve();
    let keys: Vec<Watched> = (0..KEYS)
        .map(|at| Watched::new(&server, &format!("watched-{at}")))
        .collect();
    for seed in 2..6 {
        let process = server.process();
        thread::scope(|scope| {
            scope.spawn(|| load(&server, &keys, clock, seed));
            thread::sleep(Duration::from_millis(150));
            let killed = std::process::Command::new("kill")
                .args(["-KILL", &process])
                .status();
            assert!(killed.unwrap().success());
        });
        drop(server);
        server = house.serve();
    }
    load(&server, &keys, clock, 6);
    for key in &keys {
        let (calls, refused) = key.check();
        eprintln!("{}: {calls} calls, {refused} of them refused", key.path);
    }
}
