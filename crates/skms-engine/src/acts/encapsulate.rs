//! Makes a shared secret for the holder of a key (FIPS 203).

use skms_crypto::{OpenKey, SecretBytes};
use skms_keys::{Operation, VersionNumber};

use crate::act::act;
use crate::error::Result;
use crate::operate::KeyOperation;

act!(
    Encapsulate,
    KeyEncapsulate,
    "Makes a shared secret for the holder of a key (FIPS 203)."
);

/// For which version.
pub struct Request {
    /// The version to use; the newest active one by default.
    pub version: Option<VersionNumber>,
}

/// A shared secret and its encapsulation.
pub struct Encapsulated {
    /// For the key's holder.
    pub ciphertext: Vec<u8>,
    /// 32 bytes.
    pub secret: SecretBytes,
    /// The version it is for.
    pub version: VersionNumber,
}

impl KeyOperation for Encapsulate {
    const OPERATION: Operation = Operation::Encapsulate;
    type Request = Request;
    type Response = Encapsulated;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn perform(key: &OpenKey, version: VersionNumber, _request: &Request) -> Result<Encapsulated> {
        let (ciphertext, secret) = key.encapsulate()?;
        Ok(Encapsulated {
            ciphertext,
            secret,
            version,
        })
    }
}
