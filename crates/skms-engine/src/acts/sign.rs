//! Signs a message or its digest.

use skms_crypto::{OpenKey, SignOptions};
use skms_keys::{Operation, VersionNumber};

use crate::act::act;
use crate::error::Result;
use crate::operate::KeyOperation;

act!(Sign, KeySign, "Signs a message or its digest.");

use super::payload::Payload;

/// One message.
pub struct Request {
    /// What to sign.
    pub payload: Payload,
    /// The version to use; the newest active one by default.
    pub version: Option<VersionNumber>,
    /// The scheme's choices.
    pub options: SignOptions,
}

/// One signature.
pub struct Signed {
    /// In the encoding asked for.
    pub signature: Vec<u8>,
    /// The version that made it.
    pub version: VersionNumber,
}

impl KeyOperation for Sign {
    const OPERATION: Operation = Operation::Sign;
    const SIGNS: bool = true;
    type Request = Request;
    type Response = Signed;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Signed> {
        let signature = key.sign(request.payload.message(), &request.options)?;
        Ok(Signed { signature, version })
    }
}
