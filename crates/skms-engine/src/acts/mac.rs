//! Computes a message authentication code.

use skms_crypto::OpenKey;
use skms_keys::{Operation, VersionNumber};

use crate::act::act;
use crate::error::Result;
use crate::operate::KeyOperation;

act!(Mac, KeyMac, "Computes a message authentication code.");

/// One message.
pub struct Request {
    /// What to authenticate.
    pub data: Vec<u8>,
    /// The version to use; the newest active one by default.
    pub version: Option<VersionNumber>,
}

/// One tag.
pub struct Tagged {
    /// The full-length tag.
    pub tag: Vec<u8>,
    /// The version that made it.
    pub version: VersionNumber,
}

impl KeyOperation for Mac {
    const OPERATION: Operation = Operation::Mac;
    type Request = Request;
    type Response = Tagged;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Tagged> {
        let tag = key.mac(&request.data)?;
        Ok(Tagged { tag, version })
    }
}
