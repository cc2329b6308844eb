//! OCSP requests and responses (RFC 6960), borrowed from their DER.

use std::fmt;

use skms_crypto::Hash;
use skms_crypto::hash::sha1_for_identifiers;

use crate::certificate::{AlgorithmId, Certificate, GeneralName, Name, Signed};
use crate::crl::Reason;
use crate::error::{In, Parse, Result};
use crate::oid;
use crate::parse::cursor::{Cursor, small, tag};
use crate::parse::extensions::{Extension, each_extension};
use crate::parse::general::Place;
use crate::time::{self, Moment};

/// The most certificates that a response may carry along.
const MAX_CERTIFICATES: usize = 16;

/// The most certificates that one message may ask or speak about.
const MAX_SINGLES: usize = 1024;

/// A CertID: which certificate is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertId<'a> {
    /// The hash that both hashes are made with.
    pub hash: AlgorithmId<'a>,
    /// Of the issuer's name.
    pub issuer_name_hash: &'a [u8],
    /// Of the issuer's key: the BIT STRING's bytes.
    pub issuer_key_hash: &'a [u8],
    /// The certificate's serial number: INTEGER contents.
    pub serial: &'a [u8],
}

impl<'a> CertId<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Parse<Self> {
        let mut body = cursor.sequence()?;
        let found = Self {
            hash: AlgorithmId::read(&mut body)?,
            issuer_name_hash: body.take(tag::OCTET_STRING)?.value,
            issuer_key_hash: body.take(tag::OCTET_STRING)?.value,
            serial: body.integer()?,
        };
        body.end()?;
        Ok(found)
    }

    /// Whether it names this issuer, by name and key; `None` if its hash is
    /// not one of SHA-1, SHA-256, SHA-384 and SHA-512.
    #[must_use]
    pub fn names_issuer(&self, issuer: &Certificate<'_>) -> Option<bool> {
        let digest = |data: &[u8]| digest(&self.hash, data);
        Some(
            digest(issuer.subject().as_der())? == self.issuer_name_hash
                && digest(issuer.public_key().key)? == self.issuer_key_hash,
        )
    }

    /// Whether it names this certificate of this issuer.
    #[must_use]
    pub fn names(&self, certificate: &Certificate<'_>, issuer: &Certificate<'_>) -> bool {
        self.serial == certificate.serial() && self.names_issuer(issuer) == Some(true)
    }
}

fn digest(hash: &AlgorithmId<'_>, data: &[u8]) -> Option<Vec<u8>> {
    if !matches!(hash.parameters, None | Some([tag::NULL, 0])) {
        return None;
    }
    match hash.oid {
        oid::SHA1 => Some(sha1_for_identifiers(data).to_vec()),
        oid::SHA256 => Some(Hash::Sha256.digest(data)),
        oid::SHA384 => Some(Hash::Sha384.digest(data)),
        oid::SHA512 => Some(Hash::Sha512.digest(data)),
        _ => None,
    }
}

/// The nonce of a list of extensions (RFC 9654), and a check of the list.
fn nonce<'a>(contents: &'a [u8], unknown_critical: &mut bool) -> Parse<Option<&'a [u8]>> {
    let mut found = None;
    each_extension(contents, |one| {
        if one.id == oid::OCSP_NONCE {
            // RFC 6960 wraps it in an OCTET STRING; bare ones are in use.
            let mut value = Cursor::new(one.value);
            found = match value.take(tag::OCTET_STRING) {
                Ok(tlv) if value.is_empty() => Some(tlv.value),
                _ => Some(one.value),
            };
        } else {
            *unknown_critical |= one.critical;
        }
        Ok(())
    })?;
    Ok(found)
}

