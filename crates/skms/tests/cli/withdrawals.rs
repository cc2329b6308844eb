//! `skms algorithms withdraw`.

use std::time::{Duration, Instant};

use crate::support::Server;

#[test]
fn a_withdrawn_algorithm_makes_nothing_new_and_opens_what_is_old() {
    let server = Server::dev();
    server
        .run(&["key", "create", "old", "-a", "AES-128-GCM"])
        .ok();
    let made = server.run_with(&["encrypt", "old"], b"kept").ok();
    let order = [
        "algorithms",
        "withdraw",
        "AES-128-GCM",
        "--reason",
        "128 bits",
        "--successor",
        "AES-256-GCM",
    ];
    let shown = server.text(&[&order[..], &["--dry-run"]].concat());
    assert!(
        shown.contains("Nothing was changed") && shown.contains("root/default/old"),
        "{shown}"
    );
    server.run_with(&["encrypt", "old"], b"x").ok();
    server.run(&order).ok();
    server
        .run(&["key", "create", "new", "-a", "AES-128-GCM"])
        .fails(2, "make a key of AES-256-GCM instead");
    server
        .run(&["key", "rotate", "old"])
        .fails(2, "AES-128-GCM is withdrawn (128 bits)");
    server
        .run_with(&["encrypt", "old"], b"x")
        .fails(2, "protect nothing any more");
    assert_eq!(
        server.run_with(&["decrypt", "old"], &made.out).ok().out,
        b"kept"
    );
    let listed = server.text(&["algorithms", "withdrawn"]);
    assert!(
        listed.contains("AES-128-GCM") && listed.contains("128 bits"),
        "{listed}"
    );
    server.run(&["algorithms", "readmit", "AES-128-GCM"]).ok();
    server.run_with(&["encrypt", "old"], b"x").ok();
    assert!(server.text(&["algorithms"]).contains("AES-256-GCM"));
}

#[test]
fn keys_that_say_so_rotate_into_the_successor_by_themselves() {
    let server = Server::dev();
    let create = ["key", "create", "card", "-a", "AES-128-GCM"];
    let on = ["--rotate-on", "algorithm-withdrawn"];
    server.run(&[&create[..], &on].concat()).ok();
    let made = server.run_with(&["encrypt", "card"], b"kept").ok();
    let order = [
        "algorithms",
        "withdraw",
        "AES-128-GCM",
        "--reason",
        "128 bits",
        "--successor",
        "AES-256-GCM",
    ];
    let said = server.text(&order);
    assert!(
        said.contains("root/default/card rotates by itself"),
        "{said}"
    );
    let end = Instant::now() + Duration::from_secs(30);
    let mut shown = server.json(&["key", "show", "card"]);
    while shown["latest_version"] == 1 {
        assert!(Instant::now() < end, "it did not rotate");
        std::thread::sleep(Duration::from_millis(200));
        shown = server.json(&["key", "show", "card"]);
    }
    assert_eq!(shown["algorithm"], "AES-256-GCM");
    server.run_with(&["encrypt", "card"], b"x").ok();
    assert_eq!(
        server.run_with(&["decrypt", "card"], &made.out).ok().out,
        b"kept"
    );
}
