//! Signed messages as COSE_Sign1: `skms-pki`'s, with nothing left to choose.

use skms_pki::documents::DocumentError;
use skms_pki::documents::cose::{Sign1, UnsignedSign1, plan_with};
use skms_pki::issue::SigningScheme;

use crate::error::{Error, Message, Result};
use crate::identity::{Identity, MAX_CHAIN, accepted};
use crate::schedule::label;

/// Bytes of the longest message 1 or 2, and of every other but what is sealed.
pub(crate) const MAX_MESSAGE: usize = 65_536;

/// A message that was read and whose signature was not checked yet.
pub(crate) struct Envelope(Sign1);

impl Envelope {
    pub(crate) fn read(message: &[u8]) -> Result<Self> {
        Self::read_within(message, MAX_MESSAGE)
    }

    /// The same for a message of another length.
    pub(crate) fn read_within(message: &[u8], limit: usize) -> Result<Self> {
        if message.len() > limit {
            return Err(Error::TooLong { limit });
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

    /// Whether it was signed by the key of a certificate, as that message.
    pub(crate) fn check(&self, certificate: &[u8], message: Message) -> Result<()> {
        self.check_labelled(certificate, label(message))
    }

    /// Whether it was signed by the key of a certificate, under a label.
    pub(crate) fn check_labelled(&self, certificate: &[u8], label: &str) -> Result<()> {
        let certificate = skms_pki::Certificate::from_der(certificate)
            .map_err(|_| Error::Malformed("a certificate that is none"))?;
        let scheme = self
            .0
            .check_with(certificate.public_key().der, None, label.as_bytes())
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
pub(crate) struct Unsigned {
    unsigned: UnsignedSign1,
    limit: usize,
}

impl Unsigned {
    pub(crate) fn plan(identity: &Identity, payload: &[u8], message: Message) -> Result<Self> {
        Self::plan_labelled(identity, payload, label(message), MAX_MESSAGE)
    }

    /// A message under another label, and of another length.
    pub(crate) fn plan_labelled(
        identity: &Identity,
        payload: &[u8],
        label: &str,
        limit: usize,
    ) -> Result<Self> {
        let unsigned = plan_with(identity.signer(), payload, label.as_bytes())
            .map_err(|_| Error::Input("a scheme that the exchange does not have"))?;
        Ok(Self { unsigned, limit })
    }

    pub(crate) fn tbs(&self) -> &[u8] {
        self.unsigned.tbs()
    }

    pub(crate) fn scheme(&self) -> SigningScheme {
        self.unsigned.scheme()
    }

    pub(crate) fn signed(self, signature: &[u8]) -> Result<Vec<u8>> {
        let limit = self.limit;
        let message = self
            .unsigned
            .signed(signature, false)
            .map_err(|_| Error::Own("the signature is not the identity key's"))?;
        match message.len() <= limit {
            true => Ok(message),
            false => Err(Error::TooLong { limit }),
        }
    }
}
