//! Automatic rules: write, try, read, list, delete them; see what they did, let
//! go what they hold, and undo it.

mod acts;
mod read;
mod trial;
mod undo;
mod write;

use skms_keys::UnixSeconds;
use skms_policy::rule::{Rule, Trigger};
use skms_store::RecordId;

use crate::act::act;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records::rule::ActState;
use crate::rules::AutoRule;
use crate::rules::judge::KnownAct;
use crate::target::Target;

pub use acts::Released;
pub use trial::{Trial, WouldTouch};
pub use write::NewRule;

act!(List, RuleList, "Lists the rules.");
act!(Read, RuleRead, "Reads a rule.");
act!(Write, RuleWrite, "Writes a rule.");
act!(Delete, RuleDelete, "Deletes a rule.");
act!(Release, RuleRelease, "Lets held acts of a rule go.");
act!(Undo, RuleUndo, "Undoes an act of a rule.");

/// The most rules of a namespace: each is asked about every event.
const RULES_MAX: usize = 256;

/// What is told about a rule.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// What it is asked on; nothing for one that cannot be read any more.
    pub triggers: Vec<Trigger>,
    /// What it does, by its name in `@answer`.
    pub answer: &'static str,
    /// Whether it is asked at all.
    pub enabled: bool,
    /// Whether it only reports.
    pub dry_run: bool,
    /// Rises with every writing.
    pub edition: u64,
    /// How often it may act: "5 per day".
    pub limit: String,
    /// How many of its acts wait to be released.
    pub held: usize,
    /// When it was first written.
    pub created_at: UnixSeconds,
    /// When it was last written.
    pub updated_at: UnixSeconds,
    /// By whom.
    pub written_by: String,
    /// What is doubtful about it, in words.
    pub doubts: Vec<String>,
}

impl View {
    fn of(rule: &AutoRule, (limit, held): (String, usize)) -> Self {
        let compiled = rule.compiled.as_ref();
        let record = &rule.record;
        let doubts = match compiled {
            Some(known) => known.doubts().iter().map(ToString::to_string).collect(),
            None => vec!["this version of the server cannot read it: it does nothing".to_owned()],
        };
        Self {
            name: record.name.clone(),
            text: record.text.clone(),
            triggers: compiled.map_or_else(Vec::new, |known| known.triggers().to_vec()),
            answer: compiled.map_or("", |known| known.answer().name()),
            enabled: record.enabled,
            dry_run: record.dry_run,
            edition: record.edition,
            limit,
            held,
            created_at: UnixSeconds(record.created_at),
            updated_at: UnixSeconds(record.updated_at),
            written_by: record.written_by.clone(),
            doubts,
        }
    }
}

/// What is told about an act of a rule.
#[derive(Clone, Debug)]
pub struct ActView {
    /// What it is undone by.
    pub id: RecordId,
    /// The rule.
    pub rule: String,
    /// Its edition.
    pub edition: u64,
    /// What was to be done.
    pub answer: String,
    /// Of a revocation or compromise.
    pub reason: Option<String>,
    /// The incident that a compromise began.
    pub incident: Option<String>,
    /// The key that it is about: keyring and name.
    pub key: Option<(String, String)>,
    /// The principal that it is about: namespace and name.
    pub principal: Option<(String, String)>,
    /// What the rule was asked on.
    pub trigger: String,
    /// Which one of them: an event's or verdict's identifier, say.
    pub trigger_id: String,
    /// What the rule looked at, in words.
    pub matched: String,
    /// When it was decided.
    pub at: UnixSeconds,
    /// Where it stands: `pending`, `held`, `done`, `dry-run`, `failed`,
    /// `skipped`, `undone` or `discarded`.
    pub state: &'static str,
    /// Why it was not done.
    pub why: Option<String>,
    /// Who undid it.
    pub undone_by: Option<String>,
}

impl ActView {
    pub(crate) fn of(act: &KnownAct, current: Option<&AutoRule>) -> Self {
        let record = &act.record;
        let stale = current.is_none_or(|rule| {
            rule.id.to_string() != record.rule_id || rule.record.edition != record.edition
        });
        Self {
            id: act.id,
            rule: record.rule.clone(),
            edition: record.edition,
            answer: record.answer.clone(),
            reason: record.reason.clone(),
            incident: (record.compromise.as_ref()).and_then(|one| one.incident.clone()),
            key: record
                .key
                .as_ref()
                .map(|key| (key.keyring.clone(), key.name.clone())),
            principal: record.principal.clone(),
            trigger: record.trigger.clone(),
            trigger_id: record.trigger_id.clone(),
            matched: record.matched.clone(),
            at: UnixSeconds(record.at),
            state: match record.state {
                ActState::Pending => "pending",
                // Held by an edition that is not in force any more.
                ActState::Held if stale => "discarded",
                ActState::Held => "held",
                ActState::Done => "done",
                ActState::DryRun => "dry-run",
                ActState::Failed => "failed",
                ActState::Skipped => "skipped",
                ActState::Undone => "undone",
                ActState::Discarded => "discarded",
            },
            why: record.why.clone(),
            undone_by: record.undone_by.clone(),
        }
    }
}

impl Entry {
    /// The rule as a target: with its revision if there is one.
    fn rule_target(&self, namespace: &str, name: &str) -> Target {
        let target = Target::rule(namespace, name);
        match self.rooms.rules.find(namespace, name) {
            Some(found) => target.stored(found.id.0, found.revision),
            None => target,
        }
    }

    /// The rule of that name.
    fn rule(&self, namespace: &str, name: &str) -> Result<std::sync::Arc<AutoRule>> {
        let found = self.rooms.rules.find(namespace, name);
        found.ok_or(Error::NotFound { what: "rule" })
    }
}

/// Whether a rule needs every use of keys up to now to be known.
fn looks_at_uses(rule: &Rule) -> bool {
    rule.looks_at("resource", "unused_seconds") || rule.looks_at("resource", "used")
}
