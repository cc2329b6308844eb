//! Requests for approval, and approvals.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Moment;

/// A request for approval of an act that a policy marks. Its hash is over every
/// member up to `expires_at`, as docs/approvals.md says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// What the call is repeated with.
    pub id: String,
    /// The installation, in hexadecimal.
    pub install: String,
    /// The namespace whose approvers it is for.
    pub namespace: String,
    /// That namespace's identifier.
    pub namespace_id: String,
    /// What is to be done to what.
    pub target: ApprovalTarget,
    /// What else the same call is to do, as far as that was decided before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<ApprovalTarget>,
    /// The call: an operationId of this interface.
    pub operation: String,
    /// All that the call says and that is no secret.
    pub parameters: Vec<ApprovalParameter>,
    /// A salted digest of what is secret in it, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<String>,
    /// Who is to do it.
    pub requester: ApprovalWho,
    /// Why, in the requester's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was asked.
    pub requested_at: Moment,
    /// The last moment at which it can be done.
    pub expires_at: Moment,
    /// The SHA-256 of all of this, in hexadecimal: what approvals are given for.
    pub hash: String,
    /// All of this in words.
    pub words: String,
    /// `pending`, `used`, `rejected` or `expired`.
    pub state: String,
    /// What marked the act when it was asked for. When it is done, those count
    /// that are in force then.
    pub marks: Vec<ApprovalMark>,
    /// The approvals.
    pub approvals: Vec<ApprovalGiven>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// Who used or rejected it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// The event of the act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One thing that an act is done to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalTarget {
    /// The action's name in policies.
    pub action: String,
    /// The kind of thing.
    pub kind: String,
    /// Its full name.
    pub name: String,
    /// Its identifier, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How it stands: a key's versions and their states, another record's
    /// revision.
    pub standing: String,
}

/// One thing that a call says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalParameter {
    /// Its name: of the body's members, `a/b` for one within another; with `:`
    /// before it one of the path's, with `?` one of the query.
    pub name: String,
    /// Its value, as JSON.
    pub value: String,
}

/// A principal.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalWho {
    /// `token`, `certificate` or `system`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name there.
    pub name: String,
}

/// What marks an act.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalMark {
    /// The policy.
    pub policy: String,
    /// How many distinct principals have to approve.
    pub approvals: u64,
    /// Whose approval counts, as policies write them; that of all who may
    /// approve, if empty.
    pub approvers: Vec<String>,
    /// Whether each has to be signed by its giver's own key.
    pub signed: bool,
}

/// An approval.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalGiven {
    /// Who gave it.
    pub by: ApprovalWho,
    /// By which credential.
    pub credential: String,
    /// When.
    pub at: Moment,
    /// The last moment at which it counts.
    pub expires_at: Moment,
    /// Whether the approver's own key signed it; the server's otherwise.
    pub own_key: bool,
    /// The signed statement, a JWS in its compact form.
    pub statement: String,
    /// Why it does not count now, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
}

/// Approves of a request.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveRequest {
    /// The hash of what the approver was shown.
    pub hash: String,
    /// A statement that the approver signed: a JWS with its certificate in x5c.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// How long the approval counts; as long as the request stands if left out,
    /// and never longer. A signed statement says it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_seconds: Option<u64>,
}

/// Rejects a request.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectApprovalRequest {
    /// Why, in words.
    #[serde(default)]
    pub reason: String,
}

/// The public half of the key by which the server signs for approvers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalKey {
    /// As PEM.
    pub public_key: String,
    /// SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.
    pub fingerprint: String,
}
