//! Wraps a key that the caller hands in.

use skms_crypto::{EncryptOptions, OpenKey, SecretBytes};
use skms_keys::{Operation, VersionNumber, counted_bytes};

use crate::act::act;
use crate::error::Result;
use crate::operate::KeyOperation;

act!(Wrap, KeyWrap, "Wraps a key that the caller hands in.");

/// One key to wrap.
pub struct Request {
    /// The key's bytes.
    pub key: SecretBytes,
    /// The version to use; the newest active one by default.
    pub version: Option<VersionNumber>,
    /// The algorithm's choices.
    pub options: EncryptOptions,
}

/// One wrapped key.
pub struct Wrapped {
    /// RFC 3394, RFC 5649 or RSA-OAEP output, by the key's algorithm.
    pub wrapped: Vec<u8>,
    /// The version that wrapped it.
    pub version: VersionNumber,
}

impl KeyOperation for Wrap {
    const OPERATION: Operation = Operation::Wrap;
    type Request = Request;
    type Response = Wrapped;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn bytes(request: &Request) -> u64 {
        counted_bytes(request.key.expose().len())
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Wrapped> {
        let wrapped = key.wrap(request.key.expose(), &request.options)?;
        Ok(Wrapped { wrapped, version })
    }
}
