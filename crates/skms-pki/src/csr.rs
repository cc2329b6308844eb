//! Certification requests (PKCS #10: RFC 2986), borrowed from their DER.

use std::fmt;

use crate::certificate::{Extensions, Name, PublicKeyInfo, Signed};
use crate::error::{Error, In, Parse, Result};
use crate::oid::{self, Oid};
use crate::parse::cursor::{Cursor, tag};
use crate::signature::{Standard, Verify};

/// A request whose proof of possession has not been checked.
#[derive(Clone, Copy)]
pub struct Csr<'a> {
    der: &'a [u8],
    signed: Signed<'a>,
    subject: Name<'a>,
    key: PublicKeyInfo<'a>,
    attributes: &'a [u8],
    /// What the extensionRequest holds; its fault is told when it is asked for.
    extensions: Parse<Option<Extensions<'a>>>,
    challenge: Option<&'a [u8]>,
}

/// A request that was signed with the key it asks a certificate for.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedCsr<'a>(Csr<'a>);

impl<'a> Csr<'a> {
    /// Reads a request from DER; nothing may follow it.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything that is not DER or not of RFC 2986's
    /// structure. What is wrong with the extensions asked for is told by
    /// [`Csr::extensions`].
    pub fn from_der(der: &'a [u8]) -> Result<Self> {
        Self::parse(der).within("certification request")
    }

    fn parse(der: &'a [u8]) -> Parse<Self> {
        let (signed, mut info) = Signed::only(der)?;
        if info.integer()? != [0] {
            return Err("an unknown version");
        }
        let subject = Name::read(&mut info)?;
        let key = PublicKeyInfo::read(&mut info)?;
        let attributes = info.take(tag::constructed(0))?.value;
        info.end()?;
        let mut request = Self {
            der,
            signed,
            subject,
            key,
            attributes,
            extensions: Ok(None),
            challenge: None,
        };
        request.read_attributes()?;
        Ok(request)
    }

    fn read_attributes(&mut self) -> Parse<()> {
        let mut list = Cursor::new(self.attributes);
        let mut seen: Vec<Oid<'a>> = Vec::new();
        while !list.is_empty() {
            let mut one = list.sequence()?;
            let id = one.oid()?;
            let mut values = one.enter(tag::SET)?;
            one.end()?;
            if seen.contains(&id) {
                return Err("the same attribute twice");
            }
            if seen.len() == 64 {
                return Err("too many attributes");
            }
            seen.push(id);
            let single = id == oid::EXTENSION_REQUEST || id == oid::CHALLENGE_PASSWORD;
            // RFC 2986 wants at least one value; an attribute without any says
            // nothing, and OpenSSL takes it so.
            if values.is_empty() {
                continue;
            }
            let value = values.any()?;
            // RFC 2985, section 5.4: both are single-valued.
            if single && !values.is_empty() {
                return Err("an attribute with several values");
            }
            while !values.is_empty() {
                values.any()?;
            }
            if id == oid::EXTENSION_REQUEST {
                self.extensions = match value.tag {
                    tag::SEQUENCE => Extensions::read(value.value).map(Some),
                    _ => Err("extensions that are no SEQUENCE"),
                };
            } else if id == oid::CHALLENGE_PASSWORD {
                let string = [
                    tag::UTF8_STRING,
                    tag::PRINTABLE_STRING,
                    tag::IA5_STRING,
                    tag::TELETEX_STRING,
                    tag::BMP_STRING,
                    tag::UNIVERSAL_STRING,
                ];
                if !string.contains(&value.tag) {
                    return Err("a challenge password that is no string");
                }
                self.challenge = Some(value.value);
            }
        }
        Ok(())
    }

    /// Checks the proof of possession: the request's signature, by its own key.
    ///
    /// # Errors
    /// [`Error::Signature`] if it does not hold, or the key or the algorithm is
    /// too weak to count.
    pub fn verify(self) -> Result<VerifiedCsr<'a>> {
        self.verify_with(&Standard)
    }

    /// As [`Self::verify`], with a checker of the caller's own.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_with(self, verifier: &dyn Verify) -> Result<VerifiedCsr<'a>> {
        let what = "certification request";
        verifier
            .accept_key(&self.key, false)
            .map_err(|why| Error::Signature { what, why })?;
        match verifier.verify(&self.key, &self.signed) {
            Ok(()) => Ok(VerifiedCsr(self)),
            Err(fault) => Err(Error::Signature {
                what,
                why: fault.why(),
            }),
        }
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

    /// The subject asked for.
    #[must_use]
    pub fn subject(&self) -> &Name<'a> {
        &self.subject
    }

    /// The key to be certified.
    #[must_use]
    pub fn public_key(&self) -> &PublicKeyInfo<'a> {
        &self.key
    }

    /// The extensions asked for, if any are: a wish, not a claim.
    ///
    /// # Errors
    /// [`Error::Malformed`] for extensions that a certificate may not have
    /// either. The proof of possession may hold all the same; nothing may be
    /// issued for such a request.
    pub fn extensions(&self) -> Result<Option<&Extensions<'a>>> {
        match &self.extensions {
            Ok(found) => Ok(found.as_ref()),
            Err(why) => Err(Error::Malformed {
                what: "certification request's extensions",
                why,
            }),
        }
    }

    /// Whether it has an attribute of this type.
    #[must_use]
    pub fn has_attribute(&self, kind: Oid<'_>) -> bool {
        let mut list = Cursor::new(self.attributes);
        std::iter::from_fn(|| list.sequence().ok())
            .any(|mut one| one.oid().is_ok_and(|id| id == kind))
    }

    /// The challenge password's bytes, whatever string they are.
    #[must_use]
    pub fn challenge_password(&self) -> Option<&'a [u8]> {
        self.challenge
    }
}

impl<'a> VerifiedCsr<'a> {
    /// The request.
    #[must_use]
    pub fn csr(&self) -> &Csr<'a> {
        &self.0
    }
}

impl fmt::Debug for Csr<'_> {
    /// The challenge password is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Csr({})", self.subject)
    }
}
