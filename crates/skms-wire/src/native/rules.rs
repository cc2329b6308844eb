//! Automatic rules, what they did, verdicts, and suspended principals.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Moment;

/// Writes a rule, new or in place of the one so named.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutRuleRequest {
    /// The rule: one Cedar `permit` with annotations.
    pub rule: String,
    /// Whether it is asked at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether it only reports what it would do.
    #[serde(default)]
    pub dry_run: bool,
}

const fn yes() -> bool {
    true
}

/// Tries a rule without writing it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRuleRequest {
    /// The name that it would have.
    pub name: String,
    /// The rule.
    pub rule: String,
}

/// What a rule would do now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RuleTrial {
    /// How many keys a walk would touch now.
    pub would_touch: u64,
    /// How many keys depend on those and would be compromised with them, where
    /// the rule compromises; counted no further than to what is over its limit.
    #[serde(default)]
    pub would_reach: u64,
    /// How many keys the namespace has.
    pub keys: u64,
    /// How often the rule may act.
    #[schema(example = "10 per day")]
    pub limit: String,
    /// Whether the walk would go over the limit, with what it would reach: then
    /// nothing is done before somebody releases it.
    pub would_hold: bool,
    /// How many of the latest events match.
    pub events_matched: u64,
    /// Of how many that were looked at.
    pub events_looked_at: u64,
    /// Some that would be touched.
    pub some: Vec<RuleTrialItem>,
    /// Events that are not read yet; keys may have been used since.
    pub events_behind: u64,
    /// What is doubtful about the rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// One that a rule would touch.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RuleTrialItem {
    /// A key, as keyring and name, or a principal, as namespace and name.
    pub name: String,
    /// What the rule looked at.
    pub matched: String,
    /// Why it would not be done all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_off: Option<String>,
}

/// A rule that was written, and what it would have done just before.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WrittenRule {
    /// The rule.
    pub rule: RuleView,
    /// What it would have done.
    pub trial: RuleTrial,
}

/// A rule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RuleView {
    /// Its name.
    pub name: String,
    /// Its text; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What it is asked on: `time`, `event`, `finding`, `certificate`, `verdict`.
    pub triggers: Vec<String>,
    /// What it does: `warn`, `suspend`, `revoke`, `compromise`, `rotate`,
    /// `suspend-principal`.
    pub answer: String,
    /// Whether it is asked at all.
    pub enabled: bool,
    /// Whether it only reports.
    pub dry_run: bool,
    /// Rises with every writing.
    pub edition: u64,
    /// How often it may act.
    pub limit: String,
    /// How many of its acts wait to be released, because it is over its limit.
    pub held: u64,
    /// When it was first written.
    pub created_at: Moment,
    /// When it was last written.
    pub updated_at: Moment,
    /// By whom.
    pub written_by: String,
    /// What is doubtful about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// Lets go what a rule holds.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRuleRequest {
    /// Drops the acts in place of doing them.
    #[serde(default)]
    pub discard: bool,
}

/// What became of held acts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReleasedRule {
    /// How many there were.
    pub acts: u64,
    /// How many were attended to; none where they were dropped.
    pub done: u64,
}

/// What a rule did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RuleActView {
    /// What it is undone by.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// The rule's edition.
    pub edition: u64,
    /// What was to be done.
    pub answer: String,
    /// The reason of a revocation or compromise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The incident that a compromise began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The key's keyring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<String>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The principal, as namespace and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// What the rule was asked on.
    pub trigger: String,
    /// Which one: an event's or a verdict's identifier, say.
    pub trigger_id: String,
    /// What the rule looked at, and what it was.
    pub matched: String,
    /// When it was decided.
    pub at: Moment,
    /// `pending`, `held`, `done`, `dry-run`, `failed`, `skipped`, `undone` or
    /// `discarded`.
    pub state: String,
    /// Why it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who undid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<String>,
}

/// Hands in a verdict about a principal or a key of the namespace.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitVerdictRequest {
    /// The principal that it is about. Either this or `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The keyring of the key that it is about.
    #[serde(default = "default_keyring")]
    pub keyring: String,
    /// The key that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How sure and how bad, from 0 to 1000.
    #[schema(maximum = 1000)]
    pub score: u16,
    /// Why, in words.
    pub reason: String,
    /// The events that it rests on, by their identifiers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// After this nothing is done by it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
}

fn default_keyring() -> String {
    "default".to_owned()
}

/// A verdict that was handed in, and what the rules did about it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VerdictView {
    /// What it is known by: its event's identifier.
    pub id: String,
    /// What the rules did.
    pub acts: Vec<RuleActView>,
}

/// Suspends a principal.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendPrincipalRequest {
    /// Why, in words.
    #[serde(default)]
    pub reason: String,
    /// Suspend the caller itself, if that is who it is: refused otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// A suspended principal.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SuspendedPrincipalView {
    /// Its name.
    pub name: String,
    /// Since when.
    pub at: Moment,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Whether there is a live token or registration of that name; absent for
    /// whoever may not list principals. Certificates by a trust count by their
    /// registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}
