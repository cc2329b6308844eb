//! Principals known by their client certificates.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Moment;

/// Registers a certificate. Give its fingerprint or the certificate itself.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePrincipalRequest {
    /// The principal's name.
    pub name: String,
    /// SHA-256 of the certificate's DER, lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The groups it is in, as policies name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// A principal known by its certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PrincipalView {
    /// Its name.
    pub name: String,
    /// SHA-256 of the certificate's DER, lower-case hexadecimal.
    pub fingerprint: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// The namespace it belongs to.
    pub namespace: String,
    /// When it was registered.
    pub created_at: Moment,
}
