//! TSTInfo (RFC 3161, section 2.4.2) in its signed token.

use crate::certificate::Certificate;
use crate::error::{In, Parse};
use crate::issue::{Serial, SigningScheme, der};
use crate::oid::{self, Oid, OidBuf};
use crate::parse::cursor::{Cursor, small, tag};
use crate::parse::extensions::Kind;
use crate::path::Purpose;
use crate::time::{self, Moment};

use super::super::cms::{self, SignedData};
use super::super::signer::{Signer, UnsignedSigner};
use super::super::{Body, SignedBy, Trust};
use super::{DocumentError, Imprint, Query, TST_INFO, imprint};

/// What the authority says besides what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamping {
    /// The policy that it stamps under.
    pub policy: OidBuf,
    /// The token's number, like no other of this authority's.
    pub serial: Serial,
    /// The time.
    pub at: Moment,
    /// The thousandths of a second after it, up to 999.
    pub milliseconds: u16,
    /// How far the time may be off, in seconds.
    pub accuracy_seconds: Option<u32>,
    /// Whether this authority's tokens can be put in order by their times
    /// alone, whatever the accuracy: no two have the same.
    pub ordering: bool,
}

/// A token to be signed. Sign [`Self::tbs`] with the authority's key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
#[derive(Clone, Debug)]
pub struct UnsignedToken {
    info: Vec<u8>,
    signer: UnsignedSigner,
    certificates: bool,
}

/// Plans the token that answers a request.
///
/// # Errors
/// What [`Query::digest`] says; [`DocumentError::Usage`] for a signer whose
/// certificate is not for time-stamps alone.
pub fn plan(
    query: &Query<'_>,
    signer: &Signer,
    stamping: &Stamping,
) -> Result<UnsignedToken, DocumentError> {
    let (hash, digest) = query.digest()?;
    let own = signer.chain().first();
    is_for_stamps(own.map(Vec::as_slice).unwrap_or_default())?;
    let accuracy = stamping
        .accuracy_seconds
        .map(|seconds| der::sequence(&[&der::integer(seconds.into())]));
    let nonce = query.nonce.map(|nonce| der::tlv(tag::INTEGER, &[nonce]));
    let info = der::sequence(&[
        &der::integer(1),
        &der::oid(stamping.policy.as_oid()),
        &imprint(hash, digest)?,
        &der::tlv(tag::INTEGER, &[stamping.serial.as_bytes()]),
        &der::generalized_milliseconds(stamping.at, stamping.milliseconds)?,
        &accuracy.unwrap_or_default(),
        &der::flag(tag::BOOLEAN, stamping.ordering),
        &nonce.unwrap_or_default(),
    ]);
    Ok(UnsignedToken {
        signer: signer.plan(&TST_INFO, &Body::Whole(&info), stamping.at)?,
        info,
        certificates: query.certificates,
    })
}

impl UnsignedToken {
    /// The bytes to be signed, as they stand.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.signer.tbs()
    }

    /// How they are to be signed.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.signer.scheme()
    }

    /// The token's DER, once the signature is there; it is checked.
    ///
    /// # Errors
    /// [`DocumentError::Signature`] if it is not the certified key's own.
    pub fn signed(self, signature: &[u8]) -> Result<Vec<u8>, DocumentError> {
        let mut done = self.signer.signed(signature)?;
        //= https://www.rfc-editor.org/rfc/rfc3161#section-2.4.1
        //# If the certReq field is missing or if the certReq field is present
        //# and set to false then the certificates field from the SignedData
        //# structure MUST not be present in the response.
        if !self.certificates {
            done.chain.clear();
        }
        cms::assemble(&TST_INFO, Some(&self.info), &[done], &[])
    }
}

/// What a token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The content existed at this time.
    pub at: Moment,
    /// How far the time may be off, in seconds, rounded up.
    pub accuracy_seconds: Option<u32>,
    /// The policy that it was stamped under.
    pub policy: OidBuf,
    /// The token's number: INTEGER contents.
    pub serial: Vec<u8>,
    /// Who says so.
    pub by: SignedBy,
}

