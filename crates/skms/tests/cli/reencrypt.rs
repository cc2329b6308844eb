//! `skms key reencrypt` and `skms job`: lists of every shape, and no line lost.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::Server;

pub fn encrypted(server: &Server, key: &str, text: &str) -> String {
    let made = server.run_with(&["encrypt", key], text.as_bytes()).ok();
    made.text().to_owned()
}

pub fn decrypted(server: &Server, key: &str, ciphertext: &str) -> String {
    let made = server
        .run_with(&["decrypt", key], ciphertext.as_bytes())
        .ok();
    made.text().to_owned()
}

pub fn key(server: &Server, name: &str) {
    server
        .run(&["key", "create", name, "-a", "AES-256-GCM"])
        .ok();
}

pub fn read(server: &Server, name: &str) -> String {
    fs::read_to_string(server.path(name)).unwrap()
}

pub fn no_journal(server: &Server) {
    let left = fs::read_dir(server.folder.path()).unwrap();
    for entry in left {
        let name = entry.unwrap().file_name();
        let name = name.to_str().unwrap();
        assert!(
            !name.contains("skms-job") && !name.ends_with(".part"),
            "{name}"
        );
    }
}

#[test]
fn a_list_keeps_its_shape_and_every_line_that_cannot_be_moved() {
    let server = Server::dev();
    key(&server, "orders");
    key(&server, "others");
    let old: Vec<String> = ["a", "b", "c"]
        .iter()
        .map(|text| encrypted(&server, "orders", text))
        .collect();
    let bound = server
        .run_with(&["encrypt", "orders", "--aad", "row 7"], b"d")
        .ok();
    let foreign = encrypted(&server, "others", "e");
    server.run(&["key", "rotate", "orders"]).ok();
    let newest = encrypted(&server, "orders", "f");
    let mut tampered = old[1].clone();
    tampered.replace_range(30..31, if &tampered[30..31] == "A" { "B" } else { "A" });
    let huge = "x".repeat(3 << 20);
    let list = format!(
        "{}\r\n\r\n  {}\n{{\"n\": 1.0, \"id\": 7, \"ciphertext\": \"{}\", \"aad\": \"row 7\"}}\r\n\
         {newest}\n{tampered}\n{foreign}\nid,secret\n{huge}\n{}",
        old[0],
        old[1],
        bound.text(),
        old[2],
    );
    server.file("old.txt", list.as_bytes());
    let order = [
        "--json",
        "key",
        "reencrypt",
        "orders",
        "--from",
        "old.txt",
        "--to",
        "new.txt",
    ];
    let ran = server.run(&[&order[..], &["--complete"]].concat());
    let job = ran.json();
    ran.fails(1, "4 of 9 could not be moved");
    assert_eq!(job["state"], "failed");
    assert_eq!(
        (&job["moved"], &job["newest"]),
        (&Value::from(4), &Value::from(1))
    );
    let whys: Vec<(&str, &str)> = job["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["why"].as_str().unwrap()))
        .collect();
    for ((line, why), (wanted, says)) in whys.iter().zip([
        ("line 6", "does not authenticate"),
        ("line 7", "does not authenticate"),
        ("line 8", "must begin with skms:v"),
        ("line 9", "too long"),
    ]) {
        assert_eq!(*line, wanted);
        assert!(why.contains(says), "{why}");
    }
    let new = read(&server, "new.txt");
    let (before, after): (Vec<_>, Vec<_>) = (list.split('\n').collect(), new.split('\n').collect());
    assert_eq!(before.len(), after.len());
    for kept in [1, 4, 5, 6, 7, 8] {
        assert_eq!(before[kept], after[kept], "line {kept}");
    }
    assert!(after[0].ends_with('\r') && after[2].starts_with("  skms:v2:"));
    assert_eq!(decrypted(&server, "orders", after[0]), "a");
    assert_eq!(decrypted(&server, "orders", after[2]), "b");
    assert_eq!(decrypted(&server, "orders", after[9]), "c");
    let object: Value = serde_json::from_str(after[3]).unwrap();
    let moved = object["ciphertext"].as_str().unwrap();
    assert_eq!(after[3], before[3].replace(bound.text(), moved));
    let opened = server.run_with(&["decrypt", "orders", "--aad", "row 7"], moved.as_bytes());
    assert_eq!(opened.ok().text(), "d");
    no_journal(&server);
    // Old and new together are what the report is about, and nothing else is.
    let id = job["id"].as_str().unwrap();
    server
        .run(&["job", "report", id, "-o", "r", "--key-out", "k"])
        .ok();
    let verify = [
        "job", "verify", "r", "--key", "k", "--from", "old.txt", "--to",
    ];
    server.run(&[&verify[..], &["new.txt"]].concat()).ok();
    server
        .run(&[&verify[..], &["old.txt"]].concat())
        .fails(5, "other lists");
    server.file("cut.txt", &new.as_bytes()[..new.len() - 100]);
    server
        .run(&[&verify[..], &["cut.txt"]].concat())
        .fails(5, "");
    server
        .run(&["incident", "verify", "r", "--key", "k"])
        .fails(2, "no incident report");
    // With failures it shows nothing.
    server
        .run(&[
            "key",
            "update",
            "orders",
            "--min-version",
            "2",
            "--from-job",
            id,
        ])
        .fails(4, "4 of 9 could not be moved");
}

#[test]
fn a_folder_a_stream_and_an_empty_list() {
    let server = Server::dev();
    key(&server, "orders");
    let old: Vec<String> = ["a", "b", "c"]
        .iter()
        .map(|text| encrypted(&server, "orders", text))
        .collect();
    server.run(&["key", "rotate", "orders"]).ok();
    fs::create_dir_all(server.path("dump/sub")).unwrap();
    server.file("dump/one", format!("{}\n{}", old[0], old[1]).as_bytes());
    server.file("dump/sub/two", format!("{}\n", old[2]).as_bytes());
    server.file("dump/none", b"");
    server
        .run(&["key", "reencrypt", "orders", "--from", "dump"])
        .fails(2, "--in-place");
    let inside = [
        "key",
        "reencrypt",
        "orders",
        "--from",
        "dump",
        "--to",
        "dump/new",
    ];
    server.run(&inside).fails(2, "lies in the old one");
    let copy = [
        "key",
        "reencrypt",
        "orders",
        "--from",
        "dump",
        "--to",
        "copy",
    ];
    server.run(&copy).ok();
    for (name, texts) in [("one", &["a", "b"][..]), ("sub/two", &["c"]), ("none", &[])] {
        assert_eq!(
            read(&server, &format!("dump/{name}")).lines().count(),
            texts.len()
        );
        let new = read(&server, &format!("copy/{name}"));
        let opened: Vec<_> = new
            .lines()
            .map(|line| decrypted(&server, "orders", line))
            .collect();
        assert_eq!(opened, texts);
        assert!(new.lines().all(|line| line.starts_with("skms:v2:")));
    }
    let place = [
        "--json",
        "key",
        "reencrypt",
        "orders",
        "--from",
        "dump",
        "--in-place",
        "--complete",
    ];
    let job = server.run(&place).ok().json();
    assert_eq!(
        (&job["state"], &job["moved"]),
        (&Value::from("finished"), &Value::from(3))
    );
    assert!(read(&server, "dump/sub/two").starts_with("skms:v2:"));
    no_journal(&server);
    let id = job["id"].as_str().unwrap();
    server
        .run(&["key", "update", "orders", "--min-version", "2"])
        .fails(4, "nothing shows");
    let raise = [
        "key",
        "update",
        "orders",
        "--min-version",
        "2",
        "--from-job",
        id,
    ];
    server.run(&raise).ok();
    server
        .run_with(&["decrypt", "orders"], old[0].as_bytes())
        .fails(4, "below the minimum");

    // A stream comes out as a stream; what is at the newest version stays.
    let stream = ["key", "reencrypt", "orders", "--from", "-"];
    let one = read(&server, "copy/one");
    let ran = server.run_with(&stream, one.as_bytes()).ok();
    assert_eq!(String::from_utf8(ran.out).unwrap(), one);
    assert!(
        ran.said
            .contains("0 moved, 2 at the newest version before, 0 failed")
    );

    server.file("empty", b"");
    let empty = [
        "--json",
        "key",
        "reencrypt",
        "orders",
        "--from",
        "empty",
        "--to",
        "still",
        "--complete",
    ];
    let job = server.run(&empty).ok().json();
    assert_eq!(
        (&job["state"], &job["items"]),
        (&Value::from("finished"), &Value::from(0))
    );
    assert_eq!(read(&server, "still"), "");
    server.run(&["key", "rotate", "orders"]).ok();
    let id = job["id"].as_str().unwrap();
    server
        .run(&[
            "key",
            "update",
            "orders",
            "--min-version",
            "3",
            "--from-job",
            id,
        ])
        .fails(4, "it saw no ciphertext");
    let absent = [
        "key",
        "reencrypt",
        "orders",
        "--from",
        "nonesuch",
        "--to",
        "x",
    ];
    let jobs = server.json(&["job", "list"]).as_array().unwrap().len();
    server.run(&absent).fails(2, "cannot read");
    assert_eq!(
        server.json(&["job", "list"]).as_array().unwrap().len(),
        jobs
    );
}

#[test]
fn several_lists_are_one_job_and_a_changed_list_is_noticed() {
    let server = Server::dev();
    key(&server, "orders");
    let old: Vec<String> = ["a", "b"]
        .iter()
        .map(|text| encrypted(&server, "orders", text))
        .collect();
    server.run(&["key", "rotate", "orders"]).ok();
    server.file("one", old[0].as_bytes());
    server.file("two", old[1].as_bytes());
    let job = server.json(&["job", "create", "orders"]);
    let id = job["id"].as_str().unwrap();
    let with = |list: &str, to: &str, last: &str| {
        let order = [
            "--json",
            "key",
            "reencrypt",
            "orders",
            "--job",
            id,
            "--from",
            list,
            "--to",
            to,
        ];
        server.run(&[&order[..], &[last]].concat())
    };
    assert_eq!(
        with("one", "one.new", "--more").ok().json()["state"],
        "running"
    );
    server.run(&["job", "pause", id]).ok();
    // What somebody paused is not gone on with by the way.
    with("two", "two.new", "--complete").fails(4, &format!("skms job resume {id}"));
    server.run(&["job", "resume", id]).ok();
    let done = with("two", "two.new", "--complete").ok().json();
    assert_eq!(
        (&done["state"], &done["moved"]),
        (&Value::from("finished"), &Value::from(2))
    );
    assert_eq!(decrypted(&server, "orders", &read(&server, "two.new")), "b");
    with("one", "again", "--complete").fails(4, "it takes no more");
    // The report is of both lists, in this order.
    let report = ["job", "report", id, "-o", "r", "--key-out", "k"];
    server.run(&report).ok();
    let verify = ["job", "verify", "r", "--key", "k"];
    let one = ["--from", "one", "--to", "one.new"];
    let two = ["--from", "two", "--to", "two.new"];
    let both = server.run(&[&verify[..], &one, &two].concat()).ok();
    assert!(both.text().contains("The lists are those of the report"));
    assert!(both.text().contains("name: orders"), "{}", both.text());
    for other in [&[&two[..], &one].concat()[..], &one] {
        server
            .run(&[&verify[..], other].concat())
            .fails(5, "other lists");
    }
    let half = [&verify[..], &one, &["--from", "two"]].concat();
    server.run(&half).fails(2, "list by list");
    assert!(server.text(&verify).contains("not compared with lists"));
    // What was done is kept for a resume; with another list it does not go on.
    server.file("one", old[1].as_bytes());
    let job = server.json(&["job", "create", "orders"]);
    let id = job["id"].as_str().unwrap();
    fs::create_dir_all(server.path("x.skms-job")).unwrap();
    let journal = journal(&server, (id, "orders"), ("one", "x"), 1);
    server.file("x.skms-job/journal.json", journal.as_bytes());
    modes(&server, "x.skms-job", (0o700, 0o600));
    let resume = ["job", "resume", id, "--to", "x"];
    server.run(&resume).fails(2, "is not what it was");
    let other = ["job", "resume", id, "--to", "x", "--aad", "y"];
    server.run(&other).fails(2, "other associated data");
    let order = ["key", "reencrypt", "others", "--from", "one", "--to", "x"];
    server.run(&order).fails(2, "another key");
    server.run(&["job", "cancel", id]).ok();
    assert_eq!(server.json(&["job", "show", id])["state"], "cancelled");
}

/// A journal of a job on a key, from one file to another.
fn journal(
    server: &Server,
    (id, key): (&str, &str),
    (from, to): (&str, &str),
    steps: u64,
) -> String {
    serde_json::json!({"version": 2, "job": id, "keyring": "default",
        "key": key, "from": server.path(from), "to": server.path(to), "steps": steps,
        "terms": NO_TERMS, "number": 1, "chain": "00".repeat(if steps == 0 { 32 } else { 1 }),
        "data": 0, "index": 0, "whole": false, "complete": false, "more": false})
    .to_string()
}

/// The modes of a folder and of the journal in it.
fn modes(server: &Server, folder: &str, (outer, inner): (u32, u32)) {
    let folder = server.path(folder);
    fs::set_permissions(folder.join("journal.json"), Permissions::from_mode(inner)).unwrap();
    fs::set_permissions(folder, Permissions::from_mode(outer)).unwrap();
}

#[test]
fn a_journal_that_somebody_else_may_have_written_is_not_believed() {
    let server = Server::dev();
    key(&server, "orders");
    server.file("keys", b"mine\n");
    server.file("evil", b"no ciphertext, and kept as it is\n");
    // Whoever makes the job says where it is looked for.
    let output = server.path("x");
    let output = output.to_str().unwrap();
    let job = server.json(&["job", "create", "orders", "--output", output]);
    let id = job["id"].as_str().unwrap();
    let resume = ["job", "resume", id];
    fs::create_dir(server.path("x.skms-job")).unwrap();
    let elsewhere = journal(&server, (id, "orders"), ("evil", "keys"), 0);
    server.file("x.skms-job/journal.json", elsewhere.as_bytes());
    modes(&server, "x.skms-job", (0o700, 0o600));
    server.run(&resume).fails(2, "is about");
    let here = journal(&server, (id, "orders"), ("evil", "x"), 0);
    server.file("x.skms-job/journal.json", here.as_bytes());
    let begin = ["key", "reencrypt", "orders", "--from", "keys", "--to", "x"];
    for (outer, inner) in [(0o777, 0o600), (0o770, 0o600), (0o700, 0o602)] {
        modes(&server, "x.skms-job", (outer, inner));
        server.run(&resume).fails(2, "can be written by others");
        server.run(&begin).fails(2, "can be written by others");
    }
    modes(&server, "x.skms-job", (0o700, 0o600));
    fs::rename(server.path("x.skms-job"), server.path("other")).unwrap();
    symlink(server.path("other"), server.path("x.skms-job")).unwrap();
    server.run(&resume).fails(2, "is no folder");
    server.run(&begin).fails(2, "is no folder");
    assert_eq!(read(&server, "keys"), "mine\n");
    assert!(!server.path("x").exists());
    // One's own is.
    fs::remove_file(server.path("x.skms-job")).unwrap();
    fs::rename(server.path("other"), server.path("x.skms-job")).unwrap();
    server.run(&resume).fails(1, "1 of 1 could not be moved");
    assert_eq!(read(&server, "x"), read(&server, "evil"));
}

#[test]
fn what_changed_since_it_was_read_is_not_replaced() {
    let server = Server::dev();
    key(&server, "orders");
    let first = encrypted(&server, "orders", "first");
    server.run(&["key", "rotate", "orders"]).ok();
    let second = encrypted(&server, "orders", "second");
    server.run(&["key", "rotate", "orders"]).ok();
    fs::create_dir(server.path("dump")).unwrap();
    // With its end, a batch of its own.
    let a = format!("{second}\n{}", "\n".repeat(498));
    server.file("dump/a", a.as_bytes());
    server.file("dump/b", format!("{first}\n").as_bytes());
    let revoke = ["key", "revoke", "orders", "--reason", "keyCompromise"];
    server
        .run(&[&revoke[..], &["--version", "1"]].concat())
        .ok();
    let order = [
        "--json",
        "key",
        "reencrypt",
        "orders",
        "--from",
        "dump",
        "--in-place",
        "--complete",
    ];
    server.run(&order).fails(4, "skms key grant default/orders");
    let grant = [
        "key", "grant", "orders", "--for", "1h", "--reason", "moving",
    ];
    server.run(&[&grant[..], &["--version", "1"]].concat()).ok();
    let job = server.json(&["job", "list"])[0].clone();
    let id = job["id"].as_str().unwrap();
    // The same bytes, written since.
    let file = fs::File::options()
        .write(true)
        .open(server.path("dump/a"))
        .unwrap();
    let later = SystemTime::now() + Duration::from_secs(60);
    file.set_modified(later).unwrap();
    for _ in 0..2 {
        let said = server.run(&["job", "resume", id]);
        said.fails(2, "dump/a changed since it was read");
    }
    assert_eq!(read(&server, "dump/a"), a);
    assert!(read(&server, "dump/b").starts_with("skms:v1:"));
    // As it says: begun anew, it is done.
    fs::remove_dir_all(server.path("dump.skms-job")).unwrap();
    server.run(&["job", "cancel", id]).ok();
    let done = server.run(&order).ok().json();
    assert_eq!(done["moved"], Value::from(2));
    let a = read(&server, "dump/a");
    assert_eq!(
        decrypted(&server, "orders", a.lines().next().unwrap()),
        "second"
    );
    assert_eq!(
        decrypted(&server, "orders", read(&server, "dump/b").trim()),
        "first"
    );
    no_journal(&server);
}

/// What a journal has where nothing is bound and no hash is named.
const NO_TERMS: &str = "4e59bf27372b1304bc0b137d1be9d566ad58b154b6a6b5778af7f414b1d4b84c";

#[test]
fn a_compromise_in_the_middle_asks_for_a_grant_and_then_goes_on() {
    let server = Server::dev();
    key(&server, "orders");
    let old = encrypted(&server, "orders", "a");
    server.run(&["key", "rotate", "orders"]).ok();
    server.file("old.txt", format!("{old}\n").as_bytes());
    let revoke = [
        "key",
        "revoke",
        "orders",
        "--reason",
        "keyCompromise",
        "--version",
        "1",
    ];
    server.run(&revoke).ok();
    let order = [
        "key",
        "reencrypt",
        "orders",
        "--from",
        "old.txt",
        "--to",
        "new.txt",
        "--complete",
    ];
    server.run(&order).fails(4, "skms key grant default/orders");
    let job = server.json(&["job", "list"])[0].clone();
    assert_eq!(
        (&job["state"], &job["items"]),
        (&Value::from("ready"), &Value::from(0))
    );
    let grant = [
        "key",
        "grant",
        "orders",
        "--for",
        "1h",
        "--reason",
        "moving",
        "--version",
        "1",
    ];
    server.run(&grant).ok();
    let id = job["id"].as_str().unwrap();
    let done = server.json(&["job", "resume", id]);
    assert_eq!(
        (&done["state"], &done["moved"]),
        (&Value::from("finished"), &Value::from(1))
    );
    assert_eq!(decrypted(&server, "orders", &read(&server, "new.txt")), "a");
}

#[test]
fn an_age_file_is_moved_by_its_header() {
    let server = Server::dev();
    key(&server, "files");
    key(&server, "others");
    fs::create_dir(server.path("in")).unwrap();
    let text: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    let both = [
        "file",
        "encrypt",
        "-k",
        "others",
        "-k",
        "files",
        "-o",
        "in/both.age",
    ];
    server.run_with(&both, &text).ok();
    let other = ["file", "encrypt", "-k", "others", "-o", "in/other.age"];
    server.run_with(&other, &text).ok();
    server.run(&["key", "rotate", "files"]).ok();
    let altered = fs::read(server.path("in/both.age")).unwrap();
    let mut altered = altered;
    let at = altered
        .windows(4)
        .position(|window| window == b"\n---")
        .unwrap();
    // A letter of the header's MAC.
    altered[at + 10] = if altered[at + 10] == b'A' { b'B' } else { b'A' };
    fs::write(server.path("in/altered.age"), &altered).unwrap();
    let order = [
        "--json",
        "key",
        "reencrypt",
        "files",
        "--from",
        "in",
        "--to",
        "out",
    ];
    let ran = server.run(&order);
    let job = ran.json();
    ran.fails(1, "2 of 3 could not be moved");
    assert_eq!(job["to"], serde_json::json!([{"version": 2, "count": 1}]));
    for kept in ["altered.age", "other.age"] {
        let (old, new) = (format!("in/{kept}"), format!("out/{kept}"));
        assert_eq!(
            fs::read(server.path(&old)).unwrap(),
            fs::read(server.path(&new)).unwrap()
        );
    }
    let (old, new) = (
        fs::read(server.path("in/both.age")).unwrap(),
        fs::read(server.path("out/both.age")).unwrap(),
    );
    assert_eq!(old.len(), new.len());
    assert_eq!(old[old.len() - 200_000..], new[new.len() - 200_000..]);
    let raise = ["key", "update", "files", "--min-version", "2", "--force"];
    server.run(&raise).ok();
    let opened = server.run(&["file", "decrypt", "out/both.age"]).ok();
    assert_eq!(opened.out, text);
    server
        .run(&["decrypt", "files", "in/both.age"])
        .fails(4, "below the minimum");
    let id = job["id"].as_str().unwrap();
    server
        .run(&["job", "report", id, "-o", "r", "--key-out", "k"])
        .ok();
    let verify = [
        "job", "verify", "r", "--key", "k", "--from", "in", "--to", "out",
    ];
    server.run(&verify).ok();
}
