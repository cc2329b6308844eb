//! A request for approval, and the approvals that it was given.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::der::Der;
use crate::approvals::facts::{Facts, Who};

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RequestState {
    /// It waits, for approvals or to be used.
    Pending,
    /// The act was done.
    Used,
    /// Somebody rejected it.
    Rejected,
    /// Its time ran out.
    Expired,
}

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ApprovalRecord {
    pub(crate) facts: Facts,
    /// Of the digest of secrets, in hexadecimal.
    pub(crate) salt: String,
    /// What makes two requests the same: the name of one that waits.
    pub(crate) subject: String,
    /// What marked the act when it was asked for: for those who are shown it.
    pub(crate) marks: Vec<MarkRecord>,
    #[serde(default)]
    pub(crate) given: Vec<GivenRecord>,
    pub(crate) state: RequestState,
    /// When and by whom it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_by: Option<String>,
    /// The event of the act, or why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

impl Record for ApprovalRecord {
    const KIND: Kind = Kind::Approval;
}

/// What is read of a request where what it asks for does not matter.
#[derive(Serialize, Deserialize)]
pub(crate) struct Outline {
    pub(crate) facts: FactsOutline,
    pub(crate) state: RequestState,
    #[serde(default)]
    pub(crate) ended_at: Option<i64>,
}

/// As [`Outline`], of its facts.
#[derive(Serialize, Deserialize)]
pub(crate) struct FactsOutline {
    pub(crate) target: ThingOutline,
    pub(crate) requester: Who,
    pub(crate) expires_at: i64,
}

/// As [`Outline`], of what the act is done to.
#[derive(Serialize, Deserialize)]
pub(crate) struct ThingOutline {
    pub(crate) action: String,
    pub(crate) id: Option<String>,
}

impl Record for Outline {
    const KIND: Kind = Kind::Approval;
}

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MarkRecord {
    /// The policy document.
    pub(crate) policy: String,
    pub(crate) approvals: usize,
    /// As policies write them.
    pub(crate) approvers: Vec<String>,
    pub(crate) signed: bool,
}

/// An approval.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GivenRecord {
    pub(crate) by: Who,
    /// How the log names the credential.
    pub(crate) credential: String,
    /// The token, for whoever came by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// The certificates, for whoever came by one or signed by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) chain: Vec<Der>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<IpAddr>,
    pub(crate) tls: bool,
    pub(crate) at: i64,
    pub(crate) expires_at: i64,
    /// The statement, as a JWS.
    pub(crate) statement: String,
    /// Whether the approver's own key signed it; the server's otherwise.
    pub(crate) own: bool,
}
