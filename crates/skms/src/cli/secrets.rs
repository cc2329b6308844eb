//! A seal's secret for work without a server: from files, or asked for.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use skms_crypto::secret::SecretText as ShareText;
use skms_crypto::{SecretArray, SecretBytes};
use skms_store::SealInput;
use skms_store::sealed::key_file;

use super::error::{CliError, Result, with_causes};
use super::exit::Exit;
use super::{input, output};

/// What every share's text begins with.
const SHARE_PREFIX: &str = "skms-share-";

/// Where a seal's secret is.
#[derive(Debug, Default, Args)]
pub struct Secrets {
    /// A file that holds a seal's passphrase
    #[arg(long, value_name = "FILE", group = "secret")]
    passphrase_file: Option<PathBuf>,
    /// A file that holds a share; repeat it for as many as are needed
    #[arg(long, value_name = "FILE", group = "secret")]
    share_file: Vec<PathBuf>,
    /// A seal's key file
    #[arg(long, value_name = "FILE", group = "secret")]
    key_file: Option<PathBuf>,
    /// Ask for a passphrase or shares, or read one from standard input
    #[arg(long, group = "secret")]
    unseal: bool,
}

/// How a try ended.
pub enum Tried<T> {
    /// So many shares are given, so many needed.
    Waiting(u8, u8),
    /// It was enough.
    Open(T),
}

impl Secrets {
    /// Whether any was named.
    pub fn given(&self) -> bool {
        self.unseal
            || self.passphrase_file.is_some()
            || self.key_file.is_some()
            || !self.share_file.is_empty()
    }

    /// Gives secrets to `attempt` until it is open.
    pub async fn open<T>(
        &self,
        mut attempt: impl AsyncFnMut(SealInput) -> std::result::Result<Tried<T>, skms_store::Error>,
    ) -> Result<T> {
        let mut progress = None;
        for given in self.inputs()? {
            match attempt(given).await.map_err(refused)? {
                Tried::Open(opened) => return Ok(opened),
                Tried::Waiting(have, need) => progress = Some((have, need)),
            }
        }
        if self.unseal {
            loop {
                let text = match std::io::stdin().is_terminal() {
                    true => input::prompt("passphrase or share")?,
                    false => input::secret_stdin("passphrase or share")?,
                };
                match attempt(typed(text.expose())).await.map_err(refused)? {
                    Tried::Open(opened) => return Ok(opened),
                    Tried::Waiting(have, need) => {
                        output::note(format!("{have} of {need} shares are given."))?;
                    }
                }
            }
        }
        let (have, need) = progress.unwrap_or_default();
        Err(CliError::new(
            Exit::Verification,
            format!("{have} of {need} shares are not enough"),
        )
        .hint("give --share-file once for each share"))
    }

    fn inputs(&self) -> Result<Vec<SealInput>> {
        let mut inputs = Vec::new();
        if let Some(path) = &self.passphrase_file {
            inputs.push(typed(input::secret_file(path)?.expose()));
        }
        for path in &self.share_file {
            let text = input::secret_file(path)?;
            inputs.push(SealInput::Share(ShareText::new(text.expose().to_owned())));
        }
        if let Some(path) = &self.key_file {
            let key: SecretArray<32> =
                key_file::read(path).map_err(|error| CliError::usage(with_causes(&error)))?;
            inputs.push(SealInput::KeyFile(key));
        }
        Ok(inputs)
    }
}

/// A share says by its beginning that it is one.
fn typed(text: &str) -> SealInput {
    let is_share = text
        .get(..SHARE_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(SHARE_PREFIX));
    if is_share {
        SealInput::Share(ShareText::new(text.to_owned()))
    } else {
        SealInput::Passphrase(SecretBytes::new(text.as_bytes().to_vec()))
    }
}

fn refused(error: skms_store::Error) -> CliError {
    CliError::new(Exit::Verification, with_causes(&error))
}
