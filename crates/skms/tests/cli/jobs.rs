//! Jobs of re-encryption from a user's side: what they say, what they leave alone,
//! and how they go on.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::reencrypt::{decrypted, encrypted, key, no_journal, read};
use crate::support::Server;

#[test]
fn a_wrong_list_is_told_in_a_few_lines() {
    let server = Server::dev();
    key(&server, "orders");
    key(&server, "others");
    let foreign = encrypted(&server, "others", "x");
    server.file("list", format!("{foreign}\n").repeat(30).as_bytes());
    let order = [
        "key",
        "reencrypt",
        "orders",
        "--from",
        "list",
        "--to",
        "new",
    ];
    let ran = server.run(&order).fails(1, "30 of 30 could not be moved");
    let said = ran.text();
    assert!(said.contains("30 because: "), "{said}");
    assert!(
        said.contains("... and 20 more") && !said.contains("line 11"),
        "{said}"
    );
}

#[test]
fn nothing_that_is_there_is_replaced_but_by_force() {
    let server = Server::dev();
    key(&server, "orders");
    let list = encrypted(&server, "orders", "a");
    server.file("list", list.as_bytes());
    server.file("there", b"somebody's");
    fs::create_dir(server.path("dump")).unwrap();
    server.file("dump/a", list.as_bytes());
    fs::create_dir_all(server.path("full/b")).unwrap();
    fs::create_dir(server.path("empty")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(server.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    let to = |from: &str, to: &str, more: &[&str]| {
        let order = ["key", "reencrypt", "orders", "--from", from, "--to", to];
        server.run(&[&order[..], more].concat())
    };
    to("list", "there", &[]).fails(4, "--force");
    to("dump", "full", &[]).fails(4, "exists already");
    for force in [&[][..], &["--force"]] {
        to("list", "pipe", force).fails(2, "is no file");
    }
    assert!(server.json(&["job", "list"]).as_array().unwrap().is_empty());
    assert_eq!(read(&server, "there"), "somebody's");
    to("list", "there", &["--force"]).ok();
    assert_eq!(read(&server, "there"), list);
    to("dump", "empty", &[]).ok();
    to("dump", "full", &["--force"]).ok();
    assert_eq!(read(&server, "full/a"), list);
    no_journal(&server);
}

#[test]
fn ctrl_c_says_how_to_go_on() {
    use std::io::Write as _;
    use std::process::Stdio;

    let server = Server::dev();
    key(&server, "orders");
    let old = encrypted(&server, "orders", "a");
    server.run(&["key", "rotate", "orders"]).ok();
    let order = ["key", "reencrypt", "orders", "--from", "-", "--to", "new"];
    let mut child = server
        .command(&order)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A whole batch, and then nothing for as long as it takes.
    let mut input = child.stdin.take().unwrap();
    let whole = format!("{old}\n").repeat(500);
    input.write_all(whole.as_bytes()).unwrap();
    let journal = server.path("new.skms-job/journal.json");
    let begun = || fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"steps\": 1"));
    for _ in 0..600 {
        if begun() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(begun());
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let ended = child.wait_with_output().unwrap();
    drop(input);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    let job = server.json(&["job", "list"])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(said.contains("stopped after 500 ciphertexts"), "{said}");
    assert!(said.contains(&format!("skms job resume {job}")), "{said}");
    let resumed = server.run_with(&["--json", "job", "resume", &job], whole.as_bytes());
    assert_eq!(resumed.ok().json()["moved"], Value::from(500));
    assert_eq!(read(&server, "new").lines().count(), 500);
}

#[test]
fn the_commands_of_a_report_do_what_they_are_for() {
    let server = Server::dev();
    key(&server, "orders");
    let old = encrypted(&server, "orders", "a");
    server.file("LIST", format!("{old}\n").as_bytes());
    let plan = [
        "key",
        "compromise",
        "orders",
        "--reason",
        "lost",
        "--dry-run",
    ];
    let planned = server.text(&plan);
    assert!(
        planned.contains("to be encrypted anew") && !planned.contains("skms key"),
        "{planned}"
    );
    let order = ["key", "compromise", "orders", "--reason", "lost", "--wait"];
    let done = server.text(&order);
    assert!(
        done.starts_with("Version 1 of default/orders is compromised; no use of it or of what"),
        "{done}"
    );
    let (_, next) = done.rsplit_once("skms incident show ").unwrap();
    let shown = server.text(&["incident", "show", next.trim()]);
    let commands: Vec<_> = (shown.lines())
        .filter_map(|line| line.strip_prefix("  skms "))
        .collect();
    let verbs = ["key rotate ", "key grant ", "key reencrypt "];
    assert_eq!(commands.len(), 3, "{shown}");
    assert!(
        commands
            .iter()
            .zip(verbs)
            .all(|(one, verb)| one.starts_with(verb)),
        "{shown}"
    );
    let word = |command: &str| {
        let (plain, reason) = command.split_once(" --reason ").unwrap_or((command, ""));
        let mut words: Vec<_> = plain.split(' ').map(str::to_owned).collect();
        if !reason.is_empty() {
            words.extend(["--reason".to_owned(), reason.trim_matches('"').to_owned()]);
        }
        words
    };
    let run = |command: &str| {
        let words = word(command);
        server.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    run(commands[2]).fails(4, "skms key rotate default/orders");
    for command in commands {
        run(command).ok();
    }
    assert_eq!(
        decrypted(&server, "orders", read(&server, "NEW-LIST").trim()),
        "a"
    );
}
