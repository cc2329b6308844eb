//! Cases in the x509-limbo schema, and judging them.

use std::path::Path;

use serde::Deserialize;
use skms_pki::certificate::KeyUsage;
use skms_pki::path::{Profile, Purpose, RevocationMode};
use skms_pki::{Certificate, Crl, Evidence, Moment, Options, ReferenceName, validate};

use crate::Result;
use crate::moment::moment;
use crate::pem::pem;

#[derive(Deserialize)]
struct Limbo {
    testcases: Vec<Case>,
}

/// One case.
#[derive(Deserialize)]
pub struct Case {
    pub id: String,
    validation_kind: String,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    #[serde(default)]
    signature_algorithms: Vec<String>,
    #[serde(default)]
    key_usage: Vec<String>,
    #[serde(default)]
    extended_key_usage: Vec<String>,
    pub expected_result: String,
    expected_peer_name: Option<PeerName>,
    #[serde(default)]
    expected_peer_names: Vec<PeerName>,
    max_chain_depth: Option<u32>,
    #[serde(default)]
    crls: Vec<String>,
}

#[derive(Deserialize)]
struct PeerName {
    kind: String,
    value: String,
}

/// The verdict of a case: accepted, refused, or not run, and why.
pub struct Verdict {
    pub got: &'static str,
    pub reason: String,
}

/// The present, for cases that name no moment.
fn now() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Moment(since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }))
}

/// The cases of a file.
pub fn read_cases(file: &Path) -> Result<Vec<Case>> {
    let limbo: Limbo = serde_json::from_slice(&std::fs::read(file)?)?;
    Ok(limbo.testcases)
}

/// Judges one case.
pub fn run(case: &Case, profile: Profile) -> Verdict {
    match judge(case, profile) {
        Ok(Ok(path)) => Verdict {
            got: "SUCCESS",
            reason: path,
        },
        Ok(Err(reason)) => Verdict {
            got: "FAILURE",
            reason,
        },
        Err(error) => Verdict {
            got: "SKIPPED",
            reason: error.to_string(),
        },
    }
}

/// One block of DER from each PEM text. What is no PEM cannot be judged.
fn ders(texts: &[String]) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(pem(text)?.into_iter().map(|(_, der)| der));
    }
    Ok(all)
}

/// Everything that parses; the rest is noted.
fn read<'a, T>(
    ders: &'a [Vec<u8>],
    parse: impl Fn(&'a [u8]) -> skms_pki::Result<T>,
    bad: &mut Vec<String>,
) -> Vec<T> {
    let mut good = Vec::new();
    for der in ders {
        match parse(der) {
            Ok(found) => good.push(found),
            Err(error) => bad.push(error.to_string()),
        }
    }
    good
}

/// Accepted (with the path), or refused (with the reason). An error is a case
/// that cannot be run.
fn judge(case: &Case, profile: Profile) -> Result<std::result::Result<String, String>> {
    if !case.signature_algorithms.is_empty() {
        return Err("the case limits signature algorithms, which is no option here".into());
    }
    let anchors = ders(&case.trusted_certs)?;
    let intermediates = ders(&case.untrusted_intermediates)?;
    let leaf = ders(std::slice::from_ref(&case.peer_certificate))?;
    let crls = ders(&case.crls)?;
    let leaf = leaf.first().ok_or("no peer certificate")?;
    let leaf = match Certificate::from_der(leaf) {
        Ok(leaf) => leaf,
        Err(error) => return Ok(Err(error.to_string())),
    };
    // What does not parse is as if it were not there; the refusal says so.
    let mut bad = Vec::new();
    let anchors = read(&anchors, Certificate::from_der, &mut bad);
    let intermediates = read(&intermediates, Certificate::from_der, &mut bad);
    let lists = read(&crls, Crl::from_der, &mut bad);
    let evidence = Evidence {
        anchors: &anchors,
        intermediates: &intermediates,
        crls: &lists,
        ocsp: &[],
    };
    let mut options = Options::new(match &case.validation_time {
        Some(text) => moment(text)?,
        None => now(),
    });
    options.profile = profile;
    options.max_intermediates = case.max_chain_depth;
    options.purpose = purpose(case)?;
    options.key_usage = key_usage(&case.key_usage)?;
    for name in case
        .expected_peer_name
        .iter()
        .chain(&case.expected_peer_names)
    {
        let reference = match name.kind.as_str() {
            // What reads as an address is one, whatever it is called.
            "DNS" | "IP" => ReferenceName::host(&name.value),
            "RFC822" => ReferenceName::email(&name.value),
            _ => return Err(format!("a peer name of kind {}", name.kind).into()),
        };
        match reference {
            Ok(reference) => options.names.push(reference),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    if !case.crls.is_empty() {
        options.revocation.mode = RevocationMode::Require;
    }
    Ok(match validate(&leaf, &evidence, &options) {
        Ok(path) => Ok(path
            .certificates
            .iter()
            .map(|one| one.subject().to_string())
            .collect::<Vec<_>>()
            .join(" <- ")),
        Err(refusal) => Err(match bad.is_empty() {
            true => refusal.to_string(),
            false => format!("{refusal}; not read: {}", bad.join(", ")),
        }),
    })
}

fn purpose(case: &Case) -> Result<Purpose> {
    let named = case
        .extended_key_usage
        .iter()
        .find(|usage| *usage != "anyExtendedKeyUsage");
    Ok(match named.map(String::as_str) {
        None if case.validation_kind == "CLIENT" => Purpose::ClientAuth,
        None | Some("serverAuth") => Purpose::ServerAuth,
        Some("clientAuth") => Purpose::ClientAuth,
        Some("codeSigning") => Purpose::CodeSigning,
        Some("emailProtection") => Purpose::EmailProtection,
        Some("timeStamping") => Purpose::TimeStamping,
        Some("OCSPSigning") => Purpose::OcspSigning,
        Some(other) => return Err(format!("an unknown purpose {other}").into()),
    })
}

fn key_usage(names: &[String]) -> Result<Option<KeyUsage>> {
    let mut all: Option<KeyUsage> = None;
    for name in names {
        let bit = match name.as_str() {
            "digitalSignature" => KeyUsage::DIGITAL_SIGNATURE,
            "contentCommitment" => KeyUsage::CONTENT_COMMITMENT,
            "keyEncipherment" => KeyUsage::KEY_ENCIPHERMENT,
            "dataEncipherment" => KeyUsage::DATA_ENCIPHERMENT,
            "keyAgreement" => KeyUsage::KEY_AGREEMENT,
            "keyCertSign" => KeyUsage::KEY_CERT_SIGN,
            "cRLSign" => KeyUsage::CRL_SIGN,
            "encipherOnly" => KeyUsage::ENCIPHER_ONLY,
            "decipherOnly" => KeyUsage::DECIPHER_ONLY,
            _ => return Err(format!("an unknown key usage {name}").into()),
        };
        all = Some(all.map_or(bit, |all| all.union(bit)));
    }
    Ok(all)
}
