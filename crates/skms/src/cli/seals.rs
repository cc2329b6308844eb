//! `skms seals`: what opens the store.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skms_wire::native::seals::{AddSealRequest, AddSealResponse};
use skms_wire::native::terms::SealKind;

use super::Global;
use super::error::{CliError, Result};
use super::init::Shamir;
use super::unseal::describe_seal;
use super::{input, output, progress};

/// List, add and remove seals.
#[derive(Debug, Subcommand)]
pub enum Seals {
    /// List the seals
    List,
    /// Add a seal; root and storage keys are rotated
    Add(Add),
    /// Remove a seal; root and storage keys are rotated
    Remove {
        /// The seal's identifier
        id: String,
    },
}

/// Add a seal: choose one kind.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("kind").required(true))]
pub struct Add {
    /// A passphrase from this file; `-` for standard input or a prompt
    #[arg(long, value_name = "FILE", group = "kind")]
    passphrase_file: Option<PathBuf>,
    /// Shares, THRESHOLD of SHARES of which open the store, such as 3/5
    #[arg(long, value_name = "THRESHOLD/SHARES", group = "kind")]
    shamir: Option<Shamir>,
    /// A new key file, written here (mode 0600)
    #[arg(long, value_name = "FILE", group = "kind")]
    key_file: Option<PathBuf>,
}

impl Seals {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::List => {
                let seals = super::every(async |page| client.seals(&page).await).await?;
                global.show(&seals, |seals| {
                    let rows: Vec<_> = seals
                        .iter()
                        .map(|seal| {
                            let made = seal.created_at.map(|at| at.to_string());
                            vec![
                                seal.id.clone(),
                                describe_seal(seal),
                                made.unwrap_or_default(),
                            ]
                        })
                        .collect();
                    output::table(&["ID", "KIND", "CREATED"], &rows)
                })
            }
            Self::Add(add) => {
                let request = add.request()?;
                let answer = progress::wait("Adding the seal", client.add_seal(&request)).await?;
                add.hand_out(answer, global)
            }
            Self::Remove { id } => {
                progress::wait("Removing the seal", client.remove_seal(&id)).await?;
                global.show(&serde_json::json!({ "removed": id }), |_| {
                    output::line("The seal is removed; root and storage keys are rotated.")
                })
            }
        }
    }
}

impl Add {
    fn request(&self) -> Result<AddSealRequest> {
        let mut request = AddSealRequest {
            kind: SealKind::KeyFile,
            passphrase: None,
            threshold: None,
            shares: None,
        };
        if let Some(path) = &self.passphrase_file {
            request.kind = SealKind::Passphrase;
            request.passphrase = Some(match path.as_os_str() == "-" {
                true => input::secret_stdin("new passphrase")?,
                false => input::secret_file(path)?,
            });
        } else if let Some(shamir) = self.shamir {
            request.kind = SealKind::Shamir;
            request.threshold = Some(shamir.threshold);
            request.shares = Some(shamir.shares);
        } else if let Some(path) = &self.key_file
            && path.exists()
        {
            return Err(CliError::usage(format!(
                "{} exists already",
                path.display()
            )));
        }
        Ok(request)
    }

    fn hand_out(&self, mut answer: AddSealResponse, global: &Global) -> Result<()> {
        if let (Some(path), Some(key)) = (&self.key_file, &answer.key_file) {
            output::write_file(path, key.expose())?;
            answer.key_file = None;
        }
        global.show(&answer, |answer| {
            output::line(format!("The seal {} is added.", answer.seal.id))?;
            for share in &answer.shares {
                output::line(format!("  {}", share.expose()))?;
            }
            Ok(())
        })
    }
}
