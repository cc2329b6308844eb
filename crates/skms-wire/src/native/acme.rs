//! Opening certificate authorities to ACME, and the keys that accounts are
//! bound to. What ACME's own clients send is in [`crate::acme`].

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Moment, SecretText};

/// Opens an authority to ACME, or changes how it is open.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnableAcmeRequest {
    /// The profile by which accounts get certificates.
    #[schema(example = "tls-server")]
    pub profile: String,
    /// The ways to prove control that are taken; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["http-01", "dns-01", "tls-alpn-01"]))]
    pub challenges: Option<Vec<String>>,
    /// Whether a new account has to be bound to a key made here.
    #[serde(default)]
    pub external_account_required: bool,
    /// The address of terms that holders of accounts have to agree to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service: Option<String>,
}

/// How an authority is open to ACME.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AcmeView {
    /// Whether it is. If not, nothing else is said.
    pub enabled: bool,
    /// The profile by which accounts get certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The ways to prove control that are taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub challenges: Vec<String>,
    /// Whether a new account has to be bound to a key made here.
    pub external_account_required: bool,
    /// The address of the terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service: Option<String>,
    /// The directory's path at this server.
    #[schema(example = "/acme/team/issuing/directory")]
    pub directory: String,
}

/// Makes a key that one account can be bound to.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAcmeKeyRequest {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A new key. It is in this answer and nowhere else.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CreateAcmeKeyResponse {
    /// The HMAC key, base64url.
    pub hmac_key: SecretText,
    /// What is kept about it.
    pub info: AcmeKeyView,
}

/// What is told about a key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AcmeKeyView {
    /// Its identifier: what clients call `kid`.
    pub id: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Moment,
    /// Who made it.
    pub created_by: String,
    /// The account that is bound to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
