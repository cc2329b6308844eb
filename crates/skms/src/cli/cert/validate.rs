//! `skms cert validate`: the certificate room asked on the spot, without a
//! server and without fetching anything.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use skms_pki::ask::{Bounds, ask};
use skms_pki::{Moment, Options};
use skms_wire::native::terms::{RevocationCheck, ValidationProfile};
use skms_wire::native::validation::{CertificateVerdict, RefusedPath, ValidateCertificateRequest};
use skms_wire::{Bytes, Moment as WireMoment};

use crate::cli::Global;
use crate::cli::error::{CliError, Result};
use crate::cli::exit::Exit;
use crate::cli::{input, output};
use crate::faces::native::validation::{answer, question};

/// The longest file, in bytes: a list of ten million entries and more.
const FILE_MAX: u64 = 512 << 20;

/// One's own machine: only absurd numbers are refused.
const BOUNDS: Bounds = Bounds {
    certificates: 100_000,
    lists: 10_000,
    responses: 10_000,
};

/// Say whether a certificate is valid. Files are DER or PEM with any number
/// of blocks. The exit code is 0 if it is valid, 5 if it is refused, 2 if
/// something cannot be read.
#[derive(Debug, Args)]
pub struct Validate {
    /// The certificate; what follows it in the file is of the chain
    certificate: PathBuf,
    /// Certificates whom to trust
    #[arg(long, value_name = "FILE", required = true)]
    anchor: Vec<PathBuf>,
    /// Certificates that may be of use, trusted in nothing
    #[arg(long, value_name = "FILE")]
    chain: Vec<PathBuf>,
    /// Revocation lists
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// OCSP responses
    #[arg(long, value_name = "FILE")]
    ocsp: Vec<PathBuf>,
    /// By which rules: rfc5280 or web
    #[arg(long, value_name = "PROFILE", default_value = "rfc5280")]
    profile: ValidationProfile,
    /// For what use: any, server, client, code-signing, email, time-stamping,
    /// ocsp-signing, or an object identifier
    #[arg(long, value_name = "USE")]
    purpose: Option<String>,
    /// A host, address or mailbox that it must be for
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// At which moment, as 2030-01-31T12:00:00Z; now if left out
    #[arg(long, value_name = "TIME")]
    at: Option<WireMoment>,
    /// How hard to look for revocation: off, known or required; known if there
    /// are lists or responses
    #[arg(long, value_name = "HOW")]
    revocation: Option<RevocationCheck>,
    /// A policy that it must be valid for, or another so named
    #[arg(long, value_name = "OID")]
    policy: Vec<String>,
}

impl Validate {
    /// Validates.
    pub fn run(self, global: &Global) -> Result<()> {
        let evidence = !self.crl.is_empty() || !self.ocsp.is_empty();
        let request = ValidateCertificateRequest {
            certificate: file(&self.certificate)?,
            anchors: files(&self.anchor)?,
            chain: files(&self.chain)?,
            crls: files(&self.crl)?,
            ocsp_responses: files(&self.ocsp)?,
            profile: Some(self.profile),
            purpose: self.purpose,
            names: self.name,
            at: self.at,
            revocation: self
                .revocation
                .or(evidence.then_some(RevocationCheck::Known)),
            policies: self.policy,
        };
        let request = question(request).map_err(CliError::usage)?;
        let options = Options {
            now: request.at.unwrap_or_else(now),
            ..request.options
        };
        let verdict = ask(&request.papers, &options, &BOUNDS)
            .map_err(|error| CliError::usage(error.to_string()))?;
        let verdict = answer(&verdict);
        global.show(&verdict, print)?;
        match verdict.refusal {
            None => Ok(()),
            Some(refused) => Err(CliError::new(Exit::Verification, sentence(&refused))),
        }
    }
}

fn file(path: &Path) -> Result<Bytes> {
    let mut bytes = input::read(path, FILE_MAX)?;
    Ok(Bytes::new(std::mem::take(&mut *bytes)))
}

fn files(paths: &[PathBuf]) -> Result<Vec<Bytes>> {
    paths.iter().map(|path| file(path)).collect()
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    Moment(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn print(verdict: &CertificateVerdict) -> Result<()> {
    if verdict.valid {
        output::line("valid")?;
        for certificate in &verdict.path {
            output::line(format!(
                "  {}  (until {}, serial {})",
                certificate.subject, certificate.not_after, certificate.serial
            ))?;
        }
        return Ok(());
    }
    output::line("refused")?;
    if let Some(refused) = &verdict.refusal {
        for (index, subject) in refused.path.iter().enumerate() {
            let mark = if index == refused.certificate as usize {
                "> "
            } else {
                "  "
            };
            output::line(format!("{mark}{subject}"))?;
        }
    }
    let others = verdict.alternatives.len() as u64 + verdict.alternatives_omitted;
    if others > 0 {
        output::line(format!(
            "{others} other paths failed too; --json tells them"
        ))?;
    }
    Ok(())
}

fn sentence(refused: &RefusedPath) -> String {
    let at = refused.path.get(refused.certificate as usize);
    let name = at.map(|name| format!(" ({name})")).unwrap_or_default();
    format!(
        "{}: {} ({}), at certificate {}{name}",
        refused.rule, refused.detail, refused.section, refused.certificate
    )
}
