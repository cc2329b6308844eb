//! Decrypts data that a version of a key encrypted.

use skms_crypto::{EncryptOptions, OpenKey, SecretBytes};
use skms_keys::{Operation, VersionNumber};

use crate::act::act;
use crate::error::Result;
use crate::operate::KeyOperation;

act!(
    Decrypt,
    KeyDecrypt,
    "Decrypts data that a version of a key encrypted."
);

/// One ciphertext.
pub struct Request {
    /// As [`super::encrypt::Encrypted`] gave it.
    pub ciphertext: Vec<u8>,
    /// What was bound to it.
    pub associated_data: Vec<u8>,
    /// The version that made it.
    pub version: VersionNumber,
    /// The algorithm's choices, as when it was encrypted.
    pub options: EncryptOptions,
}

/// One plaintext.
pub struct Decrypted {
    /// What was encrypted.
    pub plaintext: SecretBytes,
    /// The version that had encrypted it.
    pub version: VersionNumber,
}

impl KeyOperation for Decrypt {
    const OPERATION: Operation = Operation::Decrypt;
    type Request = Request;
    type Response = Decrypted;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(Some(request.version))
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Decrypted> {
        let plaintext = key.decrypt(
            &request.ciphertext,
            &request.associated_data,
            &request.options,
        )?;
        Ok(Decrypted { plaintext, version })
    }
}
