//! `skms ssh authority`.

use clap::{Args, Subcommand};
use skms_wire::native::keys::CreateKeyRequest;
use skms_wire::native::ssh::{CreateSshAuthorityRequest, SshAuthorityView, SshCertificateType};
use skms_wire::native::terms::KeyUse;

use super::kind;
use crate::cli::Global;
use crate::cli::error::Result;
use crate::cli::keyname::KeyName;
use crate::cli::output;

/// Make, show, list and delete SSH authorities.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an authority, for users or for hosts
    Create(Create),
    /// List the authorities
    List,
    /// Show an authority
    Show {
        /// Its name
        name: String,
    },
    /// Print an authority's public key, as sshd's TrustedUserCAKeys and
    /// known_hosts want it
    Public {
        /// Its name
        name: String,
    },
    /// Delete an authority whose certificates have all ended
    Delete {
        /// Its name
        name: String,
    },
}

/// Make an authority, for users or for hosts.
#[derive(Debug, Args)]
pub struct Create {
    /// Its name
    name: String,
    /// It certifies hosts; users by default
    #[arg(long)]
    host: bool,
    /// Its key, if it is there already; by default one is made, named like it
    #[arg(long, value_name = "KEY")]
    key: Option<KeyName>,
    /// The algorithm of the key that is made: Ed25519, EC-P256, EC-P384,
    /// EC-P521, RSA-3072
    #[arg(long, default_value = "Ed25519", conflicts_with = "key")]
    algorithm: String,
    /// How an RSA key signs, such as RSA-PKCS1-SHA-256
    #[arg(long, value_name = "SCHEME")]
    signature: Option<String>,
}

impl Command {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Create(create) => create.run(global).await,
            Self::List => {
                let all = crate::cli::every(async |page| client.ssh_authorities(&page).await);
                let all = all.await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    output::table(&["NAME", "FOR", "KEY", "FINGERPRINT", "ROLES"], &rows)
                })
            }
            Self::Show { name } => global.show(&client.ssh_authority(&name).await?, print),
            Self::Public { name } => global.show(&client.ssh_authority(&name).await?, |found| {
                output::line(&found.public_key)
            }),
            Self::Delete { name } => {
                client.delete_ssh_authority(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The authority is deleted.")
                })
            }
        }
    }
}

impl Create {
    async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let key = match self.key {
            Some(key) => key,
            None => {
                let key = KeyName {
                    keyring: "default".to_owned(),
                    name: self.name.clone(),
                };
                let request = CreateKeyRequest {
                    name: key.name.clone(),
                    algorithm: Some(self.algorithm),
                    uses: Some(vec![KeyUse::Sign]),
                    ..CreateKeyRequest::default()
                };
                client.create_key(&key.keyring, &request).await?;
                key
            }
        };
        let request = CreateSshAuthorityRequest {
            name: self.name,
            certificate_type: match self.host {
                true => SshCertificateType::Host,
                false => SshCertificateType::User,
            },
            keyring: key.keyring,
            key: key.name,
            signature: self.signature,
        };
        global.show(&client.create_ssh_authority(&request).await?, print)
    }
}

fn row(one: &SshAuthorityView) -> Vec<String> {
    vec![
        one.name.clone(),
        kind(one.certificate_type).to_owned(),
        format!("{}/{}", one.keyring, one.key),
        one.fingerprint.clone(),
        one.roles.len().to_string(),
    ]
}

fn print(one: &SshAuthorityView) -> Result<()> {
    let roles: Vec<&str> = one.roles.keys().map(String::as_str).collect();
    output::fields(&[
        ("name", one.name.clone()),
        ("for", kind(one.certificate_type).to_owned()),
        (
            "key",
            format!("{}/{} version {}", one.keyring, one.key, one.key_version),
        ),
        ("signs by", one.signature.clone()),
        ("fingerprint", one.fingerprint.clone()),
        ("roles", roles.join(", ")),
        ("revocation list", format!("version {}", one.krl_version)),
        ("public key", one.public_key.clone()),
    ])
}
