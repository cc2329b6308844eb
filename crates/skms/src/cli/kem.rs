//! `skms encapsulate` and `skms decapsulate`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::Bytes;
use skms_wire::native::operations::{DecapsulateRequest, EncapsulateRequest};

use super::Global;
use super::error::Result;
use super::input;
use super::keyname::KeyName;
use super::output::{self, Encoding, Out};

/// The longest encapsulation read, in bytes.
const CIPHERTEXT_MAX: u64 = 16 * 1024;

/// Make a shared secret and its encapsulation (KEM).
#[derive(Debug, Args)]
pub struct Encapsulate {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// Write the encapsulation to this file; otherwise it is printed first
    #[arg(long, value_name = "FILE")]
    ciphertext_out: Option<PathBuf>,
    #[command(flatten)]
    out: Out,
}

impl Encapsulate {
    /// Encapsulates.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let request = EncapsulateRequest {};
        let answer = client
            .encapsulate(&self.key.keyring, &self.key.name, &request)
            .await?;
        if global.json && self.out.out.is_none() && self.ciphertext_out.is_none() {
            return output::json(&answer);
        }
        match &self.ciphertext_out {
            Some(path) => output::write_file(path, &answer.ciphertext)?,
            None => output::line(answer.ciphertext.to_base64())?,
        }
        self.out
            .bytes(answer.shared_secret.expose(), Encoding::Base64)
    }
}

/// Open an encapsulation (KEM). A forged one gives another secret, not an
/// error.
#[derive(Debug, Args)]
pub struct Decapsulate {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The encapsulation's file, raw or base64; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The version it was made to; the newest if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    #[command(flatten)]
    out: Out,
}

impl Decapsulate {
    /// Decapsulates.
    pub async fn run(self, global: &Global) -> Result<()> {
        let mut ciphertext = input::read_either(&self.file, CIPHERTEXT_MAX)?;
        let request = DecapsulateRequest {
            ciphertext: Bytes::new(std::mem::take(&mut *ciphertext)),
            version: self.version,
        };
        let client = global.client()?;
        let answer = client
            .decapsulate(&self.key.keyring, &self.key.name, &request)
            .await?;
        if global.json && self.out.out.is_none() {
            return output::json(&answer);
        }
        self.out
            .bytes(answer.shared_secret.expose(), Encoding::Base64)
    }
}
