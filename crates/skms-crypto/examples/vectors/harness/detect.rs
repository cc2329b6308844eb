//! From a file's contents to its cases. Names are not looked at, but for key
//! files, whose verdicts are in their names.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::case::Case;
use super::keyfile::{self, Recognised};
use super::text::list;
use super::{acvp, cavp, cctv, certificate, evp, hpke, pkcs1, records, wycheproof};

/// What a file holds.
pub struct Found {
    /// What it was taken for.
    pub kind: String,
    /// Its cases.
    pub cases: Vec<Case>,
}

fn found(kind: impl Into<String>, cases: Vec<Case>) -> Result<Found, String> {
    Ok(Found {
        kind: kind.into(),
        cases,
    })
}

/// The cases in a file, or why it has none.
pub fn detect(path: &Path) -> Result<Found, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        gunzip(&bytes)?
    } else {
        bytes
    };
    if bytes.is_empty() {
        return Err("empty".to_owned());
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[')) => {
            match serde_json::from_str(text) {
                Ok(root) => json(&root, path),
                // CAVP files may begin with a section in brackets.
                Err(_) => plain(text, path, &bytes),
            }
        }
        Ok(text) => plain(text, path, &bytes),
        Err(_) => keys(path, &bytes).unwrap_or_else(|| Err("unknown binary contents".to_owned())),
    }
}

fn json(root: &Value, path: &Path) -> Result<Found, String> {
    if wycheproof::recognises(root) {
        return found(wycheproof::kind(root), wycheproof::cases(root));
    }
    if let Some(set) = acvp::recognises(root) {
        return found(acvp::kind(set), acvp::cases(set, path)?);
    }
    if let Some(cases) = hpke::vectors(root) {
        return found("HPKE (RFC 9180)", cases);
    }
    if let Some(cases) = hpke::x_wing(root) {
        return found("X-Wing", cases);
    }
    if root.get("$schema").is_some() && root.get("type").is_some() {
        return Err("a JSON schema, no vectors".to_owned());
    }
    if !list(root, "testGroups").is_empty() {
        return Err("test groups of an unknown schema".to_owned());
    }
    Err("JSON of an unknown schema".to_owned())
}

fn plain(text: &str, path: &Path, bytes: &[u8]) -> Result<Found, String> {
    let lines = records::lines(text);
    if evp::recognises(&lines) {
        return found("OpenSSL evp_test", evp::cases(&lines));
    }
    if let Some(outcome) = keys(path, bytes) {
        return outcome;
    }
    if let Some(cases) = cctv::modulus(text) {
        return found("CCTV ML-KEM modulus", cases);
    }
    if let Some(cases) = cctv::sample(&lines) {
        return found("CCTV ML-KEM sample", cases);
    }
    if let Some(cases) = pkcs1::cases(text) {
        return found("PKCS#1 intermediate values", cases);
    }
    if let Some(kind) = cavp::recognises(&lines) {
        return found(kind.name(), cavp::cases(kind, &lines));
    }
    Err("text in none of the known formats".to_owned())
}

fn keys(path: &Path, bytes: &[u8]) -> Option<Result<Found, String>> {
    Some(match keyfile::recognises(bytes)? {
        Recognised::Key => found("key file", vec![keyfile::case(path, bytes.to_vec())]),
        Recognised::Certificate(der) => match certificate::case(path, &der) {
            Some(case) => found("certificate", vec![case]),
            None => Err("a certificate: not this crate's business".to_owned()),
        },
        Recognised::Other(what) => Err(what),
    })
}

/// Unpacks with the `gzip` program.
fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("compressed, and gzip fails: {error}");
    let mut child = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut input = child
        .stdin
        .take()
        .ok_or("compressed, and gzip takes no input")?;
    let packed = bytes.to_vec();
    let feeder = std::thread::spawn(move || input.write_all(&packed));
    let output = child.wait_with_output().map_err(failed)?;
    let fed = feeder.join().is_ok_and(|result| result.is_ok());
    if output.status.success() && fed {
        Ok(output.stdout)
    } else {
        Err("compressed, and not readable by gzip".to_owned())
    }
}
