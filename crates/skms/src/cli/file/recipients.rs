//! Whom a file is encrypted for.

use std::path::{Path, PathBuf};

use clap::Args;
use skms_client::Client;
use skms_client::file::{FileKey, KeyId, Stanza, Wrapped, X25519Recipient, associated_data};
use skms_wire::native::operations::{DataKeyRequest, EncryptRequest};
use skms_wire::{Bytes, SecretB64};

use super::KEYS_MAX;
use crate::cli::error::{CliError, Result};
use crate::cli::keyname::KeyName;
use crate::cli::{Global, input};

/// The longest file of recipients that is read, in bytes.
const LIST_MAX: u64 = 1 << 20;

/// Whom a file is for.
#[derive(Debug, Args)]
pub struct Recipients {
    /// A key of the server: KEYRING/NAME or NAME; may be given several times
    #[arg(long = "key", short = 'k', value_name = "KEY")]
    keys: Vec<KeyName>,
    /// A recipient: `age1…`, or `age1skms1…` for a key of the server
    #[arg(long = "recipient", short = 'r', value_name = "RECIPIENT")]
    recipients: Vec<String>,
    /// A file with a recipient a line
    #[arg(long = "recipients-file", short = 'R', value_name = "FILE")]
    lists: Vec<PathBuf>,
}

/// One that is not a key by name.
enum Other {
    Server(KeyId),
    X25519(X25519Recipient),
}

impl Recipients {
    /// For one key, and something bound to its data key besides.
    pub fn key(key: KeyName) -> Self {
        Self {
            keys: vec![key],
            recipients: Vec::new(),
            lists: Vec::new(),
        }
    }

    /// A file key, and what the header says to each recipient: one request for
    /// each key of the server, none for the others.
    pub async fn wrap(
        &self,
        global: &Global,
        bound: Option<&[u8]>,
    ) -> Result<(FileKey, Vec<Stanza>)> {
        let others = self.others()?;
        if self.keys.is_empty() && others.is_empty() {
            return Err(CliError::usage("nobody is named who could open the file")
                .hint("add --key NAME or --recipient age1…"));
        }
        let server = |other: &&Other| matches!(other, Other::Server(_));
        if self.keys.len() + others.iter().filter(server).count() > KEYS_MAX {
            return Err(CliError::usage(format!(
                "a file is for at most {KEYS_MAX} keys of the server"
            )));
        }
        let mut client = None;
        let mut stanzas = Vec::new();
        let mut file_key = None;
        for key in &self.keys {
            let client = connect(&mut client, global)?;
            match &file_key {
                None => {
                    let (made, wrapped) = first(client, key, bound).await?;
                    stanzas.push(wrapped.stanza());
                    file_key = Some(made);
                }
                Some(file_key) => {
                    let id = client.key(&key.keyring, &key.name).await?.id;
                    let wrapped = further(client, id_of(&id)?, file_key, bound).await?;
                    stanzas.push(wrapped.stanza());
                }
            }
        }
        let file_key = match file_key {
            Some(key) => key,
            None => FileKey::draw().map_err(|error| CliError::failure(error.to_string()))?,
        };
        for other in others {
            stanzas.push(match other {
                Other::Server(id) => {
                    let client = connect(&mut client, global)?;
                    further(client, id, &file_key, bound).await?.stanza()
                }
                Other::X25519(recipient) => recipient
                    .wrap(&file_key)
                    .map_err(|error| CliError::usage(error.to_string()))?,
            });
        }
        Ok((file_key, stanzas))
    }

    fn others(&self) -> Result<Vec<Other>> {
        let mut others = Vec::new();
        for text in &self.recipients {
            others.push(other(text, "--recipient")?);
        }
        for list in &self.lists {
            let text = input::read_text(list, LIST_MAX)?;
            for (number, line) in (1..).zip(text.lines()) {
                let line = line.trim();
                if !line.is_empty() && !line.starts_with('#') {
                    others.push(other(line, &place(list, number))?);
                }
            }
        }
        Ok(others)
    }
}

fn place(path: &Path, line: u32) -> String {
    format!("{}, line {line}", input::name(path))
}

fn other(text: &str, place: &str) -> Result<Other> {
    let read = if KeyId::is_recipient(text) {
        KeyId::from_recipient(text).map(Other::Server)
    } else {
        text.parse().map(Other::X25519)
    };
    read.map_err(|error| {
        CliError::usage(format!("{place}: {error}"))
            .hint("age1… (X25519) and age1skms1… are understood; `age` itself takes more kinds")
    })
}

fn connect<'a>(client: &'a mut Option<Client>, global: &Global) -> Result<&'a Client> {
    Ok(match client {
        Some(client) => client,
        None => client.insert(global.client()?),
    })
}

fn id_of(text: &str) -> Result<KeyId> {
    text.parse()
        .map_err(|_| CliError::failure("the server answered with an identifier that is none"))
}

/// The first key's server draws the file key, names the key and wraps it, in
/// one request.
async fn first(client: &Client, key: &KeyName, bound: Option<&[u8]>) -> Result<(FileKey, Wrapped)> {
    let request = DataKeyRequest {
        length_bytes: Some(FileKey::LENGTH as u32),
        plaintext: Some(true),
        associated_data: Some(Bytes::new(associated_data(bound))),
    };
    let answer = client.data_key(&key.keyring, &key.name, &request).await?;
    let (Some(plaintext), Some(id)) = (answer.plaintext, answer.key_id) else {
        return Err(CliError::failure(
            "the server left out the data key or its key",
        ));
    };
    let file_key = FileKey::from_bytes(plaintext.expose())
        .map_err(|_| CliError::failure("the server's data key has another length"))?;
    let wrapped = Wrapped {
        key: id_of(&id)?,
        ciphertext: answer.ciphertext,
    };
    Ok((file_key, wrapped))
}

async fn further(
    client: &Client,
    id: KeyId,
    file_key: &FileKey,
    bound: Option<&[u8]>,
) -> Result<Wrapped> {
    let request = EncryptRequest {
        plaintext: SecretB64::new(file_key.expose().to_vec()),
        associated_data: Some(Bytes::new(associated_data(bound))),
        ..EncryptRequest::default()
    };
    let answer = client.encrypt("-", &id.to_string(), &request).await?;
    Ok(Wrapped {
        key: id,
        ciphertext: answer.ciphertext,
    })
}
