//! Unwraps a key that a version wrapped.

use skms_crypto::{EncryptOptions, OpenKey, SecretBytes};
use skms_keys::{Operation, VersionNumber};

use crate::act::act;
use crate::error::Result;
use crate::lineage::handed::Way;
use crate::operate::KeyOperation;

act!(Unwrap, KeyUnwrap, "Unwraps a key that a version wrapped.");

/// One wrapped key.
pub struct Request {
    /// The wrapped bytes.
    pub wrapped: Vec<u8>,
    /// The version that wrapped it.
    pub version: Option<VersionNumber>,
    /// The algorithm's choices, as when it was wrapped.
    pub options: EncryptOptions,
}

/// One unwrapped key.
pub struct Unwrapped {
    /// The key's bytes.
    pub key: SecretBytes,
    /// The version that unwrapped it.
    pub version: VersionNumber,
}

impl KeyOperation for Unwrap {
    const OPERATION: Operation = Operation::Unwrap;
    const HANDS_OUT: Option<Way> = Some(Way::UnwrappedBytes);
    type Request = Request;
    type Response = Unwrapped;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Unwrapped> {
        let key = key.unwrap(&request.wrapped, &request.options)?;
        Ok(Unwrapped { key, version })
    }
}
