//! `skms wrap` and `skms unwrap`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::native::operations::{UnwrapRequest, WrapRequest};
use skms_wire::native::terms::WrapMode;
use skms_wire::{Bytes, SecretB64};

use super::Global;
use super::error::Result;
use super::input;
use super::keyname::KeyName;
use super::output::{self, Encoding, Out};

/// The longest key read, in bytes.
const KEY_MAX: u64 = 64 * 1024;

/// How keys are wrapped.
#[derive(Debug, Args)]
pub struct How {
    /// How to wrap: direct, or oaep-kwp
    #[arg(long, value_name = "MODE")]
    mode: Option<WrapMode>,
    /// The OAEP hash
    #[arg(long, value_name = "NAME")]
    oaep_hash: Option<String>,
    /// The OAEP MGF1 hash
    #[arg(long, value_name = "NAME")]
    oaep_mgf_hash: Option<String>,
}

/// Wrap key bytes under a wrapping key (AES-KW, AES-KWP, RSA-OAEP).
#[derive(Debug, Args)]
pub struct Wrap {
    /// The wrapping key: KEYRING/NAME or NAME
    key: KeyName,
    /// The file with the bytes to wrap; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    out: Out,
}

impl Wrap {
    /// Wraps.
    pub async fn run(self, global: &Global) -> Result<()> {
        let mut bytes = input::read(&self.file, KEY_MAX)?;
        let request = WrapRequest {
            key: SecretB64::new(std::mem::take(&mut *bytes)),
            mode: self.how.mode,
            oaep_hash: self.how.oaep_hash,
            oaep_mgf_hash: self.how.oaep_mgf_hash,
        };
        let client = global.client()?;
        let answer = client
            .wrap(&self.key.keyring, &self.key.name, &request)
            .await?;
        if global.json && self.out.out.is_none() {
            return output::json(&answer);
        }
        self.out.bytes(&answer.wrapped_key, Encoding::Base64)
    }
}

/// Unwrap key bytes.
#[derive(Debug, Args)]
pub struct Unwrap {
    /// The wrapping key: KEYRING/NAME or NAME
    key: KeyName,
    /// The file with the wrapped bytes, raw or base64; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The version that wrapped them; the newest if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    out: Out,
}

impl Unwrap {
    /// Unwraps.
    pub async fn run(self, global: &Global) -> Result<()> {
        let mut bytes = input::read_either(&self.file, KEY_MAX)?;
        let request = UnwrapRequest {
            wrapped_key: Bytes::new(std::mem::take(&mut *bytes)),
            version: self.version,
            mode: self.how.mode,
            oaep_hash: self.how.oaep_hash,
            oaep_mgf_hash: self.how.oaep_mgf_hash,
        };
        let client = global.client()?;
        let answer = client
            .unwrap(&self.key.keyring, &self.key.name, &request)
            .await?;
        if global.json && self.out.out.is_none() {
            return output::json(&answer);
        }
        self.out.bytes(answer.key.expose(), Encoding::Base64)
    }
}
