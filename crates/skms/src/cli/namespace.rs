//! `skms namespace`.

use clap::Subcommand;
use skms_wire::native::namespaces::{CreateNamespaceRequest, NamespaceView};

use super::Global;
use super::error::Result;
use super::output;

/// Manage namespaces.
#[derive(Debug, Subcommand)]
pub enum Namespace {
    /// List the namespaces
    List,
    /// Show a namespace
    Show {
        /// Its name
        name: String,
    },
    /// Make a namespace
    Create {
        /// Its name
        name: String,
    },
    /// Delete an empty namespace
    Delete {
        /// Its name
        name: String,
    },
}

impl Namespace {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::List => {
                let namespaces = super::every(async |page| client.namespaces(&page).await).await?;
                global.show(&namespaces, |namespaces| {
                    let rows: Vec<_> = namespaces
                        .iter()
                        .map(|one| vec![one.name.clone(), one.created_at.to_string()])
                        .collect();
                    output::table(&["NAME", "CREATED"], &rows)
                })
            }
            Self::Show { name } => global.show(&client.namespace(&name).await?, print),
            Self::Create { name } => {
                let request = CreateNamespaceRequest { name };
                global.show(&client.create_namespace(&request).await?, print)
            }
            Self::Delete { name } => {
                client.delete_namespace(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The namespace is deleted.")
                })
            }
        }
    }
}

fn print(namespace: &NamespaceView) -> Result<()> {
    output::fields(&[
        ("name", namespace.name.clone()),
        ("id", namespace.id.clone()),
        ("created", namespace.created_at.to_string()),
    ])
}
