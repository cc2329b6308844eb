//! Backups by the real binary: of a server under load, restored in another
//! place and in its own, and refused when they would lose something unsaid.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::house::{House, Server};

const KEYS: &str = "/api/v1/keyrings/default/keys";
const PLANTED: &str = "planted plaintext of a backup";

/// The binary's command line; against the server, if one is given.
fn skms(house: &House, server: Option<&Server>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SKMS_") {
            command.env_remove(name);
        }
    }
    command.env("SKMS_CONFIG", "/dev/null").env("NO_COLOR", "1");
    if let Some(server) = server {
        command
            .env("SKMS_ADDR", format!("https://{}", server.address))
            .env("SKMS_CACERT", house.data_dir().join("ca.pem"))
            .env("SKMS_TOKEN", &server.token);
    }
    command.args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

fn refused(output: Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    said(&output)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn create(server: &Server, name: &str, algorithm: &str) {
    server.must(
        "POST",
        KEYS,
        Some(json!({"name": name, "algorithm": algorithm})),
    );
}

fn encrypt(server: &Server, name: &str) -> Value {
    let answer = server.must(
        "POST",
        &format!("{KEYS}/{name}/encrypt"),
        Some(json!({"plaintext": STANDARD.encode(PLANTED)})),
    );
    answer["ciphertext"].clone()
}

fn decrypts(server: &Server, name: &str, ciphertext: &Value) {
    let answer = server.must(
        "POST",
        &format!("{KEYS}/{name}/decrypt"),
        Some(json!({"ciphertext": ciphertext})),
    );
    assert_eq!(answer["plaintext"], STANDARD.encode(PLANTED), "{name}");
}

fn newest(server: &Server, name: &str) -> Value {
    server.must("GET", &format!("{KEYS}/{name}"), None)
}

/// A server on another data directory of the same house.
fn serve_at(house: &House, data: &Path) -> Server {
    let arguments: Vec<String> = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        &text(data),
        "--unseal-key-file",
        &text(&house.key_file()),
    ]
    .map(str::to_owned)
    .into();
    let mut server = Server::start(&arguments).unwrap();
    server.trust(&data.join("ca.pem"));
    server.token = house.root_token.clone();
    server
}

fn events(server: &Server) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.must("GET", &format!("/api/v1/events?limit=500{after}"), None);
        let items = page["items"].as_array().unwrap().clone();
        if items.is_empty() {
            return all;
        }
        all.extend(items);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

#[test]
fn a_server_under_load_is_backed_up_and_comes_back_elsewhere() {
    let house = House::new();
    let server = Arc::new(house.serve());
    create(&server, "counted", "AES-256-GCM");
    create(&server, "uncounted", "XAES-256-GCM");
    let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
    for name in ["counted", "uncounted"] {
        let sealed = encrypt(&server, name);
        acknowledged.lock().unwrap().insert(name.to_owned(), sealed);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
            let acknowledged = Arc::clone(&acknowledged);
            thread::spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let name = format!("w{writer}-{number}");
                    create(&server, &name, "AES-256-GCM");
                    let sealed = encrypt(&server, &name);
                    acknowledged.lock().unwrap().insert(name.clone(), sealed);
                    create(&server, &format!("{name}-gone"), "AES-128-GCM");
                    server.must(
                        "POST",
                        &format!("{KEYS}/{name}-gone/revoke"),
                        Some(json!({"reason": "keyCompromise"})),
                    );
                }
            })
        })
        .collect();
    while acknowledged.lock().unwrap().len() < 12 {
        thread::yield_now();
    }
    let before = acknowledged.lock().unwrap().clone();
    let file = house.path("backup");
    let made = skms(&house, Some(&server), &["backup", "create", &text(&file)]);
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.join().unwrap();
    }
    assert!(done(made).contains("Whole"));
    let again = skms(&house, Some(&server), &["backup", "create", &text(&file)]);
    refused(again, 2);

    // Not for those whom no policy lets.
    let made = server.must(
        "POST",
        "/api/v1/tokens",
        Some(json!({"principal": "nobody"})),
    );
    let nobody = made["token"].as_str().unwrap();
    let answer = server.ask_as(nobody, "POST", "/api/v1/storage/backup", None);
    assert!(matches!(answer.status, 403 | 404), "{}", answer.status);

    // Nothing readable in it.
    let bytes = fs::read(&file).unwrap();
    for planted in [PLANTED, "counted", "w0-0", house.root_token.as_str()] {
        assert!(
            !bytes
                .windows(planted.len())
                .any(|window| window == planted.as_bytes()),
            "{planted}"
        );
    }
    assert!(!bytes.windows(32).any(|window| window == house.key));

    let key_file = text(&house.key_file());
    let verify = ["backup", "verify", &text(&file), "--key-file", &key_file];
    assert!(done(skms(&house, None, &verify)).contains("Sound"));
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(house.path("damaged"), &damaged).unwrap();
    let bad = text(&house.path("damaged"));
    assert!(refused(skms(&house, None, &["backup", "verify", &bad]), 5).contains("damaged"));
    let there = house.path("there");
    let to = text(&there);
    refused(skms(&house, None, &["restore", &bad, "--to", &to]), 5);
    assert!(!there.exists());

    done(skms(&house, None, &["restore", &text(&file), "--to", &to]));
    let back = serve_at(&house, &there);
    for (name, sealed) in &before {
        decrypts(&back, name, sealed);
    }
    // Uses of counted keys after the backup are unknown: another version.
    assert_eq!(newest(&back, "counted")["latest_version"], 2);
    assert_eq!(newest(&back, "uncounted")["latest_version"], 1);
    let sealed = encrypt(&back, "counted");
    decrypts(&back, "counted", &sealed);
    let old = back.ask(
        "POST",
        &format!("{KEYS}/counted/encrypt"),
        Some(json!({"plaintext": "AAAA", "version": 1})),
    );
    assert!(old.status >= 400, "{}", old.status);
    assert_eq!(
        back.must("GET", "/api/v1/storage/verify", None)["intact"],
        true
    );
    let restored: Vec<_> = events(&back)
        .into_iter()
        .filter(|event| event["action"] == "storage.restore")
        .collect();
    assert_eq!(restored.len(), 1);
    // Once: not at every unsealing.
    drop(back);
    let back = serve_at(&house, &there);
    assert_eq!(newest(&back, "counted")["latest_version"], 2);
}

