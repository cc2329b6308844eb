//! Certificates that authorities issue.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::RevocationReason;
use crate::{Moment, SecretText};

/// Issues a certificate. It is for the key of a request, for a key kept here,
/// or for a key that is made and handed out: give one of the three.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueCertificateRequest {
    /// What it is for.
    #[schema(example = "tls-server")]
    pub profile: String,
    /// A request (PKCS #10, PEM). Its subject and names count where `subject`
    /// and `names` say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// A key kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SubjectKey>,
    /// The algorithm of a key that is to be made for it. The key leaves with
    /// the answer and is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "EC-P256")]
    pub new_key: Option<String>,
    /// Whom it is for, outermost part first; may be empty where there are names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "CN=www.example.org")]
    pub subject: Option<String>,
    /// Its names, each with its form before a colon: `dns:www.example.org`,
    /// `ip:192.0.2.1`, `email:a@example.org`, `uri:https://example.org/`,
    /// `dn:CN=A`. A bare one is a domain name, an address or a mailbox.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["www.example.org"]))]
    pub names: Vec<String>,
    /// How long it is to last, in seconds; the profile's usual time by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
}

/// A key kept here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectKey {
    /// Its keyring.
    pub keyring: String,
    /// Its name.
    pub key: String,
    /// Its version; the newest by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A new certificate.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct IssuedCertificate {
    /// What is known about it.
    pub certificate: CertificateView,
    /// The private key that was made for it, PEM (PKCS #8). It is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<SecretText>,
}

/// A certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// The authority that issued it.
    pub authority: String,
    /// By which of its issuers.
    pub issuer: u32,
    /// The profile it was issued by.
    pub profile: String,
    /// Whom it is for.
    pub subject: String,
    /// Its names, each with its form before a colon.
    pub names: Vec<String>,
    /// Its first valid second.
    pub not_before: Moment,
    /// Its last valid second.
    pub not_after: Moment,
    /// SHA-256 of its DER, lower-case hexadecimal.
    pub fingerprint: String,
    /// Whether it is good.
    pub status: CertificateStatus,
    /// Why and when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<CertificateRevocation>,
    /// The key kept here that it certifies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SubjectKey>,
    /// Who asked for it.
    pub issued_to: String,
    /// When it was issued.
    pub issued_at: Moment,
    /// The certificate, PEM; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The certificates above it, PEM, nearest first; absent in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
}

/// Whether a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateStatus {
    /// It is.
    Good,
    /// It is not for now.
    OnHold,
    /// It will never be again.
    Revoked,
    /// Its time is over.
    Expired,
}

/// Why and when a certificate was revoked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CertificateRevocation {
    /// Why (RFC 5280, section 5.3.1).
    pub reason: RevocationReason,
    /// When.
    pub revoked_at: Moment,
    /// Since when its key is not to be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_since: Option<Moment>,
}

/// Revokes a certificate.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeCertificateRequest {
    /// Why (RFC 5280, section 5.3.1). keyCompromise also reaches every other
    /// certificate of the key in this namespace and the key itself where it
    /// is kept here; certificateHold can be ended.
    pub reason: RevocationReason,
    /// Since when its key is not to be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_since: Option<Moment>,
}
