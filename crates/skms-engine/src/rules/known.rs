//! The acts that are remembered, and at hand what is asked of them often: what
//! counts against a limit, what is held, what is to be done next. So none of it
//! takes longer because other namespaces, or other rules, have many.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use skms_policy::rule::{Answer, Trigger};
use skms_store::RecordId;

use super::judge::KnownAct;
use crate::records::rule::{ActState, RuleActRecord};

/// The most acts of a namespace that are remembered, and how many of them are
/// held, or warnings: what is left is for what takes something away.
pub(crate) const KEPT_MAX: usize = 40_000;
pub(crate) const HELD_IN_ALL_MAX: usize = 20_000;
pub(crate) const WARNINGS_MAX: usize = 10_000;

/// How many acts of a namespace there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// All of them.
    pub(crate) all: usize,
    /// Those that are held.
    pub(crate) held: usize,
    /// Warnings that are not held.
    pub(crate) warnings: usize,
}

/// Those of a namespace that are decided and not done, in the order of being
/// decided: what takes something away, and everything else.
#[derive(Default)]
struct Pending([BTreeSet<(i64, RecordId)>; 2]);

/// What a rule did that counts against its limit: when, for which edition alone
/// if only for one, and how much.
type Counting = BTreeMap<(i64, RecordId), (Option<u64>, usize)>;

/// All acts that are known.
#[derive(Default)]
pub(crate) struct KnownActs {
    all: HashMap<RecordId, KnownAct>,
    counting: HashMap<String, Counting>,
    held: HashMap<(String, u64), BTreeSet<RecordId>>,
    pending: BTreeMap<String, Pending>,
    /// What a walk found and somebody took back: rule, edition and key.
    taken_back: HashSet<(String, u64, String)>,
    tallies: HashMap<String, Tally>,
}

/// Whether an answer takes something away from whoever misuses it.
pub(crate) fn is_urgent(answer: Answer) -> bool {
    !matches!(answer, Answer::Warn | Answer::Rotate)
}

fn urgent(record: &RuleActRecord) -> bool {
    record.answer.parse().is_ok_and(is_urgent)
}

fn is_warning(record: &RuleActRecord) -> bool {
    record.answer == Answer::Warn.name()
}

impl KnownActs {
    /// The act of that identifier.
    pub(crate) fn get(&self, id: &RecordId) -> Option<&KnownAct> {
        self.all.get(id)
    }

    /// Whether anything was decided about it.
    pub(crate) fn contains(&self, id: &RecordId) -> bool {
        self.all.contains_key(id)
    }

    /// Every act, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &KnownAct> {
        self.all.values()
    }

    /// Adds one, or puts it in the place of what it was.
    pub(crate) fn put(&mut self, act: KnownAct) {
        self.remove(&act.id);
        let (id, record) = (act.id, &act.record);
        let rule = record.rule_id.clone();
        let counts = match record.state {
            ActState::Pending | ActState::Done | ActState::Undone => Some(None),
            // What an earlier edition only said it would do counts for nothing.
            ActState::DryRun => Some(Some(record.edition)),
            _ => None,
        };
        if let Some(edition) = counts.filter(|_| !record.released) {
            let counting = self.counting.entry(rule.clone()).or_default();
            counting.insert((record.at, id), (edition, record.weight()));
        }
        let tally = self.tallies.entry(act.namespace_name.clone()).or_default();
        tally.all += 1;
        match record.state {
            ActState::Held => {
                tally.held += 1;
                let held = self.held.entry((rule, record.edition)).or_default();
                held.insert(id);
            }
            ActState::Pending => {
                let of = self.pending.entry(act.namespace_name.clone()).or_default();
                of.0[usize::from(!urgent(record))].insert((record.at, id));
            }
            ActState::Undone if record.trigger == Trigger::Time.name() => {
                self.taken_back.extend(place(record));
            }
            _ => {}
        }
        tally.warnings += usize::from(is_warning(record) && record.state != ActState::Held);
        self.all.insert(id, act);
    }

    /// Forgets one.
    pub(crate) fn remove(&mut self, id: &RecordId) {
        let Some(act) = self.all.remove(id) else {
            return;
        };
        let record = &act.record;
        if let Some(counting) = self.counting.get_mut(&record.rule_id) {
            counting.remove(&(record.at, act.id));
            if counting.is_empty() {
                self.counting.remove(&record.rule_id);
            }
        }
        if let Some(tally) = self.tallies.get_mut(&act.namespace_name) {
            tally.all -= 1;
            let held = record.state == ActState::Held;
            tally.held -= usize::from(held);
            tally.warnings -= usize::from(is_warning(record) && !held);
        }
        let slot = (record.rule_id.clone(), record.edition);
        if let Some(held) = self.held.get_mut(&slot) {
            held.remove(&act.id);
            if held.is_empty() {
                self.held.remove(&slot);
            }
        }
        if let Some(of) = self.pending.get_mut(&act.namespace_name) {
            of.0[usize::from(!urgent(record))].remove(&(record.at, act.id));
            if of.0.iter().all(BTreeSet::is_empty) {
                self.pending.remove(&act.namespace_name);
            }
        }
        if record.state == ActState::Undone
            && let Some(place) = place(record)
        {
            self.taken_back.remove(&place);
        }
    }

    /// How much of a rule's acts counted against its limit after a time.
    pub(crate) fn counted(&self, rule: &str, edition: u64, after: i64) -> usize {
        let Some(counting) = self.counting.get(rule) else {
            return 0;
        };
        let since = (after.saturating_add(1), RecordId([0; 16]));
        let these = counting.range(since..).map(|(_, counts)| *counts);
        let these = these.filter(|(of, _)| of.is_none_or(|of| of == edition));
        these.fold(0, |sum, (_, weight)| sum.saturating_add(weight))
    }

    /// Acts of a rule's edition that wait to be released.
    pub(crate) fn held(&self, rule: &str, edition: u64) -> impl Iterator<Item = &KnownAct> {
        let held = self.held.get(&(rule.to_owned(), edition));
        held.into_iter().flatten().filter_map(|id| self.all.get(id))
    }

    /// Whether a walk's find of a rule's edition about a key was taken back.
    pub(crate) fn was_taken_back(&self, rule: &str, edition: u64, key: &str) -> bool {
        let place = (rule.to_owned(), edition, key.to_owned());
        self.taken_back.contains(&place)
    }

    /// The namespaces that have something to be done.
    pub(crate) fn to_do(&self) -> Vec<String> {
        self.pending.keys().cloned().collect()
    }

    /// What is to be done in a namespace, of one kind, the oldest first.
    pub(crate) fn pending(&self, namespace: &str, urgent: bool) -> impl Iterator<Item = RecordId> {
        let of = self.pending.get(namespace);
        let these = of.map(|of| of.0[usize::from(!urgent)].iter());
        these.into_iter().flatten().map(|(_, id)| *id)
    }

    /// How many acts of a namespace there are.
    pub(crate) fn tally(&self, namespace: &str) -> Tally {
        self.tallies.get(namespace).copied().unwrap_or_default()
    }
}

