//! CMS SignedData (RFC 5652, section 5): put together, and read from DER.

use crate::certificate::AlgorithmId;
use crate::error::{In, Parse, Result};
use crate::issue::der;
use crate::oid::{self, Oid};
use crate::parse::cursor::{Cursor, small, tag};

use super::error::DocumentError;
use super::signer::SignerDone;
use super::signerinfo::SignerInfo;

/// Content of no particular type.
pub const DATA: Oid<'static> = oid::CMS_DATA;

/// The most certificates, and the most lists, that a document may carry.
const MAX_CARRIED: usize = 64;

/// The most signatures that a document may carry.
const MAX_SIGNERS: usize = 32;

/// A document with these signatures, and the certificates and revocation lists
/// (DER) that go with them. Without `content` it is detached.
///
/// # Errors
/// [`DocumentError::NoSigner`] without any signature, and
/// [`DocumentError::Input`] for signatures over content of another type.
pub fn assemble(
    content_type: &Oid<'_>,
    content: Option<&[u8]>,
    signers: &[SignerDone],
    crls: &[Vec<u8>],
) -> std::result::Result<Vec<u8>, DocumentError> {
    if signers.is_empty() {
        return Err(DocumentError::NoSigner);
    }
    if signers
        .iter()
        .any(|one| one.content_type.as_oid() != *content_type)
    {
        return Err(DocumentError::Input(
            "a signature over another type of content",
        ));
    }
    let once = |mut all: Vec<Vec<u8>>| {
        all.sort_unstable();
        all.dedup();
        all
    };
    let hashes = once(signers.iter().map(|one| one.digest_id.clone()).collect());
    let certificates = once(signers.iter().flat_map(|one| one.chain.clone()).collect());
    let crls = once(crls.to_vec());
    let inside = content.map(|content| der::constructed(0, &[&der::octets(content)]));
    //= https://www.rfc-editor.org/rfc/rfc5652#section-5.1
    //# ELSE IF (encapContentInfo eContentType is other than id-data)
    //# [...] THEN version MUST be 3
    let version = if *content_type == DATA { 1 } else { 3 };
    let carried = |number, all: &[Vec<u8>]| match all.is_empty() {
        true => Vec::new(),
        false => der::constructed(number, &all.iter().map(Vec::as_slice).collect::<Vec<_>>()),
    };
    let data = der::sequence(&[
        &der::integer(version),
        &der::set_of(hashes),
        &der::sequence(&[&der::oid(*content_type), &inside.unwrap_or_default()]),
        &carried(0, &certificates),
        &carried(1, &crls),
        &der::set_of(signers.iter().map(|one| one.info.clone()).collect()),
    ]);
    Ok(der::sequence(&[
        &der::oid(oid::CMS_SIGNED_DATA),
        &der::constructed(0, &[&data]),
    ]))
}

/// Certificates (DER) and nothing else, signed by nobody: the "certs-only"
/// form in which EST hands them out.
#[must_use]
pub fn certs_only(certificates: &[Vec<u8>]) -> Vec<u8> {
    //= https://www.rfc-editor.org/rfc/rfc5652#section-5.2
    //# In the degenerate case where there are no signers, the
    //# EncapsulatedContentInfo value being "signed" is irrelevant.  In this
    //# case, the content type within the EncapsulatedContentInfo value being
    //# "signed" MUST be id-data (as defined in Section 4), and the content
    //# field of the EncapsulatedContentInfo value MUST be omitted.
    let mut all: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    all.sort_unstable();
    all.dedup();
    let data = der::sequence(&[
        &der::integer(1),
        &der::set_of(Vec::new()),
        &der::sequence(&[&der::oid(DATA)]),
        &der::constructed(0, &all),
        &der::set_of(Vec::new()),
    ]);
    der::sequence(&[
        &der::oid(oid::CMS_SIGNED_DATA),
        &der::constructed(0, &[&data]),
    ])
}

/// A SignedData in its ContentInfo. Reading one checks its structure;
/// [`super::verify`] says whether its signatures count.
#[derive(Clone, Debug)]
pub struct SignedData<'a> {
    /// What kind of content was signed.
    pub content_type: Oid<'a>,
    /// The content, if it is in here.
    pub content: Option<&'a [u8]>,
    /// Certificates that came along, as DER: one that does not parse spoils
    /// nothing unless it is needed.
    pub certificates: Vec<&'a [u8]>,
    /// Revocation lists that came along, likewise.
    pub crls: Vec<&'a [u8]>,
    /// The signatures; never empty.
    pub signers: Vec<SignerInfo<'a>>,
}

impl<'a> SignedData<'a> {
    /// Reads a ContentInfo with SignedData from DER; nothing may follow it.
    ///
    /// # Errors
    /// [`crate::Error::Malformed`], also for BER that is no DER and for a
    /// document without signatures.
    pub fn from_der(der: &'a [u8]) -> Result<Self> {
        Self::parse(der).within("CMS document")
    }

    fn parse(der: &'a [u8]) -> Parse<Self> {
        let mut info = Cursor::only(der, tag::SEQUENCE)?;
        if info.oid()? != oid::CMS_SIGNED_DATA {
            return Err("something else than SignedData");
        }
        let explicit = info.take(tag::constructed(0))?;
        info.end()?;
        let mut data = Cursor::only(explicit.value, tag::SEQUENCE)?;
        if !matches!(small(data.take(tag::INTEGER)?.value)?, 1 | 3 | 4 | 5) {
            return Err("an unknown version");
        }
        let mut hashes = data.enter(tag::SET)?;
        let mut announced = Vec::new();
        while !hashes.is_empty() {
            announced.push(AlgorithmId::read(&mut hashes)?.oid);
            if announced.len() > MAX_SIGNERS {
                return Err("too many digest algorithms");
            }
        }
        let mut encapsulated = data.sequence()?;
        let content_type = encapsulated.oid()?;
        let content = match encapsulated.optional(tag::constructed(0))? {
            None => None,
            Some(tlv) => {
                let mut inner = Cursor::new(tlv.value);
                let content = inner.take(tag::OCTET_STRING)?.value;
                inner.end()?;
                Some(content)
            }
        };
        encapsulated.end()?;
        let certificates = carried(data.optional(tag::constructed(0))?.map(|tlv| tlv.value))?;
        let crls = carried(data.optional(tag::constructed(1))?.map(|tlv| tlv.value))?;
        let mut infos = data.enter(tag::SET)?;
        data.end()?;
        let mut signers = Vec::new();
        while !infos.is_empty() {
            let one = SignerInfo::read(&mut infos)?;
            if !announced.contains(&one.digest.oid) {
                return Err("a signature by a hash that the document does not announce");
            }
            signers.push(one);
            if signers.len() > MAX_SIGNERS {
                return Err("too many signatures");
            }
        }
        if signers.is_empty() {
            return Err("a document without signatures");
        }
        Ok(Self {
            content_type,
            content,
            certificates,
            crls,
            signers,
        })
    }
}

/// A set of certificates or lists; other choices than X.509's are passed over.
fn carried(contents: Option<&[u8]>) -> Parse<Vec<&[u8]>> {
    let mut list = Cursor::new(contents.unwrap_or_default());
    let mut all = Vec::new();
    while !list.is_empty() {
        let tlv = list.any()?;
        if tlv.tag == tag::SEQUENCE {
            all.push(tlv.whole);
        }
        if all.len() > MAX_CARRIED {
            return Err("too many certificates or lists");
        }
    }
    Ok(all)
}
