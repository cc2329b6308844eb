//! The server that the settings name.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use skms_client::file::{FileKey, KeyId, Wrapped, associated_data};
use skms_client::settings::{Overrides, Resolved, Token};
use skms_client::wire::native::operations::{DecryptRequest, EncryptRequest};
use skms_client::wire::{Bytes, SecretB64, SecretText};
use skms_client::{Client, Config, Identity};
use tokio::runtime::{Builder, Runtime};
use zeroize::Zeroizing;

/// The longest certificate, key or token file read, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Why a key could not be used, in words for whoever called age.
pub type Reason = String;

/// What wraps and unwraps file keys. The server does; tests have another.
pub trait Keys {
    /// Wraps a file key under a key of this identifier.
    fn wrap(&mut self, key: KeyId, file_key: &FileKey) -> Result<Wrapped, Reason>;
    /// Unwraps.
    fn unwrap(&mut self, wrapped: &Wrapped) -> Result<FileKey, Reason>;
}

/// The server, connected to when it is needed first.
#[derive(Default)]
pub struct Server(Option<(Runtime, Client)>);

impl Keys for Server {
    fn wrap(&mut self, key: KeyId, file_key: &FileKey) -> Result<Wrapped, Reason> {
        let request = EncryptRequest {
            plaintext: SecretB64::new(file_key.expose().to_vec()),
            associated_data: Some(Bytes::new(associated_data(None))),
            ..EncryptRequest::default()
        };
        let (runtime, client) = self.connected()?;
        let answer = runtime
            .block_on(client.encrypt("-", &key.to_string(), &request))
            .map_err(|error| told(&key, &error))?;
        Ok(Wrapped {
            key,
            ciphertext: answer.ciphertext,
        })
    }

    fn unwrap(&mut self, wrapped: &Wrapped) -> Result<FileKey, Reason> {
        let request = DecryptRequest {
            ciphertext: wrapped.ciphertext.clone(),
            associated_data: Some(Bytes::new(associated_data(None))),
            oaep_hash: None,
            oaep_mgf_hash: None,
        };
        let (runtime, client) = self.connected()?;
        let answer = runtime
            .block_on(client.decrypt("-", &wrapped.key.to_string(), &request))
            .map_err(|error| told(&wrapped.key, &error))?;
        FileKey::from_bytes(answer.plaintext.expose()).map_err(|error| error.to_string())
    }
}

impl Server {
    fn connected(&mut self) -> Result<(&Runtime, &Client), Reason> {
        if self.0.is_none() {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| format!("cannot start a runtime: {error}"))?;
            let client = Client::new(config()?).map_err(|error| causes(&error))?;
            self.0 = Some((runtime, client));
        }
        let (runtime, client) = self.0.as_ref().ok_or("not connected")?;
        Ok((runtime, client))
    }
}

/// From environment and configuration file.
fn config() -> Result<Config, Reason> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let resolved =
        Resolved::new(&Overrides::default(), variable).map_err(|error| causes(&error))?;
    let address = resolved.address.parse().map_err(|error| causes(&error))?;
    let mut config = Config::new(address);
    config.namespace = resolved.namespace;
    if let Some(path) = &resolved.ca_file {
        config.ca_pem = Some(read(path)?.to_vec());
    }
    config.token = match resolved.token {
        Some(Token::Text(token)) => Some(token),
        Some(Token::File(path)) => Some(token(&path)?),
        None => None,
    };
    if let Some((certificate, key)) = &resolved.identity {
        config.identity = Some(Identity {
            certificates_pem: read(certificate)?.to_vec(),
            private_key_pem: read(key)?,
        });
    }
    Ok(config)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Reason> {
    let mut bytes = Zeroizing::new(Vec::new());
    fs::File::open(path)
        .and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(bytes)
}

/// The file's one line.
fn token(path: &Path) -> Result<SecretText, Reason> {
    let bytes = read(path)?;
    match std::str::from_utf8(&bytes).map(|text| text.trim_end_matches(['\r', '\n'])) {
        Ok(text) if !text.is_empty() && !text.contains('\n') => Ok(SecretText::new(text.into())),
        _ => Err(format!("{} is no token's file", path.display())),
    }
}

fn told(key: &KeyId, error: &skms_client::Error) -> Reason {
    format!("key {key}: {}", causes(error))
}

/// An error and what caused it, in one line.
fn causes(error: &dyn std::error::Error) -> Reason {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}
