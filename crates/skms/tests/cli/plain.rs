//! What needs no server: help, completion, usage errors, configuration.

use crate::support::{run, skms};

fn skms_with(arguments: &[&str]) -> crate::support::Ran {
    let mut command = skms();
    command.args(arguments);
    run(command, b"")
}

#[test]
fn help_explains_exit_codes_and_where_secrets_come_from() {
    let help = skms_with(&["--help"]).ok();
    for part in [
        "SKMS_ADDR",
        "SKMS_TOKEN",
        "Exit codes",
        "never arguments",
        "demo",
    ] {
        assert!(help.text().contains(part), "{part}");
    }
    assert!(
        skms_with(&["help", "exit-codes"])
            .ok()
            .text()
            .contains("sealed or not initialised")
    );
    assert!(skms_with(&["exit-codes"]).ok().text().contains("130"));
    assert!(skms_with(&["--version"]).ok().text().starts_with("skms "));
}

#[test]
fn completion_scripts_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = skms_with(&["completion", shell]).ok();
        assert!(script.text().contains("decapsulate"), "{shell}");
    }
    skms_with(&["completion", "cobol"]).fails(2, "possible values");
}

#[test]
fn mistakes_on_the_command_line_end_with_2() {
    skms_with(&["nonesuch"]).fails(2, "unrecognized");
    skms_with(&["key", "create"]).fails(2, "required");
    skms_with(&["encrypt", "k", "/nonexistent"]).fails(2, "cannot read");
    skms_with(&["--address", "ftp://x", "key", "list"]).fails(2, "https://");
    skms_with(&["--address", "http://kms.example", "key", "list"]).fails(2, "this machine only");
    skms_with(&["--ca-file", "/nonexistent", "key", "list"]).fails(2, "cannot read");
    skms_with(&["init"]).fails(2, "no seal was chosen");
}

#[test]
fn nobody_there_ends_with_6_and_a_hint() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    skms_with(&["--address", &address, "status"]).fails(6, "skms serve");
    let report = skms_with(&["--json", "--address", &address, "status"]);
    let report: serde_json::Value = serde_json::from_str(&report.said).unwrap();
    assert_eq!(report["exit"], 6);
    assert!(report["hint"].is_string());
}

#[test]
fn the_configuration_file_is_read_strictly_and_holds_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let with = |contents: &str| {
        std::fs::write(&file, contents).unwrap();
        let mut command = skms();
        command.env("SKMS_CONFIG", &file).args(["key", "list"]);
        run(command, b"")
    };
    with("adress = 'x'").fails(2, "adress");
    let token = with("token = 'hunter2'").fails(2, "token_file");
    assert!(!token.said.contains("hunter2"));
    with("address = 'ftp://x'").fails(2, "https://");
}

#[test]
fn serving_what_was_never_set_up_ends_with_7() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("nothing");
    let mut command = skms();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data);
    run(command, b"").fails(7, "skms init");
    assert!(!data.exists());
}
