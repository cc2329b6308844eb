//! Certificates (RFC 5280, section 4.1), borrowed from their DER.

use std::fmt;

use crate::error::{In, Parse, Result};
use crate::oid::{self, Oid};
use crate::parse::cursor::{Cursor, bit_string, tag, whole_bytes};
use crate::time::{self, Moment};

pub use crate::parse::extensions::{Extension, Extensions};
pub use crate::parse::general::{Form, GeneralName, GeneralNames};
pub use crate::parse::name::{Attribute, Name};
pub use crate::parse::values::{
    AccessDescriptions, AuthorityKeyIdentifier, BasicConstraints, DistributionPoint,
    DistributionPoints, KeyUsage, NameConstraints, PointName, Policies, PolicyConstraints,
    PolicyMappings, Purposes,
};

/// An AlgorithmIdentifier (RFC 5280, section 4.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgorithmId<'a> {
    /// Which algorithm.
    pub oid: Oid<'a>,
    /// Its parameters' DER, if there are any.
    pub parameters: Option<&'a [u8]>,
}

impl<'a> AlgorithmId<'a> {
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Parse<Self> {
        let mut body = cursor.sequence()?;
        let oid = body.oid()?;
        let parameters = if body.is_empty() {
            None
        } else {
            Some(body.any()?.whole)
        };
        body.end()?;
        Ok(Self { oid, parameters })
    }
}

/// A SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7), not yet judged.
#[derive(Clone, Copy, Debug)]
pub struct PublicKeyInfo<'a> {
    /// The whole structure's DER.
    pub der: &'a [u8],
    /// What kind of key.
    pub algorithm: AlgorithmId<'a>,
    /// The key: the BIT STRING's bytes.
    pub key: &'a [u8],
}

impl<'a> PublicKeyInfo<'a> {
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Parse<Self> {
        let tlv = cursor.take(tag::SEQUENCE)?;
        let mut body = Cursor::new(tlv.value);
        let algorithm = AlgorithmId::read(&mut body)?;
        let key = whole_bytes(body.take(tag::BIT_STRING)?.value)?;
        body.end()?;
        Ok(Self {
            der: tlv.whole,
            algorithm,
            key,
        })
    }
}

/// What was signed, how, and the signature: the frame around certificates,
/// lists, requests and responses.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The DER that the signature is over.
    pub message: &'a [u8],
    /// How it was signed.
    pub algorithm: AlgorithmId<'a>,
    /// The signature's bytes.
    pub signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Reads the frame, gives the contents of what was signed and leaves
    /// `body` behind the signature.
    pub(crate) fn read(body: &mut Cursor<'a>) -> Parse<(Self, Cursor<'a>)> {
        let tbs = body.take(tag::SEQUENCE)?;
        let algorithm = AlgorithmId::read(body)?;
        let signature = whole_bytes(body.take(tag::BIT_STRING)?.value)?;
        let signed = Self {
            message: tbs.whole,
            algorithm,
            signature,
        };
        Ok((signed, Cursor::new(tbs.value)))
    }

    /// Reads a whole `SIGNED{}`.
    pub(crate) fn only(der: &'a [u8]) -> Parse<(Self, Cursor<'a>)> {
        let mut body = Cursor::only(der, tag::SEQUENCE)?;
        let found = Self::read(&mut body)?;
        body.end()?;
        Ok(found)
    }
}

