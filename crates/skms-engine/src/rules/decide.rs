//! From matches to acts: each once, within its rule's limit, and durable
//! before anything is done.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use skms_crypto::hash::sha256;
use skms_evidence::{DetailKey, DetailValue, Outcome};
use skms_policy::rule::{Answer, Trigger};
use skms_store::{Change, RecordId};

use super::judge::{KnownAct, Memory, STEP};
use super::known::{HELD_IN_ALL_MAX, KEPT_MAX, Tally, WARNINGS_MAX, is_urgent};
use super::{AutoRule, CHAIN_MAX, compromises};
use crate::act::act;
use crate::draft::EventDraft;
use crate::error::Result;
use crate::gate::Entry;
use crate::records::rule::{ActCompromise, ActKey, ActState, RuleActRecord};
use crate::target::Target;

act!(
    Answered,
    RuleAct,
    "Answers a match of a rule, or says why not."
);

/// The most acts of one rule that wait to be released.
pub(crate) const HELD_MAX: usize = 10_000;

/// How long a rule's trouble is told once, and that it holds acts.
const TROUBLE_SECONDS: i64 = 3600;

/// How many matches each rule has, where they are those of a whole walk.
pub(crate) type Counts = BTreeMap<RecordId, usize>;

/// A match of a rule.
#[derive(Clone)]
pub(crate) struct Intent {
    pub(crate) rule: Arc<AutoRule>,
    pub(crate) key: Option<ActKey>,
    pub(crate) principal: Option<(String, String)>,
    pub(crate) trigger: Trigger,
    pub(crate) trigger_id: String,
    pub(crate) matched: String,
    pub(crate) chain: u32,
    pub(crate) expires_at: Option<i64>,
}

impl Intent {
    /// What the act is known by: the same for the same rule, trigger and
    /// subject, however often it is come across.
    pub(crate) fn id(&self) -> RecordId {
        let subject = match (&self.key, &self.principal) {
            (Some(key), _) => key.id.clone(),
            (None, Some((namespace, name))) => format!("{namespace}/{name}"),
            (None, None) => String::new(),
        };
        let text = [
            self.rule.id.to_string(),
            self.rule.record.edition.to_string(),
            self.trigger.name().to_owned(),
            self.trigger_id.clone(),
            subject,
        ]
        .join("\0");
        #[cfg(test)]
        tests::DIGESTS.with(|count| count.set(count.get() + 1));
        let digest = sha256(&[text.as_bytes()]);
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        RecordId(id)
    }

    /// The act that it becomes, which reaches so many keys beside its own.
    fn act(&self, state: ActState, now: i64, reached: u64) -> KnownAct {
        let rule = self.rule.compiled.as_ref();
        let ordered = rule.filter(|rule| rule.answer() == Answer::Compromise);
        let ordered = ordered.and_then(|rule| compromises(rule).ok());
        let compromise = ordered.map(|(reach, rotation)| ActCompromise {
            reach,
            rotation,
            reached,
            incident: None,
        });
        let answer = rule.map_or(Answer::Warn, |rule| rule.answer());
        KnownAct {
            id: self.id(),
            namespace: self.rule.namespace,
            namespace_name: self.rule.namespace_name.to_string(),
            revision: 1,
            record: RuleActRecord {
                rule: self.rule.record.name.clone(),
                rule_id: self.rule.id.to_string(),
                edition: self.rule.record.edition,
                answer: answer.name().to_owned(),
                reason: rule.and_then(|rule| rule.reason()).map(str::to_owned),
                compromise,
                key: self.key.clone(),
                principal: self.principal.clone(),
                trigger: self.trigger.name().to_owned(),
                trigger_id: self.trigger_id.clone(),
                matched: self.matched.clone(),
                chain: self.chain,
                at: now,
                state,
                released: false,
                done_at: None,
                why: None,
                expires_at: self.expires_at,
                versions: Vec::new(),
                undone_at: None,
                undone_by: None,
            },
        }
    }
}

impl KnownAct {
    /// What its events say.
    pub(crate) fn explained(&self) -> Vec<(DetailKey, DetailValue)> {
        let record = &self.record;
        let trigger = format!("{} {}", record.trigger, record.trigger_id);
        vec![
            (DetailKey::Rule, record.rule.as_str().into()),
            (DetailKey::RuleAct, self.id.to_string().into()),
            (DetailKey::RuleEdition, record.edition.into()),
            (DetailKey::Trigger, trigger.trim_end().into()),
            (DetailKey::Matched, record.matched.as_str().into()),
            (DetailKey::Chain, record.chain.into()),
        ]
    }

