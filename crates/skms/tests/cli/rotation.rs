//! Keys that rotate by themselves, on the command line and over HTTP.

use std::time::{Duration, Instant};

use crate::support::Server;

#[test]
fn rules_of_rotation_are_written_shown_changed_and_taken_away() {
    let server = Server::dev();
    let made = server.json(&[
        "key",
        "create",
        "ledger",
        "--rotate-at",
        "0 3 1 jan-dec *",
        "--zone",
        "europe/berlin",
        "--rotate-every",
        "90d",
        "--rotate-at-age",
        "365d",
        "--rotate-after-bytes",
        "64GiB",
        "--rotate-spread",
        "1h",
    ]);
    let rules = &made["key"]["rules"];
    assert_eq!(rules["rotate_at"], "0 3 1 1-12 *");
    assert_eq!(rules["zone"], "Europe/Berlin");
    assert_eq!(rules["rotate_every_seconds"], 90 * 86_400);
    assert_eq!(rules["rotate_at_age_seconds"], 365 * 86_400);
    assert_eq!(rules["rotate_after_bytes"], 64_u64 << 30);
    assert_eq!(rules["rotate_spread_seconds"], 3600);
    let shown = server.text(&["key", "show", "ledger"]);
    assert!(shown.contains("0 3 1 1-12 * Europe/Berlin"), "{shown}");
    // The zone alone is changed, and the rest stays.
    let changed = server.json(&["key", "update", "ledger", "--zone", "Asia/Kathmandu"]);
    assert_eq!(changed["key"]["rules"]["zone"], "Asia/Kathmandu");
    assert_eq!(changed["key"]["rules"]["rotate_at"], "0 3 1 1-12 *");
    let update = [
        "key",
        "update",
        "ledger",
        "--without",
        "rotate-at",
        "--without",
        "rotate-spread",
    ];
    let changed = server.json(&update);
    assert!(changed["key"]["rules"].get("rotate_at").is_none());
    assert_eq!(changed["key"]["rules"]["rotate_every_seconds"], 90 * 86_400);
    // Defaults of a keyring hold for keys that bring no rules.
    let keyring = ["keyring", "create", "pay", "--rotate-at", "@monthly"];
    server.run(&keyring).ok();
    let made = server.json(&["key", "create", "pay/card"]);
    assert_eq!(made["key"]["rules"]["rotate_at"], "0 0 1 * *");
    assert_eq!(made["key"]["rules"]["zone"], "UTC");
}

#[test]
fn what_cannot_be_is_refused_and_makes_no_key() {
    let server = Server::dev();
    for (options, why) in [
        (
            &["--rotate-at", "0 0 30 2 *"][..],
            "none of its months has such a day",
        ),
        (&["--rotate-at", "0 0 * *"], "five fields"),
        (&["--rotate-at", "@reboot"], "@reboot is none"),
        (&["--rotate-at", "0 24 * * *"], "not one that its field has"),
        (
            &["--rotate-at", "@daily", "--zone", "Europe/Atlantis"],
            "no such time zone",
        ),
        (&["--zone", "Europe/Berlin"], "for a rotate_at"),
        (&["--rotate-every", "0s"], "at least one second"),
        (&["--rotate-every", "59s"], "at least a minute apart"),
        (
            &["--rotate-every", "1h", "--rotate-spread", "1h"],
            "less than the time between",
        ),
        (&["--rotate-after-bytes", "0"], "at least one second"),
        (&["--without", "everything"], "no rule of that name"),
        (
            &["--rotate-on", "owner-left,monday"],
            "owner-left, holder-left",
        ),
    ] {
        let all: Vec<_> = ["key", "create", "odd"]
            .iter()
            .chain(options)
            .copied()
            .collect();
        server.run(&all).fails(2, why);
    }
    server.run(&["key", "show", "odd"]).fails(3, "no such key");
}

#[test]
fn a_key_that_is_due_gets_its_version_by_itself() {
    let server = Server::dev();
    let create = ["key", "create", "brief", "--rotate-after-uses", "1"];
    server.run(&create).ok();
    server.run_with(&["encrypt", "brief"], b"hello").ok();
    let end = Instant::now() + Duration::from_secs(30);
    while server.json(&["key", "show", "brief"])["latest_version"] == 1 {
        assert!(Instant::now() < end, "it did not rotate");
        std::thread::sleep(Duration::from_millis(200));
    }
    let log = server.text(&["log", "tail"]);
    assert!(log.contains("key.rotate"), "{log}");
}

