//! A message that is sealed to a principal and opened by it, past the server
//! (docs/sealing.md). One principal is both here.
//!
//! Beside a server by `skms init`, whose settings have a client certificate:
//!
//!     SKMS_CONFIG=root.toml cargo run -p skms-client --example sealing
#![allow(clippy::print_stdout)] // It shows what it does.

use std::error::Error;

use skms_client::Client;
use skms_client::sealing::{
    Algorithm, Correspondent, KeyMaterial, Opening, Recipient, SealingKey, suite,
};
use skms_client::settings::{Overrides, Resolved};
use skms_client::wire::Bytes;
use skms_client::wire::native::directory::PublishStatementRequest;

mod common;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = common::config()?;
    let identity = config.identity.as_ref().ok_or("no client certificate")?;
    let (certificates, key) = (
        identity.certificates_pem.clone(),
        identity.private_key_pem.clone(),
    );
    let settings = Resolved::new(&Overrides::default(), |name| std::env::var(name).ok())?;
    let server = settings.exchange_ca_file.ok_or("no authority to trust")?;
    let client = Client::new(config)?;
    // Who the others are is for their authority to say, and for somebody one
    // trusts to say which that is; here the server is trusted with it.
    let admins = client.authority("admins").await?;
    let anchor = &admins.issuers.first().ok_or("no authority")?.certificate;
    let server = std::fs::read(server)?;
    let me = Correspondent::from_pem(&certificates, &key, &server, anchor.as_bytes())?;

    // The key stays here; its statement is kept beside it, and published.
    let key = SealingKey::new(&KeyMaterial::generate(Algorithm::XWing)?)?;
    let statement = me.state(&key, 86_400)?;
    let published = PublishStatementRequest {
        statement: Bytes::new(statement.clone()),
    };
    client.publish_statement(&published).await?;

    let sealed = client.seal_to(&me, "admin", &suite::POST_QUANTUM, b"a letter");
    let (message, _) = sealed.await?;
    println!("sealed a letter in {} bytes", message.len());

    let recipient = Recipient::new(key, &[statement])?;
    let opened = client.open_message(&me, &recipient, &message, Opening::default());
    let opened = opened.await?;
    println!(
        "opened {} bytes from {}",
        opened.content.expose().len(),
        opened.sender.name(),
    );
    Ok(())
}
