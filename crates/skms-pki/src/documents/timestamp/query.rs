//! TimeStampReq (RFC 3161, section 2.4.1).

use skms_crypto::Hash;

use crate::error::{In, Parse, Result};
use crate::issue::der;
use crate::oid::{Oid, OidBuf};
use crate::parse::cursor::{Cursor, small, tag};

use super::{DocumentError, Imprint, imprint};

/// The longest nonce, in bytes: what everybody's fit in many times over.
const NONCE_MAX: usize = 64;

/// A request for a time-stamp.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub(crate) imprint: Imprint<'a>,
    /// The policy that it asks for.
    pub policy: Option<Oid<'a>>,
    /// Its nonce: INTEGER contents.
    pub nonce: Option<&'a [u8]>,
    /// Whether the token is to have certificates.
    pub certificates: bool,
    /// Whether it has extensions: there are none that are known.
    pub extensions: bool,
}

impl<'a> Query<'a> {
    /// Reads a request from DER; nothing may follow it.
    ///
    /// # Errors
    /// [`crate::Error::Malformed`].
    pub fn from_der(der: &'a [u8]) -> Result<Self> {
        Self::parse(der).within("time-stamp request")
    }

    fn parse(der: &'a [u8]) -> Parse<Self> {
        let mut body = Cursor::only(der, tag::SEQUENCE)?;
        if small(body.take(tag::INTEGER)?.value)? != 1 {
            return Err("an unknown version");
        }
        let imprint = Imprint::read(&mut body)?;
        let policy = match body.peek() {
            Some(tag::OID) => Some(body.oid()?),
            _ => None,
        };
        let nonce = match body.peek() {
            Some(tag::INTEGER) => Some(body.integer()?),
            _ => None,
        };
        if nonce.is_some_and(|nonce| nonce.len() > NONCE_MAX) {
            return Err("a nonce that is too long");
        }
        let certificates = body.default_false()?;
        let extensions = body.optional(tag::constructed(0))?.is_some();
        body.end()?;
        Ok(Self {
            imprint,
            policy,
            nonce,
            certificates,
            extensions,
        })
    }

    /// The hash and the digest that are to be stamped.
    ///
    /// # Errors
    /// [`DocumentError::Algorithm`] for another hash than SHA-256, SHA-384 and
    /// SHA-512, [`DocumentError::Input`] for a digest of another length.
    pub fn digest(&self) -> std::result::Result<(Hash, &'a [u8]), DocumentError> {
        Ok((self.imprint.hash()?, self.imprint.digest))
    }
}

/// A request to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryBuf {
    /// The hash of the content.
    pub hash: Hash,
    /// The content's digest by it.
    pub digest: Vec<u8>,
    /// The policy that is asked for.
    pub policy: Option<OidBuf>,
    /// Random bytes that the answer has to repeat; read as a positive number.
    pub nonce: Option<[u8; 16]>,
    /// Whether the token is to have certificates.
    pub certificates: bool,
}

impl QueryBuf {
    /// Its DER.
    ///
    /// # Errors
    /// As for [`Query::digest`].
    pub fn to_der(&self) -> std::result::Result<Vec<u8>, DocumentError> {
        let policy = self.policy.as_ref().map(|policy| der::oid(policy.as_oid()));
        let nonce = self
            .nonce
            .map(|nonce| der::tlv(tag::INTEGER, &[&der::unsigned(&nonce)]));
        Ok(der::sequence(&[
            &der::integer(1),
            &imprint(self.hash, &self.digest)?,
            &policy.unwrap_or_default(),
            &nonce.unwrap_or_default(),
            &der::flag(tag::BOOLEAN, self.certificates),
        ]))
    }
}
