//! `skms derive` and `skms agree`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::Bytes;
use skms_wire::native::operations::{AgreeRequest, DeriveRequest};
use skms_wire::native::terms::KeyFormat;

use super::Global;
use super::error::Result;
use super::input;
use super::keyname::KeyName;
use super::output::{self, Encoding, Out};

/// The longest salt or public key read, in bytes.
const PUBLIC_MAX: u64 = 16 * 1024;

/// HKDF's public inputs.
#[derive(Debug, Args)]
pub struct Context {
    /// What the result is for (HKDF info)
    #[arg(long, value_name = "TEXT")]
    info: Option<String>,
    /// A file with the salt
    #[arg(long, value_name = "FILE")]
    salt_file: Option<PathBuf>,
}

impl Context {
    fn info(&self) -> Option<Bytes> {
        self.info
            .as_ref()
            .map(|text| Bytes::new(text.clone().into_bytes()))
    }

    fn salt(&self) -> Result<Option<Bytes>> {
        let Some(path) = &self.salt_file else {
            return Ok(None);
        };
        let mut salt = input::read(path, PUBLIC_MAX)?;
        Ok(Some(Bytes::new(std::mem::take(&mut *salt))))
    }
}

/// Derive key bytes (HKDF).
#[derive(Debug, Args)]
pub struct Derive {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// How many bytes
    #[arg(long, value_name = "BYTES")]
    length: u32,
    /// The version to derive from; the newest if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    #[command(flatten)]
    context: Context,
    #[command(flatten)]
    out: Out,
}

impl Derive {
    /// Derives.
    pub async fn run(self, global: &Global) -> Result<()> {
        let request = DeriveRequest {
            salt: self.context.salt()?,
            info: self.context.info(),
            length_bytes: self.length,
            version: self.version,
        };
        let client = global.client()?;
        let answer = client
            .derive(&self.key.keyring, &self.key.name, &request)
            .await?;
        if global.json && self.out.out.is_none() {
            return output::json(&answer);
        }
        self.out.bytes(answer.derived.expose(), Encoding::Base64)
    }
}

/// Agree on a secret with the holder of another key: ECDH, X25519 or
/// finite-field Diffie-Hellman, then HKDF. `skms key agree` keeps the result in
/// the server.
#[derive(Debug, Args)]
pub struct Agree {
    /// Our key: KEYRING/NAME or NAME
    key: KeyName,
    /// The other side's public key (PEM, DER or JWK)
    #[arg(long, value_name = "FILE")]
    peer: PathBuf,
    /// How the public key is written; found out if left out
    #[arg(long, value_name = "FORMAT")]
    peer_format: Option<KeyFormat>,
    /// How many bytes; 32 if left out
    #[arg(long, value_name = "BYTES")]
    length: Option<u32>,
    /// Our version; the newest if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    #[command(flatten)]
    context: Context,
    #[command(flatten)]
    out: Out,
}

impl Agree {
    /// Agrees.
    pub async fn run(self, global: &Global) -> Result<()> {
        let mut peer = input::read(&self.peer, PUBLIC_MAX)?;
        let request = AgreeRequest {
            peer_public_key: Bytes::new(std::mem::take(&mut *peer)),
            peer_format: self.peer_format,
            salt: self.context.salt()?,
            info: self.context.info(),
            length_bytes: self.length,
            version: self.version,
        };
        let client = global.client()?;
        let answer = client
            .agree(&self.key.keyring, &self.key.name, &request)
            .await?;
        if global.json && self.out.out.is_none() {
            return output::json(&answer);
        }
        self.out.bytes(answer.secret.expose(), Encoding::Base64)
    }
}