/// An OCSP request.
#[derive(Clone, Debug)]
pub struct OcspRequest<'a> {
    /// Who asks, if it says.
    pub requestor: Option<GeneralName<'a>>,
    /// What it asks about; never empty.
    pub requests: Vec<CertId<'a>>,
    /// The nonce, 1 to 128 octets.
    pub nonce: Option<&'a [u8]>,
    /// Whether a critical extension is not understood.
    pub unknown_critical: bool,
    /// The signature, if it has one: not checked here.
    pub signed: Option<Signed<'a>>,
}

impl<'a> OcspRequest<'a> {
    /// Reads a request from DER; nothing may follow it.
    ///
    /// # Errors
    /// [`crate::Error::Malformed`]: what a responder answers with
    /// malformedRequest.
    pub fn from_der(der: &'a [u8]) -> Result<Self> {
        Self::parse(der).within("OCSP request")
    }

    fn parse(der: &'a [u8]) -> Parse<Self> {
        let mut body = Cursor::only(der, tag::SEQUENCE)?;
        let message = body.take(tag::SEQUENCE)?;
        let mut tbs = Cursor::new(message.value);
        if tbs.optional(tag::constructed(0))?.is_some() {
            return Err("an unknown version, or a default value written down");
        }
        let requestor = match tbs.optional(tag::constructed(1))? {
            None => None,
            Some(tlv) => {
                let mut inner = Cursor::new(tlv.value);
                let name = GeneralName::read(&mut inner, Place::Name)?;
                inner.end()?;
                Some(name)
            }
        };
        let mut list = tbs.sequence()?;
        if list.is_empty() {
            return Err("a request that asks about nothing");
        }
        let mut unknown_critical = false;
        let mut requests = Vec::new();
        while !list.is_empty() {
            let mut one = list.sequence()?;
            requests.push(CertId::read(&mut one)?);
            if requests.len() > MAX_SINGLES {
                return Err("a request that asks about too many certificates");
            }
            if let Some(tlv) = one.optional(tag::constructed(0))? {
                let extensions = Cursor::only(tlv.value, tag::SEQUENCE)?;
                nonce(extensions.rest(), &mut unknown_critical)?;
            }
            one.end()?;
        }
        let nonce = match tbs.optional(tag::constructed(2))? {
            None => None,
            Some(tlv) => {
                let extensions = Cursor::only(tlv.value, tag::SEQUENCE)?;
                nonce(extensions.rest(), &mut unknown_critical)?
            }
        };
        tbs.end()?;
        //= https://www.rfc-editor.org/rfc/rfc9654#section-2.1
        //# The minimum nonce length MUST be 1 octet; the maximum nonce length
        //# MUST be 128 octets.
        if nonce.is_some_and(|nonce| !(1..=128).contains(&nonce.len())) {
            return Err("a nonce that is empty or too long");
        }
        let signed = match body.optional(tag::constructed(0))? {
            None => None,
            Some(tlv) => {
                let mut inner = Cursor::only(tlv.value, tag::SEQUENCE)?;
                let algorithm = AlgorithmId::read(&mut inner)?;
                let signature = inner.take(tag::BIT_STRING)?.value;
                let signature = crate::parse::cursor::whole_bytes(signature)?;
                inner.optional(tag::constructed(0))?;
                inner.end()?;
                Some(Signed {
                    message: message.whole,
                    algorithm,
                    signature,
                })
            }
        };
        body.end()?;
        Ok(Self {
            requestor,
            requests,
            nonce,
            unknown_critical,
            signed,
        })
    }
}

/// OCSPResponseStatus, other than success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The standard's own names.
pub enum Failure {
    MalformedRequest,
    InternalError,
    TryLater,
    SigRequired,
    Unauthorized,
}

/// What is said about one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SingleStatus {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked {
        /// Since when.
        date: Moment,
        /// Why.
        reason: Option<Reason>,
    },
    /// The responder does not know the certificate.
    Unknown,
}

/// A SingleResponse.
#[derive(Clone, Copy, Debug)]
pub struct SingleResponse<'a> {
    /// About which certificate.
    pub id: CertId<'a>,
    /// What is said.
    pub status: SingleStatus,
    /// Since when this is known to be so.
    pub this_update: Moment,
    /// By when more will be known.
    pub next_update: Option<Moment>,
    /// Whether a critical extension is not understood.
    pub unknown_critical: bool,
}

