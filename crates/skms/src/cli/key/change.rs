//! `skms key update`.

use clap::Args;
use skms_wire::native::keys::UpdateKeyRequest;

use super::rules::{RuleOptions, tag};
use super::show;
use crate::cli::Global;
use crate::cli::error::{CliError, Result};
use crate::cli::keyname::KeyName;

/// Change a key's rules, tags, owner or minimum versions.
#[derive(Debug, Args)]
pub struct Update {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The new owner
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// A label NAME=VALUE of the whole new set; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = tag, conflicts_with = "no_tags")]
    tag: Vec<(String, String)>,
    /// Take all labels off
    #[arg(long)]
    no_tags: bool,
    /// Versions below this no longer decrypt, verify or unwrap; raised on the
    /// evidence of a re-encryption job
    #[arg(long, value_name = "NUMBER", visible_alias = "min-version")]
    minimum_decrypt_version: Option<u32>,
    /// The job that shows that nothing of an older version is left
    #[arg(long, value_name = "ID", requires = "minimum_decrypt_version")]
    from_job: Option<String>,
    /// Raise it whatever may be left
    #[arg(
        long,
        requires = "minimum_decrypt_version",
        conflicts_with = "from_job"
    )]
    force: bool,
    /// Versions below this no longer encrypt, sign or wrap
    #[arg(long, value_name = "NUMBER")]
    minimum_encrypt_version: Option<u32>,
    #[command(flatten)]
    rules: RuleOptions,
}

impl Update {
    /// Changes it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let tags = (self.no_tags || !self.tag.is_empty()).then(|| self.tag.into_iter().collect());
        let request = UpdateKeyRequest {
            rules: self.rules.rules()?,
            tags,
            owner: self.owner,
            minimum_decrypt_version: self.minimum_decrypt_version,
            minimum_encrypt_version: self.minimum_encrypt_version,
            from_job: self.from_job,
            force: self.force.then_some(true),
        };
        let nothing = request.rules.is_none()
            && request.tags.is_none()
            && request.owner.is_none()
            && request.minimum_decrypt_version.is_none()
            && request.minimum_encrypt_version.is_none();
        if nothing {
            return Err(CliError::usage("there is nothing to change")
                .hint("`skms key update --help` lists what can be changed"));
        }
        let client = global.client()?;
        let change = client
            .update_key(&self.key.keyring, &self.key.name, &request)
            .await?;
        global.show(&change, show::print_change)
    }
}
