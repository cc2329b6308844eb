//! `skms document verify`: everything it needs is in files.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use serde::Serialize;
use skms_pki::documents::cms::SignedData;
use skms_pki::documents::{Body, DocumentError, Trust, verify};
use skms_pki::path::{Evidence, Options, Purpose, Revocation, RevocationMode};
use skms_pki::{Certificate, Crl, Moment, pem};

use super::Format;
use crate::cli::Global;
use crate::cli::ca::PEM_MAX;
use crate::cli::error::{CliError, Result};
use crate::cli::exit::Exit;
use crate::cli::{input, output};

/// The longest document read, in bytes.
const DOCUMENT_MAX: u64 = 64 << 20;

/// What the signers' certificates have to be for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum For {
    /// Anything
    #[default]
    Any,
    /// Code signing
    CodeSigning,
    /// E-mail (S/MIME)
    Email,
}

/// Verify a signed document, or a file and its detached signature; exits with
/// 5 if it does not hold.
#[derive(Debug, Args)]
pub struct Verify {
    /// The document; with --signature, the content; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// What kind of document
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The detached signature of the file
    #[arg(long, short = 's', value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Certificates that are trusted (PEM)
    #[arg(long, value_name = "FILE", required = true)]
    anchor: Vec<PathBuf>,
    /// Certificates that may be of use, trusted in nothing (PEM)
    #[arg(long, value_name = "FILE")]
    untrusted: Vec<PathBuf>,
    /// Revocation lists (PEM or DER); with any, every certificate has to be
    /// known to be good
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// What the signers' certificates have to be for
    #[arg(long = "for", value_enum, default_value_t)]
    purpose: For,
    /// Write the content of a document that holds it to this file
    #[arg(long, short = 'o', value_name = "FILE", conflicts_with = "signature")]
    out: Option<PathBuf>,
}

/// Who signed, as JSON.
#[derive(Debug, Serialize)]
struct Signer {
    subject: String,
    issuer: String,
    serial: String,
    hash: String,
    signing_time: Option<String>,
}

impl Verify {
    /// Verifies.
    pub fn run(self, global: &Global) -> Result<()> {
        let Format::Cms = self.format;
        let file = input::read(&self.file, DOCUMENT_MAX)?;
        let signature = match &self.signature {
            Some(path) => Some(input::read(path, DOCUMENT_MAX)?),
            None => None,
        };
        let (document, detached) = match &signature {
            Some(signature) => (signature, Some(Body::Whole(&file))),
            None => (&file, None),
        };
        let document = der_of(document, &["CMS", "PKCS7"])?;
        let read = SignedData::from_der(&document).map_err(refused)?;
        let anchors = certificates(&self.anchor)?;
        let untrusted = certificates(&self.untrusted)?;
        let lists = self
            .crl
            .iter()
            .map(|path| der_of(&input::read(path, DOCUMENT_MAX)?, &[pem::X509_CRL]))
            .collect::<Result<Vec<_>>>()?;
        let (anchors, untrusted) = (parsed(&anchors)?, parsed(&untrusted)?);
        let crls = lists
            .iter()
            .map(|der| Crl::from_der(der).map_err(refused))
            .collect::<Result<Vec<_>>>()?;
        let trust = Trust {
            evidence: Evidence {
                anchors: &anchors,
                intermediates: &untrusted,
                crls: &crls,
                ocsp: &[],
            },
            options: self.options()?,
        };
        let signers = verify(&read, detached, &trust).map_err(not_valid)?;
        if let (Some(path), Some(content)) = (&self.out, read.content) {
            output::write_file(path, content)?;
        }
        let shown = signers
            .iter()
            .map(|one| {
                let own = one.path.first().map(Vec::as_slice).unwrap_or_default();
                let own = Certificate::from_der(own).map_err(refused)?;
                Ok(Signer {
                    subject: own.subject().to_string(),
                    issuer: own.issuer().to_string(),
                    serial: output::hex(own.serial()),
                    hash: one.hash.to_string(),
                    signing_time: one.signing_time.map(|at| at.to_string()),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        if global.json {
            return output::json(&shown);
        }
        for one in shown {
            let time = one.signing_time.unwrap_or_else(|| "no time".to_owned());
            output::line(format!(
                "valid: signed by {} (its own clock: {time})",
                one.subject
            ))?;
        }
        Ok(())
    }

    fn options(&self) -> Result<Options<'static>> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_secs()).ok())
            .ok_or_else(|| CliError::failure("the clock is before 1970"))?;
        let mut options = Options::new(Moment(now));
        options.purpose = match self.purpose {
            For::Any => Purpose::Any,
            For::CodeSigning => Purpose::CodeSigning,
            For::Email => Purpose::EmailProtection,
        };
        if !self.crl.is_empty() {
            options.revocation = Revocation {
                mode: RevocationMode::Require,
                ..Revocation::default()
            };
        }
        Ok(options)
    }
}

/// The DER of a file that is DER, or PEM with one of these labels.
fn der_of(bytes: &[u8], labels: &[&str]) -> Result<Vec<u8>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN ") => text,
        _ => return Ok(bytes.to_vec()),
    };
    labels
        .iter()
        .find_map(|label| pem::decode(label, text).ok()?.into_iter().next())
        .ok_or_else(|| CliError::usage(format!("no PEM block {}", labels.join(" or "))))
}

fn certificates(files: &[PathBuf]) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for file in files {
        let text = input::read_text(file, PEM_MAX)?;
        all.extend(pem::decode(pem::CERTIFICATE, &text).map_err(refused)?);
    }
    Ok(all)
}

fn parsed(all: &[Vec<u8>]) -> Result<Vec<Certificate<'_>>> {
    all.iter()
        .map(|der| Certificate::from_der(der).map_err(refused))
        .collect()
}

fn refused(error: skms_pki::Error) -> CliError {
    CliError::new(Exit::Verification, error.to_string())
}

fn not_valid(error: DocumentError) -> CliError {
    CliError::new(Exit::Verification, format!("not valid: {error}"))
}
