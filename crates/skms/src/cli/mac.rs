//! `skms mac`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::Bytes;
use skms_wire::native::operations::{MacRequest, MacVerifyRequest};

use super::Global;
use super::crypt::DATA_MAX;
use super::error::{CliError, Result};
use super::exit::Exit;
use super::input;
use super::keyname::KeyName;
use super::output::{self, Encoding, Out};

/// The longest MAC read, in bytes.
const MAC_MAX: u64 = 1024;

/// Make a MAC, or verify one; exits with 5 if it is not right.
#[derive(Debug, Args)]
pub struct Mac {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The file; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Verify the MAC in this file (raw or base64) instead of making one
    #[arg(long, value_name = "FILE")]
    verify: Option<PathBuf>,
    /// The version that made it; the newest if left out
    #[arg(long, value_name = "NUMBER", requires = "verify")]
    version: Option<u32>,
    #[command(flatten)]
    out: Out,
}

impl Mac {
    /// Makes or verifies it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let mut data = input::read(&self.file, DATA_MAX)?;
        let data = Bytes::new(std::mem::take(&mut *data));
        let client = global.client()?;
        let (keyring, name) = (&self.key.keyring, &self.key.name);
        let Some(path) = &self.verify else {
            let answer = client.mac(keyring, name, &MacRequest { data }).await?;
            if global.json && self.out.out.is_none() {
                return output::json(&answer);
            }
            return self.out.bytes(&answer.mac, Encoding::Base64);
        };
        let mut mac = input::read_either(path, MAC_MAX)?;
        let request = MacVerifyRequest {
            data,
            mac: Bytes::new(std::mem::take(&mut *mac)),
            version: self.version,
        };
        let answer = client.mac_verify(keyring, name, &request).await?;
        let valid = answer.valid;
        global.show(&answer, |answer| match answer.valid {
            true => output::line(format!("valid (version {})", answer.version)),
            false => Ok(()),
        })?;
        if valid {
            return Ok(());
        }
        Err(CliError::new(Exit::Verification, "the MAC is not valid"))
    }
}
