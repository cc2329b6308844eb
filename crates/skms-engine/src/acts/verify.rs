//! Verifies a signature by a version of a key.

use skms_crypto::{OpenKey, SignOptions};
use skms_keys::{Operation, VersionNumber};

use crate::act::act;
use crate::error::Result;
use crate::operate::KeyOperation;

act!(
    Verify,
    KeyVerify,
    "Verifies a signature by a version of a key."
);

use super::payload::Payload;

/// One signature and what it is over.
pub struct Request {
    /// What was signed.
    pub payload: Payload,
    /// The signature.
    pub signature: Vec<u8>,
    /// The version that made it; the newest by default.
    pub version: Option<VersionNumber>,
    /// The scheme's choices, as when it was signed.
    pub options: SignOptions,
}

/// Whether a signature is right.
pub struct Verified {
    /// Whether it is.
    pub valid: bool,
    /// The version that was asked.
    pub version: VersionNumber,
}

impl KeyOperation for Verify {
    const OPERATION: Operation = Operation::Verify;
    type Request = Request;
    type Response = Verified;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Verified> {
        let valid = key.verify(
            request.payload.message(),
            &request.signature,
            &request.options,
        )?;
        Ok(Verified { valid, version })
    }
}
