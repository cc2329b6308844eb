//! Makes a fresh data key and encrypts it under a key: envelope encryption.

use skms_crypto::{EncryptOptions, OpenKey, SecretBytes, rand};
use skms_keys::{KeyId, Operation, VersionNumber, counted_bytes};

use crate::act::act;
use crate::error::Result;
use crate::lineage::handed::Way;
use crate::operate::KeyOperation;

act!(
    DataKey,
    KeyDatakey,
    "Makes a fresh data key and encrypts it under a key: envelope encryption."
);

/// What data key is wanted.
pub struct Request {
    /// Its length in bytes: 16, 24, 32 or 64.
    pub length: usize,
    /// Bound to the encrypted data key.
    pub associated_data: Vec<u8>,
    /// The version to use; the newest active one by default.
    pub version: Option<VersionNumber>,
    /// Whether the caller wants the data key itself as well.
    pub with_plaintext: bool,
}

/// A data key.
pub struct DataKeyMade {
    /// The data key, where it was asked for.
    pub plaintext: Option<SecretBytes>,
    /// The data key, encrypted; [`super::decrypt::Decrypt`] opens it.
    pub ciphertext: Vec<u8>,
    /// The version that encrypted it.
    pub version: VersionNumber,
    /// The key that encrypted it, by its lasting identifier.
    pub key: Option<KeyId>,
}

impl KeyOperation for DataKey {
    const OPERATION: Operation = Operation::DataKey;
    const NAMES_KEY: bool = true;
    const HANDS_OUT: Option<Way> = Some(Way::DataKeys);
    type Request = Request;
    type Response = DataKeyMade;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn bytes(request: &Request) -> u64 {
        let key = counted_bytes(request.length.min(64));
        key.saturating_add(counted_bytes(request.associated_data.len()))
    }

    fn name_key(made: &mut DataKeyMade, key: KeyId) {
        made.key = Some(key);
    }

    fn hands_out(made: &DataKeyMade) -> bool {
        made.plaintext.is_some()
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<DataKeyMade> {
        if ![16, 24, 32, 64].contains(&request.length) {
            return Err(crate::Error::Invalid(
                "a data key is 16, 24, 32 or 64 bytes long".into(),
            ));
        }
        let plaintext = rand::secret(request.length)?;
        let ciphertext = key.encrypt(
            plaintext.expose(),
            &request.associated_data,
            &EncryptOptions::default(),
        )?;
        Ok(DataKeyMade {
            plaintext: request.with_plaintext.then_some(plaintext),
            ciphertext,
            version,
            key: None,
        })
    }
}
