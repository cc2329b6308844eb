//! Whether the signatures of a CMS document count (RFC 5652, section 5.6), and
//! whether their certificates lead to somebody who is trusted.

use skms_crypto::Hash;

use crate::certificate::{AlgorithmId, Certificate, Signed};
use crate::crl::Crl;
use crate::issue::der;
use crate::oid;
use crate::parse::cursor::tag;
use crate::path::{self, Evidence, Options};
use crate::signature;
use crate::time::Moment;

use super::Body;
use super::cms::SignedData;
use super::error::DocumentError;
use super::signer::may_sign;
use super::signerinfo::SignerInfo;

/// Whom a caller trusts, and by which rules.
#[derive(Clone, Debug)]
pub struct Trust<'r, 'a, 'v> {
    /// Anchors, and certificates, lists and responses beside the document.
    pub evidence: Evidence<'r, 'a>,
    /// How the signers' paths are judged: at which moment, for what purpose,
    /// and whether revocation is asked after.
    pub options: Options<'v>,
}

/// Who signed, as far as it was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The signer's certificate (DER), then those above it to the anchor.
    pub path: Vec<Vec<u8>>,
    /// When the signer says that it signed.
    pub signing_time: Option<Moment>,
    /// The hash of the content.
    pub hash: Hash,
}

/// Checks every signature of a document: over this content, by the holders of
/// certificates that lead to an anchor. `detached` is the content of a document
/// that does not hold it itself.
///
/// # Errors
/// Why one of them does not count; all of them have to.
pub fn verify(
    document: &SignedData<'_>,
    detached: Option<Body<'_>>,
    trust: &Trust<'_, '_, '_>,
) -> Result<Vec<SignedBy>, DocumentError> {
    let body = match (document.content, detached) {
        (Some(inside), None) => Body::Whole(inside),
        (None, Some(body)) => body,
        (None, None) => return Err(DocumentError::Content("it is not in the document")),
        (Some(_), Some(_)) => {
            return Err(DocumentError::Content(
                "it is in the document and beside it",
            ));
        }
    };
    let certificates: Vec<Certificate<'_>> = document
        .certificates
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .chain(trust.evidence.intermediates.iter().copied())
        .collect();
    let crls: Vec<Crl<'_>> = document
        .crls
        .iter()
        .filter_map(|der| Crl::from_der(der).ok())
        .chain(trust.evidence.crls.iter().cloned())
        .collect();
    document
        .signers
        .iter()
        .map(|signer| {
            let hash = attributes(document, signer, &body)?;
            let own = certificates
                .iter()
                .chain(trust.evidence.anchors)
                .filter(|one| signer.sid.names(one))
                .find(|one| match signer.attributes.certificate {
                    Some(id) => id.is_of(one),
                    None => true,
                })
                .ok_or(DocumentError::NoCertificate)?;
            signature(signer, hash, own, &trust.options)?;
            may_sign(own)?;
            let evidence = Evidence {
                anchors: trust.evidence.anchors,
                intermediates: &certificates,
                crls: &crls,
                ocsp: trust.evidence.ocsp,
            };
            let path = path::validate(own, &evidence, &trust.options)
                .map_err(|refusal| DocumentError::Path(Box::new(refusal)))?;
            Ok(SignedBy {
                path: path
                    .certificates
                    .iter()
                    .map(|one| one.as_der().to_vec())
                    .collect(),
                signing_time: signer.signing_time(),
                hash,
            })
        })
        .collect()
}

/// What the signed attributes say of the content.
fn attributes(
    document: &SignedData<'_>,
    signer: &SignerInfo<'_>,
    body: &Body<'_>,
) -> Result<Hash, DocumentError> {
    if signer.attributes.content_type != document.content_type {
        return Err(DocumentError::Attribute(
            "another contentType than the document's",
        ));
    }
    let hash = super::hash::read(&signer.digest)?;
    if body.digest(hash)? != signer.attributes.message_digest {
        return Err(DocumentError::Altered);
    }
    Ok(hash)
}

/// The signature itself, by the key of `own`.
fn signature(
    signer: &SignerInfo<'_>,
    hash: Hash,
    own: &Certificate<'_>,
    options: &Options<'_>,
) -> Result<(), DocumentError> {
    // RFC 5754, section 3.2: rsaEncryption stands for PKCS #1 v1.5 with the
    // hash of the content.
    let algorithm = match signer.algorithm.oid {
        oid::RSA_ENCRYPTION => AlgorithmId {
            oid: match hash {
                Hash::Sha384 => oid::RSA_SHA384,
                Hash::Sha512 => oid::RSA_SHA512,
                _ => oid::RSA_SHA256,
            },
            parameters: signer.algorithm.parameters,
        },
        _ => signer.algorithm,
    };
    let scheme =
        signature::scheme(&algorithm).map_err(|fault| DocumentError::Algorithm(fault.why()))?;
    super::hash::fits(hash, scheme)?;
    let message = der::tlv(tag::SET, &[signer.attributes.contents]);
    let signed = Signed {
        message: &message,
        algorithm,
        signature: signer.signature,
    };
    options
        .verifier
        .verify(own.public_key(), &signed)
        .map_err(|fault| DocumentError::Signature(fault.why()))
}
