//! `skms key create` and `skms key import`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::SecretB64;
use skms_wire::native::keys::{CreateKeyRequest, ImportKeyRequest};
use skms_wire::native::terms::{KeyFormat, KeyUse};

use super::export::WrappedWith;
use super::rules::{RuleOptions, tag};
use super::show;
use crate::cli::Global;
use crate::cli::error::Result;
use crate::cli::keyname::KeyName;
use crate::cli::{input, progress};

/// The longest key file read, in bytes.
const KEY_MAX: u64 = 64 * 1024;

/// What a new key is, wherever its material comes from.
#[derive(Debug, Args)]
pub struct Properties {
    /// The algorithm, such as AES-256-GCM (see `skms algorithms`)
    #[arg(long, short = 'a', value_name = "NAME")]
    pub algorithm: Option<String>,
    /// What it may be used for, separated by commas; all that fits if left out
    #[arg(long = "use", value_name = "USES", value_delimiter = ',')]
    pub uses: Vec<KeyUse>,
    /// It may leave the server; cannot be granted later
    #[arg(long)]
    pub exportable: bool,
    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// A label NAME=VALUE; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = tag)]
    pub tag: Vec<(String, String)>,
    #[command(flatten)]
    pub rules: RuleOptions,
}

/// Make a key; the server chooses its material.
#[derive(Debug, Args)]
pub struct Create {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    #[command(flatten)]
    properties: Properties,
}

impl Create {
    /// Makes it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let properties = self.properties;
        let what = properties.algorithm.as_deref().unwrap_or("the key");
        let what = format!("Generating {what}");
        let request = CreateKeyRequest {
            name: self.key.name,
            algorithm: properties.algorithm,
            uses: (!properties.uses.is_empty()).then_some(properties.uses),
            exportable: properties.exportable.then_some(true),
            owner: properties.owner,
            tags: properties.tag.into_iter().collect(),
            rules: properties.rules.rules()?,
        };
        let work = client.create_key(&self.key.keyring, &request);
        let change = progress::wait(&what, work).await?;
        global.show(&change, show::print_change)
    }
}

/// Bring a key made elsewhere.
#[derive(Debug, Args)]
#[command(after_help = "Example, bringing a wrapped private key:\n  \
    skms key create transport --algorithm RSA-4096 --use unwrap\n  \
    skms key public transport -o transport.pem\n  \
    (wrap with transport.pem: RSA-OAEP around an AES key, AES-KWP under it)\n  \
    skms key import mine --in wrapped.bin --wrapped-with transport --wrap-mode oaep-kwp")]
pub struct Import {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The file with the key's bytes; `-` for standard input
    #[arg(long = "in", short = 'i', value_name = "FILE")]
    input: PathBuf,
    /// How the bytes are written; found out if left out
    #[arg(long, value_name = "FORMAT")]
    format: Option<KeyFormat>,
    /// A file with the passphrase of an encrypted PKCS#8
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    wrapped: WrappedWith,
    #[command(flatten)]
    properties: Properties,
}

impl Import {
    /// Brings it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let properties = self.properties;
        let passphrase = self.passphrase_file.as_deref().map(input::secret_file);
        let bytes = match self.wrapped.is_given() {
            true => input::read_either(&self.input, KEY_MAX)?,
            false => input::read(&self.input, KEY_MAX)?,
        };
        let mut bytes = bytes;
        let request = ImportKeyRequest {
            name: self.key.name,
            key: SecretB64::new(std::mem::take(&mut *bytes)),
            format: self.format,
            algorithm: properties.algorithm,
            passphrase: passphrase.transpose()?,
            wrapped_with: self.wrapped.into_wire(),
            uses: (!properties.uses.is_empty()).then_some(properties.uses),
            exportable: properties.exportable.then_some(true),
            owner: properties.owner,
            tags: properties.tag.into_iter().collect(),
            rules: properties.rules.rules()?,
        };
        let work = client.import_key(&self.key.keyring, &request);
        let change = progress::wait("Importing and checking the key", work).await?;
        global.show(&change, show::print_change)
    }
}
