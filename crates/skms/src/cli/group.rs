//! `skms group`: principals who share a key, and who was given which version.

use std::str::FromStr;

use clap::{Args, Subcommand};
use serde::Serialize;
use skms_client::Client;
use skms_wire::native::groups::{
    AddGroupMembersRequest, CreateGroupRequest, GroupMember, GroupMemberView, GroupView,
    HolderStanding, HolderView, RemoveGroupMembersRequest,
};
use skms_wire::native::keys::CreateKeyRequest;

use super::Global;
use super::error::Result;
use super::keyname::KeyName;
use super::output;

/// Let groups of principals share keys. Members fetch them with `skms exchange
/// fetch`; who is removed is out of reach of what the key protects from then on.
#[derive(Debug, Subcommand)]
pub enum Group {
    /// Let a group share a key that may leave, or a new one
    Create(Create),
    /// List the groups
    List,
    /// Show a group with its members
    Show {
        /// The group's name
        name: String,
    },
    /// Add members
    Add(Add),
    /// Remove members, and give the key a new version
    Remove(Remove),
    /// Give the key a new version
    Rekey {
        /// The group's name
        name: String,
    },
    /// List who was given which version of the key, and who of the members does
    /// not have the newest
    Holders {
        /// The group's name
        name: String,
    },
    /// Delete a group; its key stays
    Delete {
        /// The group's name
        name: String,
    },
}

/// A principal: `NAME` of the namespace that is meant, or `NAMESPACE/NAME`.
#[derive(Clone, Debug)]
pub struct Who(GroupMember);

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
            None => (None, text),
        };
        if name.is_empty() || name.contains('/') || namespace.as_deref() == Some("") {
            return Err("write it as NAME, or NAMESPACE/NAME".to_owned());
        }
        let name = name.to_owned();
        Ok(Self(GroupMember { name, namespace }))
    }
}

fn all(members: Vec<Who>) -> Vec<GroupMember> {
    members.into_iter().map(|one| one.0).collect()
}

/// Let a group share a key that may leave, or a new one.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skms group create orders --algorithm AES-256-GCM --member billing --member shipping\n  \
    skms exchange fetch orders -o orders.key        # as billing or shipping"
)]
pub struct Create {
    /// The group's name
    name: String,
    /// Its key: KEYRING/NAME or NAME; of the group's name if left out
    #[arg(long)]
    key: Option<KeyName>,
    /// Make that key first, of this symmetric algorithm; it may leave
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// Who is in it: NAME or NAMESPACE/NAME; may be repeated
    #[arg(long = "member", value_name = "PRINCIPAL")]
    members: Vec<Who>,
    /// Let them fetch the key's older versions, too
    #[arg(long)]
    history: bool,
}

/// Add members.
#[derive(Debug, Args)]
pub struct Add {
    /// The group's name
    name: String,
    /// Who: NAME or NAMESPACE/NAME
    #[arg(required = true, value_name = "PRINCIPAL")]
    members: Vec<Who>,
    /// Let them fetch the key's older versions, too; also for who is a member
    /// already
    #[arg(long)]
    history: bool,
}

/// Remove members, and give the key a new version.
#[derive(Debug, Args)]
pub struct Remove {
    /// The group's name
    name: String,
    /// Who: NAME or NAMESPACE/NAME
    #[arg(required = true, value_name = "PRINCIPAL")]
    members: Vec<Who>,
    /// Leave the key as it is, where it cannot be rotated: a rekey is due then
    #[arg(long)]
    no_rekey: bool,
}

impl Group {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Create(create) => global.show(&create.run(&client).await?, print),
            Self::List => {
                let all = super::every(async |page| client.groups(&page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    let columns = ["NAME", "KEY", "VERSION", "MEMBERS", "REKEY"];
                    output::table(&columns, &rows)
                })
            }
            Self::Show { name } => {
                let group = client.group(&name).await?;
                let members = members(&client, &name).await?;
                global.show(&Shown { group, members }, |shown| {
                    print(&shown.group)?;
                    let rows: Vec<_> = shown.members.iter().map(member).collect();
                    output::table(
                        &["MEMBER", "FROM VERSION", "ADDED", "HAS NEWEST SINCE"],
                        &rows,
                    )
                })
            }
            Self::Add(add) => {
                let request = AddGroupMembersRequest {
                    members: all(add.members),
                    history: add.history,
                };
                let changed = client.add_group_members(&add.name, &request).await?;
                global.show(&changed, print)
            }
            Self::Remove(remove) => {
                let request = RemoveGroupMembersRequest {
                    members: all(remove.members),
                    rekey: !remove.no_rekey,
                };
                let changed = client.remove_group_members(&remove.name, &request).await?;
                global.show(&changed, print)
            }
            Self::Rekey { name } => global.show(&client.rekey_group(&name).await?, print),
            Self::Holders { name } => holders(&client, global, &name).await,
            Self::Delete { name } => {
                client.delete_group(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The group is deleted; its key is as it was.")
                })
            }
        }
    }
}

