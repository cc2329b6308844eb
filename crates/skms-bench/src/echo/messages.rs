//! Messages of the product's shapes, written down again here: the server that
//! sets the scale must not change when the product does.

use serde::{Deserialize, Serialize};

/// One item of an encryption.
#[derive(Deserialize)]
pub struct Encrypt<'a> {
    pub plaintext: &'a str,
}

/// The answer to it.
#[derive(Serialize)]
pub struct Encrypted {
    pub ciphertext: String,
    pub version: u32,
}

/// A decryption.
#[derive(Deserialize)]
pub struct Decrypt<'a> {
    pub ciphertext: &'a str,
}

/// The answer to it.
#[derive(Serialize)]
pub struct Decrypted {
    pub plaintext: String,
    pub version: u32,
}

/// Many items.
#[derive(Deserialize)]
pub struct Batch<'a> {
    #[serde(borrow)]
    pub batch: Vec<Encrypt<'a>>,
}

/// The answers to them.
#[derive(Serialize)]
pub struct Results {
    pub results: Vec<Item>,
}

/// One of these answers.
#[derive(Serialize)]
pub struct Item {
    pub ok: Encrypted,
}

/// A signature.
#[derive(Deserialize)]
pub struct Sign<'a> {
    pub message: &'a str,
}

/// The answer to it.
#[derive(Serialize)]
pub struct Signed {
    pub signature: String,
    pub version: u32,
}

/// A new key.
#[derive(Deserialize)]
pub struct Create<'a> {
    pub name: &'a str,
    pub algorithm: &'a str,
}

/// The answer to it: the fields that the product answers with.
#[derive(Serialize)]
pub struct Created<'a> {
    pub key: Key<'a>,
    pub versions: [Version<'a>; 1],
}

/// A key in such an answer.
#[derive(Serialize)]
pub struct Key<'a> {
    pub id: &'a str,
    pub namespace: &'a str,
    pub keyring: &'a str,
    pub name: &'a str,
    pub algorithm: &'a str,
    pub uses: [&'a str; 2],
    pub state: &'a str,
    pub latest_version: u32,
    pub minimum_decrypt_version: u32,
    pub minimum_encrypt_version: u32,
    pub exportable: bool,
    pub owner: &'a str,
    pub created_at: &'a str,
}

/// Its version in such an answer.
#[derive(Serialize)]
pub struct Version<'a> {
    pub version: u32,
    pub state: &'a str,
    pub origin: &'a str,
    pub created_at: &'a str,
    pub activated_at: &'a str,
}
