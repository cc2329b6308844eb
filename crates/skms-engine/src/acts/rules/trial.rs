//! What a rule would do now: to the keys as they are, and on the latest events.
//! Nothing is changed.

use std::sync::Arc;

use skms_evidence::{DetailKey, Event, Outcome};
use skms_policy::Action;
use skms_policy::rule::{Rule, Trigger};
use skms_store::RecordId;

use super::{Write, looks_at_uses};
use crate::acts::events::place_of;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::records::rule::RuleRecord;
use crate::rules::answer::Intent;
use crate::rules::compromise::reach_of;
use crate::rules::judge::remembered;
use crate::rules::question::kept_off;
use crate::rules::roster::Roster;
use crate::rules::{AutoRule, PART, compile};

/// Keys or principals that a trial names.
const NAMED_MAX: usize = 20;

/// Matches that it looks through for those.
const LOOKED_THROUGH: usize = 1000;

/// Events that a trial looks back on.
const LOOKED_BACK: u64 = 4096;

/// One that a rule would touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WouldTouch {
    /// A key's keyring and name, or a principal's namespace and name.
    pub name: String,
    /// What the rule looked at, in words.
    pub matched: String,
    /// Why it would not be done all the same.
    pub kept_off: Option<String>,
}

/// What a rule would do now.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// How many keys a walk would touch now.
    pub would_touch: u64,
    /// How many keys depend on those and would be compromised with them; counted
    /// no further than to what is over the limit.
    pub would_reach: u64,
    /// How many keys the namespace has.
    pub keys: u64,
    /// How often the rule may act: "5 per day".
    pub limit: String,
    /// Whether the walk would go over the limit, so that nothing would be done
    /// before it is released.
    pub would_hold: bool,
    /// How many of the latest events would have matched, and of how many.
    pub events: (u64, u64),
    /// Some that would be touched, of those that the caller may read.
    pub some: Vec<WouldTouch>,
    /// How many events are not read yet, if the rule looks at uses: those keys
    /// may be used since.
    pub behind: u64,
    /// What is doubtful about the rule.
    pub doubts: Vec<String>,
}

