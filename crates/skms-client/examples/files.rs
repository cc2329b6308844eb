//! A file in the age format whose file key a key of the server wraps: one
//! request, however long the file is (docs/files.md).
//!
//!     SKMS_CONFIG=root.toml cargo run -p skms-client --example files
#![allow(clippy::print_stdout)] // It shows what it does.

use std::error::Error;

use skms_client::Client;
use skms_client::file::{FileKey, SealedFile, Wrapped, associated_data, seal};
use skms_client::wire::native::keys::CreateKeyRequest;
use skms_client::wire::native::operations::{DecryptRequest, EncryptRequest};
use skms_client::wire::{Bytes, SecretB64};

mod common;

const KEYRING: &str = "default";
const KEY: &str = "example-files";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(common::config()?)?;
    let wanted = CreateKeyRequest {
        name: KEY.to_owned(),
        algorithm: Some("AES-256-GCM".to_owned()),
        ..CreateKeyRequest::default()
    };
    let made = client.create_key(KEYRING, &wanted).await?;

    let file_key = FileKey::draw()?;
    let encrypt = EncryptRequest {
        plaintext: SecretB64::new(file_key.expose().to_vec()),
        associated_data: Some(Bytes::new(associated_data(None))),
        ..EncryptRequest::default()
    };
    let wrapped = client.encrypt(KEYRING, KEY, &encrypt).await?;
    let stanza = Wrapped {
        key: made.key.id.parse()?,
        ciphertext: wrapped.ciphertext,
    }
    .stanza();
    let plain = b"a row for each order\n".repeat(100_000);
    let mut file = Vec::new();
    seal(
        &file_key,
        &[stanza],
        &mut plain.as_slice(),
        &mut file,
        2,
        &|_| (),
    )?;
    println!("{} bytes became {}", plain.len(), file.len());

    let sealed = SealedFile::read(file.as_slice())?;
    let stanza = sealed.stanzas().first().ok_or("no recipient")?;
    let wrapped = Wrapped::read(stanza)?.ok_or("somebody else's file")?;
    let decrypt = DecryptRequest {
        ciphertext: wrapped.ciphertext,
        associated_data: Some(Bytes::new(associated_data(None))),
        oaep_hash: None,
        oaep_mgf_hash: None,
    };
    let opened = client.decrypt(KEYRING, KEY, &decrypt).await?;
    let file_key = FileKey::from_bytes(opened.plaintext.expose())?;
    let mut back = Vec::new();
    sealed.open(&file_key, &mut back, 2, &|_| ())?;
    assert_eq!(back, plain);
    println!("and came back");
    Ok(())
}
