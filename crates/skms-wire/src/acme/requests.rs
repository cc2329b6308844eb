//! The payloads of requests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Moment;

/// Bytes in base64url without padding; `None` for anything else.
#[must_use]
pub fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// RFC 8555, section 7.3.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewAccount {
    /// Addresses of its holder.
    pub contact: Vec<String>,
    /// Whether its holder agrees to the terms.
    pub terms_of_service_agreed: bool,
    /// Whether no account is to be made.
    pub only_return_existing: bool,
    /// A JWS that binds it to a key that the operator handed out.
    pub external_account_binding: Option<Value>,
}

/// RFC 8555, sections 7.3.2 and 7.3.6.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct UpdateAccount {
    /// New addresses.
    pub contact: Option<Vec<String>>,
    /// `deactivated`, or nothing.
    pub status: Option<String>,
}

/// An identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifier {
    /// `dns` or `ip`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name or address.
    pub value: String,
}

/// RFC 8555, section 7.4; RFC 9773, section 5.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    /// What the certificate is to be for.
    pub identifiers: Vec<Identifier>,
    /// Its first second.
    #[serde(default)]
    pub not_before: Option<Moment>,
    /// Its last second.
    #[serde(default)]
    pub not_after: Option<Moment>,
    /// The certificate that it takes the place of.
    #[serde(default)]
    pub replaces: Option<String>,
}

/// RFC 8555, section 7.4.
#[derive(Debug, Deserialize)]
pub struct Finalize {
    /// A certification request (DER, base64url).
    pub csr: String,
}

/// RFC 8555, section 7.5.2.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct UpdateAuthorization {
    /// `deactivated`, or nothing.
    pub status: Option<String>,
}

/// RFC 8555, section 7.6.
#[derive(Debug, Deserialize)]
pub struct RevokeCertificate {
    /// The certificate (DER, base64url).
    pub certificate: String,
    /// The code of the reason (RFC 5280, section 5.3.1).
    #[serde(default)]
    pub reason: Option<u8>,
}

/// RFC 8555, section 7.3.5.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyChange {
    /// The account's address.
    pub account: String,
    /// The key that it has now.
    pub old_key: Value,
}
