//! Where notifications of events go, and those that were given up.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Moment, SecretText};

/// Has events of the namespace delivered, from now on: to one webhook, or to
/// mailboxes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateChannelRequest {
    /// Its name in the namespace.
    #[schema(example = "pager")]
    pub name: String,
    /// The address of a webhook: `https://` and a host that anybody may reach,
    /// unless the server is set up otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://hooks.example.org/skms")]
    pub url: Option<String>,
    /// Mailboxes, 32 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Which actions: `key.revoke`, or `key.*` for all that begin so; all if
    /// left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// How they ended: `success`, `denied`, `failed`; anyhow if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<String>,
    /// Names of targets, whole (`team/default/orders`) or their last part; `*`
    /// stands for any characters, `?` for one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Whether it delivers from the start.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

/// What is to be different about a channel; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateChannelRequest {
    /// Another address, of a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Other mailboxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// Other actions; an empty list for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<String>>,
    /// Other outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcomes: Option<Vec<String>>,
    /// Other targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// Whether it delivers. Switched on again, it delivers what is done from
    /// then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Gives a webhook another secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateChannelSecretRequest {
    /// For how long the one before signs beside it: a day if left out, a week
    /// at most, 0 for not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 604800)]
    pub overlap_seconds: Option<u64>,
}

impl RotateChannelSecretRequest {
    /// The overlap when the caller does not say.
    pub const OVERLAP_DEFAULT: u64 = 86_400;
}

/// A channel, and what its receiver is to have.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ChannelSecretResponse {
    /// The channel.
    pub channel: ChannelView,
    /// The secret that `v1` signatures are made with, in this answer alone;
    /// absent for mailboxes, and in an answer that is given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretText>,
}

/// A notification channel.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChannelView {
    /// Its lasting identifier.
    pub id: String,
    /// The namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `webhook` or `email`.
    pub kind: String,
    /// The address of a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Mailboxes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// What verifies a webhook's `v1a` signatures: no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// How many secrets sign a webhook's messages now.
    pub secrets: u32,
    /// Which actions; all where there are none.
    pub actions: Vec<String>,
    /// Which outcomes.
    pub outcomes: Vec<String>,
    /// Which targets.
    pub targets: Vec<String>,
    /// `working`, `failing` or `disabled`.
    pub status: String,
    /// Since when it has been failing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Moment>,
    /// Why the last delivery was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When one was last taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_delivered_at: Option<Moment>,
    /// How many events were delivered.
    pub delivered: u64,
    /// How many wait to be delivered.
    pub waiting: u64,
    /// How many entries of the journal it has not looked at.
    pub behind: u64,
    /// How many were given up.
    pub dead_letters: u64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub changed_at: Moment,
}

/// What came of a test.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChannelTested {
    /// Whether the message was taken.
    pub taken: bool,
    /// What the other side said, or why nobody did.
    pub said: String,
    /// How long it took.
    pub milliseconds: u64,
}

/// A notification that was given up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterView {
    /// Its identifier.
    pub id: String,
    /// The event's place in the journal.
    pub sequence: u64,
    /// The event's identifier.
    pub event: String,
    /// The event's action.
    pub action: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When first.
    pub first_at: Moment,
    /// When last.
    pub died_at: Moment,
    /// Why it was not taken then.
    pub reason: String,
}

/// Which dead letters of a channel.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLettersRequest {
    /// Their identifiers; all of them if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
}

/// How many dead letters something was done with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeadLettersDone {
    /// How many.
    pub count: u64,
}
