//! `skms principal`: who is known by a client certificate.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skms_wire::native::principals::{CreatePrincipalRequest, PrincipalView};
use skms_wire::native::rules::SuspendPrincipalRequest;

use super::Global;
use super::error::Result;
use super::{input, output};

/// The longest certificate read, in bytes.
const PEM_MAX: u64 = 64 * 1024;

/// Manage principals known by client certificates.
#[derive(Debug, Subcommand)]
pub enum Principal {
    /// List the registered certificates
    List,
    /// Show a registered certificate
    Show {
        /// The principal's name
        name: String,
    },
    /// Register a principal
    Create(Create),
    /// Forget a certificate
    Delete {
        /// The principal's name
        name: String,
    },
    /// Refuse every token and certificate of a principal until it is resumed
    Suspend {
        /// The principal's name
        name: String,
        /// Why, in words
        #[arg(long, default_value = "")]
        reason: String,
        /// Suspend yourself, if that is who it is
        #[arg(long)]
        force: bool,
    },
    /// Resume a suspended principal
    Resume {
        /// The principal's name
        name: String,
    },
    /// List the suspended principals
    Suspended,
}

/// Register a principal: by a certificate (the file, or its fingerprint), by an
/// authority whose certificates for it count, or by an external authority and a
/// name in its certificates.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Create {
    /// The principal's name
    name: String,
    /// The certificate (PEM)
    #[arg(long, value_name = "FILE", group = "which")]
    certificate: Option<PathBuf>,
    /// SHA-256 of the certificate's DER, hexadecimal
    #[arg(long, value_name = "HEX", group = "which")]
    fingerprint: Option<String>,
    /// An authority of the namespace: any certificate counts that it issues to
    /// the principal (skms cert issue --principal)
    #[arg(long, value_name = "NAME", group = "which")]
    authority: Option<String>,
    /// An external authority that the namespace trusts (skms trust): any
    /// certificate of it counts that has the name --identity
    #[arg(long, value_name = "NAME", group = "which", requires = "identity")]
    trust: Option<String>,
    /// The name in the certificates, in the form that counts for --trust
    #[arg(
        long,
        value_name = "VALUE",
        requires = "trust",
        conflicts_with_all = ["certificate", "fingerprint", "authority"]
    )]
    identity: Option<String>,
    /// A group the principal is in; may be repeated
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
}

impl Principal {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::List => {
                let principals = super::every(async |page| client.principals(&page).await).await?;
                global.show(&principals, |principals| {
                    let rows: Vec<_> = principals
                        .iter()
                        .map(|one| vec![one.name.clone(), one.groups.join(","), shown_by(one)])
                        .collect();
                    output::table(&["NAME", "GROUPS", "SHOWN BY"], &rows)
                })
            }
            Self::Show { name } => global.show(&client.principal(&name).await?, print),
            Self::Create(create) => {
                let certificate = create
                    .certificate
                    .map(|path| input::read_text(&path, PEM_MAX));
                let request = CreatePrincipalRequest {
                    name: create.name,
                    fingerprint: create
                        .fingerprint
                        .map(|hex| hex.replace(':', "").to_lowercase()),
                    certificate: certificate.transpose()?,
                    authority: create.authority,
                    trust: create.trust,
                    identity: create.identity,
                    groups: create.group,
                };
                global.show(&client.create_principal(&request).await?, print)
            }
            Self::Suspend {
                name,
                reason,
                force,
            } => {
                let request = SuspendPrincipalRequest { reason, force };
                let done = client.suspend_principal(&name, &request).await?;
                if done.exists == Some(false) {
                    output::note(format!(
                        "skms: no token or registration is called {name}: whoever is, later on, \
                         is refused"
                    ))?;
                }
                global.show(&done, |one| {
                    output::line(format!("The principal {} is suspended.", one.name))
                })
            }
            Self::Resume { name } => {
                client.resume_principal(&name).await?;
                global.show(&serde_json::json!({ "resumed": name }), |_| {
                    output::line("The principal is resumed.")
                })
            }
            Self::Suspended => {
                let all =
                    super::every(async |page| client.suspended_principals(&page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all
                        .iter()
                        .map(|one| {
                            let at = one.at.to_string();
                            vec![one.name.clone(), at, one.by.clone(), one.reason.clone()]
                        })
                        .collect();
                    output::table(&["NAME", "SINCE", "BY", "REASON"], &rows)
                })
            }
            Self::Delete { name } => {
                client.delete_principal(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The principal is forgotten.")
                })
            }
        }
    }
}

/// What shows who it is.
fn shown_by(principal: &PrincipalView) -> String {
    let identity = principal.identity.as_deref().unwrap_or_default();
    match (
        &principal.fingerprint,
        &principal.authority,
        &principal.trust,
    ) {
        (Some(fingerprint), ..) => fingerprint.clone(),
        (None, Some(id), _) => format!("certificates of the authority {id}"),
        (None, None, Some(id)) => format!("certificates for {identity} by the trust {id}"),
        (None, None, None) => String::new(),
    }
}

fn print(principal: &PrincipalView) -> Result<()> {
    output::fields(&[
        ("name", principal.name.clone()),
        ("shown by", shown_by(principal)),
        ("groups", principal.groups.join(", ")),
        ("namespace", principal.namespace.clone()),
        ("created", principal.created_at.to_string()),
    ])
}