#[test]
fn a_restore_that_loses_something_says_what_and_asks() {
    let house = House::new();
    let server = house.serve();
    create(&server, "early", "AES-256-GCM");
    server.must("POST", "/api/v1/keyrings", Some(json!({"name": "spare"})));
    let file = house.path("backup");
    done(skms(
        &house,
        Some(&server),
        &["backup", "create", &text(&file)],
    ));
    create(&server, "late", "AES-256-GCM");
    server.must(
        "POST",
        &format!("{KEYS}/early/revoke"),
        Some(json!({"reason": "keyCompromise"})),
    );
    server.must("DELETE", "/api/v1/keyrings/spare", None);
    let (file, data) = (text(&file), text(&house.data_dir()));
    let restore = ["restore", &file, "--to", &data];
    let running = refused(skms(&house, None, &restore), 4);
    assert!(running.contains("stop the server"), "{running}");
    let (status, _) = server.stop();
    assert!(status.success());

    let blind = refused(skms(&house, None, &restore), 4);
    assert!(blind.contains("events") && blind.contains("--accept-loss"));
    let key_file = text(&house.key_file());
    let mut restore = restore.to_vec();
    restore.extend(["--key-file", &key_file]);
    let seeing = refused(skms(&house, None, &restore), 4);
    for word in [
        "commits",
        "key.revoke",
        "early",
        "keyring.delete",
        "COME BACK",
    ] {
        assert!(seeing.contains(word), "{word}: {seeing}");
    }
    // Nothing was touched.
    let server = house.serve();
    newest(&server, "late");
    server.stop();

    // Into an empty place, with the old journal to compare with.
    let elsewhere = text(&house.path("elsewhere"));
    let compared = [
        "restore",
        &file,
        "--to",
        &elsewhere,
        "--journal",
        &data,
        "--key-file",
        &key_file,
    ];
    assert!(refused(skms(&house, None, &compared), 4).contains("older"));

    restore.push("--accept-loss");
    done(skms(&house, None, &restore));
    let server = house.serve();
    assert_eq!(server.ask("GET", &format!("{KEYS}/late"), None).status, 404);
    newest(&server, "early");
    let reason = events(&server)
        .into_iter()
        .find(|event| event["action"] == "storage.restore")
        .map(|event| event.to_string())
        .unwrap();
    assert!(reason.contains("accepted the loss"), "{reason}");
    let aside = fs::read_dir(house.data_dir())
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.starts_with("replaced-"))
        .unwrap();
    assert!(house.data_dir().join(aside).join("skms.db").exists());
    drop(server);

    // Another install's backup is not put over this one.
    let other = House::new();
    let server = other.serve();
    let foreign = other.path("backup");
    done(skms(
        &other,
        Some(&server),
        &["backup", "create", &text(&foreign)],
    ));
    let wrong = ["restore", &text(&foreign), "--to", &data, "--accept-loss"];
    assert!(refused(skms(&house, None, &wrong), 4).contains("another install"));
}
