//! `skms file recipient` and `skms file identity`.

use clap::Args;
use skms_client::file::{KeyId, PluginIdentity};

use crate::cli::error::{CliError, Result};
use crate::cli::keyname::KeyName;
use crate::cli::{Global, output};

/// Print a key as a recipient, for `age -r` with the plugin age-plugin-skms.
#[derive(Debug, Args)]
pub struct Recipient {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
}

impl Recipient {
    /// Prints.
    pub async fn run(self, global: &Global) -> Result<()> {
        let recipient = id(&self.key, global).await?.recipient();
        let json = serde_json::json!({ "recipient": recipient });
        global.show(&json, |_| output::line(&recipient))
    }
}

/// Print a key's identity, for `age -d -i` with the plugin age-plugin-skms. It
/// is no secret: it says which key to ask the server for.
#[derive(Debug, Args)]
pub struct Identity {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
}

impl Identity {
    /// Prints.
    pub async fn run(self, global: &Global) -> Result<()> {
        let id = id(&self.key, global).await?;
        let identity = PluginIdentity::Key(id).to_string();
        let recipient = id.recipient();
        let json = serde_json::json!({ "identity": identity, "recipient": recipient });
        global.show(&json, |_| {
            output::line(format!("# recipient: {recipient}"))?;
            output::line(&identity)
        })
    }
}

async fn id(key: &KeyName, global: &Global) -> Result<KeyId> {
    let view = global.client()?.key(&key.keyring, &key.name).await?;
    view.id
        .parse()
        .map_err(|_| CliError::failure("the server answered with an identifier that is none"))
}
