//! A folder, and programs that are asked about its files.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;

/// A folder, and a program that is asked about its files.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn write(&self, name: &str, contents: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn pem(&self, name: &str, label: &str, all: &[Vec<u8>]) -> String {
        let mut text = String::new();
        for der in all {
            let body = base64::engine::general_purpose::STANDARD.encode(der);
            text += &format!("-----BEGIN {label}-----\n");
            for line in body.as_bytes().chunks(64) {
                text += std::str::from_utf8(line).unwrap();
                text.push('\n');
            }
            text += &format!("-----END {label}-----\n");
        }
        self.write(name, text.as_bytes())
    }

    pub fn start(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(program)
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs it, which must succeed, and gives everything that it said.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.start(program, arguments);
        let said = said(&output);
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
        said
    }

    pub fn refuses(&self, program: &str, arguments: &[&str]) {
        let output = self.start(program, arguments);
        assert!(
            !output.status.success(),
            "{program} {arguments:?} succeeded"
        );
    }
}

/// All that a program said.
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Whether a program is there; a visible skip if not.
pub fn have(program: &str) -> bool {
    let found = Command::new(program)
        .arg(if program == "openssl" {
            "version"
        } else {
            "--version"
        })
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: there is no {program}");
    }
    found
}
