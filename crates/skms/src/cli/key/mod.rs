//! `skms key`: the life of keys.

mod agree;
mod change;
mod compromise;
mod create;
mod derive;
mod due;
mod export;
mod holders;
mod life;
mod lineage;
pub mod reencrypt;
pub mod rules;
mod show;

use clap::Subcommand;

use super::Global;
use super::error::Result;

/// Make, bring, list, change, rotate, revoke and destroy keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a key; the server chooses its material
    Create(Box<create::Create>),
    /// Bring a key made elsewhere
    Import(Box<create::Import>),
    /// Make a key that is agreed on with a peer, by Diffie-Hellman
    Agree(Box<agree::Agree>),
    /// Make a key that is derived from another one
    Derive(Box<derive::Derive>),
    /// Take an exportable key out of the server
    Export(export::Export),
    /// Print a public key
    Public(export::Public),
    /// List a keyring's keys
    List(show::List),
    /// Show a key
    Show(show::Show),
    /// List who was given which version by the key exchange
    Holders(holders::Holders),
    /// Show what is due for keys, and when
    Due(due::Due),
    /// Show what a key depends on and what depends on it
    Lineage(lineage::Lineage),
    /// Change a key's rules, tags, owner or minimum versions
    Update(Box<change::Update>),
    /// Add a version
    Rotate(life::Rotate),
    /// Move a list of ciphertexts to the newest version
    Reencrypt(Box<reencrypt::Reencrypt>),
    /// Stop all use for now
    Suspend(life::Suspend),
    /// Undo suspend
    Resume(life::Resume),
    /// Revoke for good, with a reason
    Revoke(life::Revoke),
    /// Mark a key as compromised, with everything that depends on it
    Compromise(compromise::Compromise),
    /// Permit processing with a compromised version for a while
    Grant(life::Grant),
    /// Begin the wait before the material is destroyed
    Destroy(life::Destroy),
    /// Cancel a destruction that still waits
    Restore(life::Restore),
    /// Delete the record of a key whose versions are all destroyed
    Delete(life::Delete),
}

impl Key {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Create(command) => command.run(global).await,
            Self::Import(command) => command.run(global).await,
            Self::Agree(command) => command.run(global).await,
            Self::Derive(command) => command.run(global).await,
            Self::Export(command) => command.run(global).await,
            Self::Public(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Show(command) => command.run(global).await,
            Self::Holders(command) => command.run(global).await,
            Self::Due(due) => due.run(global).await,
            Self::Lineage(command) => command.run(global).await,
            Self::Update(command) => command.run(global).await,
            Self::Rotate(command) => command.run(global).await,
            Self::Reencrypt(command) => command.run(global).await,
            Self::Suspend(command) => command.run(global).await,
            Self::Resume(command) => command.run(global).await,
            Self::Revoke(command) => command.run(global).await,
            Self::Compromise(command) => command.run(global).await,
            Self::Grant(command) => command.run(global).await,
            Self::Destroy(command) => command.run(global).await,
            Self::Restore(command) => command.run(global).await,
            Self::Delete(command) => command.run(global).await,
        }
    }
}