impl Create {
    async fn run(self, client: &Client) -> Result<GroupView> {
        let key = self.key.unwrap_or_else(|| KeyName {
            keyring: "default".to_owned(),
            name: self.name.clone(),
        });
        if let Some(algorithm) = self.algorithm {
            let request = CreateKeyRequest {
                name: key.name.clone(),
                algorithm: Some(algorithm),
                exportable: Some(true),
                ..CreateKeyRequest::default()
            };
            client.create_key(&key.keyring, &request).await?;
        }
        let request = CreateGroupRequest {
            name: self.name,
            keyring: key.keyring,
            key: key.name,
            members: all(self.members),
            history: self.history,
        };
        Ok(client.create_group(&request).await?)
    }
}

async fn members(client: &Client, name: &str) -> Result<Vec<GroupMemberView>> {
    super::every(async |page| client.group_members(name, &page).await).await
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    group: GroupView,
    /// In the place of their number.
    #[serde(rename = "member_list")]
    members: Vec<GroupMemberView>,
}

/// Who has what, and who has not.
#[derive(Serialize)]
struct Held {
    latest_version: u32,
    holders: Vec<HolderView>,
    /// Members who do not have the newest version yet.
    missing: Vec<String>,
}

async fn holders(client: &Client, global: &Global, name: &str) -> Result<()> {
    let group = client.group(name).await?;
    let holders = super::every(async |page| client.group_holders(name, &page).await).await?;
    let missing = members(client, name).await?.into_iter();
    let missing = missing.filter(|one| one.fetched_latest_at.is_none());
    let held = Held {
        latest_version: group.latest_version,
        holders: sorted(holders),
        missing: missing.map(|one| path(&one.namespace, &one.name)).collect(),
    };
    global.show(&held, |held| {
        print_holders(&held.holders)?;
        match held.missing.is_empty() {
            true => output::line(format!("All members have version {}.", held.latest_version)),
            false => output::line(format!(
                "Without version {}: {}",
                held.latest_version,
                held.missing.join(", ")
            )),
        }
    })
}

/// By names and versions: the server has them in no order.
pub fn sorted(mut holders: Vec<HolderView>) -> Vec<HolderView> {
    holders.sort_by(|one, other| {
        let order = |holder: &HolderView| {
            (
                holder.namespace.clone(),
                holder.name.clone(),
                holder.version,
            )
        };
        order(one).cmp(&order(other))
    });
    holders
}

/// Prints who was given which version.
pub fn print_holders(holders: &[HolderView]) -> Result<()> {
    let rows: Vec<_> = holders
        .iter()
        .map(|one| {
            vec![
                path(&one.namespace, &one.name),
                one.version.to_string(),
                standing(one.standing).to_owned(),
                one.first_fetched_at.to_string(),
                one.last_fetched_at.to_string(),
                one.certificate.clone(),
            ]
        })
        .collect();
    let columns = [
        "PRINCIPAL",
        "VERSION",
        "BY",
        "FIRST",
        "LAST",
        "CERTIFICATE (SHA-256)",
    ];
    output::table(&columns, &rows)
}

const fn standing(standing: HolderStanding) -> &'static str {
    match standing {
        HolderStanding::Member => "member",
        HolderStanding::Removed => "removed",
        HolderStanding::Policy => "policy",
    }
}

fn path(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

fn member(one: &GroupMemberView) -> Vec<String> {
    vec![
        path(&one.namespace, &one.name),
        one.from_version.to_string(),
        one.added_at.to_string(),
        match one.fetched_latest_at {
            Some(at) => at.to_string(),
            None => "no".to_owned(),
        },
    ]
}

const fn due(group: &GroupView) -> &'static str {
    match group.rekey_due {
        true => "due",
        false => "",
    }
}

fn row(one: &GroupView) -> Vec<String> {
    vec![
        one.name.clone(),
        format!("{}/{}", one.keyring, one.key),
        one.latest_version.to_string(),
        one.members.to_string(),
        due(one).to_owned(),
    ]
}

fn print(one: &GroupView) -> Result<()> {
    output::fields(&[
        ("group", one.name.clone()),
        ("namespace", one.namespace.clone()),
        ("id", one.id.clone()),
        ("key", format!("{}/{}", one.keyring, one.key)),
        ("version", one.latest_version.to_string()),
        ("members", one.members.to_string()),
        ("rekey", due(one).to_owned()),
        ("created", one.created_at.to_string()),
    ])
}
