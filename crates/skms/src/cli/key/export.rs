//! `skms key export` and `skms key public`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::native::keys::{ExportRequest, PublicKeyQuery, WrappingKey};
use skms_wire::native::terms::{KeyFormat, WrapMode};

use crate::cli::Global;
use crate::cli::error::Result;
use crate::cli::keyname::KeyName;
use crate::cli::output::{self, Encoding, Out};
use crate::cli::{input, progress};

/// The key here that wraps what leaves, or unwraps what comes.
#[derive(Debug, Args)]
pub struct WrappedWith {
    /// The wrapping key here: KEYRING/NAME or NAME
    #[arg(long, value_name = "KEY")]
    wrapped_with: Option<KeyName>,
    /// The wrapping key's version
    #[arg(long, value_name = "NUMBER", requires = "wrapped_with")]
    wrapping_version: Option<u32>,
    /// How it wraps: direct, or oaep-kwp
    #[arg(long, value_name = "MODE", requires = "wrapped_with")]
    wrap_mode: Option<WrapMode>,
    /// The OAEP hash
    #[arg(long, value_name = "NAME", requires = "wrapped_with")]
    oaep_hash: Option<String>,
}

impl WrappedWith {
    /// Whether a wrapping key was named.
    pub fn is_given(&self) -> bool {
        self.wrapped_with.is_some()
    }

    /// As the request has it.
    pub fn into_wire(self) -> Option<WrappingKey> {
        let key = self.wrapped_with?;
        Some(WrappingKey {
            keyring: key.keyring,
            name: key.name,
            version: self.wrapping_version,
            mode: self.wrap_mode,
            oaep_hash: self.oaep_hash,
            oaep_mgf_hash: None,
        })
    }
}

/// Take an exportable key out of the server.
#[derive(Debug, Args)]
pub struct Export {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The version; the newest if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// How to write it: raw, pkcs8, pkcs8-pem, sec1-pem, pkcs1-pem, jwk, ...
    #[arg(long, value_name = "FORMAT")]
    format: Option<KeyFormat>,
    /// A file with a passphrase to encrypt a PKCS#8 with
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    wrapped: WrappedWith,
    #[command(flatten)]
    out: Out,
}

impl Export {
    /// Takes it out.
    pub async fn run(self, global: &Global) -> Result<()> {
        let passphrase = self.passphrase_file.as_deref().map(input::secret_file);
        let wrapped = self.wrapped.is_given();
        let request = ExportRequest {
            version: self.version,
            format: self.format,
            passphrase: passphrase.transpose()?,
            wrapped_with: self.wrapped.into_wire(),
        };
        let client = global.client()?;
        let work = client.export_key(&self.key.keyring, &self.key.name, &request);
        let answer = progress::wait("Exporting", work).await?;
        if global.json && self.out.out.is_none() {
            return output::json(&answer);
        }
        self.out
            .bytes(answer.key.expose(), usual(answer.format, wrapped))
    }
}

/// Print a public key.
#[derive(Debug, Args)]
pub struct Public {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The version; the newest if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// How to write it: spki-pem, spki, jwk, raw, ...
    #[arg(long, value_name = "FORMAT")]
    format: Option<KeyFormat>,
    #[command(flatten)]
    out: Out,
}

impl Public {
    /// Prints it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let query = PublicKeyQuery {
            version: self.version,
            format: self.format,
        };
        let client = global.client()?;
        let answer = client
            .public_key(&self.key.keyring, &self.key.name, &query)
            .await?;
        if global.json && self.out.out.is_none() {
            return output::json(&answer);
        }
        self.out
            .bytes(&answer.public_key, usual(answer.format, false))
    }
}

/// Text formats are printed as they are, binary ones as base64.
fn usual(format: KeyFormat, wrapped: bool) -> Encoding {
    let text = matches!(
        format,
        KeyFormat::Pkcs8Pem
            | KeyFormat::Sec1Pem
            | KeyFormat::Pkcs1Pem
            | KeyFormat::SpkiPem
            | KeyFormat::Jwk
    );
    if text && !wrapped {
        Encoding::Raw
    } else {
        Encoding::Base64
    }
}
