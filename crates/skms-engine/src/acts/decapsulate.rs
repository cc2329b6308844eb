//! Recovers a shared secret from its encapsulation (FIPS 203).

use skms_crypto::{OpenKey, SecretBytes};
use skms_keys::{Operation, VersionNumber};

use crate::act::act;
use crate::error::Result;
use crate::operate::KeyOperation;

act!(
    Decapsulate,
    KeyDecapsulate,
    "Recovers a shared secret from its encapsulation (FIPS 203)."
);

/// One encapsulation.
pub struct Request {
    /// As the other side made it.
    pub ciphertext: Vec<u8>,
    /// The version it was made for; the newest by default.
    pub version: Option<VersionNumber>,
}

/// One shared secret.
pub struct Decapsulated {
    /// The shared secret.
    pub secret: SecretBytes,
    /// The version that opened it.
    pub version: VersionNumber,
}

impl KeyOperation for Decapsulate {
    const OPERATION: Operation = Operation::Decapsulate;
    type Request = Request;
    type Response = Decapsulated;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Decapsulated> {
        let secret = key.decapsulate(&request.ciphertext)?;
        Ok(Decapsulated { secret, version })
    }
}
