//! What is measured: one call for each operation.

use clap::ValueEnum;
use skms_client::Client;
use skms_wire::native::batch::{BatchItem, Results};
use skms_wire::native::keys::{CreateKeyRequest, Rules};
use skms_wire::native::operations::{
    DataKeyRequest, DecryptRequest, EncryptRequest, HashRequest, MacRequest, RandomRequest,
    SignRequest, VerifyRequest,
};
use skms_wire::native::terms::KeyUse;
use skms_wire::{Bytes, Ciphertext, SecretB64};

use crate::cli::error::{CliError, Result};

/// An operation that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// Encrypt data
    Encrypt,
    /// Decrypt a ciphertext
    Decrypt,
    /// Sign a message
    Sign,
    /// Verify a signature
    Verify,
    /// Make a MAC
    Mac,
    /// Make a data key
    Datakey,
    /// Make a key, which is removed afterwards
    Create,
    /// Draw random bytes
    Random,
    /// Hash data
    Hash,
}

impl Operation {
    /// Its name, and that of its route in the server's metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Mac => "mac",
            Self::Datakey => "datakey",
            Self::Create => "create",
            Self::Random => "random",
            Self::Hash => "hash",
        }
    }

    /// Whether it uses a key, which is then made for it.
    pub fn needs_key(self) -> bool {
        !matches!(self, Self::Create | Self::Random | Self::Hash)
    }

    /// Whether many items go into one request.
    pub fn takes_batches(self) -> bool {
        self.needs_key()
    }

    /// Whether `--algorithm` says anything.
    pub fn takes_algorithm(self) -> bool {
        self.needs_key() || matches!(self, Self::Create | Self::Hash)
    }

    /// The algorithm when nobody says.
    pub fn default_algorithm(self) -> Option<&'static str> {
        match self {
            Self::Encrypt | Self::Decrypt | Self::Datakey | Self::Create => Some("AES-256-GCM"),
            Self::Sign | Self::Verify => Some("EC-P256"),
            Self::Mac => Some("HMAC-SHA-256"),
            Self::Hash => Some("SHA-256"),
            Self::Random => None,
        }
    }

    /// What its key must be for; everything that fits where one use is none.
    fn uses(self) -> Option<Vec<KeyUse>> {
        match self {
            Self::Encrypt | Self::Decrypt => Some(vec![KeyUse::Encrypt, KeyUse::Decrypt]),
            Self::Sign | Self::Verify => Some(vec![KeyUse::Sign, KeyUse::Verify]),
            _ => None,
        }
    }

    /// A key for it, which may be destroyed at once.
    pub fn key(self, name: String, algorithm: Option<String>) -> CreateKeyRequest {
        CreateKeyRequest {
            name,
            algorithm,
            uses: self.uses(),
            rules: Some(Rules {
                destroy_window_seconds: Some(0),
                ..Rules::default()
            }),
            ..CreateKeyRequest::default()
        }
    }
}

/// A request, ready to be sent again and again.
pub enum Work {
    Encrypt(Vec<EncryptRequest>),
    Decrypt(Vec<DecryptRequest>),
    Sign(Vec<SignRequest>),
    Verify(Vec<VerifyRequest>),
    Mac(Vec<MacRequest>),
    Datakey(Vec<DataKeyRequest>),
    Random(RandomRequest),
    Hash(HashRequest),
    /// With the algorithm of the keys.
    Create(Option<String>),
}

/// Data of the wanted size; what it is does not matter.
fn data(size: usize) -> Vec<u8> {
    (0..size).map(|at| at.to_le_bytes()[0]).collect()
}

impl Work {
    /// Prepares what is sent, asking the server for what it needs: a
    /// ciphertext to decrypt, a signature to verify.
    pub async fn prepare(
        client: &Client,
        operation: Operation,
        (keyring, key): (&str, &str),
        algorithm: Option<String>,
        size: usize,
        batch: usize,
    ) -> Result<Self> {
        fn many<T>(batch: usize, item: impl Fn() -> T) -> Vec<T> {
            (0..batch).map(|_| item()).collect()
        }
        let bytes = || Bytes::new(data(size));
        let encrypt = || EncryptRequest {
            plaintext: SecretB64::new(data(size)),
            ..EncryptRequest::default()
        };
        let sign = || SignRequest {
            message: Some(bytes()),
            ..SignRequest::default()
        };
        Ok(match operation {
            Operation::Encrypt => Self::Encrypt(many(batch, encrypt)),
            Operation::Decrypt => {
                let made = client.encrypt(keyring, key, &encrypt()).await?;
                Self::Decrypt(many(batch, || DecryptRequest {
                    ciphertext: Ciphertext::clone(&made.ciphertext),
                    associated_data: None,
                    oaep_hash: None,
                    oaep_mgf_hash: None,
                }))
            }
            Operation::Sign => Self::Sign(many(batch, sign)),
            Operation::Verify => {
                let made = client.sign(keyring, key, &sign()).await?;
                Self::Verify(many(batch, || VerifyRequest {
                    message: Some(bytes()),
                    signature: made.signature.clone(),
                    ..VerifyRequest::default()
                }))
            }
            Operation::Mac => Self::Mac(many(batch, || MacRequest { data: bytes() })),
            Operation::Datakey => Self::Datakey(many(batch, DataKeyRequest::default)),
            Operation::Random => Self::Random(RandomRequest {
                length_bytes: Some(u32::try_from(size).unwrap_or(u32::MAX)),
            }),
            Operation::Hash => Self::Hash(HashRequest {
                data: bytes(),
                hash: algorithm,
            }),
            Operation::Create => Self::Create(algorithm),
        })
    }

    /// Sends it once. A key that is to be made gets this name.
    pub async fn once(
        &self,
        client: &Client,
        (keyring, key): (&str, &str),
        fresh: impl FnOnce() -> String,
    ) -> Result<()> {
        macro_rules! call {
            ($items:ident, $one:ident, $batch:ident) => {
                match $items.as_slice() {
                    [item] => client.$one(keyring, key, item).await.map(drop)?,
                    items => all(client.$batch(keyring, key, items).await?)?,
                }
            };
        }
        match self {
            Self::Encrypt(items) => call!(items, encrypt, encrypt_batch),
            Self::Decrypt(items) => call!(items, decrypt, decrypt_batch),
            Self::Sign(items) => call!(items, sign, sign_batch),
            Self::Verify(items) => match items.as_slice() {
                [item] => valid(client.verify(keyring, key, item).await?.valid)?,
                items => all(client.verify_batch(keyring, key, items).await?)?,
            },
            Self::Mac(items) => call!(items, mac, mac_batch),
            Self::Datakey(items) => call!(items, data_key, data_key_batch),
            Self::Random(request) => client.random(request).await.map(drop)?,
            Self::Hash(request) => client.hash(request).await.map(drop)?,
            Self::Create(algorithm) => {
                let request = Operation::Create.key(fresh(), algorithm.clone());
                client.create_key(keyring, &request).await.map(drop)?;
            }
        }
        Ok(())
    }
}

fn valid(valid: bool) -> Result<()> {
    match valid {
        true => Ok(()),
        false => Err(CliError::failure(
            "the server calls its own signature invalid",
        )),
    }
}

/// Fails if one item of a batch did.
fn all<T>(results: Results<T>) -> Result<()> {
    for item in results.results {
        if let BatchItem::Problem(problem) = item {
            return Err(skms_client::Error::Problem(Box::new(problem)).into());
        }
    }
    Ok(())
}