/// A certificate. Reading one checks its structure, every known extension
/// included; whether it is any good is for [`crate::path::validate`] to say.
#[derive(Clone, Copy)]
pub struct Certificate<'a> {
    der: &'a [u8],
    signed: Signed<'a>,
    version: u8,
    serial: &'a [u8],
    issuer: Name<'a>,
    subject: Name<'a>,
    not_before: Moment,
    not_after: Moment,
    /// Whether both times are written as RFC 5280 wants.
    pub(crate) times_conform: bool,
    key: PublicKeyInfo<'a>,
    /// Whether it has unique identifiers, which mean nothing any more.
    pub(crate) unique_ids: bool,
    extensions: Extensions<'a>,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate from DER; nothing may follow it.
    ///
    /// # Errors
    /// [`crate::Error::Malformed`] for anything that is not DER or that the
    /// structure of RFC 5280, sections 4.1 and 4.2, forbids.
    pub fn from_der(der: &'a [u8]) -> Result<Self> {
        Self::parse(der).within("certificate")
    }

    fn parse(der: &'a [u8]) -> Parse<Self> {
        let (signed, mut tbs) = Signed::only(der)?;
        let version = match tbs.optional(tag::constructed(0))? {
            None => 1,
            Some(tlv) => {
                let mut inner = Cursor::new(tlv.value);
                let version = inner.integer()?;
                inner.end()?;
                match version {
                    [1] => 2,
                    [2] => 3,
                    [0] => return Err("a default value written down"),
                    _ => return Err("an unknown version"),
                }
            }
        };
        let serial = tbs.integer()?;
        let inner_algorithm = AlgorithmId::read(&mut tbs)?;
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.1.1.2
        //# This field MUST contain the same algorithm identifier as the
        //# signature field in the sequence tbsCertificate
        if inner_algorithm != signed.algorithm {
            return Err("two different signature algorithms");
        }
        let issuer = Name::read(&mut tbs)?;
        let mut validity = tbs.sequence()?;
        let not_before = time::read(&mut validity)?;
        let not_after = time::read(&mut validity)?;
        validity.end()?;
        let subject = Name::read(&mut tbs)?;
        let key = PublicKeyInfo::read(&mut tbs)?;
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.8
        //# CAs conforming to this profile MUST NOT generate certificates with
        //# unique identifiers. Applications conforming to this profile SHOULD
        //# be capable of parsing certificates that include unique identifiers
        let mut unique_ids = false;
        for number in [1, 2] {
            if let Some(tlv) = tbs.optional(tag::context(number))? {
                if version == 1 {
                    return Err("unique identifiers before version 2");
                }
                bit_string(tlv.value)?;
                unique_ids = true;
            }
        }
        let extensions = match tbs.optional(tag::constructed(3))? {
            None => Extensions::default(),
            Some(_) if version != 3 => return Err("extensions before version 3"),
            Some(tlv) => Extensions::read(Cursor::only(tlv.value, tag::SEQUENCE)?.rest())?,
        };
        tbs.end()?;
        Ok(Self {
            der,
            signed,
            version,
            serial,
            issuer,
            subject,
            not_before: not_before.moment,
            not_after: not_after.moment,
            times_conform: not_before.conforms && not_after.conforms,
            key,
            unique_ids,
            extensions,
        })
    }

    /// Its DER.
    #[must_use]
    pub fn as_der(&self) -> &'a [u8] {
        self.der
    }

    /// What was signed, and the signature.
    #[must_use]
    pub fn signed(&self) -> &Signed<'a> {
        &self.signed
    }

    /// 1, 2 or 3.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    /// The serial number: INTEGER contents, which may be negative.
    #[must_use]
    pub fn serial(&self) -> &'a [u8] {
        self.serial
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &Name<'a> {
        &self.issuer
    }

    /// Whom it is for.
    #[must_use]
    pub fn subject(&self) -> &Name<'a> {
        &self.subject
    }

    /// Its first valid second.
    #[must_use]
    pub fn not_before(&self) -> Moment {
        self.not_before
    }

    /// Its last valid second.
    #[must_use]
    pub fn not_after(&self) -> Moment {
        self.not_after
    }

    /// The certified key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKeyInfo<'a> {
        &self.key
    }

    /// Its extensions.
    #[must_use]
    pub fn extensions(&self) -> &Extensions<'a> {
        &self.extensions
    }

    /// Whether subject and issuer are one (RFC 5280, section 3.2).
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject.matches(&self.issuer)
    }

    /// Whether basicConstraints says that it is an authority's.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.extensions
            .basic_constraints
            .is_some_and(|constraints| constraints.ca)
    }

    /// The mailboxes in its subject (PKCS #9 emailAddress).
    pub(crate) fn subject_emails(&self) -> impl Iterator<Item = Option<&'a str>> + use<'a> {
        self.subject
            .attributes()
            .filter(|attribute| attribute.kind == oid::EMAIL_ADDRESS)
            .map(|attribute| attribute.ascii())
    }
}

impl fmt::Debug for Certificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.subject)
    }
}
