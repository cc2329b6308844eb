//! A new key with its certificates as one PKCS #12 file (RFC 7292), put
//! together on this machine: the passphrase is sent nowhere.

use std::path::PathBuf;

use clap::Args;
use skms_crypto::pkcs12::{self, Mac};
use skms_crypto::{Format, KeyMaterial};
use skms_wire::SecretText;
use skms_wire::native::certificates::IssuedCertificate;

use crate::cli::error::{CliError, Result};
use crate::cli::{input, output};

/// Where the file goes, and what opens it.
#[derive(Debug, Args)]
pub struct Bundle {
    /// Write the new key and its certificates to this file (PKCS #12, mode
    /// 0600)
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    p12_out: Option<PathBuf>,
    /// The passphrase of that file; asked for if absent
    #[arg(long, value_name = "FILE", requires = "p12_out")]
    p12_passphrase_file: Option<PathBuf>,
    /// Protect it by PBMAC1 (RFC 9579), which OpenSSL reads from 3.4 on
    #[arg(long, requires = "p12_out")]
    p12_pbmac1: bool,
}

impl Bundle {
    /// Whether one is wanted.
    pub fn is_wanted(&self) -> bool {
        self.p12_out.is_some()
    }

    /// The passphrase, before anything is issued that could not be delivered.
    pub fn passphrase(&self) -> Result<Option<SecretText>> {
        match (&self.p12_out, &self.p12_passphrase_file) {
            (None, _) => Ok(None),
            (Some(_), Some(path)) => input::secret_file(path).map(Some),
            (Some(_), None) => input::prompt_new("passphrase").map(Some),
        }
    }

    /// Writes it, if it is wanted.
    pub fn write(&self, made: &IssuedCertificate, passphrase: Option<SecretText>) -> Result<()> {
        let (Some(path), Some(passphrase), Some(key)) =
            (&self.p12_out, passphrase, &made.private_key)
        else {
            return Ok(());
        };
        let failed = |error: String| CliError::failure(format!("cannot make the file: {error}"));
        let pem = key.expose().as_bytes();
        let key = KeyMaterial::import(pem, Format::Pkcs8Pem, None, None)
            .map_err(|error| failed(error.to_string()))?;
        let view = &made.certificate;
        let mut certificates = Vec::new();
        for text in view.certificate.iter().chain(&view.chain) {
            let found = skms_pki::pem::decode("CERTIFICATE", text)
                .map_err(|error| failed(error.to_string()))?;
            certificates.extend(found);
        }
        let name = view.names.first().unwrap_or(&view.subject);
        let all: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
        let mac = match self.p12_pbmac1 || cfg!(feature = "fips") {
            true => Mac::Pbmac1,
            false => Mac::Classic,
        };
        let bundle = pkcs12::bundle(&key, &all, name, passphrase.expose(), mac)
            .map_err(|error| failed(error.to_string()))?;
        output::write_file(path, bundle.expose())
    }
}
