//! A key's life: made, used, rotated, revoked.
//!
//! Beside a server by `skms init`:
//!
//!     SKMS_CONFIG=root.toml cargo run -p skms-client --example keys
#![allow(clippy::print_stdout)] // It shows what it does.

use std::error::Error;

use skms_client::Client;
use skms_client::wire::SecretB64;
use skms_client::wire::native::ProblemKind;
use skms_client::wire::native::keys::{CreateKeyRequest, RevokeRequest, RotateRequest};
use skms_client::wire::native::operations::{DecryptRequest, EncryptRequest};
use skms_client::wire::native::terms::RevocationReason;

mod common;

const KEYRING: &str = "default";
const KEY: &str = "example-orders";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(common::config()?)?;

    let wanted = CreateKeyRequest {
        name: KEY.to_owned(),
        algorithm: Some("AES-256-GCM".to_owned()),
        ..CreateKeyRequest::default()
    };
    client.create_key(KEYRING, &wanted).await?;

    let encrypt = EncryptRequest {
        plaintext: SecretB64::new(b"4111 1111 1111 1111".to_vec()),
        ..EncryptRequest::default()
    };
    let sealed = client.encrypt(KEYRING, KEY, &encrypt).await?;
    println!("encrypted: {}", sealed.ciphertext);

    // What was encrypted before a rotation still opens after it.
    let rotate = RotateRequest::default();
    client.rotate_key(KEYRING, KEY, &rotate).await?;
    let decrypt = DecryptRequest {
        ciphertext: sealed.ciphertext,
        associated_data: None,
        oaep_hash: None,
        oaep_mgf_hash: None,
    };
    let opened = client.decrypt(KEYRING, KEY, &decrypt).await?;
    assert_eq!(opened.plaintext.expose(), b"4111 1111 1111 1111");
    println!("decrypted after a rotation");

    // When this has returned, no use of the key succeeds any more.
    let revoke = RevokeRequest {
        reason: RevocationReason::KeyCompromise,
        version: None,
        message: Some("an example".to_owned()),
        occurred_at: None,
    };
    client.revoke_key(KEYRING, KEY, &revoke).await?;
    match client.encrypt(KEYRING, KEY, &encrypt).await {
        Err(skms_client::Error::Problem(problem))
            if problem.kind() == Some(ProblemKind::WrongState) =>
        {
            println!("refused after the revocation: {}", problem.title);
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Err("a revoked key was used".into()),
    }
}
