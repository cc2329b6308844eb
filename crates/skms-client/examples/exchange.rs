//! A key that is agreed on with the server, and one that is fetched, so that
//! whoever ends TLS in between sees neither (docs/exchange.md).
//!
//! Beside a server by `skms init`, whose settings have a client certificate:
//!
//!     SKMS_CONFIG=root.toml cargo run -p skms-client --example exchange
#![allow(clippy::print_stdout)] // It shows what it does.

use std::error::Error;

use skms_client::Client;
use skms_client::exchange::{Agreement, Distribution, KeyName, Party, Uses};
use skms_client::settings::{Overrides, Resolved};
use skms_client::wire::native::keys::CreateKeyRequest;

mod common;

const KEYRING: &str = "default";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = common::config()?;
    let identity = config.identity.as_ref().ok_or("no client certificate")?;
    // Not `config.ca_pem`: where somebody else ends TLS, that is theirs.
    let settings = Resolved::new(&Overrides::default(), |name| std::env::var(name).ok())?;
    let authority = settings.exchange_ca_file.ok_or("no authority to trust")?;
    let party = Party::from_pem(
        &identity.certificates_pem,
        &identity.private_key_pem,
        &std::fs::read(authority)?,
    )?;
    let namespace = config.namespace.clone();
    let client = Client::new(config)?;

    // Both sides have the key now, and the server uses it by its name.
    let wanted = Agreement {
        key: KeyName::new(&namespace, KEYRING, "example-session"),
        algorithm: "HMAC-SHA-256".to_owned(),
        uses: Uses::default(),
        lifetime_seconds: Some(3600),
    };
    let agreed = client.agree_on_key(&party, wanted).await?;
    println!(
        "agreed on {} bytes, here and at the server as {}",
        agreed.key.expose().len(),
        agreed.view.name,
    );

    // A key that was made there, sealed to an ephemeral key of this client.
    let exportable = CreateKeyRequest {
        name: "example-leaves".to_owned(),
        algorithm: Some("AES-256-GCM".to_owned()),
        exportable: Some(true),
        ..CreateKeyRequest::default()
    };
    client.create_key(KEYRING, &exportable).await?;
    let wanted = Distribution {
        key: KeyName::new(&namespace, KEYRING, "example-leaves"),
        version: None,
    };
    let fetched = client.fetch_key(&party, wanted).await?;
    println!(
        "fetched version {} of {}, {} bytes",
        fetched.grant.version,
        fetched.grant.key.name,
        fetched.key.expose().len(),
    );
    Ok(())
}
