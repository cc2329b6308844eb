//! `skms algorithms withdraw`.

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
