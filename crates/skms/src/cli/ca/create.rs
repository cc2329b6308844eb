//! `skms ca create`.

use clap::Args;
use skms_client::Client;
use skms_wire::native::authorities::CreateAuthorityRequest;
use skms_wire::native::keys::CreateKeyRequest;
use skms_wire::native::terms::KeyUse;

use super::{ExtentOptions, RuleOptions};
use crate::cli::Global;
use crate::cli::error::Result;
use crate::cli::keyname::KeyName;

/// Make an authority: a root, one below another (--parent), or one that waits
/// for a certificate from elsewhere (--external).
#[derive(Debug, Args)]
pub struct Create {
    /// Its name
    name: String,
    /// Its distinguished name, such as "C=CH,O=Example,CN=Example Root"
    #[arg(long)]
    subject: String,
    /// Its key, if it is there already; by default one is made, named like it
    #[arg(long, value_name = "KEY")]
    key: Option<KeyName>,
    /// The algorithm of the key that is made
    #[arg(long, default_value = "EC-P384", conflicts_with = "key")]
    algorithm: String,
    /// The authority of this namespace that certifies it
    #[arg(long, value_name = "NAME")]
    parent: Option<String>,
    /// It waits for a certificate from elsewhere
    #[arg(long, conflicts_with = "parent")]
    external: bool,
    /// How it signs, where the key leaves a choice, such as RSA-PSS-SHA-256
    #[arg(long, value_name = "SCHEME")]
    signature: Option<String>,
    #[command(flatten)]
    extent: ExtentOptions,
    #[command(flatten)]
    rules: RuleOptions,
}

impl Create {
    /// Does it.
    pub async fn run(self, global: &Global, client: &Client) -> Result<()> {
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
        let request = CreateAuthorityRequest {
            name: self.name,
            keyring: key.keyring,
            key: key.name,
            subject: self.subject,
            parent: self.parent,
            external: self.external,
            lifetime_seconds: self.extent.lifetime,
            path_length: self.extent.path_length,
            signature: self.signature,
            name_constraints: self.extent.constraints(),
            rules: Some(self.rules.rules()),
        };
        global.show(&client.create_authority(&request).await?, super::print)
    }
}