    /// Whom or what it is about, as events name it.
    pub(crate) fn subject(&self) -> Option<Target> {
        let record = &self.record;
        let key = record.key.as_ref().map(|key| {
            let at = crate::gate::KeyRef {
                namespace: &self.namespace_name,
                keyring: &key.keyring,
                name: &key.name,
            };
            let target = Target::absent_key(at);
            match key.id.parse::<RecordId>() {
                Ok(id) => target.stored(id.0, 0),
                Err(_) => target,
            }
        });
        let principal = record.principal.as_ref();
        key.or_else(|| {
            principal
                .map(|(namespace, name)| Target::principal(namespace, name, Default::default()))
        })
    }
}

/// Whether a rule answers an event of that chain: nobody's, or one of a rule
/// that it follows.
pub(crate) fn follows(rule: &AutoRule, by: &str, chain: u32) -> bool {
    let follows = rule.compiled.as_ref().map(|rule| rule.follows());
    by.is_empty() && chain == 0 || follows.is_some_and(|all| all.iter().any(|one| one == by))
}

impl Entry {
    /// An event of a rule by itself, about what it did not do or only says.
    pub(crate) fn of_rule(
        &self,
        (namespace, rule): (&str, &str),
        outcome: Outcome,
    ) -> Result<EventDraft> {
        let target = Target::rule(namespace, rule);
        let target = match self.rooms.rules.find(namespace, rule) {
            Some(found) => target.stored(found.id.0, found.revision),
            None => target,
        };
        let allowed = self.authorize_target_as_system::<Answered>(target)?;
        EventDraft::of(self, &allowed, outcome)
    }

    /// Decides what is done about matches and makes that durable. Gives the acts
    /// that are to be carried out now. Where the matches are those of a whole
    /// walk, so many of each rule, a rule that would go over its limit does
    /// nothing by itself: which of them came first says nothing about who
    /// deserves it.
    ///
    /// # Errors
    /// What the store refuses: then nothing was decided, as far as is known.
    pub(crate) async fn settle_matches(
        &self,
        memory: &mut Memory,
        intents: Vec<Intent>,
        walked: Option<&Counts>,
    ) -> Result<Vec<RecordId>> {
        let by_rule = fresh(intents, |id, intent| is_known(memory, id, intent));
        let mut now = Vec::new();
        for fresh in by_rule.into_values() {
            let Some(first) = fresh.first() else {
                continue;
            };
            let rule = Arc::clone(&first.rule);
            if fresh.iter().any(|intent| intent.chain > CHAIN_MAX) {
                let why = format!("a chain of more than {CHAIN_MAX} rules");
                self.trouble(memory, &rule, &why).await?;
                continue;
            }
            let found = walked.map(|counts| counts.get(&rule.id).copied().unwrap_or_default());
            now.extend(self.decide_of(memory, &rule, &fresh, found).await?);
        }
        Ok(now)
    }

