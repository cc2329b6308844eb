//! Re-encryption jobs over HTTP, and a server and a client that are killed in
//! the middle of one: what comes out is what would have come out anyway.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::describe::Described;
use crate::house::{House, Server};
use crate::openapi::b64;

const KEYS: &str = "/api/v1/keyrings/default/keys";
/// Lines of the list: several batches.
const LINES: usize = 6000;

fn client(house: &House, server: &Server, arguments: &[&str]) -> Command {
    let token = house.path("token");
    fs::write(&token, format!("{}\n", server.token)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SKMS_") {
            command.env_remove(name);
        }
    }
    command
        .env("SKMS_CONFIG", "/dev/null")
        .env("SKMS_ADDR", format!("https://{}", server.address))
        .env("SKMS_CACERT", house.data_dir().join("ca.pem"))
        .env("SKMS_TOKEN_FILE", token)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn ran(mut command: Command) -> String {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    String::from_utf8(done.stdout).unwrap()
}

/// Ciphertexts of version 1, of plaintexts that say which line they are.
fn list(server: &Server) -> String {
    let mut list = String::new();
    for first in (0..LINES).step_by(1000) {
        let batch: Vec<Value> = (first..first + 1000)
            .map(|line| json!({"plaintext": b64(format!("line {line}").as_bytes())}))
            .collect();
        let path = format!("{KEYS}/orders/encrypt");
        let made = server.must("POST", &path, Some(json!({"batch": batch})));
        for one in made["results"].as_array().unwrap() {
            let text = one["ok"]["ciphertext"].as_str().unwrap();
            list.push_str(text);
            list.push('\n');
        }
    }
    list
}

