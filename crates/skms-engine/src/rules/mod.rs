//! Automatic rules in memory, by namespace and name: few, and an immutable
//! snapshot that a change replaces. What a rule is asked is in `question.rs`,
//! what became of the answers in `judge.rs`, and how they are carried out in
//! `answer.rs`.

pub(crate) mod answer;
pub(crate) mod asking;
pub(crate) mod certificates;
pub(crate) mod compromise;
pub(crate) mod decide;
pub(crate) mod events;
pub(crate) mod findings;
pub(crate) mod judge;
pub(crate) mod known;
pub(crate) mod question;
pub(crate) mod roster;
pub(crate) mod rounds;
pub(crate) mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use skms_keys::{NamespaceId, RevocationReason};
use skms_policy::PolicyName;
use skms_policy::rule::{Answer, Quota, Rule, Trigger};
use skms_store::{RecordId, SealedStore};

use crate::error::{Error, Result};
use crate::places::{self, Places};
use crate::records::incident::{Reach, Rotation};
use crate::records::rule::RuleRecord;

/// The name of the part of the server that rules act as.
pub(crate) const PART: &str = "rules";

/// The longest chain of rules that answer each other's acts.
pub(crate) const CHAIN_MAX: u32 = 4;

/// A rule that says no limit acts on this many keys a day, or on a twentieth
/// of the namespace's, whichever is more; and never on more than half.
const USUAL_LIMIT: u64 = 10;
const USUAL_PART: u64 = 20;
const DAY_SECONDS: i64 = 86_400;

/// One rule at one revision of its record.
pub(crate) struct AutoRule {
    pub(crate) id: RecordId,
    pub(crate) namespace: NamespaceId,
    pub(crate) namespace_name: Arc<str>,
    pub(crate) revision: u64,
    pub(crate) record: RuleRecord,
    /// `None` where this version of the program cannot read it: it does
    /// nothing.
    pub(crate) compiled: Option<Rule>,
}

impl AutoRule {
    /// From its record.
    pub(crate) fn new(
        (id, revision): (RecordId, u64),
        (namespace, namespace_name): (NamespaceId, Arc<str>),
        record: RuleRecord,
    ) -> Self {
        let compiled = compile(&namespace_name, &record.name, &record.text).ok();
        Self {
            id,
            namespace,
            namespace_name,
            revision,
            record,
            compiled,
        }
    }

    /// The rule itself, if it is to be asked on a trigger.
    pub(crate) fn on(&self, trigger: Trigger) -> Option<&Rule> {
        let rule = self.compiled.as_ref()?;
        (self.record.enabled && rule.triggers().contains(&trigger)).then_some(rule)
    }

    /// What asking it costs, by its length.
    pub(crate) fn weight(&self) -> u64 {
        1 + self.record.text.len() as u64 / 1024
    }

    /// How often it may act, in a namespace of so many keys.
    pub(crate) fn limit(&self, keys: u64) -> Quota {
        let said = self.compiled.as_ref().and_then(Rule::limit);
        said.unwrap_or_else(|| usual_limit(keys))
    }
}

/// The limit of a rule that says none, in a namespace of so many keys.
pub(crate) fn usual_limit(keys: u64) -> Quota {
    let part = USUAL_LIMIT.max(keys / USUAL_PART);
    let acts = part.min((keys / 2).max(1));
    let acts = u32::try_from(acts).unwrap_or(u32::MAX);
    let most = Quota::most(DAY_SECONDS);
    Quota {
        acts: acts.min(most),
        seconds: DAY_SECONDS,
    }
}

/// Reads a rule's text, and the reason and reach of what it takes away.
pub(crate) fn compile(namespace: &str, name: &str, text: &str) -> Result<Rule> {
    let place = PolicyName::new(namespace, name)?;
    let rule = Rule::compile(&place, text)?;
    match rule.answer() {
        Answer::Revoke => reason(&rule).map(drop)?,
        Answer::Compromise => compromises(&rule).map(drop)?,
        _ => {}
    }
    Ok(rule)
}

/// Why a rule revokes.
pub(crate) fn reason(rule: &Rule) -> Result<RevocationReason> {
    let said = rule.reason().unwrap_or_default();
    let known: Option<RevocationReason> = said.parse().ok();
    // A hold is what suspending is for.
    let revokes = known
        .filter(|reason| reason.event().is_some() && *reason != RevocationReason::CertificateHold);
    revokes.ok_or_else(|| {
        Error::Invalid(format!(
            "@reason({said:?}) is no reason of RFC 5280 to revoke a key for, such as \
             keyCompromise or cessationOfOperation"
        ))
    })
}