fn place(record: &RuleActRecord) -> Option<(String, u64, String)> {
    let key = record.key.as_ref()?;
    Some((record.rule_id.clone(), record.edition, key.id.clone()))
}

#[cfg(test)]
mod tests {
    use skms_keys::NamespaceId;

    use super::*;
    use crate::records::incident::{Reach, Rotation};
    use crate::records::rule::{ActCompromise, ActKey};

    fn act(id: u8, answer: Answer, state: ActState, at: i64) -> KnownAct {
        KnownAct {
            id: RecordId([id; 16]),
            namespace: NamespaceId([1; 16]),
            namespace_name: "team".to_owned(),
            revision: 1,
            record: RuleActRecord {
                rule: "r".to_owned(),
                rule_id: "1".to_owned(),
                edition: 3,
                answer: answer.name().to_owned(),
                reason: None,
                compromise: None,
                key: Some(ActKey {
                    keyring: "default".to_owned(),
                    name: "k".to_owned(),
                    id: id.to_string(),
                }),
                principal: None,
                trigger: "time".to_owned(),
                trigger_id: String::new(),
                matched: String::new(),
                chain: 1,
                at,
                state,
                released: false,
                done_at: None,
                why: None,
                expires_at: None,
                versions: Vec::new(),
                undone_at: None,
                undone_by: None,
            },
        }
    }

    #[test]
    fn a_compromise_counts_with_what_it_reaches() {
        let mut acts = KnownActs::default();
        let mut far = act(1, Answer::Compromise, ActState::Done, 10);
        far.record.compromise = Some(ActCompromise {
            reach: Reach::All,
            rotation: Rotation::Rule,
            reached: 6,
            incident: None,
        });
        acts.put(far.clone());
        acts.put(act(2, Answer::Suspend, ActState::Done, 20));
        assert_eq!((acts.counted("1", 3, 9), acts.counted("1", 3, 10)), (8, 1));
        far.record.released = true;
        acts.put(far);
        assert_eq!(acts.counted("1", 3, 9), 1);
    }

    fn tally(all: usize, held: usize, warnings: usize) -> Tally {
        Tally {
            all,
            held,
            warnings,
        }
    }

    #[test]
    fn what_is_at_hand_follows_every_change() {
        let mut acts = KnownActs::default();
        acts.put(act(1, Answer::Warn, ActState::Pending, 10));
        acts.put(act(2, Answer::Suspend, ActState::Pending, 20));
        acts.put(act(3, Answer::Warn, ActState::Held, 30));
        assert_eq!(acts.tally("team"), tally(3, 1, 1));
        assert_eq!(acts.to_do(), ["team"]);
        let ids = |acts: &KnownActs, urgent| -> Vec<u8> {
            acts.pending("team", urgent).map(|id| id.0[0]).collect()
        };
        assert_eq!((ids(&acts, true), ids(&acts, false)), (vec![2], vec![1]));
        assert_eq!(acts.counted("1", 3, 9), 2);
        assert_eq!(acts.counted("1", 3, 10), 1);
        assert_eq!(acts.held("1", 3).count(), 1);
        assert_eq!(acts.held("1", 2).count(), 0);
        acts.put(act(1, Answer::Warn, ActState::DryRun, 10));
        acts.put(act(2, Answer::Suspend, ActState::Undone, 20));
        acts.put(act(3, Answer::Warn, ActState::Discarded, 30));
        assert!(acts.to_do().is_empty());
        // A dry run counts for its own edition.
        assert_eq!(acts.counted("1", 3, 0), 2);
        assert_eq!(acts.counted("1", 4, 0), 1);
        assert!(acts.was_taken_back("1", 3, "2") && !acts.was_taken_back("1", 3, "1"));
        assert_eq!(acts.tally("team"), tally(3, 0, 2));
        for id in 1..=3 {
            acts.remove(&RecordId([id; 16]));
        }
        assert_eq!(acts.tally("team"), Tally::default());
        assert!(!acts.was_taken_back("1", 3, "2"));
        assert_eq!((acts.counted("1", 3, 0), acts.values().count()), (0, 0));
    }
}
