//! One signature of a CMS document, made in two steps: SignerInfo (RFC 5652,
//! section 5.3) with signed attributes (sections 11.1 to 11.3, RFC 5035).

use skms_crypto::Hash;

use crate::certificate::{Certificate, KeyUsage};
use crate::issue::{SigningScheme, der};
use crate::oid::{self, Oid, OidBuf};
use crate::parse::cursor::tag;
use crate::time::Moment;

use super::Body;
use super::error::DocumentError;
use super::hash;

/// Who signs: a certificate of a key, those above it, and how the key signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    chain: Vec<Vec<u8>>,
    spki: Vec<u8>,
    scheme: SigningScheme,
    hash: Hash,
}

impl Signer {
    /// The signer whose certificate (DER) is the first of `chain`.
    ///
    /// # Errors
    /// [`DocumentError::Unreadable`] for a certificate that does not parse,
    /// [`DocumentError::Usage`] for one whose key may not sign, and
    /// [`DocumentError::Algorithm`] for a scheme that signs no documents.
    pub fn new(chain: Vec<Vec<u8>>, scheme: SigningScheme) -> Result<Self, DocumentError> {
        for above in &chain {
            Certificate::from_der(above)?;
        }
        let own = chain
            .first()
            .ok_or(DocumentError::Input("a signer without a certificate"))?;
        let own = Certificate::from_der(own)?;
        may_sign(&own)?;
        let spki = own.public_key().der.to_vec();
        Ok(Self {
            spki,
            scheme,
            hash: hash::for_scheme(scheme)?,
            chain,
        })
    }

    /// The hash that content has to be digested with.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The certificates, the signer's own first.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// How the key signs.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.scheme
    }

    /// The certified key: SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Plans a signature over content of this type.
    ///
    /// # Errors
    /// [`DocumentError::Hash`] for a digest by another hash than
    /// [`Self::hash`], [`DocumentError::Input`] for a time without an encoding.
    pub fn plan(
        &self,
        content_type: &Oid<'_>,
        body: &Body<'_>,
        at: Moment,
    ) -> Result<UnsignedSigner, DocumentError> {
        let own = self
            .chain
            .first()
            .ok_or(DocumentError::Input("a signer without a certificate"))?;
        let certificate = Certificate::from_der(own)?;
        let digest = body.digest(self.hash)?;
        let attribute = |id: Oid<'_>, value: Vec<u8>| {
            der::sequence(&[&der::oid(id), &der::set_of(vec![value])])
        };
        let attributes = der::set_of(vec![
            attribute(oid::CONTENT_TYPE, der::oid(*content_type)),
            attribute(oid::MESSAGE_DIGEST, der::octets(&digest)),
            attribute(oid::SIGNING_TIME, der::time(at)?),
            attribute(
                oid::SIGNING_CERTIFICATE_V2,
                certificate_id(own, &certificate),
            ),
        ]);
        let sid = der::sequence(&[
            certificate.issuer().as_der(),
            &der::tlv(tag::INTEGER, &[certificate.serial()]),
        ]);
        Ok(UnsignedSigner {
            content_type: OidBuf::from(*content_type),
            attributes,
            sid,
            digest_id: hash::write(self.hash)?,
            signer: self.clone(),
        })
    }
}

/// Whether a certificate's keyUsage lets its key sign documents.
pub(crate) fn may_sign(certificate: &Certificate<'_>) -> Result<(), DocumentError> {
    let signs = KeyUsage::DIGITAL_SIGNATURE.union(KeyUsage::CONTENT_COMMITMENT);
    match certificate.extensions().key_usage {
        Some(usage) if !usage.intersects(signs) => Err(DocumentError::Usage(
            "its keyUsage has neither digitalSignature nor contentCommitment",
        )),
        _ => Ok(()),
    }
}

/// SigningCertificateV2 (RFC 5035, section 3) with the signer's certificate
/// alone: SHA-256 is the default and so is not written.
fn certificate_id(own: &[u8], certificate: &Certificate<'_>) -> Vec<u8> {
    let issuer = der::constructed(4, &[certificate.issuer().as_der()]);
    let issuer_serial = der::sequence(&[
        &der::sequence(&[&issuer]),
        &der::tlv(tag::INTEGER, &[certificate.serial()]),
    ]);
    let hash = der::octets(&Hash::Sha256.digest(own));
    let one = der::sequence(&[&hash, &issuer_serial]);
    der::sequence(&[&der::sequence(&[&one])])
}

/// A signature to be made. Sign [`Self::tbs`] with the certified key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedSigner {
    content_type: OidBuf,
    /// The SET OF, as it is signed.
    attributes: Vec<u8>,
    sid: Vec<u8>,
    digest_id: Vec<u8>,
    signer: Signer,
}

impl UnsignedSigner {
    /// The bytes to be signed, as they stand: the attributes' SET OF.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.attributes
    }

    /// How they are to be signed.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.signer.scheme
    }

    /// The signature among the document's, once it is there; it is checked.
    ///
    /// # Errors
    /// [`DocumentError::Signature`] if it is not the certified key's own.
    pub fn signed(self, signature: &[u8]) -> Result<SignerDone, DocumentError> {
        let scheme = self.signer.scheme;
        scheme.check(&self.signer.spki, &self.attributes, signature)?;
        //= https://www.rfc-editor.org/rfc/rfc5652#section-5.4
        //# The IMPLICIT [0] tag in the signedAttrs is not used for the DER
        //# encoding, rather an EXPLICIT SET OF tag is used.
        let mut attributes = self.attributes;
        if let Some(first) = attributes.first_mut() {
            *first = tag::constructed(0);
        }
        let info = der::sequence(&[
            &der::integer(1),
            &self.sid,
            &self.digest_id,
            &attributes,
            &scheme.identifier(),
            &der::octets(signature),
        ]);
        Ok(SignerDone {
            content_type: self.content_type,
            info,
            digest_id: self.digest_id,
            chain: self.signer.chain,
        })
    }
}

/// A signature that was made and checked, ready to be put into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerDone {
    pub(crate) content_type: OidBuf,
    pub(crate) info: Vec<u8>,
    pub(crate) digest_id: Vec<u8>,
    pub(crate) chain: Vec<Vec<u8>>,
}
