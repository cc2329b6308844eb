//! `skms key agree`.

use std::path::PathBuf;

use clap::Args;
use skms_wire::Bytes;
use skms_wire::native::keys::AgreeKeyRequest;
use skms_wire::native::terms::KeyFormat;

use super::create::Properties;
use crate::cli::Global;
use crate::cli::error::{CliError, Result};
use crate::cli::keyname::KeyName;
use crate::cli::{input, output};

/// The longest salt or public key read, in bytes.
const PUBLIC_MAX: u64 = 16 * 1024;

/// Make a key that is agreed on with a peer by Diffie-Hellman (ECDH, X25519,
/// finite-field): neither our private share nor the new key leaves the server.
/// The peer derives the same key as docs/agreement.md says.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    skms key create dh --algorithm X25519\n  \
    skms key public dh -o ours.pem\n  \
    skms key agree orders --with dh --peer bob.pem --peer-party bob@example.org \
    --algorithm AES-256-GCM")]
pub struct Agree {
    /// The new key: KEYRING/NAME or NAME
    key: KeyName,
    /// Our key that agrees: KEYRING/NAME or NAME
    #[arg(long, value_name = "KEY")]
    with: KeyName,
    /// The peer's public key (PEM, DER or JWK)
    #[arg(long, value_name = "FILE")]
    peer: PathBuf,
    /// Who the peer is
    #[arg(long, value_name = "NAME")]
    peer_party: String,
    /// Who we are; skms:NAMESPACE/KEYRING/NAME of our key if left out
    #[arg(long, value_name = "NAME")]
    own_party: Option<String>,
    /// How the public key is written; found out if left out
    #[arg(long, value_name = "FORMAT")]
    peer_format: Option<KeyFormat>,
    /// Our key's version; the newest if left out
    #[arg(long, value_name = "NUMBER")]
    with_version: Option<u32>,
    /// The hash under HKDF: SHA-256 if left out, SHA-384 or SHA-512
    #[arg(long, value_name = "NAME")]
    hash: Option<String>,
    /// A file with the salt
    #[arg(long, value_name = "FILE")]
    salt_file: Option<PathBuf>,
    #[command(flatten)]
    properties: Properties,
}

impl Agree {
    /// Agrees.
    pub async fn run(self, global: &Global) -> Result<()> {
        let properties = self.properties;
        let salt = self.salt_file.as_deref().map(public).transpose()?;
        let request = AgreeKeyRequest {
            peer_public_key: public(&self.peer)?,
            peer_format: self.peer_format,
            peer_party: self.peer_party,
            own_party: self.own_party,
            hash: self.hash,
            salt,
            version: self.with_version,
            keyring: Some(self.key.keyring),
            name: self.key.name,
            algorithm: properties.algorithm,
            uses: (!properties.uses.is_empty()).then_some(properties.uses),
            exportable: properties.exportable.then_some(true),
            owner: properties.owner,
            tags: properties.tag.into_iter().collect(),
            rules: properties.rules.rules()?,
        };
        let with = &self.with;
        let client = global.client()?;
        let work = client.agree_key(&with.keyring, &with.name, &request);
        let agreed = work.await?;
        global.show(&agreed, |agreed| {
            let key = &agreed.key;
            output::fields(&[
                ("agreed on", format!("{}/{}", key.keyring, key.name)),
                ("algorithm", key.algorithm.clone()),
                (
                    "with",
                    format!("{}/{} version {}", with.keyring, with.name, agreed.version),
                ),
                ("own party", agreed.own_party.clone()),
                ("fixed info", agreed.fixed_info.to_base64()),
            ])
        })
    }
}

fn public(path: &std::path::Path) -> Result<Bytes> {
    let mut bytes = input::read(path, PUBLIC_MAX)?;
    // It would be on its way to the server already when that refuses it.
    if bytes.windows(11).any(|part| part == b"PRIVATE KEY") {
        return Err(CliError::usage(format!(
            "{} has a private key: the peer's public key is asked for",
            path.display()
        )));
    }
    Ok(Bytes::new(std::mem::take(&mut *bytes)))
}
