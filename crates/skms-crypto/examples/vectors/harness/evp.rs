//! OpenSSL's `evp_test` files: stanzas of fields, keys among them.

mod ciphers;
mod keys;
mod signatures;

use std::collections::HashMap;
use std::sync::Arc;

use super::case::{Attempt, Case, Expect, Refusal, not_offered};
use super::records::Line;
use super::text::hex;
use keys::{EvpKey, Keys};

/// What a case does when its turn comes, and what is expected of it.
pub type Prepared = (Expect, Box<dyn FnOnce() -> Attempt + Send>);

/// The fields that begin a test.
const TESTS: &[&str] = &[
    "Cipher",
    "Decrypt",
    "Derive",
    "Digest",
    "DigestSign",
    "DigestVerify",
    "KDF",
    "MAC",
    "OneShotDigestSign",
    "OneShotDigestVerify",
    "PrivPubKeyPair",
    "Sign",
    "Verify",
];

/// Fields that begin a stanza which is not for us to run.
const OTHERS: &[&str] = &[
    "Encoding",
    "Encrypt",
    "KeyFromData",
    "KeyGen",
    "PBE",
    "ParamGen",
    "VerifyRecover",
    "Decapsulate",
    "Encapsulate",
];

/// Fields that define a key, or only say where and when a stanza applies.
const NO_TESTS: &[&str] = &[
    "Availablein",
    "FIPSversion",
    "Fetch-Props",
    "PrivateKey",
    "PrivateKeyRaw",
    "PublicKey",
    "PublicKeyRaw",
    "Title",
];

/// One stanza: its fields in order, repeated ones kept.
#[derive(Default)]
pub struct Stanza {
    fields: Vec<(String, String)>,
    pem: Option<String>,
}

impl Stanza {
    fn text(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A value in hex, or in quotes, or nothing at all.
    fn bytes(&self, name: &str) -> Result<Vec<u8>, Refusal> {
        let text = self.text(name).unwrap_or_default();
        let quoted = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        match quoted {
            Some(text) => Ok(text.as_bytes().to_vec()),
            None => hex(text)
                .ok_or_else(|| Refusal::Refused(format!("the file's {name} is not readable"))),
        }
    }

    /// The value of a `Ctrl = name:value` line.
    fn control(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .filter(|(field, _)| field == "Ctrl" || field.starts_with("Ctrl."))
            .filter_map(|(_, value)| value.split_once(':'))
            .find(|(field, _)| field.trim() == name)
            .map(|(_, value)| value.trim())
    }

    /// The first field, unless the stanza only defines a key.
    fn first_of_a_test(&self) -> Option<&(String, String)> {
        let other = |(name, _): &&(String, String)| !NO_TESTS.contains(&name.as_str());
        self.fields.iter().find(other)
    }

    /// `Result` names an error where the test must fail.
    fn expect(&self) -> Expect {
        Expect::when(self.text("Result").is_none())
    }
}

/// Whether a file is made of such stanzas.
pub fn recognises(lines: &[Line]) -> bool {
    lines.iter().any(|line| match line {
        Line::Field(name, value) => {
            !value.is_empty()
                && (TESTS.contains(&name.as_str())
                    || matches!(name.as_str(), "PrivateKey" | "PublicKey"))
        }
        _ => false,
    })
}

/// The cases of a file; stanzas that only define keys are not cases.
pub fn cases(lines: &[Line]) -> Vec<Case> {
    let stanzas = stanzas(lines);
    let keys = Arc::new(collect(&stanzas));
    let mut cases = Vec::new();
    for (number, stanza) in stanzas.iter().enumerate() {
        let find = |names: &[&str]| {
            let begins = |(field, _): &&(String, String)| names.contains(&field.as_str());
            stanza.fields.iter().find(begins)
        };
        if let Some((kind, name)) = find(TESTS) {
            let id = format!("stanza {} {kind} {name}", number + 1);
            cases.push(match prepare(kind, name, stanza, &keys) {
                Ok((expect, action)) => Case::new(id, expect, action),
                Err(refusal) => Case::decided(id, refusal),
            });
        } else if let Some((kind, name)) = find(OTHERS) {
            let id = format!("stanza {} {kind} {name}", number + 1);
            let what = format!("{kind} stanzas");
            cases.push(Case::decided(id, Refusal::NotOffered(what)));
        } else if let Some((kind, _)) = stanza.first_of_a_test() {
            let what = format!("stanzas of an unknown kind, with {kind}");
            cases.push(Case::decided(number + 1, Refusal::NotOffered(what)));
        }
    }
    cases
}

fn prepare(kind: &str, name: &str, stanza: &Stanza, keys: &Arc<Keys>) -> Result<Prepared, Refusal> {
    match kind {
        "Cipher" => ciphers::cipher(name, stanza),
        "MAC" => ciphers::mac(name, stanza),
        "KDF" => ciphers::kdf(name, stanza),
        "Digest" => ciphers::digest(name, stanza),
        "PrivPubKeyPair" => signatures::pair(name, keys),
        "Derive" => signatures::derive(name, stanza, keys),
        "Decrypt" => signatures::decrypt(name, stanza, keys),
        "DigestSign" | "OneShotDigestSign" => signatures::sign(name, true, stanza, keys),
        "DigestVerify" | "OneShotDigestVerify" => signatures::verify(name, true, stanza, keys),
        "Sign" => signatures::sign(name, false, stanza, keys),
        "Verify" => signatures::verify(name, false, stanza, keys),
        _ => not_offered(format!("{kind} stanzas")),
    }
}

fn stanzas(lines: &[Line]) -> Vec<Stanza> {
    let mut stanzas = Vec::new();
    let mut current = Stanza::default();
    for line in lines {
        match line {
            Line::Blank => {
                if !current.fields.is_empty() {
                    stanzas.push(std::mem::take(&mut current));
                }
            }
            Line::Field(name, value) => current.fields.push((name.clone(), value.clone())),
            Line::Pem(pem) => current.pem = Some(pem.clone()),
            Line::Comment(_) | Line::Section(_) => {}
        }
    }
    if !current.fields.is_empty() {
        stanzas.push(current);
    }
    stanzas
}

fn collect(stanzas: &[Stanza]) -> Keys {
    let mut keys = HashMap::new();
    for stanza in stanzas {
        let Some((kind, name)) = stanza.fields.first() else {
            continue;
        };
        let key = match kind.as_str() {
            "PrivateKey" | "PublicKey" => stanza.pem.clone().map(EvpKey::pem),
            "PrivateKeyRaw" | "PublicKeyRaw" => EvpKey::raw(name),
            _ => None,
        };
        let name = name.split(':').next().unwrap_or_default().to_owned();
        if let Some(key) = key {
            keys.insert((name, kind.starts_with("Private")), key);
        }
    }
    Keys(keys)
}
