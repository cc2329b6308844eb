//! Checks a message authentication code in constant time.

use skms_crypto::OpenKey;
use skms_keys::{Operation, VersionNumber};

use crate::act::act;
use crate::error::Result;
use crate::operate::KeyOperation;

act!(
    MacVerify,
    KeyMacVerify,
    "Checks a message authentication code in constant time."
);

/// One message and its tag.
pub struct Request {
    /// What was authenticated.
    pub data: Vec<u8>,
    /// The tag to check.
    pub tag: Vec<u8>,
    /// The version that made it; the newest by default.
    pub version: Option<VersionNumber>,
}

/// Whether a tag is right.
pub struct Verified {
    /// Whether it is.
    pub valid: bool,
    /// The version that was asked.
    pub version: VersionNumber,
}

impl KeyOperation for MacVerify {
    const OPERATION: Operation = Operation::MacVerify;
    type Request = Request;
    type Response = Verified;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Verified> {
        let valid = key.mac_verify(&request.data, &request.tag)?;
        Ok(Verified { valid, version })
    }
}
