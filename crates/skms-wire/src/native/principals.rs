//! Principals known by their client certificates.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Moment;

/// Registers a principal: by one certificate (its fingerprint or the
/// certificate itself), by an authority of the namespace, any of whose
/// certificates for the principal then counts, or by an external authority that
/// the namespace trusts and a name in its certificates.
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
    /// An authority of the namespace, by name: certificates that it issues by
    /// the profile `principal` for `skms://NAMESPACE/certificate/NAME` show who
    /// the principal is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// An external authority that the namespace trusts, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    /// The name in certificates of that authority that is this principal's, in
    /// the form that counts for the trust. It is bound to one principal alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The groups it is in, as policies name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// A principal known by its certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PrincipalView {
    /// Its name.
    pub name: String,
    /// SHA-256 of the certificate's DER, lower-case hexadecimal; absent where an
    /// authority vouches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The identifier of the authority that vouches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The identifier of the trust that vouches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    /// The name in certificates of that trust that is this principal's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Its groups.
    pub groups: Vec<String>,
    /// The namespace it belongs to.
    pub namespace: String,
    /// When it was registered.
    pub created_at: Moment,
}
