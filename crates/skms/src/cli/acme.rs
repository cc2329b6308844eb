//! `skms acme`: certificates by ACME.

use clap::Subcommand;
use skms_wire::native::acme::{
    AcmeKeyView, AcmeView, CreateAcmeKeyRequest, CreateAcmeKeyResponse, EnableAcmeRequest,
};

use super::Global;
use super::error::Result;
use super::output;

/// Let clients enrol by ACME.
#[derive(Debug, Subcommand)]
pub enum Acme {
    /// Open an authority to ACME, or change how it is open
    Enable {
        /// The authority
        authority: String,
        /// The profile by which accounts get certificates
        #[arg(long, default_value = "tls-server")]
        profile: String,
        /// The ways to prove control that are taken, separated by commas; all
        /// by default: http-01, dns-01, tls-alpn-01
        #[arg(long = "challenge", value_name = "CHALLENGES", value_delimiter = ',')]
        challenges: Vec<String>,
        /// A new account has to be bound to a key from `skms acme eab create`
        #[arg(long)]
        eab_required: bool,
        /// Terms that holders of accounts have to agree to
        #[arg(long, value_name = "URL")]
        terms: Option<String>,
    },
    /// Close an authority to ACME; its accounts stay for when it is opened again
    Disable {
        /// The authority
        authority: String,
    },
    /// Show how an authority is open to ACME
    Show {
        /// The authority
        authority: String,
    },
    /// Keys that accounts are bound to (external account binding)
    #[command(subcommand)]
    Eab(Eab),
}

/// Keys that accounts are bound to (external account binding).
#[derive(Debug, Subcommand)]
pub enum Eab {
    /// Make a key for one account; it is shown once
    Create {
        /// The authority
        authority: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// List the keys
    List {
        /// The authority
        authority: String,
    },
    /// Take a key away; the account that is bound to it goes on
    Revoke {
        /// The authority
        authority: String,
        /// The key's identifier
        id: String,
    },
}

impl Acme {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Enable {
                authority,
                profile,
                challenges,
                eab_required,
                terms,
            } => {
                let request = EnableAcmeRequest {
                    profile,
                    challenges: (!challenges.is_empty()).then_some(challenges),
                    external_account_required: eab_required,
                    terms_of_service: terms,
                };
                global.show(&client.enable_acme(&authority, &request).await?, print)
            }
            Self::Disable { authority } => {
                client.disable_acme(&authority).await?;
                global.show(&serde_json::json!({ "disabled": authority }), |_| {
                    output::line("The authority is closed to ACME.")
                })
            }
            Self::Show { authority } => global.show(&client.acme(&authority).await?, print),
            Self::Eab(Eab::Create {
                authority,
                description,
            }) => {
                let request = CreateAcmeKeyRequest { description };
                let made = client.create_acme_key(&authority, &request).await?;
                global.show(&made, print_new)
            }
            Self::Eab(Eab::List { authority }) => {
                let all =
                    super::every(async |page| client.acme_keys(&authority, &page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    output::table(&["ID", "MADE", "ACCOUNT", "DESCRIPTION"], &rows)
                })
            }
            Self::Eab(Eab::Revoke { authority, id }) => {
                client.revoke_acme_key(&authority, &id).await?;
                global.show(&serde_json::json!({ "revoked": id }), |_| {
                    output::line("The key is taken away.")
                })
            }
        }
    }
}

fn print(view: &AcmeView) -> Result<()> {
    if !view.enabled {
        return output::line("The authority is closed to ACME: skms acme enable");
    }
    output::fields(&[
        ("directory", view.directory.clone()),
        ("profile", view.profile.clone().unwrap_or_default()),
        ("challenges", view.challenges.join(", ")),
        (
            "accounts",
            match view.external_account_required {
                true => "bound to a key: skms acme eab create".to_owned(),
                false => "anybody's".to_owned(),
            },
        ),
        ("terms", view.terms_of_service.clone().unwrap_or_default()),
    ])
}

fn print_new(made: &CreateAcmeKeyResponse) -> Result<()> {
    output::fields(&[("kid", made.info.id.clone())])?;
    output::line("hmac key, shown once:")?;
    output::line(made.hmac_key.expose())
}

fn row(one: &AcmeKeyView) -> Vec<String> {
    vec![
        one.id.clone(),
        one.created_at.to_string(),
        one.account.clone().unwrap_or_default(),
        one.description.clone().unwrap_or_default(),
    ]
}
