//! The objects that answer requests.

use serde::Serialize;

use super::problem::Problem;
use super::requests::Identifier;
use crate::Moment;

/// RFC 8555, section 7.1.1.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    /// Where nonces come from.
    pub new_nonce: String,
    /// Where accounts are made.
    pub new_account: String,
    /// Where orders are placed.
    pub new_order: String,
    /// Where certificates are revoked.
    pub revoke_cert: String,
    /// Where account keys change.
    pub key_change: String,
    /// Renewal information (RFC 9773).
    pub renewal_info: String,
    /// What else there is to know.
    pub meta: Meta,
}

/// About the server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// The terms that holders of accounts agree to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms_of_service: Option<String>,
    /// Whether a new account has to be bound to a key of the operator's.
    pub external_account_required: bool,
}

/// RFC 8555, section 7.1.2. There is no list of its orders.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// `valid`, `deactivated` or `revoked`.
    pub status: &'static str,
    /// Addresses of its holder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<String>,
    /// Whether its holder agreed to the terms.
    pub terms_of_service_agreed: bool,
}

/// RFC 8555, section 7.1.3.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// How far it is.
    pub status: &'static str,
    /// When it ends unless it is finalized.
    pub expires: Moment,
    /// What it is for.
    pub identifiers: Vec<Identifier>,
    /// The certificate's first second, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// Its last second, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Moment>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// Where its authorizations are.
    pub authorizations: Vec<String>,
    /// Where it is finalized.
    pub finalize: String,
    /// Where its certificate is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The certificate that it takes the place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// RFC 8555, section 7.1.4.
#[derive(Debug, Serialize)]
pub struct Authorization {
    /// What control is proved of, without `*.`.
    pub identifier: Identifier,
    /// How far it is.
    pub status: &'static str,
    /// When it ends.
    pub expires: Moment,
    /// The ways to prove control.
    pub challenges: Vec<Challenge>,
    /// Whether it is of a wildcard.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wildcard: bool,
}

/// RFC 8555, section 8.
#[derive(Debug, Serialize)]
pub struct Challenge {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where the client says that it is ready.
    pub url: String,
    /// How far it is.
    pub status: &'static str,
    /// What the answer is made of.
    pub token: String,
    /// When it was proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validated: Option<Moment>,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// RFC 9773, section 4.2.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewalInfo {
    /// When to renew.
    pub suggested_window: SuggestedWindow,
}

/// A span of time.
#[derive(Debug, Serialize)]
pub struct SuggestedWindow {
    /// Its beginning.
    pub start: Moment,
    /// Its end.
    pub end: Moment,
}
