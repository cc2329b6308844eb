//! SignerInfo (RFC 5652, section 5.3), read from DER.

use skms_crypto::Hash;

use crate::certificate::{AlgorithmId, Certificate, Name};
use crate::error::Parse;
use crate::oid::{self, Oid};
use crate::parse::cursor::{Cursor, small, tag};
use crate::time::{self, Moment};

/// Whose signature it is.
#[derive(Clone, Copy, Debug)]
pub enum SignerId<'a> {
    /// By the certificate's issuer and serial number (INTEGER contents).
    IssuerAndSerial(Name<'a>, &'a [u8]),
    /// By the certificate's subject key identifier.
    KeyIdentifier(&'a [u8]),
}

impl SignerId<'_> {
    /// Whether this certificate is meant.
    #[must_use]
    pub fn names(&self, certificate: &Certificate<'_>) -> bool {
        match self {
            Self::IssuerAndSerial(issuer, serial) => {
                *serial == certificate.serial() && issuer.matches(certificate.issuer())
            }
            Self::KeyIdentifier(wanted) => {
                certificate.extensions().subject_key_identifier == Some(wanted)
            }
        }
    }
}

/// What signingCertificateV2 says of the signer's certificate (RFC 5035).
#[derive(Clone, Copy, Debug)]
pub(crate) struct CertificateHash<'a> {
    /// `None` for the default, SHA-256.
    hash: Option<AlgorithmId<'a>>,
    digest: &'a [u8],
    serial: Option<&'a [u8]>,
}

impl CertificateHash<'_> {
    /// Whether it is this certificate.
    pub(crate) fn is_of(&self, certificate: &Certificate<'_>) -> bool {
        let hash = match self.hash {
            None => Some(Hash::Sha256),
            Some(id) => super::hash::read(&id).ok(),
        };
        hash.is_some_and(|hash| hash.digest(certificate.as_der()) == self.digest)
            && self
                .serial
                .is_none_or(|serial| serial == certificate.serial())
    }
}

/// The signed attributes that count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    pub(crate) content_type: Oid<'a>,
    pub(crate) message_digest: &'a [u8],
    pub(crate) signing_time: Option<Moment>,
    pub(crate) certificate: Option<CertificateHash<'a>>,
    /// The contents of the SET OF.
    pub(crate) contents: &'a [u8],
}

/// One signature of a document.
#[derive(Clone, Copy, Debug)]
pub struct SignerInfo<'a> {
    /// Whose it is.
    pub sid: SignerId<'a>,
    /// The hash of content.
    pub digest: AlgorithmId<'a>,
    /// How it was signed.
    pub algorithm: AlgorithmId<'a>,
    /// The signature's bytes.
    pub signature: &'a [u8],
    pub(crate) attributes: Attributes<'a>,
}

impl<'a> SignerInfo<'a> {
    pub(crate) fn read(list: &mut Cursor<'a>) -> Parse<Self> {
        let mut body = list.sequence()?;
        let version = small(body.take(tag::INTEGER)?.value)?;
        let sid = match (version, body.peek()) {
            (1, Some(tag::SEQUENCE)) => {
                let mut sid = body.sequence()?;
                let found = SignerId::IssuerAndSerial(Name::read(&mut sid)?, sid.integer()?);
                sid.end()?;
                found
            }
            (3, Some(0x80)) => SignerId::KeyIdentifier(body.take(tag::context(0))?.value),
            _ => return Err("a signer of no known form"),
        };
        let digest = AlgorithmId::read(&mut body)?;
        // Without signed attributes, the attributes of one document could be
        // passed off as the content of another.
        let attributes = body
            .optional(tag::constructed(0))?
            .ok_or("a signature without signed attributes")?;
        let attributes = Attributes::read(attributes.value)?;
        let algorithm = AlgorithmId::read(&mut body)?;
        let signature = body.take(tag::OCTET_STRING)?.value;
        // Unsigned attributes prove nothing here.
        body.optional(tag::constructed(1))?;
        body.end()?;
        Ok(Self {
            sid,
            digest,
            algorithm,
            signature,
            attributes,
        })
    }

    /// When the signer says that it signed: nobody else vouches for it.
    #[must_use]
    pub fn signing_time(&self) -> Option<Moment> {
        self.attributes.signing_time
    }
}

/// The most signed attributes of a signature.
const ATTRIBUTES_MAX: usize = 64;

impl<'a> Attributes<'a> {
    fn read(contents: &'a [u8]) -> Parse<Self> {
        let mut list = Cursor::new(contents);
        let (mut content_type, mut message_digest) = (None, None);
        let (mut signing_time, mut certificate) = (None, None);
        let mut seen: Vec<Oid<'a>> = Vec::new();
        let mut before: &[u8] = &[];
        while !list.is_empty() {
            let tlv = list.take(tag::SEQUENCE)?;
            //= https://www.rfc-editor.org/rfc/rfc5652#section-5.3
            //# SignedAttributes MUST be DER encoded
            if tlv.whole <= before {
                return Err("signed attributes that are not in DER's order");
            }
            before = tlv.whole;
            let mut one = Cursor::new(tlv.value);
            let id = one.oid()?;
            if seen.contains(&id) {
                return Err("a signed attribute twice");
            }
            seen.push(id);
            if seen.len() > ATTRIBUTES_MAX {
                return Err("over 64 signed attributes");
            }
            let values = one.take(tag::SET)?;
            one.end()?;
            let mut value = Cursor::new(values.value);
            match id {
                oid::CONTENT_TYPE => content_type = Some(value.oid()?),
                oid::MESSAGE_DIGEST => {
                    message_digest = Some(value.take(tag::OCTET_STRING)?.value);
                }
                oid::SIGNING_TIME => signing_time = Some(time::read(&mut value)?.moment),
                oid::SIGNING_CERTIFICATE_V2 => {
                    certificate = Some(read_certificate(value.sequence()?)?);
                }
                _ => continue,
            }
            //= https://www.rfc-editor.org/rfc/rfc5652#section-11.2
            //# A message-digest attribute MUST have a single attribute value
            value
                .end()
                .map_err(|_| "a signed attribute with two values")?;
        }
        Ok(Self {
            content_type: content_type.ok_or("no contentType")?,
            message_digest: message_digest.ok_or("no messageDigest")?,
            signing_time,
            certificate,
            contents,
        })
    }
}

/// The first ESSCertIDv2, which is the signer's (RFC 5035, section 3).
fn read_certificate(mut body: Cursor<'_>) -> Parse<CertificateHash<'_>> {
    let mut list = body.sequence()?;
    body.optional(tag::SEQUENCE)?;
    body.end()?;
    let mut one = list.sequence()?;
    let hash = match one.peek() {
        Some(tag::SEQUENCE) => Some(AlgorithmId::read(&mut one)?),
        _ => None,
    };
    let digest = one.take(tag::OCTET_STRING)?.value;
    let serial = match one.optional(tag::SEQUENCE)? {
        None => None,
        Some(tlv) => {
            let mut inner = Cursor::new(tlv.value);
            inner.take(tag::SEQUENCE)?;
            let serial = inner.integer()?;
            inner.end()?;
            Some(serial)
        }
    };
    one.end()?;
    Ok(CertificateHash {
        hash,
        digest,
        serial,
    })
}
