//! `skms random` and `skms hash`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::Bytes;
use skms_wire::native::operations::{HashRequest, RandomRequest};

use super::Global;
use super::crypt::DATA_MAX;
use super::error::Result;
use super::input;
use super::output::{Encoding, Out};

/// Draw random bytes.
#[derive(Debug, Args)]
pub struct Random {
    /// How many
    #[arg(default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    bytes: u32,
    #[command(flatten)]
    out: Out,
}

impl Random {
    /// Draws and prints them.
    pub async fn run(self, global: &Global) -> Result<()> {
        let request = RandomRequest {
            length_bytes: Some(self.bytes),
        };
        let answer = global.client()?.random(&request).await?;
        if global.json && self.out.out.is_none() {
            return super::output::json(&answer);
        }
        self.out.bytes(answer.random.expose(), Encoding::Base64)
    }
}

/// Hash a file or standard input.
#[derive(Debug, Args)]
pub struct Hash {
    /// The file; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The hash, such as SHA-256 or SHA3-256
    #[arg(long, value_name = "NAME", default_value = "SHA-256")]
    hash: String,
    #[command(flatten)]
    out: Out,
}

impl Hash {
    /// Hashes and prints.
    pub async fn run(self, global: &Global) -> Result<()> {
        let mut data = input::read(&self.file, DATA_MAX)?;
        let request = HashRequest {
            data: Bytes::new(std::mem::take(&mut *data)),
            hash: Some(self.hash),
        };
        let answer = global.client()?.hash(&request).await?;
        if global.json && self.out.out.is_none() {
            return super::output::json(&answer);
        }
        self.out.bytes(&answer.digest, Encoding::Hex)
    }
}
