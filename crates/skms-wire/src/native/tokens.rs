//! Tokens: bearer credentials.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Moment, SecretText};

/// Makes a token.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTokenRequest {
    /// The principal it speaks for; a fresh one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The groups its principal is in, as policies name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// How long it is good for; the server's default if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A new token. Its text is in this answer and nowhere else.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CreateTokenResponse {
    /// The token.
    pub token: SecretText,
    /// What is kept about it.
    pub info: TokenView,
    /// Whether its principal is suspended: it is refused until that is resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

/// What is kept about a token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its public identifier, for showing and revoking.
    pub id: String,
    /// The principal it speaks for.
    pub principal: String,
    /// The groups its principal is in.
    pub groups: Vec<String>,
    /// The namespace it belongs to.
    pub namespace: String,
    /// When it was made.
    pub created_at: Moment,
    /// When it lapses; never, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Who the caller is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SelfView {
    /// The principal.
    pub principal: String,
    /// How it was recognised: `token` or `certificate`.
    pub authentication: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// The namespace it belongs to.
    pub namespace: String,
    /// The token, when that is how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenView>,
}
