//! A file in the age format within a list: its header is made anew with the
//! file key encrypted by the newest version, and its payload stays as it is.

use skms_client::Client;
use skms_client::file::{FileKey, Header, MAGIC, Stanza, Wrapped, associated_data};
use skms_wire::native::ProblemKind;
use skms_wire::native::jobs::JobItem;
use skms_wire::native::operations::DecryptRequest;
use skms_wire::{Bytes, Ciphertext};
use zeroize::Zeroizing;

use super::line;
use crate::cli::error::{CliError, Result};
use crate::cli::keyname::KeyName;

/// The longest header, in bytes, as the format's reader has it.
pub const HEADER_MAX: usize = 1 << 20;

/// A header that has one file key encrypted by our key.
pub struct Head {
    header: Header,
    at: usize,
    pub wrapped: Wrapped,
}

impl Head {
    /// Reads it; `raw` is what stands before the payload.
    ///
    /// # Errors
    /// What is wrong with it, for the report.
    pub fn read(mut raw: &[u8], key_id: &str) -> std::result::Result<Self, String> {
        if !raw.starts_with(MAGIC) {
            return Err("an age file in armor: take that off first".to_owned());
        }
        let header = Header::read(&mut raw).map_err(|error| error.to_string())?;
        let mut ours = None;
        for (at, stanza) in header.stanzas.iter().enumerate() {
            let wrapped = Wrapped::read(stanza).map_err(|error| error.to_string())?;
            let Some(wrapped) = wrapped.filter(|one| one.key.to_string() == key_id) else {
                continue;
            };
            if ours.replace((at, wrapped)).is_some() {
                return Err("an age file that has this key twice".to_owned());
            }
        }
        let (at, wrapped) = ours.ok_or("an age file for others: this key is not among them")?;
        Ok(Self {
            header,
            at,
            wrapped,
        })
    }

    /// The file key, if its ciphertext opens now; and that the header is what it
    /// was.
    ///
    /// # Errors
    /// What is wrong with the header, for the report, in the second.
    pub async fn open(
        &self,
        (client, key): (&Client, &KeyName),
        ciphertext: &Ciphertext,
        bound: Option<&[u8]>,
    ) -> Result<std::result::Result<Option<FileKey>, String>> {
        let request = DecryptRequest {
            ciphertext: ciphertext.clone(),
            associated_data: Some(Bytes::new(associated_data(bound))),
            oaep_hash: None,
            oaep_mgf_hash: None,
        };
        let opened = match client.decrypt(&key.keyring, &key.name, &request).await {
            Ok(opened) => opened,
            // The job says what is the matter with it.
            Err(error)
                if matches!(
                    error.problem_kind(),
                    Some(
                        ProblemKind::DecryptionFailed
                            | ProblemKind::NotFound
                            | ProblemKind::WrongState
                            | ProblemKind::CompromisedAncestor
                    )
                ) =>
            {
                return Ok(Ok(None));
            }
            Err(error) => return Err(error.into()),
        };
        let bytes = Zeroizing::new(opened.plaintext.expose().to_vec());
        let Ok(file_key) = FileKey::from_bytes(&bytes) else {
            return Ok(Err("what it encrypted is no file key".to_owned()));
        };
        Ok(match self.header.verify(&file_key) {
            Ok(()) => Ok(Some(file_key)),
            Err(error) => Err(error.to_string()),
        })
    }

    /// As a job takes it.
    pub fn item(&self, called: &str, bound: Option<&[u8]>) -> JobItem {
        JobItem {
            id: Some(line::short(called)),
            ciphertext: Some(self.wrapped.ciphertext.clone()),
            associated_data: Some(Bytes::new(associated_data(bound))),
            ..JobItem::default()
        }
    }

    /// The header with another ciphertext of the same file key.
    pub fn with(&self, ciphertext: Ciphertext, file_key: &FileKey) -> Result<Vec<u8>> {
        let new = Wrapped {
            key: self.wrapped.key,
            ciphertext,
        };
        let mut stanzas: Vec<Stanza> = self.header.stanzas.clone();
        if let Some(stanza) = stanzas.get_mut(self.at) {
            *stanza = new.stanza();
        }
        let written = Header::write(&stanzas, file_key);
        written.map_err(|error| CliError::failure(error.to_string()))
    }
}
