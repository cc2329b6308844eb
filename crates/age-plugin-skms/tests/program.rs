//! The program, as age starts it; without a server. With one it is tried in
//! `crates/skms/tests/cli/file.rs`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_age-plugin-skms"))
        .args(arguments)
        .env_clear()
        // Nobody listens there.
        .env("SKMS_ADDR", "http://127.0.0.1:1")
        .env("SKMS_TOKEN", "t")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // What is not read is no failure of this side.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn started_by_hand_it_says_what_it_is() {
    for arguments in [&[][..], &["--help"], &["--age-plugin=sign-v1"]] {
        let output = run(arguments, "");
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(String::from_utf8_lossy(&output.stderr).contains("age"));
    }
}

#[test]
fn a_conversation_that_breaks_off_is_a_failure() {
    for broken in [
        "",
        "-> add-recipient",
        "-> add-recipient age1skms1\n\n",
        "hello\n",
        "-> add-recipient a b\n\n-> done\n\n",
    ] {
        let output = run(&["--age-plugin=recipient-v1"], broken);
        assert!(!output.status.success(), "{broken:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn what_is_wrong_is_told_to_age() {
    let done = "-> done\n\n-> ok\n\n";
    let recipient = "age1skms1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
    let wrong =
        format!("-> add-recipient {recipient}\n\n-> wrap-file-key\nBwcHBwcHBwcHBwcHBwcHBw\n{done}");
    let output = run(&["--age-plugin=recipient-v1"], &wrong);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.starts_with("-> error recipient 0\n"),
        "{said}"
    );
    assert!(said.ends_with("-> done\n\n"));

    let identity = "AGE-PLUGIN-SKMS-1TYPO";
    let wrong = format!("-> add-identity {identity}\n\n{done}");
    let output = run(&["--age-plugin=identity-v1"], &wrong);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("-> error identity 0\n"), "{said}");
}
