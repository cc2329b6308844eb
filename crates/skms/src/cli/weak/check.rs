//! `skms weak check`: keys in files, looked at on the spot.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde::Serialize;
use skms_crypto::{Format, KeyMaterial};
use skms_pki::{Certificate, Csr};
use skms_weak::{Blocklist, Finding, Gravity, PublicKey, check, secret};

use crate::cli::Global;
use crate::cli::error::{CliError, Result};
use crate::cli::exit::Exit;
use crate::cli::{input, output};

/// The longest file of keys, in bytes.
const FILE_MAX: u64 = 16 << 20;

/// The longest list of known keys, in bytes.
pub(super) const LIST_MAX: u64 = 512 << 20;

/// Look at keys, certificates and requests in a file, without a server: PEM with
/// any number of blocks, DER, or lines of OpenSSH. The exit code is 0 if nothing
/// is to be said against any of them (what is merely unusual is said and is no
/// matter), 5 if one is compromised or weak, 2 if something cannot be read.
#[derive(Debug, Args)]
pub struct Check {
    /// The file; - for the standard input
    file: PathBuf,
    /// A list of known keys to look into as well
    #[arg(long, value_name = "FILE")]
    list: Vec<PathBuf>,
}

/// What is said about one.
#[derive(Serialize)]
struct Said {
    /// What it is, and which of its kind in the file.
    what: String,
    findings: Vec<One>,
}

#[derive(Serialize)]
struct One {
    detector: &'static str,
    gravity: &'static str,
    words: String,
}

/// Something in a file that is looked at.
pub(super) struct Found {
    what: String,
    pub(super) key: Option<PublicKey>,
    secret: Option<Finding>,
}

