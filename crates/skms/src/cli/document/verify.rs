//! `skms document verify`: everything it needs is in files.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use skms_pki::Certificate;
use skms_pki::documents::cms::SignedData;
use skms_pki::documents::{Body, DocumentError, SignedBy, Trust, cose, jws, verify};
use skms_pki::path::Purpose;

use super::trusted::der_of;
use super::{DOCUMENT_MAX, Format, Trusted, not_valid, refused};
use crate::cli::Global;
use crate::cli::error::Result;
use crate::cli::{input, output};

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
    #[command(flatten)]
    trusted: Trusted,
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
        let (document, content) = match &self.signature {
            Some(path) => (path, Some(input::read(&self.file, DOCUMENT_MAX)?)),
            None => (&self.file, None),
        };
        let detached = content.as_ref().map(|content| content.as_slice());
        let (signers, inside) = match self.format {
            Format::Cms => self.cms(document, detached)?,
            Format::Jws => {
                let text = input::read_text(document, DOCUMENT_MAX)?;
                let ask = |trust: &Trust<'_, '_, '_>| jws::verify(text.trim(), detached, trust);
                let (by, payload) = self.ask(ask)?;
                (vec![by], Some(payload))
            }
            Format::Cose => {
                let bytes = input::read(document, DOCUMENT_MAX)?;
                let read = cose::Sign1::from_cbor(&bytes).map_err(not_valid)?;
                let by = self.ask(|trust| cose::verify(&read, detached, trust))?;
                (vec![by], read.content().map(<[u8]>::to_vec))
            }
        };
        if let (Some(path), Some(content)) = (&self.out, inside) {
            output::write_file(path, &content)?;
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
    fn cms(
        &self,
        document: &Path,
        detached: Option<&[u8]>,
    ) -> Result<(Vec<SignedBy>, Option<Vec<u8>>)> {
        let document = der_of(document, &["CMS", "PKCS7"])?;
        let read = SignedData::from_der(&document).map_err(refused)?;
        let signers = self.ask(|trust| verify(&read, detached.map(Body::Whole), trust))?;
        Ok((signers, read.content.map(<[u8]>::to_vec)))
    }

    /// Asks by what the files and the purpose say.
    fn ask<T>(
        &self,
        question: impl FnOnce(&Trust<'_, '_, '_>) -> std::result::Result<T, DocumentError>,
    ) -> Result<T> {
        let purpose = match self.purpose {
            For::Any => Purpose::Any,
            For::CodeSigning => Purpose::CodeSigning,
            For::Email => Purpose::EmailProtection,
        };
        self.trusted
            .with(|trust| {
                let mut trust = trust.clone();
                trust.options.purpose = purpose;
                question(&trust)
            })?
            .map_err(not_valid)
    }
}