    async fn decide_of(
        &self,
        memory: &mut Memory,
        rule: &AutoRule,
        fresh: &[Intent],
        found: Option<usize>,
    ) -> Result<Vec<RecordId>> {
        let at = self.now().0;
        let id = rule.id.to_string();
        let keys = memory.keys(&self.rooms, &rule.namespace_name).await?;
        let limit = rule.limit(keys);
        let after = at.saturating_sub(limit.seconds);
        let counted = memory.counted(&id, rule.record.edition, after);
        let held = memory.held(&id, rule.record.edition).count();
        let room = usize::try_from(limit.acts)
            .unwrap_or(usize::MAX)
            .saturating_sub(counted);
        let too_many = found.is_some_and(|found| found.max(fresh.len()) > room);
        let answer = rule.compiled.as_ref().map(|rule| rule.answer());
        let answer = answer.unwrap_or(Answer::Warn);
        let walked = fresh.iter().any(|intent| intent.trigger == Trigger::Time);
        let old = answer != Answer::Warn && walked && memory.was_just_restored(at);
        let mut reached = match held > 0 || too_many || old {
            false => self.reached(fresh, room).await?,
            true => Vec::new(),
        };
        if found.is_some() && reached.len() < fresh.len() {
            reached.clear();
        }
        let free = reached.len();
        let (go, wait) = fresh.split_at(free);
        let tally = memory.acts.tally(&rule.namespace_name);
        let go = &go[..go.len().min(room_to_decide(tally, answer))];
        let acts: Vec<KnownAct> = go
            .iter()
            .zip(reached)
            .map(|(intent, reached)| intent.act(ActState::Pending, at, reached))
            .collect();
        for some in acts.chunks(STEP) {
            let changes = puts(some)?;
            let store = &self.rooms.store;
            match is_urgent(answer) {
                true => store.commit_urgent(changes, None).await?,
                false => store.commit(changes, None).await?,
            };
            some.iter().for_each(|act| memory.acts.put(act.clone()));
        }
        let tally = memory.acts.tally(&rule.namespace_name);
        let room = HELD_MAX.saturating_sub(held).min(room_to_hold(tally));
        let waiting: Vec<KnownAct> = wait
            .iter()
            .take(room)
            .map(|intent| intent.act(ActState::Held, at, 0))
            .collect();
        if !waiting.is_empty() {
            let why = match old {
                true => "the store was restored from a backup".to_owned(),
                false if answer == Answer::Compromise => format!(
                    "over its limit of {} with the keys that depend on what it would compromise",
                    limit.text()
                ),
                false => format!("over its limit of {}", limit.text()),
            };
            self.hold(memory, rule, &waiting, &why).await?;
            // They wait either way; that nobody could be asked is told.
            if let Err(error) = self.ask_for_release(memory, rule).await {
                let why = format!("cannot ask for approval of its release: {error}");
                self.trouble(memory, rule, &why).await?;
            }
        }
        if acts.len() < free || waiting.len() < wait.len() {
            let why = "its namespace has as many acts of rules as are remembered: what else it \
                       found is left alone";
            self.trouble(memory, rule, why).await?;
        }
        Ok(acts.iter().map(|act| act.id).collect())
    }

    /// Keeps acts until somebody releases them. That a rule does is told once an
    /// hour.
    async fn hold(
        &self,
        memory: &mut Memory,
        rule: &AutoRule,
        acts: &[KnownAct],
        why: &str,
    ) -> Result<()> {
        let now = self.now().0;
        let told = memory.told_held.get(&rule.id);
        let told = told.is_some_and(|at| now.saturating_sub(*at) < TROUBLE_SECONDS);
        for (at, some) in acts.chunks(STEP).enumerate() {
            let changes = puts(some)?;
            if at > 0 || told {
                self.rooms.store.commit(changes, None).await?;
            } else {
                let count = acts.len();
                let why = format!("{why}: {count} of its acts wait until they are released");
                let place = (&*rule.namespace_name, rule.record.name.as_str());
                let mut event = self.of_rule(place, Outcome::denied(why))?;
                event = event.detail(DetailKey::Count, acts.len() as u64);
                for act in some.iter().take(1) {
                    event = event.explained(act.explained());
                    if let Some(subject) = act.subject() {
                        event = event.also(&subject);
                    }
                }
                let committed = self
                    .rooms
                    .recorder
                    .commit(changes, &event.finish(), false)
                    .await?;
                self.rooms.recorder.settle(committed).await?;
                memory.told_held.insert(rule.id, now);
            }
            some.iter().for_each(|act| memory.acts.put(act.clone()));
        }
        Ok(())
    }

    /// Leaves an event of why a rule did not act as it was written, once an
    /// hour.
    ///
    /// # Errors
    /// What the journal refuses.
    pub(crate) async fn trouble(
        &self,
        memory: &mut Memory,
        rule: &AutoRule,
        why: &str,
    ) -> Result<()> {
        let now = self.now().0;
        let told = memory.troubles.get(&rule.id);
        if told.is_some_and(|at| now.saturating_sub(*at) < TROUBLE_SECONDS) {
            return Ok(());
        }
        memory.troubles.insert(rule.id, now);
        let place = (&*rule.namespace_name, rule.record.name.as_str());
        let event = self
            .of_rule(place, Outcome::failed(why))?
            .detail(DetailKey::Rule, rule.record.name.as_str())
            .detail(DetailKey::RuleEdition, rule.record.edition);
        self.record(event).await
    }
}

/// The matches that nothing was decided about yet, each once, by rule. What an
/// act is known by is a digest, so each is worked out once.
fn fresh(
    intents: Vec<Intent>,
    known: impl Fn(&RecordId, &Intent) -> bool,
) -> BTreeMap<RecordId, Vec<Intent>> {
    let mut seen = HashSet::new();
    let mut by_rule: BTreeMap<RecordId, Vec<Intent>> = BTreeMap::new();
    for intent in intents {
        let id = intent.id();
        if !known(&id, &intent) && seen.insert(id) {
            by_rule.entry(intent.rule.id).or_default().push(intent);
        }
    }
    by_rule
}