/// How far a rule's compromise goes, and what it gives new versions. Whether
/// certificates say `keyCompromise` or `cACompromise` is told by what stands on
/// the key; a reason that is neither contradicts the answer.
pub(crate) fn compromises(rule: &Rule) -> Result<(Reach, Rotation)> {
    let wrong = |what: &str, said: &str, known: &str| {
        Error::Invalid(format!("@{what}({said:?}) is none of {known}"))
    };
    if let Some(said) = rule.reason() {
        let known: Option<RevocationReason> = said.parse().ok();
        let fits = known.is_some_and(|reason| {
            let (key, authority) = (
                RevocationReason::KeyCompromise,
                RevocationReason::CaCompromise,
            );
            reason == key || reason == authority
        });
        if !fits {
            let known = "the reasons of a compromise, keyCompromise and cACompromise";
            return Err(wrong("reason", said, known));
        }
    }
    let (reach, rotation) = (rule.cascade(), rule.rotate());
    let reach = reach.map_or(Ok(Reach::default()), |said| {
        let read = said.parse::<Reach>();
        read.map_err(|()| wrong("cascade", said, "none, direct, all"))
    });
    let rotation = rotation.map_or(Ok(Rotation::default()), |said| {
        let read = said.parse::<Rotation>();
        read.map_err(|()| wrong("rotate", said, "none, rule, all"))
    });
    Ok((reach?, rotation?))
}

type ByName = BTreeMap<String, Arc<AutoRule>>;

/// All of them.
#[derive(Default)]
pub(crate) struct AutoRules {
    all: ArcSwap<BTreeMap<String, Arc<ByName>>>,
}

impl AutoRules {
    /// Takes over what was read anew.
    pub(crate) fn replace(&self, other: &Self) {
        self.all.store(other.all.load_full());
    }

    /// Whether there is none anywhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.load().is_empty()
    }

    /// The rule of that name.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Arc<AutoRule>> {
        self.all.load().get(namespace)?.get(name).cloned()
    }

    /// The rules of a namespace, by name.
    pub(crate) fn of(&self, namespace: &str) -> Vec<Arc<AutoRule>> {
        let all = self.all.load();
        let own = all.get(namespace).into_iter();
        own.flat_map(|names| names.values().cloned()).collect()
    }

    /// The namespaces that have rules to be asked on a trigger, each with them.
    pub(crate) fn on(&self, trigger: Trigger) -> BTreeMap<String, Vec<Arc<AutoRule>>> {
        let all = self.all.load();
        let asked = all.iter().map(|(namespace, names)| {
            let these = names.values().filter(|one| one.on(trigger).is_some());
            (namespace.clone(), these.cloned().collect::<Vec<_>>())
        });
        asked.filter(|(_, these)| !these.is_empty()).collect()
    }

    /// Adds or replaces one; the caller holds the rooms' change lock.
    pub(crate) fn put(&self, rule: AutoRule) {
        let mut all = BTreeMap::clone(&self.all.load());
        let names = all.entry(rule.namespace_name.to_string()).or_default();
        let mut changed = ByName::clone(names);
        changed.insert(rule.record.name.clone(), Arc::new(rule));
        *names = Arc::new(changed);
        self.all.store(Arc::new(all));
    }

    /// Forgets one; the caller holds the rooms' change lock.
    pub(crate) fn remove(&self, namespace: &str, name: &str) {
        let mut all = BTreeMap::clone(&self.all.load());
        if let Some(names) = all.get_mut(namespace) {
            let mut changed = ByName::clone(names);
            changed.remove(name);
            *names = Arc::new(changed);
        }
        all.retain(|_, names| !names.is_empty());
        self.all.store(Arc::new(all));
    }
}

/// Every rule of every namespace.
pub(crate) async fn load(store: &SealedStore, places: &Places) -> Result<AutoRules> {
    let loaded = AutoRules::default();
    for namespace in places.list() {
        let name: Arc<str> = Arc::from(namespace.name.as_str());
        for (id, revision, record) in places::all::<RuleRecord>(store, namespace.id.0).await? {
            let place = (namespace.id, Arc::clone(&name));
            loaded.put(AutoRule::new((id, revision), place, record));
        }
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_limit_never_takes_more_than_half() {
        let acts = |keys| usual_limit(keys).acts;
        assert_eq!([0, 1, 2, 3, 5, 19, 20].map(acts), [1, 1, 1, 1, 2, 9, 10]);
        assert_eq!([100, 200, 1000, 1_000_000].map(acts), [10, 10, 50, 10_000]);
    }
}
