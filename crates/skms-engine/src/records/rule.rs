//! Automatic rules: what they are, what was done by them, when keys were used
//! last, and who is suspended.

use serde::{Deserialize, Serialize};
use skms_store::Kind;

use super::Record;
use super::incident::{Reach, Rotation};

/// A rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RuleRecord {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) enabled: bool,
    /// It only reports.
    pub(crate) dry_run: bool,
    /// Rises with every writing.
    pub(crate) edition: u64,
    /// Events before this place in the journal are none of its business.
    pub(crate) since: u64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) written_by: String,
}

impl Record for RuleRecord {
    const KIND: Kind = Kind::Rule;
}

/// Where an act of a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ActState {
    /// It is decided and about to be done.
    Pending,
    /// The rule is over its limit: it waits to be released.
    Held,
    /// It was done.
    Done,
    /// It would have been done.
    DryRun,
    /// It could not be done.
    Failed,
    /// It was not done, because the server stands on it or nobody could undo
    /// it.
    Skipped,
    /// It was done and taken back.
    Undone,
    /// It was held and is not to be done.
    Discarded,
}

/// What a rule did or is to do; one for each rule, trigger and subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RuleActRecord {
    pub(crate) rule: String,
    /// The rule's identifier.
    pub(crate) rule_id: String,
    pub(crate) edition: u64,
    /// By its name in `@answer`.
    pub(crate) answer: String,
    /// Of a revocation or compromise: RFC 5280's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Of a compromise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) compromise: Option<ActCompromise>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<ActKey>,
    /// Namespace and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) principal: Option<(String, String)>,
    /// What it was asked on.
    pub(crate) trigger: String,
    /// Which one of them.
    pub(crate) trigger_id: String,
    /// In words.
    pub(crate) matched: String,
    /// How many rules came before it in a chain, and itself.
    pub(crate) chain: u32,
    /// When it was decided.
    pub(crate) at: i64,
    pub(crate) state: ActState,
    /// Somebody let it go, so that it counts against no limit.
    #[serde(default)]
    pub(crate) released: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) done_at: Option<i64>,
    /// Why not, where it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// After this it is not done any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<i64>,
    /// The versions that it suspended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) versions: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undone_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undone_by: Option<String>,
}

impl RuleActRecord {
    /// How much it counts against its rule's limit: the key or principal, and
    /// the keys that a compromise reaches beside.
    pub(crate) fn weight(&self) -> usize {
        let beside = self.compromise.as_ref().map_or(0, |one| one.reached);
        usize::try_from(beside)
            .unwrap_or(usize::MAX)
            .saturating_add(1)
    }
}

/// The compromise that an act is: what is ordered, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ActCompromise {
    pub(crate) reach: Reach,
    pub(crate) rotation: Rotation,
    /// How many keys depended on the key when it was decided, as far as it
    /// reaches; none of an act that was held.
    pub(crate) reached: u64,
    /// The incident, once it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) incident: Option<String>,
}

/// The key that an act is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ActKey {
    pub(crate) keyring: String,
    pub(crate) name: String,
    pub(crate) id: String,
}

impl Record for RuleActRecord {
    const KIND: Kind = Kind::RuleAct;
}

/// The day on which a key was last used; its identifier is the key's.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct KeyUseRecord {
    /// Days since 1970-01-01.
    pub(crate) day: i64,
}

impl Record for KeyUseRecord {
    const KIND: Kind = Kind::KeyUse;
}

/// How far the journal was read for rules: a setting of the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct JudgedRecord {
    /// The next event's place.
    pub(crate) next: u64,
    /// Namespaces whose rules have not come so far: the places of their next
    /// events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) behind: Vec<(String, u64)>,
    /// When the store was last restored from a backup, which knows of no use
    /// that came after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored_at: Option<i64>,
}

impl JudgedRecord {
    /// What the setting is found by.
    pub(crate) const NAME: &str = "rules/judged";
}

impl Record for JudgedRecord {
    const KIND: Kind = Kind::Setting;
}

/// Every principal of a namespace that is suspended: a setting of the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SuspendedRecord {
    pub(crate) all: Vec<SuspensionRecord>,
}

impl SuspendedRecord {
    /// What that of a namespace is found by.
    pub(crate) fn name(namespace: &str) -> String {
        format!("principals/suspended/{namespace}")
    }
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SuspensionRecord {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) at: i64,
    /// Who suspended it: a principal, or a rule.
    pub(crate) by: String,
    pub(crate) reason: String,
}

impl Record for SuspendedRecord {
    const KIND: Kind = Kind::Setting;
}