impl Engine {
    /// What a rule would do now, without writing it.
    ///
    /// # Errors
    /// As for [`Engine::write_rule`].
    pub async fn test_rule(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        text: &str,
    ) -> Result<Trial> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Write>(entry.rule_target(namespace, name))
            .await?;
        let tried = self.try_out(&entry, (namespace, name), text).await;
        let trial = entry.failed(&allowed, tried).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Reason, "a trial: nothing was written")
            .detail(DetailKey::Count, trial.would_touch);
        entry.record(event).await?;
        Ok(trial)
    }

    /// Asks a rule that is not written about everything there is.
    pub(super) async fn try_out(
        &self,
        entry: &Entry,
        (namespace, name): (&str, &str),
        text: &str,
    ) -> Result<Trial> {
        let compiled = compile(namespace, name, text)?;
        let place = entry.rooms.places.namespace(namespace);
        let place = place.ok_or(Error::NotFound { what: "namespace" })?;
        entry.follows_nobody_round(namespace, name, &compiled)?;
        let system = self.enter(&Caller::system(PART)?)?;
        let record = RuleRecord {
            name: name.to_owned(),
            text: text.to_owned(),
            enabled: true,
            dry_run: false,
            edition: 0,
            since: 0,
            created_at: 0,
            updated_at: 0,
            written_by: String::new(),
        };
        let whose = (place.id, Arc::from(namespace));
        let rule = Arc::new(AutoRule::new((RecordId([0; 16]), 0), whose, record));
        let mut trial = Trial {
            doubts: compiled.doubts().iter().map(ToString::to_string).collect(),
            ..Trial::default()
        };
        let mut intents = Vec::new();
        if compiled.triggers().contains(&Trigger::Time) {
            let roster = Roster::load(&system.rooms).await?;
            let rules = [Arc::clone(&rule)];
            let (found, counts) = system.walk(&place, &rules, roster).await?;
            intents = found;
            trial.would_touch = counts.values().sum::<usize>() as u64;
        }
        let journal = &system.rooms.journal;
        let durable = journal.durable_sequence();
        if compiled.triggers().contains(&Trigger::Event) {
            let from = durable.saturating_sub(LOOKED_BACK);
            let mut next = from;
            while next < durable {
                let page = journal.read(next, 512).await?;
                if page.is_empty() {
                    break;
                }
                for stored in page {
                    next = stored.sequence.saturating_add(1);
                    let event = Event::decode(&stored.entry.bytes)?;
                    let found = system.would_match(&rule, &event).await?;
                    trial.events.0 += found.len() as u64;
                    intents.extend(found);
                }
            }
            trial.events.1 = durable.saturating_sub(from);
        }
        let mut guard = system.rooms.judge.0.lock().await;
        let memory = remembered(&system.rooms, &mut guard).await?;
        trial.keys = memory.keys(&system.rooms, namespace).await?;
        if looks_at_uses(&compiled) {
            trial.behind = durable.saturating_sub(memory.next);
        }
        drop(guard);
        let limit = rule.limit(trial.keys);
        trial.limit = limit.text();
        let walked = intents.iter().filter(|one| one.trigger == Trigger::Time);
        trial.would_reach = system.would_reach(walked, limit.acts as usize).await?;
        let all = trial.would_touch.saturating_add(trial.would_reach);
        trial.would_hold = all > u64::from(limit.acts);
        trial.some = self.shown(entry, (namespace, &compiled), &intents).await?;
        Ok(trial)
    }

    /// Some matches that the caller may know of: those of keys that it may read,
    /// and of events if it may read events. To write rules is to have keys
    /// counted, and not to read what they and others do.
    async fn shown(
        &self,
        entry: &Entry,
        (namespace, rule): (&str, &Rule),
        intents: &[Intent],
    ) -> Result<Vec<WouldTouch>> {
        let place = place_of(namespace);
        let events = entry.may_see(Action::EventRead, &place.resource());
        let mut some = Vec::new();
        for intent in intents.iter().take(LOOKED_THROUGH) {
            if some.len() >= NAMED_MAX {
                break;
            }
            if intent.trigger == Trigger::Event && !events {
                continue;
            }
            let key = intent.key.as_ref();
            let mut off =
                key.and_then(|key| kept_off(&entry.rooms, namespace, &key.id, rule.answer()));
            if let Some(key) = key {
                let at = KeyRef {
                    namespace,
                    keyring: &key.keyring,
                    name: &key.name,
                };
                let found = entry.rooms.keys.resolve(&entry.rooms, at).await?;
                let snapshot = found.map(|cell| cell.snapshot());
                let seen = snapshot
                    .filter(|snapshot| entry.may_see(Action::KeyRead, &snapshot.resource()));
                let Some(snapshot) = seen else {
                    continue;
                };
                if let (None, Some(reach)) = (&off, reach_of(rule)) {
                    off = entry.kept_off_below(&snapshot, reach).await?;
                }
            }
            let principal = intent.principal.as_ref();
            let of_principal = principal.map(|(place, name)| format!("{place}/{name}"));
            some.push(WouldTouch {
                name: key
                    .map(|key| format!("{}/{}", key.keyring, key.name))
                    .or(of_principal)
                    .unwrap_or_default(),
                matched: intent.matched.clone(),
                kept_off: off,
            });
        }
        Ok(some)
    }
}

impl Entry {
    /// How many keys the matches of a walk would reach beside those that they are
    /// about, as far as it matters for a limit.
    async fn would_reach(
        &self,
        walked: impl Iterator<Item = &Intent>,
        limit: usize,
    ) -> Result<u64> {
        let mut all = 0_usize;
        for intent in walked {
            let Some(most) = limit.checked_sub(all) else {
                break;
            };
            all = all.saturating_add(self.reached_by(intent, most).await?);
        }
        Ok(all as u64)
    }
}
