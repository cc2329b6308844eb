//! NIST ACVP vector sets: `internalProjection.json`, or `prompt.json` with
//! `expectedResults.json` beside it.

mod asymmetric;
mod mldsa;
mod mlkem;
mod slhdsa;
mod symmetric;

use std::path::Path;

use serde_json::{Map, Value};
use skms_crypto::Hash;

use super::case::{Attempt, Case, Expect, Refusal};
use super::product;
use super::text::{self, list, string};

/// What a case does when its turn comes, and what is expected of it.
pub type Prepared = (Expect, Box<dyn FnOnce() -> Attempt + Send>);

/// One test, with its group's fields below its own.
pub struct Test {
    fields: Map<String, Value>,
}

impl Test {
    fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    fn bytes(&self, field: &str) -> Result<Vec<u8>, Refusal> {
        self.text(field)
            .and_then(text::hex)
            .ok_or_else(|| Refusal::Refused(format!("the file's field {field} is not readable")))
    }

    fn bytes_or_empty(&self, field: &str) -> Result<Vec<u8>, Refusal> {
        if self.has(field) {
            self.bytes(field)
        } else {
            Ok(Vec::new())
        }
    }

    fn number(&self, field: &str) -> Option<usize> {
        usize::try_from(self.fields.get(field)?.as_u64()?).ok()
    }

    fn flag(&self, field: &str) -> Option<bool> {
        self.fields.get(field)?.as_bool()
    }

    fn has(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|value| !value.is_null())
    }

    /// `Invalid` only when the file says that the test does not pass.
    fn expect(&self) -> Expect {
        Expect::when(self.flag("testPassed") != Some(false))
    }

    fn hash(&self, field: &str) -> Result<Hash, Refusal> {
        match self.text(field) {
            Some(name) => product::hash(name),
            None => Err(Refusal::Refused(format!("the file has no {field}"))),
        }
    }
}

/// The vector set in a file, if it is one: some files wrap it in a list.
pub fn recognises(root: &Value) -> Option<&Value> {
    let set = match root {
        Value::Array(parts) => parts.iter().find(|part| part.get("vsId").is_some())?,
        other => other,
    };
    (set.get("vsId").is_some() && set.get("testGroups").is_some()).then_some(set)
}

/// What the file is about.
pub fn kind(set: &Value) -> String {
    let words = ["algorithm", "mode", "revision"];
    let words: Vec<&str> = words
        .iter()
        .filter_map(|field| string(set, field))
        .collect();
    format!("ACVP {}", words.join(" "))
}

/// The cases of a file, or why it has none of its own.
pub fn cases(set: &Value, path: &Path) -> Result<Vec<Case>, String> {
    let groups = list(set, "testGroups");
    let asks = |group: &Value| group.get("testType").is_some();
    if !groups.iter().any(asks) {
        return Err("the answers to a prompt, used together with it".to_owned());
    }
    let answers = answers(set, path);
    let algorithm = string(set, "algorithm").unwrap_or_default();
    let mode = string(set, "mode").unwrap_or_default();
    let mut cases = Vec::new();
    for group in groups {
        for test in list(group, "tests") {
            let id = format!(
                "tgId {} tcId {}",
                group.get("tgId").unwrap_or(&Value::Null),
                test.get("tcId").unwrap_or(&Value::Null)
            );
            let test = merged(group, test, answers.as_ref());
            cases.push(match prepare(algorithm, mode, test) {
                Ok((expect, action)) => Case::new(id, expect, action),
                Err(refusal) => Case::decided(id, refusal),
            });
        }
    }
    Ok(cases)
}

/// The answers beside a prompt: a file of the same set without questions.
fn answers(set: &Value, path: &Path) -> Option<Value> {
    let beside = path.with_file_name("expectedResults.json");
    if beside == path {
        return None;
    }
    let root: Value = serde_json::from_slice(&std::fs::read(beside).ok()?).ok()?;
    let answers = recognises(&root)?;
    (answers.get("vsId") == set.get("vsId")).then(|| answers.clone())
}

fn merged(group: &Value, test: &Value, answers: Option<&Value>) -> Test {
    let mut fields = Map::new();
    let answer = answers.and_then(|answers| {
        let same = |one: &&Value, other: &Value, id: &str| one.get(id) == other.get(id);
        let groups = list(answers, "testGroups");
        let found = groups.iter().find(|one| same(one, group, "tgId"))?;
        Some((
            found,
            list(found, "tests")
                .iter()
                .find(|one| same(one, test, "tcId"))?,
        ))
    });
    let mut take = |value: &Value| {
        for (name, value) in value.as_object().into_iter().flatten() {
            if name != "tests" {
                fields.insert(name.clone(), value.clone());
            }
        }
    };
    take(group);
    if let Some((group, test)) = answer {
        take(group);
        take(test);
    }
    take(test);
    Test { fields }
}

fn prepare(algorithm: &str, mode: &str, test: Test) -> Result<Prepared, Refusal> {
    match (algorithm, mode) {
        ("SLH-DSA", "keyGen") => slhdsa::keygen(&test),
        ("SLH-DSA", "sigGen") => slhdsa::sign(&test),
        ("SLH-DSA", "sigVer") => slhdsa::verify(&test),
        ("ML-KEM", "keyGen") => mlkem::keygen(&test),
        ("ML-KEM", "encapDecap") => mlkem::encap_decap(&test),
        ("ML-DSA", "keyGen") => mldsa::keygen(&test),
        ("ML-DSA", "sigGen") => mldsa::sign(&test),
        ("ML-DSA", "sigVer") => mldsa::verify(&test),
        ("ECDSA", "keyVer") => asymmetric::ecdsa_key(&test),
        ("ECDSA", "sigVer") => asymmetric::ecdsa(&test),
        ("EDDSA", "sigVer") => asymmetric::eddsa(&test),
        ("RSA", "sigVer") => asymmetric::rsa(&test),
        ("ACVP-AES-GCM", _) => symmetric::gcm(&test),
        ("ACVP-AES-KW", _) => symmetric::wrap("KW", &test),
        ("ACVP-AES-KWP", _) => symmetric::wrap("KWP", &test),
        ("CMAC-AES", _) => symmetric::cmac(&test),
        (name, _) if name.starts_with("HMAC-") => symmetric::hmac(name, &test),
        (name, _) if name.starts_with("SHA2-") || name.starts_with("SHA3-") => {
            symmetric::hash(name, &test)
        }
        _ => super::case::not_offered(format!("algorithm not offered: {algorithm} {mode}")),
    }
}
