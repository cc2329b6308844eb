//! From functions to the parts of the house that they belong to.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::bench::server::answer;

/// What a function belongs to: the first row with a word that stands in its
/// file's name or its own.
const COMPONENTS: &[(&str, &[&str])] = &[
    (
        "the store: SQLite and background work on it",
        &[
            "libsqlite3",
            "rusqlite",
            "skms-store/src/sealed",
            "skms-store/src/sqlite",
        ],
    ),
    (
        "memory: malloc and free",
        &["malloc/", "std/src/sys/alloc", "alloc/src/alloc"],
    ),
    (
        "memory: copying, comparing, erasing",
        &["memmove", "memset", "memcmp", "memcpy", "zeroize"],
    ),
    (
        "SHA-256 (the journal's chain; see above)",
        &["sha256", "/sha/", "hmac", "hkdf", "md32_common", "digest"],
    ),
    (
        "random numbers",
        &["/rand/", "ctrdrbg", "/ube/", "rdrand", "entropy", "rand.rs"],
    ),
    (
        "AES-GCM and the rest of the cryptographic library: TLS, the encryption, the journal",
        &["aws-lc", "aws_lc", "skms-crypto"],
    ),
    ("TLS (rustls)", &["rustls"]),
    (
        "HTTP (hyper, http, httparse, bytes)",
        &["hyper", "/http-", "httparse", "/bytes-", "httpdate"],
    ),
    (
        "routing (axum, tower)",
        &["axum", "tower", "matchit", "percent"],
    ),
    (
        "the runtime (tokio, mio)",
        &["tokio", "/mio-", "futures", "pin-project"],
    ),
    ("JSON (serde_json)", &["serde", "/itoa-", "/ryu-"]),
    ("base64", &["base64"]),
    (
        "the event and its encoding",
        &["skms-evidence", "skms_evidence"],
    ),
    ("the journal's frames", &["skms-store", "skms_store"]),
    ("policy", &["skms-policy", "skms_policy", "cedar"]),
    ("key states and use counts", &["skms-keys", "skms_keys"]),
    ("the engine", &["skms-engine", "skms_engine"]),
    ("messages", &["skms-wire", "skms_wire"]),
    ("the face and the connections", &["skms/src", "skms::"]),
    (
        "formatting and strings",
        &["core/src/fmt", "alloc/src/fmt", "alloc/src/string", "/str/"],
    ),
    (
        "locks, clocks and thread-locals",
        &["nptl", "futex", "clock", "time.rs", "/sync/", "vdso"],
    ),
    ("hashing (maps)", &["sip.rs", "hashbrown", "/hash/"]),
];

/// What is left.
const REST: &str = "the rest";

/// Instructions by component.
#[derive(Debug, Default, PartialEq)]
pub struct Counts(BTreeMap<&'static str, f64>);

impl Counts {
    /// Reads a file of callgrind's, through its own reader.
    ///
    /// # Errors
    /// The file is none, or the reader is missing.
    pub fn read(file: &Path) -> Result<Self> {
        let text = answer(
            Command::new("callgrind_annotate")
                .args(["--threshold=100", "--auto=no"])
                .arg(file),
        )?;
        let counts = Self::of(&text);
        match counts.0.is_empty() {
            true => Err("callgrind counted nothing".into()),
            false => Ok(counts),
        }
    }

    fn of(text: &str) -> Self {
        let mut counts = Self::default();
        for line in text.lines() {
            let Some((count, function)) = entry(line) else {
                continue;
            };
            *counts.0.entry(component(function)).or_default() += count;
        }
        counts
    }

    /// What is more here than in another, shared among so many.
    pub fn without(&self, other: &Self, among: f64) -> Self {
        let less = |name: &&'static str| other.0.get(name).copied().unwrap_or_default();
        Self(
            self.0
                .iter()
                .map(|(name, count)| (*name, (count - less(name)).max(0.0) / among))
                .collect(),
        )
    }

    /// All of it.
    pub fn total(&self) -> f64 {
        self.0.values().sum()
    }

    /// The largest first.
    pub fn by_size(&self) -> Vec<(&'static str, f64)> {
        let mut sorted: Vec<_> = self.0.iter().map(|(name, count)| (*name, *count)).collect();
        sorted.sort_by(|one, other| other.1.total_cmp(&one.1));
        sorted
    }
}

/// A line such as `1,234 (5.67%)  file:function [program]`.
fn entry(line: &str) -> Option<(f64, &str)> {
    let (count, rest) = line.trim_start().split_once(" (")?;
    let (_, function) = rest.split_once("%)")?;
    let function = function.trim();
    if function.starts_with("PROGRAM TOTALS") {
        return None;
    }
    // The program's path says nothing about the function.
    let function = function
        .rsplit_once(" [")
        .map_or(function, |(name, _)| name);
    Some((count.replace(',', "").parse().ok()?, function))
}

fn component(function: &str) -> &'static str {
    COMPONENTS
        .iter()
        .find(|(_, words)| words.iter().any(|word| function.contains(word)))
        .map_or(REST, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
84,954 (100.0%)  PROGRAM TOTALS

Ir
 3,963 ( 4.67%)  ./malloc/./malloc/malloc.c:_int_free [/lib/libc.so.6]
 1,000 ( 1.00%)  /x/crates/skms-evidence/src/encode.rs:skms_evidence::encode::string [/t/skms]
    37 ( 0.04%)  /rustc/1/library/core/src/num.rs:add [/t/skms::x]
";

    #[test]
    fn functions_find_their_component() {
        let counts = Counts::of(TEXT);
        assert_eq!(counts.total(), 5000.0);
        assert_eq!(
            counts.by_size(),
            [
                ("memory: malloc and free", 3963.0),
                ("the event and its encoding", 1000.0),
                (REST, 37.0)
            ]
        );
    }

    #[test]
    fn what_happens_once_drops_out() {
        let long = Counts([("a", 1100.0), ("once", 50.0)].into());
        let short = Counts([("a", 100.0), ("once", 50.0)].into());
        let each = long.without(&short, 10.0);
        assert_eq!(each.by_size(), [("a", 100.0), ("once", 0.0)]);
    }
}
