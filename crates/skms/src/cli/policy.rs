//! `skms policy`.

use std::path::PathBuf;

use clap::Subcommand;
use skms_wire::native::policies::PutPolicyRequest;

use super::Global;
use super::error::Result;
use super::{input, output};

/// The longest policy read, in bytes.
const POLICY_MAX: u64 = 512 * 1024;

/// List, show, write and delete policies.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// List the policies
    List,
    /// Print a policy's Cedar text
    Show {
        /// The policy's name
        name: String,
    },
    /// Write a policy, new or in place of the one so named
    Put {
        /// The policy's name
        name: String,
        /// Its Cedar text; `-` for standard input
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Delete a policy
    Delete {
        /// The policy's name
        name: String,
    },
}

impl Policy {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::List => {
                let policies = super::every(async |page| client.policies(&page).await).await?;
                global.show(&policies, |policies| {
                    let rows: Vec<_> = policies
                        .iter()
                        .map(|policy| vec![policy.name.clone(), policy.updated_at.to_string()])
                        .collect();
                    output::table(&["NAME", "UPDATED"], &rows)
                })
            }
            Self::Show { name } => global.show(&client.policy(&name).await?, |policy| {
                output::line(policy.policy.as_deref().unwrap_or_default().trim_end())
            }),
            Self::Put { name, file } => {
                let request = PutPolicyRequest {
                    policy: input::read_text(&file, POLICY_MAX)?,
                };
                global.show(&client.put_policy(&name, &request).await?, |policy| {
                    output::line(format!("The policy {} is written.", policy.name))
                })
            }
            Self::Delete { name } => {
                client.delete_policy(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The policy is deleted.")
                })
            }
        }
    }
}
