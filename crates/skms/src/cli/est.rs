//! `skms est`: certificates by EST.

use clap::Subcommand;
use skms_wire::native::est::{EnableEstRequest, EstView};

use super::Global;
use super::error::Result;
use super::output;

/// Let clients enrol by EST.
#[derive(Debug, Subcommand)]
pub enum Est {
    /// Open an authority to EST, or change how it is open
    Enable {
        /// The authority
        authority: String,
        /// The profiles by which certificates are given, separated by commas
        #[arg(long = "profile", value_name = "PROFILES", value_delimiter = ',')]
        #[arg(default_value = "tls-server")]
        profiles: Vec<String>,
        /// Let whoever holds a certificate renew it by that alone
        #[arg(long)]
        renew_by_certificate: bool,
        /// The algorithm of keys that are made here for clients
        #[arg(long, value_name = "ALGORITHM", default_value = "EC-P256")]
        key_algorithm: String,
    },
    /// Close an authority to EST
    Disable {
        /// The authority
        authority: String,
    },
    /// Show how an authority is open to EST
    Show {
        /// The authority
        authority: String,
    },
}

impl Est {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Enable {
                authority,
                profiles,
                renew_by_certificate,
                key_algorithm,
            } => {
                let request = EnableEstRequest {
                    profiles,
                    renewal_by_certificate: renew_by_certificate,
                    key_algorithm: Some(key_algorithm),
                };
                global.show(&client.enable_est(&authority, &request).await?, print)
            }
            Self::Disable { authority } => {
                client.disable_est(&authority).await?;
                global.show(&serde_json::json!({ "disabled": authority }), |_| {
                    output::line("The authority is closed to EST.")
                })
            }
            Self::Show { authority } => global.show(&client.est(&authority).await?, print),
        }
    }
}

fn print(view: &EstView) -> Result<()> {
    if !view.enabled {
        return output::line("The authority is closed to EST: skms est enable");
    }
    output::fields(&[
        ("labels", view.labels.join(", ")),
        (
            "renewal",
            match view.renewal_by_certificate {
                true => "by the certificate alone".to_owned(),
                false => "by principals whom a policy permits it".to_owned(),
            },
        ),
        ("keys", view.key_algorithm.clone().unwrap_or_default()),
    ])
}
