//! `skms key derive`, `lineage` and `compromise`, and `skms incident`, with the
//! report checked by files alone.

use crate::support::{Server, run, skms};

#[test]
fn a_key_falls_with_what_hangs_on_it_and_the_report_says_so() {
    let server = Server::dev();
    server
        .run(&["key", "create", "master", "-a", "HKDF-SHA-256"])
        .ok();
    for name in ["orders", "bills"] {
        let derive = [
            "key",
            "derive",
            name,
            "--from",
            "master",
            "-a",
            "AES-256-GCM",
        ];
        server.run(&derive).ok();
    }
    let pair = ["key", "derive", "pair", "--from", "master", "-a", "Ed25519"];
    server.run(&pair).fails(2, "symmetric");
    let key = server.path("incident.pem");
    let key = key.to_str().unwrap();
    server.run(&["incident", "key", "-o", key]).ok();

    let tree = server.text(&["key", "lineage", "master"]);
    assert!(
        tree.contains("derived: default/orders version 1 active"),
        "{tree}"
    );
    assert!(
        tree.contains("default/master version 1 active  <- this key"),
        "{tree}"
    );
    let picture = server.path("master.svg");
    let picture = picture.to_str().unwrap();
    let draw = ["key", "lineage", "orders", "--format", "svg", "-o", picture];
    server.run(&draw).ok();
    let drawn = std::fs::read_to_string(picture).unwrap();
    assert!(
        drawn.starts_with("<svg ") && drawn.contains("default/orders"),
        "{drawn}"
    );
    let graph = server.json(&["key", "lineage", "orders", "--json"]);
    assert_eq!(graph["nodes"].as_array().unwrap().len(), 3);

    let dry = [
        "key",
        "compromise",
        "master",
        "--reason",
        "lost",
        "--dry-run",
    ];
    let shown = server.text(&dry);
    assert!(
        shown.contains("Nothing was changed") && shown.contains("default/bills"),
        "{shown}"
    );
    server.run_with(&["encrypt", "orders", "-"], b"x").ok();
    let late = [
        "key",
        "compromise",
        "master",
        "--reason",
        "x",
        "--since",
        "2099-01-01T00:00:00Z",
    ];
    server.run(&late).fails(2, "future");
    let order = [
        "key",
        "compromise",
        "master",
        "--reason",
        "lost",
        "--wait",
        "--json",
    ];
    let incident = server.json(&order);
    assert_eq!(incident["counts"]["compromised"], 3);
    server
        .run_with(&["encrypt", "orders", "-"], b"x")
        .fails(4, "compromised");

    let id = incident["id"].as_str().unwrap();
    assert!(server.text(&["incident", "list"]).contains(id));
    let (report, list) = (server.path("report.jws"), server.path("touched.jsonl"));
    let (report, list) = (report.to_str().unwrap(), list.to_str().unwrap());
    server
        .run(&["incident", "show", id, "--report", report])
        .ok();
    server.run(&["incident", "touched", id, "-o", list]).ok();
    // With no server.
    let verify = |more: &[&str]| {
        let mut command = skms();
        command
            .args(["incident", "verify", report, "--key", key])
            .args(more);
        run(command, b"")
    };
    let said = verify(&[]).ok();
    assert!(said.text().contains("not compared"), "{}", said.text());
    let said = verify(&["--touched", list]).ok();
    assert!(
        said.text().contains("as the server signed it")
            && said.text().contains("is the report's")
            && said.text().contains("reason: lost"),
        "{}",
        said.text()
    );
    let mut altered = std::fs::read_to_string(list).unwrap();
    altered.push('\n');
    std::fs::write(list, altered).unwrap();
    verify(&["--touched", list]).fails(5, "not the list");
    let text = std::fs::read_to_string(report).unwrap();
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let (first, rest) = signature.split_at(1);
    let other = format!("{}{rest}", if first == "A" { "B" } else { "A" });
    std::fs::write(report, format!("{signed}.{other}")).unwrap();
    verify(&[]).fails(5, "altered");
    std::fs::write(report, "nothing").unwrap();
    verify(&[]).fails(2, "no incident report");
}

#[test]
fn a_compromise_claims_no_more_than_it_did() {
    let server = Server::dev();
    server.run(&["key", "create", "orders"]).ok();
    server.run(&["key", "rotate", "orders"]).ok();
    let order = ["key", "compromise", "orders", "--reason", "lost"];
    let none = ["--cascade", "none", "--version", "1"];
    let said = server.text(&[&order[..], &none].concat());
    assert!(
        said.starts_with(
            "Version 1 of default/orders is compromised; no use of it succeeds any more; \
             what depends on it stays in use."
        ),
        "{said}"
    );
    // Counts of what is not finished are nobody's.
    assert!(
        said.contains("finished") || !said.contains("recipients"),
        "{said}"
    );
    assert!(said.contains("skms incident show "), "{said}");
    server.run_with(&["encrypt", "orders", "-"], b"x").ok();
    let direct = server.text(&[&order[..], &["--cascade", "direct", "--wait"]].concat());
    assert!(direct.contains("further below stays in use"), "{direct}");
    assert!(direct.contains("certificates"), "{direct}");
}
