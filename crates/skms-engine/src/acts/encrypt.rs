//! Encrypts data under a key.

use skms_crypto::{EncryptOptions, OpenKey, SecretBytes};
use skms_keys::{Operation, VersionNumber, counted_bytes};

use crate::act::act;
use crate::error::Result;
use crate::operate::KeyOperation;

act!(Encrypt, KeyEncrypt, "Encrypts data under a key.");

/// One plaintext.
pub struct Request {
    /// What to encrypt, at most as long as the face lets in.
    pub plaintext: SecretBytes,
    /// Bound to the ciphertext, not part of it; the OAEP label for RSA.
    pub associated_data: Vec<u8>,
    /// The version to use; the newest active one by default.
    pub version: Option<VersionNumber>,
    /// The algorithm's choices.
    pub options: EncryptOptions,
}

/// One ciphertext.
pub struct Encrypted {
    /// Nonce ‖ ciphertext ‖ tag for an AEAD; one block for RSA-OAEP.
    pub ciphertext: Vec<u8>,
    /// The version that made it.
    pub version: VersionNumber,
}

impl KeyOperation for Encrypt {
    const OPERATION: Operation = Operation::Encrypt;
    type Request = Request;
    type Response = Encrypted;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn bytes(request: &Request) -> u64 {
        let text = counted_bytes(request.plaintext.expose().len());
        text.saturating_add(counted_bytes(request.associated_data.len()))
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Encrypted> {
        let ciphertext = key.encrypt(
            request.plaintext.expose(),
            &request.associated_data,
            &request.options,
        )?;
        Ok(Encrypted {
            ciphertext,
            version,
        })
    }
}