/// Whether nothing more is decided about a match: something was already, or it
/// is what a walk found once and somebody took back, for the same edition.
pub(crate) fn is_known(memory: &Memory, id: &RecordId, intent: &Intent) -> bool {
    let taken_back = || {
        let key = intent.key.as_ref().map(|key| key.id.as_str());
        let (rule, edition) = (intent.rule.id.to_string(), intent.rule.record.edition);
        key.is_some_and(|key| memory.acts.was_taken_back(&rule, edition, key))
    };
    memory.acts.contains(id) || (intent.trigger == Trigger::Time && taken_back())
}

/// How many acts more are remembered of a namespace that has so many.
fn room_to_decide(tally: Tally, answer: Answer) -> usize {
    let room = KEPT_MAX.saturating_sub(tally.all);
    match answer {
        Answer::Warn => room.min(WARNINGS_MAX.saturating_sub(tally.warnings)),
        _ => room,
    }
}

fn room_to_hold(tally: Tally) -> usize {
    let room = KEPT_MAX.saturating_sub(tally.all);
    room.min(HELD_IN_ALL_MAX.saturating_sub(tally.held))
}

fn puts(acts: &[KnownAct]) -> Result<Vec<Change>> {
    acts.iter().map(|act| act.put(None)).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use skms_keys::NamespaceId;

    use super::*;
    use crate::records::rule::RuleRecord;

    thread_local! {
        /// How many identifiers were worked out.
        pub(super) static DIGESTS: Cell<usize> = const { Cell::new(0) };
    }

    fn rule(id: u8) -> Arc<AutoRule> {
        let record = RuleRecord {
            name: "all".to_owned(),
            text: String::new(),
            enabled: true,
            dry_run: false,
            edition: 1,
            since: 0,
            created_at: 0,
            updated_at: 0,
            written_by: String::new(),
        };
        let whose = (NamespaceId([1; 16]), Arc::from("team"));
        Arc::new(AutoRule::new((RecordId([id; 16]), 1), whose, record))
    }

    fn intent(rule: &Arc<AutoRule>, key: usize) -> Intent {
        Intent {
            rule: Arc::clone(rule),
            key: Some(ActKey {
                keyring: "default".to_owned(),
                name: "key".to_owned(),
                id: key.to_string(),
            }),
            principal: None,
            trigger: Trigger::Time,
            trigger_id: "v1 u-".to_owned(),
            matched: String::new(),
            chain: 1,
            expires_at: None,
        }
    }

    #[test]
    fn the_work_for_matches_grows_with_their_number() {
        let (one, other) = (rule(1), rule(2));
        let mut intents: Vec<Intent> = (0..3_000).map(|key| intent(&one, key)).collect();
        intents.extend((0..3_000).map(|key| intent(&other, key)));
        // Come across twice.
        intents.extend((0..1_000).map(|key| intent(&one, key)));
        let known = intent(&one, 7).id();
        DIGESTS.with(|count| count.set(0));
        let fresh = fresh(intents, |id, _| *id == known);
        assert_eq!(DIGESTS.with(Cell::get), 7_000);
        let counts: Vec<usize> = fresh.values().map(Vec::len).collect();
        assert_eq!(counts, [2_999, 3_000]);
    }

    #[test]
    fn neither_warnings_nor_what_is_held_leave_no_room_for_suspending() {
        let tally = |all, held, warnings| Tally {
            all,
            held,
            warnings,
        };
        let most = tally(
            HELD_IN_ALL_MAX + WARNINGS_MAX,
            HELD_IN_ALL_MAX,
            WARNINGS_MAX,
        );
        assert_eq!(room_to_decide(most, Answer::Warn), 0);
        assert_eq!(room_to_hold(most), 0);
        assert_eq!(room_to_decide(most, Answer::Suspend), 10_000);
        assert_eq!(room_to_decide(tally(KEPT_MAX, 0, 0), Answer::Revoke), 0);
        assert_eq!(room_to_hold(tally(KEPT_MAX - 1, 0, 0)), 1);
        assert_eq!(room_to_decide(Tally::default(), Answer::Warn), WARNINGS_MAX);
    }
}
