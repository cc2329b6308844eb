//! Messages 1 and 2 as COSE_Sign1: `skms-pki`'s, with nothing left to choose.

use skms_pki::documents::DocumentError;
use skms_pki::documents::cose::{Sign1, UnsignedSign1, plan_with};
use skms_pki::issue::SigningScheme;

use crate::error::{Error, Message, Result};
use crate::identity::{Identity, MAX_CHAIN, accepted};
use crate::schedule::label;

/// Bytes of the longest message 1 or 2.
pub(crate) const MAX_MESSAGE: usize = 65_536;

/// A message that was read and whose signature was not checked yet.
pub(crate) struct Envelope(Sign1);

impl Envelope {
    pub(crate) fn read(message: &[u8]) -> Result<Self> {
        if message.len() > MAX_MESSAGE {
            return Err(Error::TooLong { limit: MAX_MESSAGE });
        }
        let read = Sign1::from_cbor(message).map_err(|error| match error {
            DocumentError::Algorithm(_) => Error::SignatureAlgorithm,
            _ => Error::Malformed("not a COSE_Sign1"),
        })?;
        if !read.is_plain() {
            return Err(Error::Malformed("headers other than alg and x5chain"));
        }
        if !(1..=MAX_CHAIN).contains(&read.certificates().len()) {
            return Err(Error::Malformed("no certificate, or too many"));
        }
        Ok(Self(read))
    }

    /// The payload; none at all where it is elsewhere, which is no map.
    pub(crate) fn payload(&self) -> &[u8] {
        self.0.content().unwrap_or_default()
    }

    pub(crate) fn chain(&self) -> &[Vec<u8>] {
        self.0.certificates()
    }

    /// Whether it was signed by the key of a certificate.
    pub(crate) fn check(&self, certificate: &[u8], message: Message) -> Result<()> {
        let certificate = skms_pki::Certificate::from_der(certificate)
            .map_err(|_| Error::Malformed("a certificate that is none"))?;
        let label = label(message).as_bytes();
        let scheme = self
            .0
            .check_with(certificate.public_key().der, None, label)
            .map_err(|error| match error {
                DocumentError::Algorithm(_) => Error::SignatureAlgorithm,
                _ => Error::Signature,
            })?;
        match accepted(scheme) {
            true => Ok(()),
            false => Err(Error::SignatureAlgorithm),
        }
    }
}

/// A message that is to be signed.
pub(crate) struct Unsigned(UnsignedSign1);

impl Unsigned {
    pub(crate) fn plan(identity: &Identity, payload: &[u8], message: Message) -> Result<Self> {
        let label = label(message).as_bytes();
        plan_with(identity.signer(), payload, label)
            .map(Self)
            .map_err(|_| Error::Input("a scheme that the exchange does not have"))
    }

    pub(crate) fn tbs(&self) -> &[u8] {
        self.0.tbs()
    }

    pub(crate) fn scheme(&self) -> SigningScheme {
        self.0.scheme()
    }

    pub(crate) fn signed(self, signature: &[u8]) -> Result<Vec<u8>> {
        let message = self
            .0
            .signed(signature, false)
            .map_err(|_| Error::Own("the signature is not the identity key's"))?;
        match message.len() {
            ..=MAX_MESSAGE => Ok(message),
            _ => Err(Error::TooLong { limit: MAX_MESSAGE }),
        }
    }
}
