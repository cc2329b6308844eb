//! `skms rule`, `skms verdict` and suspended principals on the command line.

use crate::support::Server;

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
    server
        .run(&["principal", "resume", "eve"])
        .fails(3, "suspended principal");
}
