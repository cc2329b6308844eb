//! `skms tsa`: time-stamping authorities that anybody may ask.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skms_wire::native::tsa::{CreateTsaRequest, TsaView};

use super::Global;
use super::document::named;
use super::error::Result;
use super::keyname::KeyName;
use super::{input, output};

/// Let anybody have stamps of the time (RFC 3161).
#[derive(Debug, Subcommand)]
pub enum Tsa {
    /// Make a time-stamping authority on a key and its certificate
    Create(Box<Create>),
    /// List the time-stamping authorities
    List,
    /// Show a time-stamping authority
    Show {
        /// Its name
        name: String,
    },
    /// Delete a time-stamping authority; its key and certificate stay
    Delete {
        /// Its name
        name: String,
    },
}

/// Make a time-stamping authority on a key and its certificate.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skms cert issue --ca issuing --profile time-stamping --key clock \
    --subject \"CN=Clock\"\n  skms tsa create clock --key clock --certificate issuing/SERIAL \
    --policy 1.3.6.1.4.1.99999.1 --accuracy 1"
)]
pub struct Create {
    /// Its name
    name: String,
    /// Its key: KEYRING/NAME or NAME
    #[arg(long)]
    key: KeyName,
    /// The key's certificate for time-stamps, from an authority here:
    /// AUTHORITY/SERIAL
    #[arg(
        long,
        value_name = "AUTHORITY/SERIAL",
        required_unless_present = "chain"
    )]
    certificate: Option<String>,
    /// A certificate from elsewhere, with those above it (PEM)
    #[arg(long, value_name = "FILE", conflicts_with = "certificate")]
    chain: Option<PathBuf>,
    /// The policies to stamp under, as object identifiers separated by commas;
    /// the first where nobody asks for one
    #[arg(
        long = "policy",
        value_name = "OIDS",
        value_delimiter = ',',
        required = true
    )]
    policies: Vec<String>,
    /// How far the time may be off, in seconds
    #[arg(long, value_name = "SECONDS")]
    accuracy: Option<u32>,
    /// Give times with milliseconds of which no two are the same
    #[arg(long)]
    ordering: bool,
    /// How many stamps it gives in a second, in the long run
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    per_second: u32,
    /// How to sign, such as RSA-PSS-SHA-256
    #[arg(long, value_name = "SCHEME")]
    scheme: Option<String>,
}

impl Tsa {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Create(create) => {
                let request = create.request()?;
                global.show(&client.create_tsa(&request).await?, print)
            }
            Self::List => {
                let all = super::every(async |page| client.tsas(&page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    output::table(&["NAME", "PATH", "POLICIES", "UNTIL"], &rows)
                })
            }
            Self::Show { name } => global.show(&client.tsa(&name).await?, print),
            Self::Delete { name } => {
                client.delete_tsa(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The time-stamping authority is deleted.")
                })
            }
        }
    }
}

impl Create {
    fn request(self) -> Result<CreateTsaRequest> {
        let chain = match &self.chain {
            Some(path) => Some(input::read_text(path, super::ca::PEM_MAX)?.to_string()),
            None => None,
        };
        Ok(CreateTsaRequest {
            name: self.name,
            keyring: self.key.keyring,
            key: self.key.name,
            certificate: self.certificate.as_deref().map(named).transpose()?,
            chain,
            scheme: self.scheme,
            policies: self.policies,
            accuracy_seconds: self.accuracy,
            ordering: self.ordering,
            per_second: self.per_second,
        })
    }
}

fn row(one: &TsaView) -> Vec<String> {
    vec![
        one.name.clone(),
        one.path.clone(),
        one.policies.join(" "),
        one.not_after.to_string(),
    ]
}

fn print(one: &TsaView) -> Result<()> {
    output::fields(&[
        ("name", one.name.clone()),
        ("path", one.path.clone()),
        (
            "key",
            format!("{}/{} version {}", one.keyring, one.key, one.key_version),
        ),
        ("scheme", one.scheme.clone()),
        ("policies", one.policies.join(", ")),
        (
            "accuracy",
            match one.accuracy_seconds {
                Some(seconds) => format!("{seconds} s"),
                None => "not said".to_owned(),
            },
        ),
        (
            "ordering",
            match one.ordering {
                true => "by times alone".to_owned(),
                false => "not promised".to_owned(),
            },
        ),
        ("a second", one.per_second.to_string()),
        ("until", one.not_after.to_string()),
    ])
}
