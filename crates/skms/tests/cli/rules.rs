//! `skms rule`, `skms verdict` and suspended principals on the command line.

use crate::support::{Server, run};

#[test]
fn a_rule_is_tried_written_answers_and_is_undone() {
    let server = Server::dev();
    server.run(&["key", "create", "card"]).ok();
    let text = "@answer(\"suspend\") permit (principal, action == \
        SKMS::Action::\"rule.verdict\", resource is SKMS::Key) when { context.score > 500 };";
    let file = server.file("odd.cedar", text.as_bytes());
    let file = file.to_str().unwrap();
    let tried = server.json(&["rule", "test", "odd", file]);
    assert_eq!(tried["limit"], "1 per day");
    server
        .run(&["rule", "show", "odd"])
        .fails(3, "no such rule");
    server.run(&["rule", "put", "odd", file]).ok();
    let bad = server.file("bad.cedar", b"permit (principal, action, resource);");
    let bad = bad.to_str().unwrap();
    server
        .run(&["rule", "put", "odd", bad])
        .fails(2, "it has no @answer");
    assert_eq!(server.text(&["rule", "show", "odd"]).trim_end(), text);
    assert!(server.text(&["rule", "list"]).contains("verdict"));
    let submit = |score: &str| {
        server.run(&[
            "verdict",
            "submit",
            "--key",
            "card",
            "--score",
            score,
            "--reason",
            "a new network",
        ])
    };
    submit("1001").fails(2, "1001");
    assert!(submit("500").ok().text().contains("No rule answers it"));
    assert!(submit("501").ok().text().contains("default/card"));
    server.run(&["encrypt", "card"]).fails(4, "suspended");
    let acts = server.json(&["rule", "acts", "--rule", "odd"]);
    let act = acts[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(acts[0]["matched"], "context.score = 501");
    assert!(
        server
            .json(&["rule", "acts", "--rule", "x"])
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(
        server
            .text(&["rule", "undo", &act])
            .contains("Undone: suspend of default/card")
    );
    server
        .run(&["rule", "undo", &act])
        .fails(2, "undone already");
    server
        .run(&["rule", "release", "odd"])
        .fails(2, "holds no acts");
    server.run(&["rule", "delete", "odd"]).ok();

    server
        .run(&["principal", "suspend", "eve", "--reason", "lost laptop"])
        .ok();
    let listed = server.text(&["principal", "suspended"]);
    assert!(
        listed.contains("eve") && listed.contains("lost laptop"),
        "{listed}"
    );
    server.run(&["principal", "resume", "eve"]).ok();
    // A name that nobody has may be mistyped.
    let typed = server.run(&["principal", "suspend", "evee"]).ok();
    assert!(
        typed
            .said
            .contains("no token or registration is called evee")
    );
    let listed = server.json(&["principal", "suspended"]);
    assert_eq!(listed[0]["exists"], false);
    server.run(&["principal", "resume", "evee"]).ok();
    server
        .run(&["principal", "resume", "eve"])
        .fails(3, "suspended principal");
}

#[test]
fn who_is_suspended_is_told_in_the_record_and_nobody_suspends_himself_unasked() {
    let server = Server::dev();
    let create = |principal: &str, out: &str| {
        server.run(&[
            "token",
            "create",
            "--principal",
            principal,
            "--group",
            "admin",
            "-o",
            out,
        ])
    };
    let other = create("eve", "eve.token").ok();
    assert!(!other.said.contains("suspended"), "{}", other.said);
    let known = server.run(&["principal", "suspend", "eve"]).ok();
    assert_eq!(known.said, "");
    let mut as_eve = server.command(&["key", "list"]);
    as_eve.env("SKMS_TOKEN_FILE", "eve.token");
    let refused = run(as_eve, b"").fails(3, "");
    assert!(!refused.said.contains("suspended"), "{}", refused.said);
    let again = create("eve", "again.token").ok();
    assert!(again.said.contains("eve is suspended"), "{}", again.said);
    let only = ["--action", "credential.refused", "--lines", "1"];
    let told = server.json(&[&["log", "tail"], &only[..]].concat());
    assert_eq!(told["principal"], "eve");
    assert_eq!(told["reason"], "the principal root/eve is suspended");
    server.run(&["principal", "resume", "eve"]).ok();

    let own = server.json(&["token", "self"])["principal"].clone();
    let own = own.as_str().unwrap();
    server
        .run(&["principal", "suspend", own])
        .fails(2, "--force");
    server.run(&["key", "list"]).ok();
    server.run(&["principal", "suspend", own, "--force"]).ok();
    server.run(&["key", "list"]).fails(3, "");
}

#[test]
fn actions_that_there_are_none_of_are_not_waited_for() {
    let server = Server::dev();
    for tail in [
        &["log", "tail", "--action", "key.rotat"][..],
        &["log", "tail", "-f", "--lines", "0", "--action", "key.rotat"],
    ] {
        server.run(tail).fails(2, "key.rotate");
    }
    server.run(&["log", "tail", "--action", "key.rotat*"]).ok();
    let add = |on: &str| {
        server.run(&[
            "notify",
            "add",
            "webhook",
            "p",
            "--url",
            "https://example.org/",
            "--on",
            on,
            "--disabled",
        ])
    };
    add("key.revok").fails(2, "key.revoke");
    add("key.revoke").ok();
    server
        .run(&["notify", "update", "p", "--on", "key.revok"])
        .fails(2, "key.revoke");
}

#[test]
fn reading_the_record_asks_for_nothing_else() {
    let server = Server::dev();
    server.run(&["key", "create", "k"]).ok();
    server.run(&["key", "suspend", "k"]).ok();
    for _ in 0..2 {
        let last = server.json(&["log", "tail", "--lines", "1", "--action", "key.*"]);
        assert_eq!(last["action"], "key.suspend");
    }
    let all = server.text(&["log", "tail", "--lines", "1000"]);
    assert!(!all.contains("seal.list"), "{all}");
    assert_eq!(server.text(&["log", "tail", "--lines", "0"]), "");
    let two = server.text(&["log", "tail", "--lines", "2"]);
    assert_eq!(two.lines().count(), 2, "{two}");
}