/// Who signed a response.
#[derive(Clone, Copy, Debug)]
pub enum ResponderId<'a> {
    /// By name.
    Name(Name<'a>),
    /// By the SHA-1 hash of its key.
    KeyHash(&'a [u8]),
}

impl ResponderId<'_> {
    /// Whether this certificate's holder is meant.
    #[must_use]
    pub fn names(&self, certificate: &Certificate<'_>) -> bool {
        match self {
            Self::Name(name) => name.matches(certificate.subject()),
            Self::KeyHash(hash) => sha1_for_identifiers(certificate.public_key().key) == *hash,
        }
    }
}

/// A BasicOCSPResponse.
#[derive(Clone, Debug)]
pub struct BasicResponse<'a> {
    /// What was signed, and the signature.
    pub signed: Signed<'a>,
    /// Who signed.
    pub responder: ResponderId<'a>,
    /// When.
    pub produced_at: Moment,
    /// What is said.
    pub responses: Vec<SingleResponse<'a>>,
    /// The nonce of the request that this answers.
    pub nonce: Option<&'a [u8]>,
    /// Whether a critical extension is not understood.
    pub unknown_critical: bool,
    /// Certificates that came along, as DER: one that does not parse spoils
    /// nothing unless it is needed.
    pub certificates: Vec<&'a [u8]>,
}

/// An OCSP response.
#[derive(Clone, Debug)]
pub enum OcspResponse<'a> {
    /// The responder did not answer, and this is why. Unsigned: anybody on the
    /// way can say so.
    Failed(Failure),
    /// An answer of the basic type.
    Basic(Box<BasicResponse<'a>>),
}

impl<'a> OcspResponse<'a> {
    /// Reads a response from DER; nothing may follow it.
    ///
    /// # Errors
    /// [`crate::Error::Malformed`], also for a response type other than basic.
    pub fn from_der(der: &'a [u8]) -> Result<Self> {
        Self::parse(der).within("OCSP response")
    }

    fn parse(der: &'a [u8]) -> Parse<Self> {
        let mut body = Cursor::only(der, tag::SEQUENCE)?;
        let status = body.take(tag::ENUMERATED)?.value;
        let bytes = body.optional(tag::constructed(0))?;
        body.end()?;
        let failure = match small(status)? {
            0 => None,
            1 => Some(Failure::MalformedRequest),
            2 => Some(Failure::InternalError),
            3 => Some(Failure::TryLater),
            5 => Some(Failure::SigRequired),
            6 => Some(Failure::Unauthorized),
            _ => return Err("an unknown response status"),
        };
        match (failure, bytes) {
            (Some(failure), None) => Ok(Self::Failed(failure)),
            (Some(_), Some(_)) => Err("a failure with a response"),
            (None, None) => Err("a success without a response"),
            (None, Some(tlv)) => {
                let mut inner = Cursor::only(tlv.value, tag::SEQUENCE)?;
                if inner.oid()? != oid::OCSP_BASIC {
                    return Err("a response of an unknown type");
                }
                let basic = inner.take(tag::OCTET_STRING)?.value;
                inner.end()?;
                BasicResponse::parse(basic).map(|basic| Self::Basic(Box::new(basic)))
            }
        }
    }

    /// The answer, if there is one.
    #[must_use]
    pub fn basic(&self) -> Option<&BasicResponse<'a>> {
        match self {
            Self::Basic(basic) => Some(basic),
            Self::Failed(_) => None,
        }
    }
}

