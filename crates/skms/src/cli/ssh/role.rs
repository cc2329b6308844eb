//! `skms ssh role`.

use clap::{Args, Subcommand};
use skms_wire::native::ssh::{PutSshRoleRequest, SshRoleView};

use crate::cli::Global;
use crate::cli::duration;
use crate::cli::error::Result;
use crate::cli::output;

/// Write, list and delete an authority's roles.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a role, new or in place of the one so named
    Put(Box<Put>),
    /// List an authority's roles
    List {
        /// The authority
        #[arg(long, value_name = "NAME")]
        ca: String,
    },
    /// Delete a role
    Delete {
        /// The authority
        #[arg(long, value_name = "NAME")]
        ca: String,
        /// The role
        role: String,
    },
}

/// Write a role, new or in place of the one so named.
#[derive(Debug, Args)]
pub struct Put {
    /// The authority
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// The role
    role: String,
    /// Names that may be asked for: names, *.example.org, or * for any; may be
    /// repeated
    #[arg(long, value_name = "NAME", required = true)]
    principal: Vec<String>,
    /// Names that are given where none is asked for; may be repeated
    #[arg(long, value_name = "NAME")]
    default_principal: Vec<String>,
    /// How long certificates last by default, such as 1h
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    lifetime: Option<u64>,
    /// How long they last at most, such as 1d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    max_lifetime: Option<u64>,
    /// Extensions that certificates have by default, such as permit-pty; may
    /// be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "no_extensions")]
    extension: Vec<String>,
    /// They have none by default
    #[arg(long)]
    no_extensions: bool,
    /// Extensions that may be asked for besides; may be repeated
    #[arg(long, value_name = "NAME")]
    allow_extension: Vec<String>,
    /// The only command that certificates are good for
    #[arg(long, value_name = "COMMAND")]
    force_command: Option<String>,
    /// Networks that logins may come from; may be repeated
    #[arg(long, value_name = "NETWORK")]
    source_address: Vec<String>,
    /// A security key must have verified its user
    #[arg(long)]
    verify_required: bool,
    /// Kinds of keys that are certified, such as ssh-ed25519; may be repeated
    #[arg(long, value_name = "KIND")]
    key_type: Vec<String>,
    /// The pattern of key identifiers, of {caller}, {role}, {principals} and
    /// {serial}
    #[arg(long, value_name = "PATTERN")]
    key_id: Option<String>,
}

impl Command {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Put(put) => {
                let (ca, role, request) = put.request();
                let found = client.put_ssh_role(&ca, &role, &request).await?;
                let written = found.roles.get(&role);
                global.show(&written, |written| match written {
                    Some(written) => print(&role, written),
                    None => Ok(()),
                })
            }
            Self::List { ca } => {
                let found = client.ssh_authority(&ca).await?;
                global.show(&found.roles, |roles| {
                    let rows: Vec<_> = roles
                        .iter()
                        .map(|(name, role)| {
                            vec![
                                name.clone(),
                                role.principals.join(","),
                                duration(role.default_seconds),
                                duration(role.max_seconds),
                                role.extensions.join(","),
                            ]
                        })
                        .collect();
                    let heading = ["ROLE", "PRINCIPALS", "USUALLY", "AT MOST", "EXTENSIONS"];
                    output::table(&heading, &rows)
                })
            }
            Self::Delete { ca, role } => {
                client.delete_ssh_role(&ca, &role).await?;
                global.show(&serde_json::json!({ "deleted": role }), |_| {
                    output::line("The role is deleted.")
                })
            }
        }
    }
}

impl Put {
    fn request(self) -> (String, String, PutSshRoleRequest) {
        let extensions = match (self.no_extensions, self.extension.is_empty()) {
            (true, _) => Some(Vec::new()),
            (false, true) => None,
            (false, false) => Some(self.extension),
        };
        let request = PutSshRoleRequest {
            principals: self.principal,
            default_principals: self.default_principal,
            default_seconds: self.lifetime,
            max_seconds: self.max_lifetime,
            extensions,
            allowed_extensions: self.allow_extension,
            force_command: self.force_command,
            source_addresses: self.source_address,
            verify_required: self.verify_required,
            key_types: self.key_type,
            key_id: self.key_id,
        };
        (self.ca, self.role, request)
    }
}

fn duration(seconds: u64) -> String {
    format!("{seconds} s")
}

fn print(name: &str, role: &SshRoleView) -> Result<()> {
    output::fields(&[
        ("role", name.to_owned()),
        ("principals", role.principals.join(", ")),
        ("by default", role.default_principals.join(", ")),
        ("lasts", duration(role.default_seconds)),
        ("at most", duration(role.max_seconds)),
        ("extensions", role.extensions.join(", ")),
        ("allowed besides", role.allowed_extensions.join(", ")),
        (
            "force-command",
            role.force_command.clone().unwrap_or_default(),
        ),
        ("source-address", role.source_addresses.join(", ")),
        ("kinds of keys", role.key_types.join(", ")),
        ("key id", role.key_id.clone()),
    ])
}
