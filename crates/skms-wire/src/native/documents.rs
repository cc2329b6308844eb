//! Documents that keys sign.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::RevocationCheck;
use super::validation::PathCertificate;
use crate::{Bytes, Moment};

/// What kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DocumentFormat {
    /// CMS SignedData (RFC 5652), DER.
    Cms,
    /// JWS in the compact form (RFC 7515).
    Jws,
    /// COSE_Sign1 (RFC 9052), tagged.
    Cose,
}

/// A certificate that an authority here issued for the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SigningCertificate {
    /// The authority's name.
    pub authority: String,
    /// The serial number, hexadecimal.
    pub serial: String,
}

/// Signs a document. Give `content`, or `digest` and `hash` for a detached
/// signature; and `certificate` or `chain`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignDocumentRequest {
    /// What kind of document.
    pub format: DocumentFormat,
    /// What is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Bytes>,
    /// Its digest by `hash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Bytes>,
    /// The hash, such as `SHA-256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Whether the content stays outside of the document.
    #[serde(default)]
    pub detached: bool,
    /// A certificate that was issued here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SigningCertificate>,
    /// A certificate from elsewhere, with those above it, nearest first (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// How to sign, such as `RSA-PSS-SHA-256`; the key's usual way if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ECDSA-SHA-256")]
    pub scheme: Option<String>,
    /// The key's version; the certificate's, or the newest, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A signed document.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SignDocumentResponse {
    /// The document.
    pub document: Bytes,
    /// The version that signed.
    pub version: u32,
}

/// Answers a request for a time-stamp (RFC 3161). Give `certificate` or
/// `chain`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StampRequest {
    /// The request: TimeStampReq, DER.
    pub query: Bytes,
    /// The policy to stamp under, as an object identifier.
    #[schema(example = "1.3.6.1.4.1.99999.1")]
    pub policy: String,
    /// A certificate for time-stamps that was issued here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SigningCertificate>,
    /// One from elsewhere, with those above it, nearest first (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// How to sign, such as `RSA-PSS-SHA-256`; the key's usual way if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ECDSA-SHA-256")]
    pub scheme: Option<String>,
    /// The key's version; the certificate's, or the newest, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A time-stamp.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct StampResponse {
    /// The response: TimeStampResp, DER.
    pub response: Bytes,
    /// The version that signed.
    pub version: u32,
}

/// Asks whether a signed document is valid. Every file of evidence is DER or
/// PEM, in base64; PEM may have several blocks. Give `authorities`, `anchors`,
/// or both.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyDocumentRequest {
    /// What kind of document.
    pub format: DocumentFormat,
    /// The document.
    pub document: Bytes,
    /// The content of a document that does not hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Bytes>,
    /// Authorities kept here that the signers' certificates may come from, by
    /// name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorities: Vec<String>,
    /// Whom to trust besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anchors: Vec<Bytes>,
    /// Certificates that may be of use, trusted in nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Bytes>,
    /// Certificate revocation lists; those of the authorities need not be
    /// given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crls: Vec<Bytes>,
    /// For what use the certificates have to be, as for validating them; any if
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "code-signing")]
    pub purpose: Option<String>,
    /// How hard to look for revocation in lists; `known` if left out. What the
    /// authorities revoked is refused at once in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationCheck>,
}

/// Whether a signed document is valid, and why not.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DocumentVerdict {
    /// Whether it is: every signature of it.
    pub valid: bool,
    /// Why it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Who signed; empty if it is refused.
    pub signers: Vec<DocumentSigner>,
    /// The content, if the document holds it and is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Bytes>,
}

/// Who signed a document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DocumentSigner {
    /// The signer's certificate first, the anchor last.
    pub path: Vec<PathCertificate>,
    /// When the signer says that it signed, which proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_time: Option<Moment>,
}
