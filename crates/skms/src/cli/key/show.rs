//! `skms key list` and `skms key show`.

use clap::Args;
use serde::Serialize;
use skms_wire::native::keys::{KeyChange, KeyView};
use skms_wire::native::versions::VersionView;

use crate::cli::Global;
use crate::cli::error::Result;
use crate::cli::key::rules;
use crate::cli::keyname::KeyName;
use crate::cli::{every, output};

/// List a keyring's keys.
#[derive(Debug, Args)]
pub struct List {
    /// The keyring
    #[arg(default_value = "default")]
    keyring: String,
}

impl List {
    /// Lists them.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let mut keys = every(async |page| client.keys(&self.keyring, &page).await).await?;
        keys.sort_by(|one, other| one.name.cmp(&other.name));
        global.show(&keys, |keys| {
            let rows: Vec<_> = keys
                .iter()
                .map(|key| {
                    vec![
                        key.name.clone(),
                        key.algorithm.clone(),
                        stands(key),
                        key.latest_version.to_string(),
                        key.created_at.to_string(),
                    ]
                })
                .collect();
            output::table(&["NAME", "ALGORITHM", "STATE", "VERSION", "CREATED"], &rows)
        })
    }
}

/// Show a key.
#[derive(Debug, Args)]
pub struct Show {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// Show every version too
    #[arg(long)]
    versions: bool,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    key: KeyView,
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<Vec<VersionView>>,
}

impl Show {
    /// Shows it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let (keyring, name) = (&self.key.keyring, &self.key.name);
        let key = client.key(keyring, name).await?;
        let versions = match self.versions {
            true => Some(every(async |page| client.versions(keyring, name, &page).await).await?),
            false => None,
        };
        global.show(&Shown { key, versions }, |shown| {
            print_key(&shown.key)?;
            match &shown.versions {
                Some(versions) => print_versions(&shown.key, versions),
                None => Ok(()),
            }
        })
    }
}

/// A key's state, in words: what waits for its destruction does nothing.
fn stands(key: &KeyView) -> String {
    match &key.destroy_at {
        None => key.state.to_string(),
        Some(at) => format!("{}, to be destroyed {at}", key.state),
    }
}

/// Prints a key after an act, and the versions it changed.
pub fn print_change(change: &KeyChange) -> Result<()> {
    output::line(format!(
        "{}/{} {} version {} is {}",
        change.key.keyring,
        change.key.name,
        change.key.algorithm,
        change.key.latest_version,
        stands(&change.key)
    ))?;
    if change.versions.is_empty() {
        return Ok(());
    }
    print_versions(&change.key, &change.versions)
}

fn print_key(key: &KeyView) -> Result<()> {
    let uses: Vec<_> = key.uses.iter().map(|one| one.word()).collect();
    let tags: Vec<_> = key
        .tags
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut fields = vec![
        ("key", format!("{}/{}", key.keyring, key.name)),
        ("namespace", key.namespace.clone()),
        ("id", key.id.clone()),
        ("algorithm", key.algorithm.clone()),
        ("state", stands(key)),
        ("version", key.latest_version.to_string()),
        ("uses", uses.join(", ")),
        (
            "exportable",
            if key.exportable { "yes" } else { "no" }.to_owned(),
        ),
        ("owner", key.owner.clone()),
        ("tags", tags.join(", ")),
        ("created", key.created_at.to_string()),
        ("minimum decrypt", key.minimum_decrypt_version.to_string()),
        ("minimum encrypt", key.minimum_encrypt_version.to_string()),
    ];
    fields.extend(rules::fields(&key.rules));
    output::fields(&fields)
}

fn print_versions(key: &KeyView, versions: &[VersionView]) -> Result<()> {
    let rows: Vec<_> = versions
        .iter()
        .map(|one| {
            vec![
                one.version.to_string(),
                one.state.to_string(),
                one.origin.to_string(),
                one.created_at.to_string(),
                remark(key, one),
            ]
        })
        .collect();
    output::table(&["VERSION", "STATE", "ORIGIN", "CREATED", "REMARK"], &rows)
}

/// What is special about a version, in words.
fn remark(key: &KeyView, version: &VersionView) -> String {
    let algorithm = version.algorithm.iter();
    let mut parts: Vec<String> = algorithm
        .filter(|one| **one != key.algorithm)
        .cloned()
        .collect();
    if let Some(revocation) = &version.revocation {
        parts.push(format!("revoked {}: {}", revocation.at, revocation.reason));
        parts.extend(revocation.message.clone());
    }
    if let Some(agreed) = &version.agreed {
        parts.push(format!("by key {} version {}", agreed.key, agreed.version));
    }
    if let Some(parent) = &version.parent {
        parts.push(format!("by key {} version {}", parent.key, parent.version));
    }
    if let Some(grant) = &version.recovery_grant {
        parts.push(format!("recovery until {}", grant.until));
    }
    match (version.destroyed_at, version.destroy_at) {
        (Some(at), _) => parts.push(format!("destroyed {at}")),
        (None, Some(at)) => parts.push(format!("will be destroyed {at}")),
        (None, None) => {}
    }
    parts.join("; ")
}
