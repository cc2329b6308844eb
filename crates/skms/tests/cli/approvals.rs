//! `skms approval`: the example of docs/approvals.md, with three principals.

use crate::mutual::{serve, with_settings};
use crate::support::{Ran, Server, run, skms};

/// The policy that docs/approvals.md shows.
fn example() -> String {
    let page = std::fs::read_to_string("../../docs/approvals.md").unwrap();
    let (_, rest) = page.split_once("```cedar\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

fn of(server: &Server, name: &str, arguments: &[&str]) -> Ran {
    let mut command = skms();
    command
        .current_dir(server.folder.path())
        .env("SKMS_ADDR", &server.address)
        .env("SKMS_CACERT", "data/ca.pem")
        .env("SKMS_CLIENT_CERT", format!("{name}.pem"))
        .env("SKMS_CLIENT_KEY", format!("{name}.key"))
        .args(arguments);
    run(command, b"")
}

/// The request that a command says it waits for.
fn waits(ran: Ran) -> String {
    let ran = ran.fails(4, "waits for the approval of others");
    let (_, rest) = ran.said.split_once("the request is ").unwrap();
    rest.chars()
        .take_while(|c| *c == '-' || c.is_ascii_hexdigit())
        .collect()
}

/// A server with two officers, alice and bob, and eve, who is none.
fn with_officers() -> Server {
    let server = serve();
    let root = |arguments: &[&str]| with_settings(&server, arguments);
    for name in ["alice", "bob", "eve"] {
        let group = if name == "eve" { "reader" } else { "officers" };
        let new = ["principal", "create", name, "--authority", "admins"];
        root(&[&new[..], &["--group", group]].concat()).ok();
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let issue = ["cert", "issue", "--ca", "admins", "--principal", name];
        root(&[&issue[..], &["--key-out", &key, "--out", &certificate]].concat()).ok();
    }
    server
}

#[test]
fn two_officers_sign_and_the_key_is_destroyed() {
    let server = with_officers();
    let root = |arguments: &[&str]| with_settings(&server, arguments);
    root(&["key", "create", "orders"]).ok();
    let signed = example().replace("@valid_for(\"8h\")", "@signed(\"true\")");
    server.file("marks.cedar", signed.as_bytes());
    root(&["policy", "put", "marks", "marks.cedar"]).ok();

    let destroy = ["key", "destroy", "orders"];
    let id = waits(root(
        &[&destroy[..], &["--approval-reason", "a test"]].concat(),
    ));
    let shown = of(&server, "alice", &["approval", "show", &id]).ok();
    for part in [
        "key.destroy",
        "root/default/orders",
        "a test",
        "1 active",
        "2 of SKMS::Group",
    ] {
        assert!(shown.text().contains(part), "{part}: {}", shown.text());
    }
    let hash = shown
        .text()
        .lines()
        .find_map(|line| line.strip_prefix("Hash       "));
    let hash = hash.unwrap().to_owned();
    // As a path has it, and not as JSON; and a second reason is not lost silently.
    assert!(shown.text().contains("key (of the path) = orders"));
    root(&[&destroy[..], &["--approval-reason", "another"]].concat())
        .fails(4, "the reason given now is not taken");
    of(&server, "eve", &["approval", "approve", &id]).fails(3, "");
    of(&server, "alice", &["approval", "approve", &id]).fails(3, "own certified key");
    let wrong = "00".repeat(32);
    of(
        &server,
        "alice",
        &["approval", "approve", &id, "--sign", "--hash", &wrong],
    )
    .fails(5, "look at it again");
    let verify = |said: &str| {
        let request = of(&server, "alice", &["--json", "approval", "show", &id]).ok();
        server.file("request.json", &request.out);
        let checked = of(&server, "eve", &["approval", "verify", "request.json"]);
        checked.fails(5, said)
    };
    verify("0 of 2: not approved");
    // One that has ended counts no more, and is shown so.
    let briefly = ["approval", "approve", &id, "--sign", "--valid-for", "5s"];
    of(&server, "alice", &briefly).ok();
    verify("1 of 2: not approved");
    std::thread::sleep(std::time::Duration::from_secs(7));
    let checked = verify("0 of 2: not approved");
    assert!(
        checked.text().contains("it expired at"),
        "{}",
        checked.text()
    );
    for name in ["alice", "bob"] {
        let sign = ["approval", "approve", &id, "--sign", "--hash", &hash];
        of(&server, name, &sign).ok();
        of(&server, name, &sign).fails(4, "approved of this request already");
    }
    assert!(
        of(&server, "bob", &["approval", "list"])
            .ok()
            .text()
            .contains("2 of 2")
    );
    // Anybody can check it, with no server.
    let request = of(&server, "alice", &["--json", "approval", "show", &id]).ok();
    server.file("request.json", &request.out);
    let checked = of(&server, "eve", &["approval", "verify", "request.json"]).ok();
    assert!(
        checked.text().contains("Approved by root/bob")
            && checked.text().contains("2 of 2: approved"),
        "{}",
        checked.text()
    );
    let altered = String::from_utf8(request.out).unwrap();
    let altered = altered.replace("root/default/orders", "root/default/others");
    server.file("altered.json", altered.as_bytes());
    of(&server, "eve", &["approval", "verify", "altered.json"]).fails(5, "does not have the hash");

    root(&[&destroy[..], &["--version", "1", "--approval", &id]].concat())
        .fails(3, "other parameters: version");
    root(&[&destroy[..], &["--approval", &id]].concat()).ok();
    root(&[&destroy[..], &["--approval", &id]].concat()).fails(3, "it was used");
    // What was used counted then.
    let request = of(&server, "alice", &["--json", "approval", "show", &id]).ok();
    server.file("used.json", &request.out);
    of(&server, "eve", &["approval", "verify", "used.json"]).ok();

    // To take the marks away takes the same, and a rejection ends it.
    let delete = ["policy", "delete", "marks"];
    let id = waits(root(&delete));
    of(
        &server,
        "bob",
        &["approval", "reject", &id, "--reason", "never"],
    )
    .ok();
    root(&[&delete[..], &["--approval", &id]].concat()).fails(3, "rejected");
    let list = of(&server, "bob", &["approval", "list", "--all"]).ok();
    assert!(list.text().contains("used") && list.text().contains("rejected"));
    // Who would make an officer asks the officers.
    let officer = [
        "token",
        "create",
        "--principal",
        "mallory",
        "--group",
        "officers",
    ];
    let id = waits(root(&officer));
    assert!(!id.is_empty());
    root(&[
        "token",
        "create",
        "--principal",
        "mallory",
        "--group",
        "reader",
    ])
    .ok();
}

#[test]
fn a_grant_that_waits_is_repeated_as_it_was_asked_for() {
    let server = with_officers();
    let root = |arguments: &[&str]| with_settings(&server, arguments);
    root(&["key", "create", "orders"]).ok();
    let revoke = ["key", "revoke", "orders", "--reason", "keyCompromise"];
    root(&revoke).ok();
    server.file("marks.cedar", example().as_bytes());
    root(&["policy", "put", "marks", "marks.cedar"]).ok();
    let grant = [
        "key",
        "grant",
        "orders",
        "--for",
        "1h",
        "--reason",
        "it's a test",
    ];
    let ran = root(&grant).fails(4, "");
    let said: serde_json::Value = serde_json::from_str(&ran.said).unwrap();
    let hint = said["hint"].as_str().unwrap();
    let (_, line) = hint.rsplit_once("\n  skms ").unwrap();
    assert!(
        line.contains(" --until ") && !line.contains("--for"),
        "{line}"
    );
    let id = said["problem"]["approval"].as_str().unwrap();
    assert!(line.ends_with(&format!("--approval {id}")), "{line}");
    for name in ["alice", "bob"] {
        of(&server, name, &["approval", "approve", id]).ok();
    }
    root(&[&grant[..], &["--approval", id]].concat()).fails(2, "counted from now");
    // As a shell reads it.
    let mut shell = std::process::Command::new("sh");
    shell
        .current_dir(server.folder.path())
        .env("SKMS_CONFIG", "root.toml")
        .env("SKMS_ADDR", &server.address)
        .args(["-c", &format!("{} {line}", env!("CARGO_BIN_EXE_skms"))]);
    run(shell, b"").ok();
}