/// Checks a token (DER) over this content: one signature, by a certificate
/// that is for time-stamps alone and leads to an anchor. A `nonce` (INTEGER
/// contents) is the request's, where the token has just come.
///
/// # Errors
/// Why it does not count.
pub fn verify(
    token: &[u8],
    body: &Body<'_>,
    nonce: Option<&[u8]>,
    trust: &Trust<'_, '_, '_>,
) -> Result<Stamp, DocumentError> {
    let document = SignedData::from_der(token)?;
    if document.content_type != TST_INFO {
        return Err(DocumentError::Content("something else than a time-stamp"));
    }
    let content = document
        .content
        .ok_or(DocumentError::Content("it is not in the token"))?;
    let info = Info::parse(content).within("time-stamp")?;
    //= https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2
    //# The time-stamp token MUST NOT contain any signatures other than the
    //# signature of the TSA.
    let [signer] = document.signers.as_slice() else {
        return Err(DocumentError::Content("more than one signature"));
    };
    if signer.attributes.certificate.is_none() {
        return Err(DocumentError::Attribute("no signingCertificateV2"));
    }
    let mut trust = trust.clone();
    trust.options.purpose = Purpose::TimeStamping;
    let signers = super::super::verify(&document, None, &trust)?;
    let by = signers.into_iter().next().ok_or(DocumentError::NoSigner)?;
    is_for_stamps(by.path.first().map(Vec::as_slice).unwrap_or_default())?;
    if body.digest(info.imprint.hash()?)? != info.imprint.digest {
        return Err(DocumentError::Altered);
    }
    if nonce.is_some() && nonce != info.nonce {
        return Err(DocumentError::Content("the nonce is not the request's"));
    }
    Ok(Stamp {
        at: info.at,
        accuracy_seconds: info.accuracy_seconds,
        policy: info.policy.into(),
        serial: info.serial.to_vec(),
        by,
    })
}

/// Whether a certificate (DER) is for time-stamps, and for nothing else.
///
/// # Errors
/// [`DocumentError::Usage`] for one that is not; [`DocumentError::Unreadable`].
pub fn is_for_stamps(der: &[u8]) -> Result<(), DocumentError> {
    let certificate = Certificate::from_der(der)?;
    let extensions = certificate.extensions();
    //= https://www.rfc-editor.org/rfc/rfc3161#section-2.3
    //# The corresponding certificate MUST contain only one instance of the
    //# extended key usage field extension [...] with KeyPurposeID having
    //# value: id-kp-timeStamping.  This extension MUST be critical.
    let only = extensions.extended_key_usage.is_some_and(|usages| {
        let mut usages = usages.iter();
        usages.next() == Some(oid::TIME_STAMPING) && usages.next().is_none()
    });
    if only && extensions.is_critical(Kind::ExtendedKeyUsage) {
        Ok(())
    } else {
        Err(DocumentError::Usage(
            "not for time-stamps alone, critically",
        ))
    }
}

/// A TSTInfo.
struct Info<'a> {
    policy: Oid<'a>,
    imprint: Imprint<'a>,
    serial: &'a [u8],
    at: Moment,
    accuracy_seconds: Option<u32>,
    nonce: Option<&'a [u8]>,
}

impl<'a> Info<'a> {
    fn parse(der: &'a [u8]) -> Parse<Self> {
        let mut body = Cursor::only(der, tag::SEQUENCE)?;
        if small(body.take(tag::INTEGER)?.value)? != 1 {
            return Err("an unknown version");
        }
        let policy = body.oid()?;
        let imprint = Imprint::read(&mut body)?;
        let serial = body.integer()?;
        let at = time::read_fractional(&mut body)?;
        let accuracy_seconds = match body.optional(tag::SEQUENCE)? {
            None => None,
            Some(tlv) => Some(accuracy(Cursor::new(tlv.value))?),
        };
        body.default_false()?;
        let nonce = match body.peek() {
            Some(tag::INTEGER) => Some(body.integer()?),
            _ => None,
        };
        body.optional(tag::constructed(0))?;
        if body.optional(tag::constructed(1))?.is_some() {
            return Err("extensions, of which none is known");
        }
        body.end()?;
        Ok(Self {
            policy,
            imprint,
            serial,
            at,
            accuracy_seconds,
            nonce,
        })
    }
}

/// Accuracy in seconds; a part of one counts as a whole one.
fn accuracy(mut body: Cursor<'_>) -> Parse<u32> {
    let seconds = match body.optional(tag::INTEGER)? {
        None => 0,
        Some(tlv) => small(tlv.value)?,
    };
    let mut part = false;
    for number in [0, 1] {
        if let Some(tlv) = body.optional(tag::context(number))? {
            if !(1..1_000).contains(&small(tlv.value)?) {
                return Err("an accuracy with a part of more than a whole");
            }
            part = true;
        }
    }
    body.end()?;
    Ok(seconds.saturating_add(part.into()))
}
