//! The record of what was done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::Outcome;
use crate::Moment;

/// Which events to answer with, from the query string. A list has commas
/// between its members; what is left out leaves nothing out.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// At most this many, of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The place that those wanted come after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Actions: `key.revoke`, or `key.*` for all that begin so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Outcomes: `success`, `denied`, `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Names of targets, whole (`team/default/orders`) or their last part;
    /// `*` stands for any characters, `?` for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl EventQuery {
    /// The members of a list.
    pub fn members(list: Option<&str>) -> Vec<String> {
        let members = list.unwrap_or_default().split(',');
        let named = members.filter(|member| !member.is_empty());
        named.map(str::to_owned).collect()
    }

    /// A list of these members; none for none.
    pub fn list<T: ToString>(members: &[T]) -> Option<String> {
        let members: Vec<String> = members.iter().map(T::to_string).collect();
        (!members.is_empty()).then(|| members.join(","))
    }

    /// As pairs for a query string.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        [
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("after", self.after.clone()),
            ("action", self.action.clone()),
            ("outcome", self.outcome.clone()),
            ("target", self.target.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// The media type of a stream of events (HTML, section 9.2).
pub const STREAM_TYPE: &str = "text/event-stream";

/// The header by which a stream is resumed.
pub const LAST_EVENT_ID_HEADER: &str = "last-event-id";

/// The kind of message in a stream that says, as a problem, why it ends.
pub const STREAM_END: &str = "end";

/// The details that people are told beside who, what and when, in this order:
/// why, until when and by what. The rest is for programs.
const TOLD: [&str; 24] = [
    "reason",
    "revocation_reason",
    "cause",
    "due_at",
    "activate_at",
    "destroy_at",
    "expires_at",
    "versions",
    "from_state",
    "to_state",
    "changed",
    "count",
    "rule",
    "matched",
    "detector",
    "gravity",
    "score",
    "incident",
    "job",
    "approved_action",
    "approval",
    "approvers",
    "insisted",
    "principal_namespace",
];

impl EventView {
    /// The details for people to read.
    pub fn told(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let told = TOLD.iter();
        told.filter_map(|name| Some((*name, self.details.get(*name)?.as_str())))
    }
}

/// One act, as it was recorded.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its place in the journal.
    pub sequence: u64,
    /// Its lasting identifier: 128 bits, written as a UUID is.
    pub id: String,
    /// When it happened.
    pub at: Moment,
    /// The namespace it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Who acted.
    pub principal: String,
    /// How they were recognised.
    pub authentication: String,
    /// The network address they came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What they did.
    pub action: String,
    /// What they did it to.
    pub targets: Vec<TargetView>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, when it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The request's identifier, as answered in `X-Request-Id`.
    pub request_id: String,
    /// Items in the batch, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
    /// What else there is to know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// What an act was done to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    /// `key`, `keyring`, `namespace`, `token`, `policy`, `principal` or `system`.
    pub kind: String,
    /// Its lasting identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::read;

    #[test]
    fn lists_are_read_as_they_are_written() {
        let query = EventQuery {
            action: EventQuery::list(&["key.*", "token.revoke"]),
            target: Some("123".into()),
            ..EventQuery::default()
        };
        let text: Vec<String> = query
            .pairs()
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let again: EventQuery = read::query(&text.join("&")).unwrap();
        assert_eq!(again, query);
        assert_eq!(
            EventQuery::members(again.action.as_deref()),
            ["key.*", "token.revoke"]
        );
        assert!(EventQuery::members(None).is_empty());
        assert!(EventQuery::list::<&str>(&[]).is_none());
        assert!(read::query::<EventQuery>("actions=x").is_err());
    }
}
