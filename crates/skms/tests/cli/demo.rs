//! `skms demo`, and the `openssl` commands that it prints.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::{run, skms};

#[test]
fn every_proof_holds_and_openssl_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = skms();
    command.current_dir(folder.path()).args(["demo", "--json"]);
    let shown = run(command, b"").ok().json();
    assert_eq!(
        (shown["proved"].as_u64(), shown["of"].as_u64()),
        (Some(12), Some(12)),
        "{shown:#}"
    );
    let mut recheck: Vec<_> = shown["recheck"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap().to_owned())
        .collect();
    let version = Command::new("openssl").arg("version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match version
        .as_deref()
        .map(|text| text.trim_start_matches("OpenSSL "))
    {
        Ok(version) if version.starts_with("3.") => {
            let minor: u32 = version[2..].split('.').next().unwrap().parse().unwrap();
            if minor < 5 {
                recheck.retain(|line| !line.contains("3.5 or newer"));
            }
        }
        _ => {
            use std::io::Write as _;
            writeln!(std::io::stderr(), "skipped: openssl 3 is not installed").unwrap();
            return;
        }
    }
    let script = format!("set -e -o pipefail\n{}", recheck.join("\n"));
    let checked = Command::new("bash")
        .current_dir(folder.path())
        .args(["-c", &script])
        .output()
        .unwrap();
    assert!(
        checked.status.success(),
        "{script}\n{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}

#[test]
fn a_file_that_is_not_there_is_a_usage_error_and_leaves_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = skms();
    command
        .current_dir(folder.path())
        .args(["demo", "--file", "missing"]);
    run(command, b"").fails(2, "missing");
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let mut child = skms()
        .current_dir(folder.path())
        .env("TMPDIR", temporary.path())
        .arg("demo")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(
        lines.any(|line| line.contains("TLS 1.3")),
        "the first act was shown"
    );
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 1);
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    // Read to the end, so that the demo never waits for a reader.
    let rest: Vec<_> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}
