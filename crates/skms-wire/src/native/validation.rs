//! Certificates: validating what others issued.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::{RevocationCheck, ValidationProfile};
use crate::{Bytes, Moment};

/// Asks whether a certificate is valid. Every file is DER or PEM, in base64;
/// PEM may have several blocks.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidateCertificateRequest {
    /// The certificate; certificates after it in the file join the chain.
    pub certificate: Bytes,
    /// Whom to trust.
    pub anchors: Vec<Bytes>,
    /// Certificates that may be of use, trusted in nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Bytes>,
    /// Certificate revocation lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crls: Vec<Bytes>,
    /// OCSP responses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ocsp_responses: Vec<Bytes>,
    /// By which rules; RFC 5280 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ValidationProfile>,
    /// For what use: `any`, `server`, `client`, `code-signing`, `email`,
    /// `time-stamping`, `ocsp-signing`, or an object identifier; any if left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Names that it must bear, all of them: hosts, addresses, mailboxes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// At which moment; now if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// How hard to look for revocation in the lists and responses given; not
    /// at all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationCheck>,
    /// Object identifiers of acceptable policies; the path must be valid for
    /// one of them. Any, or none, if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

/// Whether a certificate is valid, and why not.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CertificateVerdict {
    /// Whether it is.
    pub valid: bool,
    /// The path that holds: the certificate first, the anchor last; empty if
    /// there is none.
    pub path: Vec<PathCertificate>,
    /// The policies that the path is valid for; absent if it is any, or if it
    /// is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<String>>,
    /// Why it is refused, in the path that got furthest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusedPath>,
    /// The other paths that were tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<RefusedPath>,
    /// How many more were tried than are told.
    pub alternatives_omitted: u64,
    /// What it took, against fixed limits.
    pub work: ValidationWork,
}

/// A certificate of a valid path.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PathCertificate {
    /// Whom it is for.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// Its first valid second.
    pub not_before: Moment,
    /// Its last valid second.
    pub not_after: Moment,
    /// SHA-256 of its DER, lower-case hexadecimal.
    pub fingerprint: String,
}

/// A path that was tried and did not hold.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefusedPath {
    /// The rule that was broken, such as `expired`.
    pub rule: String,
    /// Where it is written, such as `RFC 5280, 6.1.3(a)(2)`.
    pub section: String,
    /// What broke it.
    pub detail: String,
    /// Which certificate of the path broke it; 0 is the one in question.
    pub certificate: u32,
    /// The path's subjects, the certificate in question first.
    pub path: Vec<String>,
    /// Whether it had reached an anchor.
    pub reached_anchor: bool,
}

/// What a validation took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct ValidationWork {
    /// Signatures checked.
    pub signatures: u32,
    /// Certificates tried as issuers.
    pub candidates: u32,
    /// Comparisons with name constraints.
    pub comparisons: u64,
    /// Everything else.
    pub steps: u64,
}
