//! Whom a verification trusts: everything it needs is in files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use skms_pki::documents::Trust;
use skms_pki::path::{Evidence, Options, Revocation, RevocationMode};
use skms_pki::{Certificate, Crl, Moment, pem};

use super::{DOCUMENT_MAX, refused};
use crate::cli::ca::PEM_MAX;
use crate::cli::error::{CliError, Result};
use crate::cli::input;

/// Whom to trust, and what else is known.
#[derive(Debug, Args)]
pub struct Trusted {
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
}

impl Trusted {
    /// Reads the files and asks with what they say, at the present moment.
    pub fn with<T>(&self, ask: impl FnOnce(&Trust<'_, '_, '_>) -> T) -> Result<T> {
        let anchors = certificates(&self.anchor)?;
        let untrusted = certificates(&self.untrusted)?;
        let lists = self
            .crl
            .iter()
            .map(|path| der_of(path, &[pem::X509_CRL]))
            .collect::<Result<Vec<_>>>()?;
        let (anchors, untrusted) = (parsed(&anchors)?, parsed(&untrusted)?);
        let crls = lists
            .iter()
            .map(|der| Crl::from_der(der).map_err(refused))
            .collect::<Result<Vec<_>>>()?;
        Ok(ask(&Trust {
            evidence: Evidence {
                anchors: &anchors,
                intermediates: &untrusted,
                crls: &crls,
                ocsp: &[],
            },
            options: self.options()?,
        }))
    }

    fn options(&self) -> Result<Options<'static>> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_secs()).ok())
            .ok_or_else(|| CliError::failure("the clock is before 1970"))?;
        let mut options = Options::new(Moment(now));
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
pub fn der_of(path: &Path, labels: &[&str]) -> Result<Vec<u8>> {
    let bytes = input::read(path, DOCUMENT_MAX)?;
    let text = match std::str::from_utf8(&bytes) {
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
