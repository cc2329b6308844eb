//! A Python interpreter that has `cryptography`, asked through crosscheck.py.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The interpreter.
pub struct Python(PathBuf);

impl Python {
    /// `None`, and a visible skip, when `SKMS_TEST_PYTHON` does not name one
    /// that has the post-quantum algorithms.
    pub fn find() -> Option<Self> {
        let Some(python) = std::env::var_os("SKMS_TEST_PYTHON") else {
            eprintln!("SKIPPED: SKMS_TEST_PYTHON names no interpreter");
            return None;
        };
        let import = "from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem";
        let found = Command::new(&python)
            .args(["-c", import])
            .output()
            .is_ok_and(|output| output.status.success());
        if !found {
            eprintln!("SKIPPED: {python:?} has no `cryptography` with ML-KEM and ML-DSA");
            return None;
        }
        Some(Self(python.into()))
    }

    /// Asks all requests at once, and gives their answers in order.
    pub fn ask(&self, requests: &[Value]) -> Vec<Value> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/crosscheck.py");
        let mut child = Command::new(&self.0)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = serde_json::to_vec(requests).unwrap();
        child.stdin.take().unwrap().write_all(&requests).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "crosscheck.py: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// The bytes of a hex field of an answer.
pub fn bytes(answer: &Value, field: &str) -> Vec<u8> {
    let text = answer[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {answer}"));
    (0..text.len() / 2)
        .map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap())
        .collect()
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
