//! `skms document sign`.

use std::path::{Path, PathBuf};

use clap::Args;
use skms_wire::Bytes;
use skms_wire::native::documents::{SignDocumentRequest, SigningCertificate};

use super::Format;
use crate::cli::Global;
use crate::cli::ca::PEM_MAX;
use crate::cli::crypt::DATA_MAX;
use crate::cli::error::{CliError, Result};
use crate::cli::keyname::KeyName;
use crate::cli::output::{self, Encoding, Out};
use crate::cli::sign::digest_here;
use crate::cli::{input, progress};

/// Sign a file with a key kept here and a certificate of it.
#[derive(Debug, Args)]
pub struct Sign {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The file; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// What kind of document
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Leave the content outside
    #[arg(long)]
    detached: bool,
    /// Hash the file here and send only its digest; for large files
    #[arg(long, requires = "detached", value_name = "HASH")]
    prehash: Option<String>,
    /// A certificate that an authority here issued: AUTHORITY/SERIAL
    #[arg(
        long,
        value_name = "AUTHORITY/SERIAL",
        required_unless_present = "chain"
    )]
    certificate: Option<String>,
    /// A certificate from elsewhere, with those above it (PEM)
    #[arg(long, value_name = "FILE", conflicts_with = "certificate")]
    chain: Option<PathBuf>,
    /// How to sign, such as RSA-PSS-SHA-256; the key's usual way if left out
    #[arg(long, value_name = "NAME")]
    scheme: Option<String>,
    /// The key's version; the certificate's, or the newest, if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    #[command(flatten)]
    out: Out,
}

impl Sign {
    /// Signs.
    pub async fn run(self, global: &Global) -> Result<()> {
        let (content, digest) = match &self.prehash {
            Some(hash) => (None, Some(Bytes::new(digest_here(&self.file, hash)?))),
            None => (Some(whole(&self.file, self.detached)?), None),
        };
        let request = SignDocumentRequest {
            format: self.format.into(),
            content,
            digest,
            hash: self.prehash,
            detached: self.detached,
            certificate: self.certificate.as_deref().map(named).transpose()?,
            chain: match &self.chain {
                Some(path) => Some(input::read_text(path, PEM_MAX)?),
                None => None,
            },
            scheme: self.scheme,
            version: self.version,
        };
        let client = global.client()?;
        let work = client.sign_document(&self.key.keyring, &self.key.name, &request);
        let answer = progress::wait("Signing", work).await?;
        if global.json && self.out.out.is_none() {
            return output::json(&answer);
        }
        self.out.bytes(&answer.document, Encoding::Base64)
    }
}

fn whole(file: &Path, detached: bool) -> Result<Bytes> {
    let mut content = input::read(file, DATA_MAX).map_err(|error| match detached {
        true => error.hint("for a large file add --prehash SHA-256 (the hash of the key's scheme)"),
        false => error.hint("for a large file add --detached --prehash SHA-256"),
    })?;
    Ok(Bytes::new(std::mem::take(&mut *content)))
}

/// A certificate as AUTHORITY/SERIAL.
pub fn named(text: &str) -> Result<SigningCertificate> {
    match text.rsplit_once('/') {
        Some((authority, serial)) if !authority.is_empty() && !serial.is_empty() => {
            Ok(SigningCertificate {
                authority: authority.to_owned(),
                serial: serial.to_owned(),
            })
        }
        _ => Err(CliError::usage("a certificate is AUTHORITY/SERIAL")
            .hint("`skms cert list --ca AUTHORITY` has the serial numbers")),
    }
}
