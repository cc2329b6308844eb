//! `skms key holders`: who was given which version by the key exchange.

use clap::Args;

use crate::cli::error::Result;
use crate::cli::keyname::KeyName;
use crate::cli::{Global, every, group};

/// List who was given which version of a key by the key exchange.
#[derive(Debug, Args)]
pub struct Holders {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
}

impl Holders {
    /// Lists them.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let (keyring, name) = (&self.key.keyring, &self.key.name);
        let holders = every(async |page| client.key_holders(keyring, name, &page).await).await?;
        global.show(&group::sorted(holders), |holders| {
            group::print_holders(holders)
        })
    }
}