#[test]
fn what_is_due_is_listed_and_circles_are_refused() {
    let server = Server::dev();
    server
        .run(&[
            "key",
            "create",
            "a",
            "--rotate-every",
            "10d",
            "--warn-before",
            "2d",
        ])
        .ok();
    let made = server.json(&["key", "create", "b", "--rotate-with", "a"]);
    let leader = server.json(&["key", "show", "a"])["id"].clone();
    assert_eq!(made["key"]["rules"]["rotate_with"], leader);
    let due = server.json(&["key", "due", "--within", "30d"]);
    let items = due["items"].as_array().unwrap();
    let shown: Vec<_> = items
        .iter()
        .map(|item| (item["act"].as_str().unwrap(), item["why"].as_str().unwrap()))
        .collect();
    assert!(shown.contains(&("warn", "rotate-every")), "{due}");
    assert!(shown.contains(&("rotate", "rotate-every")), "{due}");
    assert_eq!(due["more"], false);
    let near = server.json(&["key", "due", "--within", "7d"]);
    assert_eq!(near["items"].as_array().unwrap().len(), 0, "{near}");
    assert!(server.text(&["key", "due"]).contains("default/a"));
    server
        .run(&["key", "due", "--limit", "0"])
        .fails(2, "from 1 to 1000");
    server
        .run(&["key", "update", "a", "--rotate-with", "b"])
        .fails(2, "in a circle");
    server
        .run(&["key", "create", "c", "--rotate-with", "nobody"])
        .fails(3, "key");
    server
        .run(&["keyring", "create", "k", "--rotate-with", "a"])
        .fails(2, "its keys do");
    server
        .run(&["key", "update", "a", "--warn-at-percent", "100"])
        .fails(2, "99 percent");
    server
        .run(&["key", "update", "a", "--destroy-old-after", "1d"])
        .fails(2, "recipient-usage period");
    // What follows follows.
    server.run(&["key", "rotate", "a"]).ok();
    let end = Instant::now() + Duration::from_secs(30);
    while server.json(&["key", "show", "b"])["latest_version"] == 1 {
        assert!(Instant::now() < end, "it did not follow");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_key_rotates_when_its_owner_leaves() {
    let server = Server::dev();
    let token = ["token", "create", "--principal", "ann", "--group", "reader"];
    server.run(&token).ok();
    let create = [
        "key",
        "create",
        "card",
        "--owner",
        "ann",
        "--rotate-on",
        "owner-left,holder-left",
    ];
    let made = server.json(&create);
    let on = serde_json::json!(["owner-left", "holder-left"]);
    assert_eq!(made["key"]["rules"]["rotate_on"], on);
    let shown = server.text(&["key", "show", "card"]);
    assert!(shown.contains("owner-left, holder-left"), "{shown}");
    let less = ["key", "update", "card", "--rotate-on", "owner-left"];
    let changed = server.json(&less);
    let on = serde_json::json!(["owner-left"]);
    assert_eq!(changed["key"]["rules"]["rotate_on"], on);
    // Looked at once while she is there, and nothing happens.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(server.json(&["key", "show", "card"])["latest_version"], 1);
    let tokens = server.json(&["token", "list"]);
    let hers = tokens.as_array().unwrap();
    let hers = hers.iter().find(|one| one["principal"] == "ann").unwrap();
    server
        .run(&["token", "revoke", hers["id"].as_str().unwrap()])
        .ok();
    let end = Instant::now() + Duration::from_secs(30);
    while server.json(&["key", "show", "card"])["latest_version"] == 1 {
        assert!(Instant::now() < end, "it did not rotate");
        std::thread::sleep(Duration::from_millis(200));
    }
    let none = ["key", "update", "card", "--without", "rotate-on"];
    let changed = server.json(&none);
    assert!(changed["key"]["rules"].get("rotate_on").is_none());
}

#[test]
fn a_key_changes_its_algorithm_and_opens_what_it_had() {
    let server = Server::dev();
    let create = ["key", "create", "card", "--algorithm", "AES-128-GCM"];
    server.run(&create).ok();
    let old = server.run_with(&["encrypt", "card"], b"kept").ok().out;
    let rotate = |algorithm| ["key", "rotate", "card", "--algorithm", algorithm];
    server
        .run(&rotate("AES-256-KW"))
        .fails(2, "it does not do all that the key is for");
    server
        .run(&rotate("RSA-3072"))
        .fails(2, "a symmetric key stays one");
    server.run(&rotate("ROT-13")).fails(2, "algorithm");
    let changed = server.json(&rotate("AES-256-GCM"));
    assert_eq!(changed["key"]["algorithm"], "AES-256-GCM");
    let algorithms: Vec<_> = changed["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["algorithm"].as_str().unwrap())
        .collect();
    assert_eq!(algorithms, ["AES-128-GCM", "AES-256-GCM"]);
    let shown = server.text(&["key", "show", "card", "--versions"]);
    assert_eq!(shown.matches("AES-128-GCM").count(), 1, "{shown}");
    assert_eq!(shown.matches("AES-256-GCM").count(), 1, "{shown}");
    let opened = server.run_with(&["decrypt", "card"], &old).ok();
    assert_eq!(opened.out, b"kept");
}

#[test]
fn rules_are_shown_as_they_are_given() {
    let server = Server::dev();
    let rules = [
        "--rotate-every",
        "90d",
        "--rotate-after-bytes",
        "64GB",
        "--warn-before",
        "36h",
    ];
    server
        .run(&[&["keyring", "create", "payments"], &rules[..]].concat())
        .ok();
    server
        .run(&[
            "key",
            "create",
            "payments/card",
            "--algorithm",
            "AES-256-GCM",
        ])
        .ok();
    for show in [
        &["keyring", "show", "payments"],
        &["key", "show", "payments/card"],
    ] {
        let text = server.text(show);
        let words: Vec<&str> = text.split_whitespace().collect();
        for rule in [["every", "90d"], ["after", "64GB"], ["before", "36h"]] {
            assert!(words.windows(2).any(|two| two == rule), "{rule:?}: {text}");
        }
    }
    let names = ["key", "update", "payments/card", "--without"];
    for name in ["rotate-every", "rotate-after-bytes", "warn-before"] {
        server.run(&[&names[..], &[name]].concat()).ok();
    }
    server
        .run(&[&names[..], &["rotateevery"]].concat())
        .fails(2, "rotate-every, rotate-at, rotate-at-age");
}