/// Waits until the client's journal has come so far, or the client ended.
fn until_batch(journal: &Path, number: u64, client: &mut Child) {
    loop {
        let said = fs::read(journal).ok();
        let said = said.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        if said.is_some_and(|said| said["number"].as_u64() >= Some(number)) {
            return;
        }
        assert!(client.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::yield_now();
    }
}

#[test]
fn a_job_outlives_clients_and_servers_that_are_killed() {
    let house = House::new();
    let mut server = house.serve();
    let make = json!({"name": "orders", "algorithm": "AES-256-GCM"});
    server.must("POST", KEYS, Some(make));
    let (from, to) = (house.path("old.txt"), house.path("new.txt"));
    fs::write(&from, list(&server)).unwrap();
    server.must("POST", &format!("{KEYS}/orders/rotate"), Some(json!({})));
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    let order = [
        "key",
        "reencrypt",
        "orders",
        "--from",
        from,
        "--to",
        to,
        "--complete",
    ];
    let journal = house.path("new.txt.skms-job").join("journal.json");

    // The client first, by a signal that nobody can catch.
    let mut command = client(&house, &server, &order);
    let mut child = command.spawn().unwrap();
    until_batch(&journal, 3, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!Path::new(to).exists());
    let said: Value = serde_json::from_slice(&fs::read(&journal).unwrap()).unwrap();
    let id = said["job"].as_str().unwrap().to_owned();
    // What is behind the journal's mark is cut off.
    let data = house.path("new.txt.skms-job").join("data");
    let mut more = fs::OpenOptions::new().append(true).open(&data).unwrap();
    std::io::Write::write_all(&mut more, b"skms:v2:half").unwrap();

    // Then the server, under a client that goes on.
    let mut child = client(&house, &server, &["job", "resume", &id])
        .spawn()
        .unwrap();
    until_batch(&journal, 7, &mut child);
    server.kill();
    assert!(!child.wait().unwrap().success());
    assert!(!Path::new(to).exists());

    server = house.serve();
    let done: Value = serde_json::from_str(&ran(client(
        &house,
        &server,
        &["--json", "job", "resume", &id],
    )))
    .unwrap();
    assert_eq!(done["state"], "finished");
    assert_eq!(done["items"], LINES);
    assert_eq!(done["moved"], LINES);
    assert_eq!(done["to"], json!([{"version": 2, "count": LINES}]));
    assert!(!journal.exists());

    // Every line is there, in its place, and says what it said.
    let new = fs::read_to_string(to).unwrap();
    let lines: Vec<&str> = new.lines().collect();
    assert_eq!(lines.len(), LINES);
    for (first, some) in lines.chunks(1000).enumerate() {
        let batch: Vec<Value> = some
            .iter()
            .map(|text| json!({"ciphertext": text}))
            .collect();
        let path = format!("{KEYS}/orders/decrypt");
        let opened = server.must("POST", &path, Some(json!({"batch": batch})));
        for (at, one) in opened["results"].as_array().unwrap().iter().enumerate() {
            let says = b64(format!("line {}", first * 1000 + at).as_bytes());
            assert_eq!(one["ok"]["plaintext"], says);
            assert_eq!(one["ok"]["version"], 2);
        }
    }
    // The report is about exactly these two files, counted once.
    let (report, key) = (house.path("report.jws"), house.path("reports.pem"));
    let (report, key) = (report.to_str().unwrap(), key.to_str().unwrap());
    ran(client(
        &house,
        &server,
        &["job", "report", &id, "-o", report, "--key-out", key],
    ));
    ran(client(
        &house,
        &server,
        &[
            "job", "verify", report, "--key", key, "--from", from, "--to", to,
        ],
    ));
    let raise = [
        "key",
        "update",
        "orders",
        "--min-version",
        "2",
        "--from-job",
        &id,
    ];
    ran(client(&house, &server, &raise));
    let sound = server.must("GET", "/api/v1/storage/verify", None);
    assert_eq!(sound["intact"], true);
}

/// A key and its job, by each route.
pub fn described(api: &Described<'_>) {
    let made = json!({"name": "parcels", "algorithm": "AES-256-GCM"});
    api.good("key-create", &["default"], Some(made));
    let at = ["default", "parcels"];
    let old = api.good("encrypt", &at, Some(json!({"plaintext": "eA=="})));
    api.good("key-rotate", &at, Some(json!({})));
    let words = json!({"input": "a", "output": "b"});
    let made = api.good("job-create", &at, Some(words));
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        (&made["state"], &made["next_batch"]),
        (&json!("ready"), &json!(1))
    );
    let mut batch = json!({"number": 1, "items": [
        {"id": "first", "ciphertext": old["ciphertext"]},
        {"id": "second", "ciphertext": "skms:v1:AAAA"},
        {"unreadable": "no ciphertext", "sha256": b64(&[7; 32])},
    ]});
    let done = api.good("job-batch", &[id], Some(batch.clone()));
    assert_eq!(done["next_batch"], 2);
    let outcomes: Vec<_> = done["results"].as_array().unwrap().iter().collect();
    assert_eq!(outcomes[0]["outcome"], "moved");
    assert_eq!(outcomes[0]["version"], 2);
    assert_eq!(outcomes[1]["outcome"], "failed");
    assert_eq!(outcomes[2]["why"], "no ciphertext");
    // The same again is the same answer, in bytes.
    assert_eq!(api.good("job-batch", &[id], Some(batch.clone())), done);
    batch["number"] = json!(7);
    assert_eq!(
        api.bad("job-batch", &[id], Some(batch.clone())),
        "job-refuses"
    );
    batch["number"] = json!(2);
    batch["items"] = json!([{"id": "neither"}]);
    assert_eq!(
        api.bad("job-batch", &[id], Some(batch.clone())),
        "invalid-argument"
    );
    batch["items"] = json!([]);
    assert_eq!(api.bad("job-batch", &[id], Some(batch)), "invalid-argument");
    let pause = json!({"step": "pause"});
    assert_eq!(
        api.good("job-update", &[id], Some(pause))["state"],
        "paused"
    );
    let wrong = json!({"step": "pause", "complete": true});
    assert_eq!(
        api.bad("job-update", &[id], Some(wrong)),
        "invalid-argument"
    );
    let finish = json!({"step": "finish", "complete": true});
    let ended = api.good("job-update", &[id], Some(finish));
    assert_eq!(ended["state"], "failed");
    let resume = json!({"step": "resume"});
    assert_eq!(api.bad("job-update", &[id], Some(resume)), "job-refuses");
    let read = api.good("job-read", &[id], None);
    assert_eq!(
        read["failures"][0],
        json!({"item": 2, "id": "second",
        "why": "does not authenticate: wrong key, altered bytes or other associated data"})
    );
    let listed = api.good("job-list", &[], None);
    let listed = listed["items"].as_array().unwrap();
    assert!(listed.iter().any(|one| one["id"] == id));
    let report = api.good("job-report", &[id], None);
    let says = skms_engine::acts::compromise::verify_job_report(
        report["report"].as_str().unwrap(),
        report["public_key"].as_str().unwrap().as_bytes(),
    );
    assert_eq!(says.unwrap()["counts"]["items"], 3);
    let raise = |how: Value| {
        let mut body = json!({"minimum_decrypt_version": 2});
        body.as_object_mut()
            .unwrap()
            .extend(how.as_object().unwrap().clone());
        Some(body)
    };
    assert_eq!(api.bad("key-update", &at, raise(json!({}))), "no-evidence");
    assert_eq!(
        api.bad("key-update", &at, raise(json!({"from_job": id}))),
        "no-evidence"
    );
    let both = json!({"from_job": id, "force": true});
    assert_eq!(api.bad("key-update", &at, raise(both)), "invalid-argument");
    let insisted = api.good("key-update", &at, raise(json!({"force": true})));
    assert_eq!(insisted["key"]["minimum_decrypt_version"], 2);
    assert_eq!(api.bad("job-read", &["nonesuch"], None), "not-found");
}
