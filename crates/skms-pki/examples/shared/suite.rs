//! Suites of certificate and CRL files, as the example `paths` describes them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use serde::{Deserialize, Serialize};
use skms_pki::path::{PolicyInputs, RevocationMode};
use skms_pki::{Certificate, Crl, Evidence, Options, validate};

use crate::Result;
use crate::moment::moment;

#[derive(Deserialize)]
struct Case {
    id: String,
    certs: Vec<String>,
    #[serde(default)]
    crls: Vec<String>,
    #[serde(default)]
    initial_policy_set: Vec<String>,
    #[serde(default)]
    initial_explicit_policy: bool,
    #[serde(default)]
    initial_policy_mapping_inhibit: bool,
    #[serde(default)]
    initial_inhibit_any_policy: bool,
    time: String,
    should_validate: bool,
}

/// What came out of a case.
#[derive(Serialize)]
pub struct Line {
    pub id: String,
    pub expected: bool,
    pub got: bool,
    pub reason: String,
}

/// Runs all cases of a folder.
pub fn run(folder: &Path) -> Result<Vec<Line>> {
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(folder.join("expected.json"))?)?;
    let mut files = HashMap::new();
    for case in &cases {
        let certs = case.certs.iter().map(|name| format!("certs/{name}.crt"));
        let crls = case.crls.iter().map(|name| format!("crls/{name}.crl"));
        for name in certs.chain(crls) {
            if let Entry::Vacant(place) = files.entry(name) {
                let bytes = std::fs::read(folder.join(place.key()))
                    .map_err(|error| format!("{}: {}: {error}", case.id, place.key()))?;
                place.insert(bytes);
            }
        }
    }
    cases.iter().map(|case| judge(case, &files)).collect()
}

fn judge(case: &Case, files: &HashMap<String, Vec<u8>>) -> Result<Line> {
    let line = |got, reason: String| Line {
        id: case.id.clone(),
        expected: case.should_validate,
        got,
        reason,
    };
    let file = |name: String| -> &[u8] { files.get(&name).map(Vec::as_slice).unwrap_or_default() };
    let mut bad = Vec::new();
    let (Some(anchor), Some(target)) = (case.certs.first(), case.certs.last()) else {
        return Err(format!("{}: no certificates", case.id).into());
    };
    let read = |name: &String| Certificate::from_der(file(format!("certs/{name}.crt")));
    let (anchor, target) = match (read(anchor), read(target)) {
        (Ok(anchor), Ok(target)) => (anchor, target),
        (Err(error), _) => return Ok(line(false, format!("{anchor}: {error}"))),
        (_, Err(error)) => return Ok(line(false, format!("{target}: {error}"))),
    };
    let mut intermediates = Vec::new();
    let between = case.certs.len().saturating_sub(2);
    for name in case.certs.iter().skip(1).take(between) {
        match read(name) {
            Ok(found) => intermediates.push(found),
            Err(error) => bad.push(format!("{name}: {error}")),
        }
    }
    let mut crls = Vec::new();
    for name in &case.crls {
        match Crl::from_der(file(format!("crls/{name}.crl"))) {
            Ok(found) => crls.push(found),
            Err(error) => bad.push(format!("{name}: {error}")),
        }
    }
    let mut options = Options::new(moment(&case.time)?);
    options.revocation.mode = RevocationMode::Require;
    options.policies = PolicyInputs {
        acceptable: case
            .initial_policy_set
            .iter()
            .map(|text| Ok(text.parse()?))
            .collect::<Result<_>>()?,
        require_explicit: case.initial_explicit_policy,
        inhibit_mapping: case.initial_policy_mapping_inhibit,
        inhibit_any: case.initial_inhibit_any_policy,
    };
    let evidence = Evidence {
        anchors: std::slice::from_ref(&anchor),
        intermediates: &intermediates,
        crls: &crls,
        ocsp: &[],
    };
    Ok(match validate(&target, &evidence, &options) {
        Ok(path) => {
            let names: Vec<_> = path
                .certificates
                .iter()
                .map(|one| one.subject().to_string())
                .collect();
            line(true, names.join(" <- "))
        }
        Err(refusal) if bad.is_empty() => line(false, refusal.to_string()),
        Err(refusal) => line(false, format!("{refusal}; not read: {}", bad.join(", "))),
    })
}
