//! Derives bytes from a key with HKDF (RFC 5869).

use skms_crypto::{OpenKey, SecretBytes};
use skms_keys::{Operation, VersionNumber};

use crate::act::act;
use crate::error::Result;
use crate::lineage::handed::Way;
use crate::operate::KeyOperation;

act!(
    Derive,
    KeyDerive,
    "Derives bytes from a key with HKDF (RFC 5869)."
);

/// What to derive.
pub struct Request {
    /// HKDF's salt; may be empty.
    pub salt: Vec<u8>,
    /// HKDF's info: what the bytes are for.
    pub info: Vec<u8>,
    /// How many bytes, at most 255 times the hash's length.
    pub length: usize,
    /// The version to use; the newest active one by default.
    pub version: Option<VersionNumber>,
}

/// Derived bytes.
pub struct Derived {
    /// The bytes.
    pub secret: SecretBytes,
    /// The version they come from.
    pub version: VersionNumber,
}

impl KeyOperation for Derive {
    const OPERATION: Operation = Operation::Derive;
    const HANDS_OUT: Option<Way> = Some(Way::DerivedBytes);
    type Request = Request;
    type Response = Derived;

    fn version(request: &Request) -> Result<Option<VersionNumber>> {
        Ok(request.version)
    }

    fn perform(key: &OpenKey, version: VersionNumber, request: &Request) -> Result<Derived> {
        let secret = key.derive(&request.salt, &request.info, request.length)?;
        Ok(Derived { secret, version })
    }
}
