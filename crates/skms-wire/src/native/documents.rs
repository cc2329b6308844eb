//! Documents that keys sign.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Bytes;

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
