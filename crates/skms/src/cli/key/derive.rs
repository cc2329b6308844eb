//! `skms key derive`.

use clap::Args;
use skms_wire::Bytes;
use skms_wire::native::keys::DeriveKeyRequest;

use super::create::Properties;
use crate::cli::error::Result;
use crate::cli::keyname::KeyName;
use crate::cli::{Global, output};

/// Make a key that is derived from another one with HKDF: it stays in the
/// server, and is refused as soon as the key it comes from is compromised.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    skms key create master --algorithm HKDF-SHA-256\n  \
    skms key derive orders --from master --algorithm AES-256-GCM")]
pub struct Derive {
    /// The new key: KEYRING/NAME or NAME
    key: KeyName,
    /// The key it is derived from: KEYRING/NAME or NAME
    #[arg(long, value_name = "KEY")]
    from: KeyName,
    /// The version to derive from; the newest if left out
    #[arg(long, value_name = "NUMBER")]
    from_version: Option<u32>,
    /// What else is bound into the key
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
    #[command(flatten)]
    properties: Properties,
}

impl Derive {
    /// Derives it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let properties = self.properties;
        let request = DeriveKeyRequest {
            version: self.from_version,
            context: self.context.map(|text| Bytes::new(text.into_bytes())),
            keyring: Some(self.key.keyring),
            name: self.key.name,
            algorithm: properties.algorithm,
            uses: (!properties.uses.is_empty()).then_some(properties.uses),
            exportable: properties.exportable.then_some(true),
            owner: properties.owner,
            tags: properties.tag.into_iter().collect(),
            rules: properties.rules.rules()?,
        };
        let from = &self.from;
        let client = global.client()?;
        let made = client
            .derive_key(&from.keyring, &from.name, &request)
            .await?;
        global.show(&made, |made| {
            let key = &made.key;
            output::fields(&[
                ("derived", format!("{}/{}", key.keyring, key.name)),
                ("algorithm", key.algorithm.clone()),
                (
                    "from",
                    format!("{}/{} version {}", from.keyring, from.name, made.version),
                ),
            ])
        })
    }
}
