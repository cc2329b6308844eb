//! `skms datakey`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::native::operations::DataKeyRequest;

use super::Global;
use super::crypt::AssociatedData;
use super::error::Result;
use super::keyname::KeyName;
use super::output::{self, Encoding, Out};

/// Make a data key: encrypt with the key itself, forget it, and keep the
/// encrypted key beside the data.
#[derive(Debug, Args)]
pub struct DataKey {
    /// The key that encrypts it: KEYRING/NAME or NAME
    key: KeyName,
    /// Its length in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 32, value_parser = clap::value_parser!(u32).range(16..=64))]
    length: u32,
    /// Leave the key itself out of the answer
    #[arg(long, conflicts_with_all = ["out", "encoding"])]
    wrapped_only: bool,
    /// Write the encrypted key to this file
    #[arg(long, value_name = "FILE")]
    wrapped_out: Option<PathBuf>,
    #[command(flatten)]
    aad: AssociatedData,
    #[command(flatten)]
    out: Out,
}

impl DataKey {
    /// Makes one.
    pub async fn run(self, global: &Global) -> Result<()> {
        let request = DataKeyRequest {
            length_bytes: Some(self.length),
            plaintext: Some(!self.wrapped_only),
            associated_data: self.aad.read()?,
        };
        let client = global.client()?;
        let answer = client
            .data_key(&self.key.keyring, &self.key.name, &request)
            .await?;
        if global.json && self.out.out.is_none() && self.wrapped_out.is_none() {
            return output::json(&answer);
        }
        match &self.wrapped_out {
            Some(path) => output::write_file(path, format!("{}\n", answer.ciphertext).as_bytes())?,
            None => output::line(answer.ciphertext.to_string())?,
        }
        match &answer.plaintext {
            Some(key) => self.out.bytes(key.expose(), Encoding::Base64),
            None => Ok(()),
        }
    }
}
