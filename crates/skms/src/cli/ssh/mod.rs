//! `skms ssh`: SSH certificate authorities and what they issue.

mod authority;
mod role;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skms_wire::native::ssh::{
    SshCertificateType, SshCertificateView, SshRevokeRequest, SshSignRequest,
};

use super::Global;
use super::duration;
use super::error::{CliError, Result};
use super::{input, output};

/// The longest public key read, in bytes.
const KEY_MAX: u64 = 16 * 1024;

/// Certify SSH keys, and revoke them.
#[derive(Debug, Subcommand)]
pub enum Ssh {
    /// Make, show, list and delete SSH authorities
    #[command(subcommand, visible_alias = "ca")]
    Authority(authority::Command),
    /// Write, list and delete an authority's roles
    #[command(subcommand)]
    Role(role::Command),
    /// Certify a public key
    Sign(Sign),
    /// List an authority's certificates
    List {
        /// The authority
        #[arg(long, value_name = "NAME")]
        ca: String,
    },
    /// Show a certificate
    Show {
        /// The authority
        #[arg(long, value_name = "NAME")]
        ca: String,
        /// The certificate's serial number
        serial: String,
    },
    /// Revoke certificates or keys, for good
    Revoke(Revoke),
    /// Write an authority's key revocation list (sshd's RevokedKeys) to a file
    Krl {
        /// The authority
        #[arg(long, value_name = "NAME")]
        ca: String,
        /// The file
        #[arg(long, short = 'o', value_name = "FILE")]
        out: PathBuf,
    },
}

/// Certify a public key.
#[derive(Debug, Args)]
pub struct Sign {
    /// The authority
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// The role
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// A name that the certificate is good for; may be repeated. The role's by
    /// default
    #[arg(long, value_name = "NAME")]
    principal: Vec<String>,
    /// How long it lasts, such as 8h; the role's usual time by default
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    lifetime: Option<u64>,
    /// Exactly this extension, such as permit-pty; may be repeated. The role's
    /// by default
    #[arg(long, value_name = "NAME", conflicts_with = "no_extensions")]
    extension: Vec<String>,
    /// No extension at all
    #[arg(long)]
    no_extensions: bool,
    /// The only command that it is good for
    #[arg(long, value_name = "COMMAND")]
    force_command: Option<String>,
    /// A network that logins may come from, such as 10.0.0.0/8; may be repeated
    #[arg(long, value_name = "NETWORK")]
    source_address: Vec<String>,
    /// The public key; `-` for standard input
    key: PathBuf,
    /// Where the certificate goes; by default beside the key, as ssh looks for
    /// it: id_x.pub gets id_x-cert.pub
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Revoke certificates or keys, for good.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true)))]
pub struct Revoke {
    /// The authority
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// A certificate's serial number; may be repeated
    #[arg(long, value_name = "NUMBER", group = "what")]
    serial: Vec<String>,
    /// Certificates with this key identifier; may be repeated
    #[arg(long, value_name = "ID", group = "what")]
    key_id: Vec<String>,
    /// A public key, whoever certified it; may be repeated
    #[arg(long, value_name = "FILE", group = "what")]
    key: Vec<PathBuf>,
}

impl Ssh {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Authority(command) => command.run(global).await,
            Self::Role(command) => command.run(global).await,
            Self::Sign(command) => command.run(global).await,
            Self::Revoke(command) => command.run(global).await,
            Self::List { ca } => {
                let client = global.client()?;
                let ca = ca.as_str();
                let all =
                    super::every(async |page| client.ssh_certificates(ca, &page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    output::table(
                        &["SERIAL", "ROLE", "PRINCIPALS", "UNTIL", "REVOKED", "KEY"],
                        &rows,
                    )
                })
            }
            Self::Show { ca, serial } => {
                let found = global.client()?.ssh_certificate(&ca, &serial).await?;
                global.show(&found, |found| {
                    print(found)?;
                    output::line(found.certificate.as_deref().unwrap_or_default())
                })
            }
            Self::Krl { ca, out } => {
                let list = global.client()?.ssh_krl(&ca).await?;
                output::write_file(&out, &list.krl)?;
                let done = serde_json::json!({ "version": list.version, "file": out });
                global.show(&done, |_| {
                    output::line(format!("version {} is in {}", list.version, out.display()))
                })
            }
        }
    }
}

