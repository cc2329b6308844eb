//! `skms keyring`.

use clap::{Args, Subcommand};
use skms_wire::native::keyrings::{CreateKeyringRequest, KeyDefaults, KeyringView};
use skms_wire::native::terms::KeyUse;

use super::Global;
use super::error::Result;
use super::key::rules::{self, RuleOptions};
use super::output;

/// Manage keyrings.
#[derive(Debug, Subcommand)]
pub enum Keyring {
    /// List the keyrings
    List,
    /// Show a keyring
    Show {
        /// Its name
        name: String,
    },
    /// Make a keyring
    Create(Box<Create>),
    /// Delete an empty keyring
    Delete {
        /// Its name
        name: String,
    },
}

/// Make a keyring; the options are defaults of its keys.
#[derive(Debug, Args)]
pub struct Create {
    /// Its name
    name: String,
    /// The algorithm of keys that name none
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// What keys may be used for that name nothing; separated by commas
    #[arg(long = "use", value_name = "USES", value_delimiter = ',')]
    uses: Vec<KeyUse>,
    /// Keys may leave the server
    #[arg(long)]
    exportable: bool,
    #[command(flatten)]
    rules: RuleOptions,
}

impl Keyring {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::List => {
                let keyrings = super::every(async |page| client.keyrings(&page).await).await?;
                global.show(&keyrings, |keyrings| {
                    let rows: Vec<_> = keyrings
                        .iter()
                        .map(|one| vec![one.name.clone(), one.created_at.to_string()])
                        .collect();
                    output::table(&["NAME", "CREATED"], &rows)
                })
            }
            Self::Show { name } => global.show(&client.keyring(&name).await?, print),
            Self::Create(create) => {
                let defaults = KeyDefaults {
                    algorithm: create.algorithm,
                    uses: (!create.uses.is_empty()).then_some(create.uses),
                    exportable: create.exportable.then_some(true),
                    rules: create.rules.rules()?,
                };
                let request = CreateKeyringRequest {
                    name: create.name,
                    defaults: Some(defaults),
                };
                global.show(&client.create_keyring(&request).await?, print)
            }
            Self::Delete { name } => {
                client.delete_keyring(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The keyring is deleted.")
                })
            }
        }
    }
}

fn print(keyring: &KeyringView) -> Result<()> {
    let uses = keyring.defaults.uses.as_deref().unwrap_or_default();
    let uses: Vec<_> = uses.iter().map(|one| one.word()).collect();
    let mut fields = vec![
        ("name", keyring.name.clone()),
        ("id", keyring.id.clone()),
        ("created", keyring.created_at.to_string()),
        (
            "default algorithm",
            keyring.defaults.algorithm.clone().unwrap_or_default(),
        ),
        ("default uses", uses.join(", ")),
    ];
    if keyring.defaults.exportable == Some(true) {
        fields.push(("exportable", "yes".to_owned()));
    }
    fields.extend(keyring.defaults.rules.iter().flat_map(rules::fields));
    output::fields(&fields)
}