impl Check {
    /// Looks.
    pub fn run(self, global: &Global) -> Result<()> {
        let file = input::read_either(&self.file, FILE_MAX)?;
        let mut lists = Vec::new();
        for path in &self.list {
            let list = input::read(path, LIST_MAX)?;
            lists.push(Blocklist::from_file(&list).map_err(usage)?);
        }
        let mut worst = None;
        let mut all = Vec::new();
        for found in read(&file)? {
            let mut findings: Vec<Finding> = found.secret.into_iter().collect();
            if let Some(key) = &found.key {
                findings.extend(check(key, &lists));
            }
            worst = worst.max(findings.iter().map(|one| one.gravity).max());
            all.push(Said {
                what: found.what,
                findings: findings.into_iter().map(One::from).collect(),
            });
        }
        global.show(&all, |all| {
            for said in all {
                if said.findings.is_empty() {
                    output::line(format!("{}: nothing to be said against it", said.what))?;
                }
                for one in &said.findings {
                    let (gravity, detector) = (one.gravity, one.detector);
                    let words = &one.words;
                    output::line(format!("{}: {gravity} ({detector}): {words}", said.what))?;
                }
            }
            Ok(())
        })?;
        match worst {
            Some(Gravity::Compromised | Gravity::Weak) => Err(CliError::new(
                Exit::Verification,
                "a key is compromised or weak".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

impl From<Finding> for One {
    fn from(finding: Finding) -> Self {
        Self {
            detector: finding.detector.name(),
            gravity: finding.gravity.name(),
            words: finding.words,
        }
    }
}

fn usage(error: impl std::fmt::Display) -> CliError {
    CliError::usage(error.to_string())
}

/// Everything in a file that can be looked at.
pub(super) fn read(file: &[u8]) -> Result<Vec<Found>> {
    let text = std::str::from_utf8(file).unwrap_or_default();
    let mut found = Vec::new();
    if text.contains("-----BEGIN ") {
        let mut rest = text;
        while let Some((label, body, after)) = block(rest)? {
            let number = found.len() + 1;
            found.extend(of_block(label, &body, number)?);
            rest = after;
        }
    } else if text.lines().any(is_ssh) {
        for line in text.lines().filter(|line| is_ssh(line)) {
            let what = format!("SSH key {}", found.len() + 1);
            found.push(public(what, PublicKey::from_ssh_line(line).map_err(usage)?));
        }
    } else {
        found.push(of_der(file)?);
    }
    match found.is_empty() {
        true => Err(CliError::usage("there is no key in the file".to_owned())),
        false => Ok(found),
    }
}

fn is_ssh(line: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-"]
        .into_iter()
        .any(|begin| line.trim_start().starts_with(begin))
}

fn public(what: String, key: PublicKey) -> Found {
    Found {
        what,
        key: Some(key),
        secret: None,
    }
}

/// A PEM block: its label, its bytes, and what follows it.
type Block<'t> = (&'t str, zeroize::Zeroizing<Vec<u8>>, &'t str);

/// The next block of a text.
fn block(text: &str) -> Result<Option<Block<'_>>> {
    let Some((_, rest)) = text.split_once("-----BEGIN ") else {
        return Ok(None);
    };
    let cut = || CliError::usage("a PEM block is cut off".to_owned());
    let (label, rest) = rest.split_once("-----").ok_or_else(cut)?;
    let (body, after) = rest
        .split_once(&format!("-----END {label}-----"))
        .ok_or_else(cut)?;
    let body: zeroize::Zeroizing<String> = body.split_ascii_whitespace().collect::<String>().into();
    let bytes = STANDARD
        .decode(body.as_bytes())
        .map_err(|_| CliError::usage(format!("the block {label} is no base64")))?;
    Ok(Some((label, bytes.into(), after)))
}

fn of_block(label: &str, der: &[u8], number: usize) -> Result<Option<Found>> {
    let at = |what: &str| format!("{what} {number}");
    Ok(Some(match label {
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
            let read = Certificate::from_der(der).map_err(usage)?;
            public(at("certificate"), spki(read.public_key().der)?)
        }
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
            let read = Csr::from_der(der).map_err(usage)?;
            public(at("request"), spki(read.public_key().der)?)
        }
        "PUBLIC KEY" => public(at("public key"), spki(der)?),
        "RSA PUBLIC KEY" => public(at("public key"), PublicKey::from_pkcs1(der).map_err(usage)?),
        "PRIVATE KEY" => private(der, Format::Pkcs8Der, at("private key"))?,
        "RSA PRIVATE KEY" => private(der, Format::Pkcs1Der, at("private key"))?,
        "EC PRIVATE KEY" => private(der, Format::Sec1Der, at("private key"))?,
        // Parameters stand before a key and say nothing by themselves.
        "EC PARAMETERS" | "DH PARAMETERS" => return Ok(None),
        other => {
            return Err(CliError::usage(format!(
                "a block {other} is not looked into: give the public key, or the key as PKCS #8 \
                 without a passphrase"
            )));
        }
    }))
}

fn spki(der: &[u8]) -> Result<PublicKey> {
    PublicKey::from_spki(der).map_err(usage)
}

/// A private key: its public half, and what shows in its secret.
fn private(der: &[u8], format: Format, what: String) -> Result<Found> {
    if let Ok(key) = PublicKey::from_rsa_private(der) {
        // By its public numbers alone: an import refuses what is to be found.
        return Ok(public(what, key));
    }
    let material = KeyMaterial::import(der, format, None, None).map_err(usage)?;
    let half = material.public_key().map_err(usage)?;
    let key = match half {
        Some(public) => Some(spki(public.spki_der())?),
        None => None,
    };
    let raw = material.export(Format::Raw, None).ok();
    Ok(Found {
        what,
        key,
        secret: raw.and_then(|raw| secret::check(raw.expose())),
    })
}

fn of_der(der: &[u8]) -> Result<Found> {
    if let Ok(read) = Certificate::from_der(der) {
        return Ok(public("certificate".into(), spki(read.public_key().der)?));
    }
    if let Ok(read) = Csr::from_der(der) {
        return Ok(public("request".into(), spki(read.public_key().der)?));
    }
    let key = PublicKey::from_spki(der).or_else(|_| PublicKey::from_pkcs1(der));
    let key = key.map_err(|_| {
        CliError::usage(
            "the file is no certificate, request or public key in DER or PEM, and no SSH key"
                .to_owned(),
        )
    })?;
    Ok(public("public key".into(), key))
}