impl<'a> BasicResponse<'a> {
    fn parse(der: &'a [u8]) -> Parse<Self> {
        let mut body = Cursor::only(der, tag::SEQUENCE)?;
        let (signed, mut tbs) = Signed::read(&mut body)?;
        let mut certificates = Vec::new();
        if let Some(tlv) = body.optional(tag::constructed(0))? {
            let mut list = Cursor::only(tlv.value, tag::SEQUENCE)?;
            while !list.is_empty() {
                certificates.push(list.take(tag::SEQUENCE)?.whole);
                if certificates.len() > MAX_CERTIFICATES {
                    return Err("too many certificates");
                }
            }
        }
        body.end()?;
        if tbs.optional(tag::constructed(0))?.is_some() {
            return Err("an unknown version, or a default value written down");
        }
        let responder = responder(&mut tbs)?;
        let produced_at = time::read_generalized(&mut tbs)?;
        let mut list = tbs.sequence()?;
        let mut responses = Vec::new();
        while !list.is_empty() {
            responses.push(SingleResponse::read(&mut list)?);
            if responses.len() > MAX_SINGLES {
                return Err("too many answers");
            }
        }
        let mut unknown_critical = false;
        let nonce = match tbs.optional(tag::constructed(1))? {
            None => None,
            Some(tlv) => {
                let extensions = Cursor::only(tlv.value, tag::SEQUENCE)?;
                nonce(extensions.rest(), &mut unknown_critical)?
            }
        };
        tbs.end()?;
        Ok(Self {
            signed,
            responder,
            produced_at,
            responses,
            nonce,
            unknown_critical,
            certificates,
        })
    }
}

fn responder<'a>(tbs: &mut Cursor<'a>) -> Parse<ResponderId<'a>> {
    let tlv = tbs.any()?;
    let mut inner = Cursor::new(tlv.value);
    let found = match tlv.tag {
        0xa1 => ResponderId::Name(Name::read(&mut inner)?),
        0xa2 => ResponderId::KeyHash(inner.take(tag::OCTET_STRING)?.value),
        _ => return Err("a responder of no known form"),
    };
    inner.end()?;
    Ok(found)
}

impl<'a> SingleResponse<'a> {
    fn read(list: &mut Cursor<'a>) -> Parse<Self> {
        let mut body = list.sequence()?;
        let id = CertId::read(&mut body)?;
        let tlv = body.any()?;
        let status = match tlv.tag {
            0x80 if tlv.value.is_empty() => SingleStatus::Good,
            0x82 if tlv.value.is_empty() => SingleStatus::Unknown,
            0xa1 => {
                let mut inner = Cursor::new(tlv.value);
                let date = time::read_generalized(&mut inner)?;
                let reason = match inner.optional(tag::constructed(0))? {
                    None => None,
                    Some(tlv) => {
                        let mut reason = Cursor::new(tlv.value);
                        let number = small(reason.take(tag::ENUMERATED)?.value)?;
                        reason.end()?;
                        Some(Reason::from_number(number)?)
                    }
                };
                inner.end()?;
                SingleStatus::Revoked { date, reason }
            }
            _ => return Err("a status of no known form"),
        };
        let this_update = time::read_generalized(&mut body)?;
        let next_update = match body.optional(tag::constructed(0))? {
            None => None,
            Some(tlv) => {
                let mut inner = Cursor::new(tlv.value);
                let next = time::read_generalized(&mut inner)?;
                inner.end()?;
                Some(next)
            }
        };
        let mut unknown_critical = false;
        if let Some(tlv) = body.optional(tag::constructed(1))? {
            let extensions = Cursor::only(tlv.value, tag::SEQUENCE)?;
            each_extension(extensions.rest(), |one: Extension<'_>| {
                unknown_critical |= one.critical;
                Ok(())
            })?;
        }
        body.end()?;
        Ok(Self {
            id,
            status,
            this_update,
            next_update,
            unknown_critical,
        })
    }
}

impl fmt::Display for SingleStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::Revoked { date, reason } => {
                let reason = reason.map_or("without a reason", Reason::name);
                write!(f, "revoked {date}, {reason}")
            }
            Self::Unknown => f.write_str("unknown"),
        }
    }
}