impl Sign {
    async fn run(self, global: &Global) -> Result<()> {
        let out = match self.out {
            Some(out) => out,
            None => beside(&self.key)?,
        };
        let extensions = match (self.no_extensions, self.extension.is_empty()) {
            (true, _) => Some(Vec::new()),
            (false, true) => None,
            (false, false) => Some(self.extension),
        };
        let request = SshSignRequest {
            public_key: input::read_text(&self.key, KEY_MAX)?,
            principals: self.principal,
            lifetime_seconds: self.lifetime,
            extensions,
            force_command: self.force_command,
            source_addresses: self.source_address,
        };
        let client = global.client()?;
        let made = client.sign_ssh(&self.ca, &self.role, &request).await?;
        let line = made.certificate.as_deref().unwrap_or_default();
        output::write_file(&out, format!("{line}\n").as_bytes())?;
        global.show(&made, print)
    }
}

/// Where `ssh` looks for the certificate of a key.
fn beside(key: &std::path::Path) -> Result<PathBuf> {
    let name = key.file_name().and_then(|name| name.to_str());
    let stem = name.and_then(|name| name.strip_suffix(".pub"));
    match stem {
        Some(stem) => Ok(key.with_file_name(format!("{stem}-cert.pub"))),
        None => Err(CliError::usage("where is the certificate to go?")
            .hint("add --out FILE: the key's file does not end in .pub")),
    }
}

impl Revoke {
    async fn run(self, global: &Global) -> Result<()> {
        let mut keys = Vec::new();
        for file in &self.key {
            keys.push(input::read_text(file, KEY_MAX)?);
        }
        let request = SshRevokeRequest {
            serials: self.serial,
            key_ids: self.key_id,
            public_keys: keys,
        };
        let changed = global.client()?.revoke_ssh(&self.ca, &request).await?;
        global.show(&changed, |changed| {
            output::line(format!(
                "The revocation list is at version {}: servers see it when they have the new one.",
                changed.krl_version
            ))
        })
    }
}

/// The word for whom certificates are for.
fn kind(kind: SshCertificateType) -> &'static str {
    match kind {
        SshCertificateType::User => "user",
        SshCertificateType::Host => "host",
    }
}

fn row(one: &SshCertificateView) -> Vec<String> {
    vec![
        one.serial.clone(),
        one.role.clone(),
        one.principals.join(","),
        one.valid_before.to_string(),
        if one.revoked { "yes" } else { "" }.to_owned(),
        one.key_fingerprint.clone(),
    ]
}

fn print(one: &SshCertificateView) -> Result<()> {
    let options = |all: &std::collections::BTreeMap<String, Option<String>>| {
        let words = all.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => name.clone(),
        });
        words.collect::<Vec<_>>().join(", ")
    };
    output::fields(&[
        ("serial", one.serial.clone()),
        ("key id", one.key_id.clone()),
        ("for", kind(one.certificate_type).to_owned()),
        ("principals", one.principals.join(", ")),
        ("from", one.valid_after.to_string()),
        ("until", one.valid_before.to_string()),
        ("restricted by", options(&one.critical_options)),
        ("permits", options(&one.extensions)),
        ("key", one.key_fingerprint.clone()),
        (
            "authority",
            format!("{} by role {}", one.authority, one.role),
        ),
        ("revoked", if one.revoked { "yes" } else { "no" }.to_owned()),
        ("issued to", one.issued_to.clone()),
    ])
}
