//! Asks the rules about an event once it is durable. Nothing of it lies on the
//! way of a request.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use skms_evidence::{DetailKey, DetailValue, Event, Target as EventTarget};
use skms_keys::{KeyId, NamespaceId};
use skms_policy::rule::{About, Asked, Match, Occasion, Question, Trigger};
use skms_policy::{Action, ROOT_NAMESPACE};

use super::answer::{Intent, act_key};
use super::decide::follows;
use super::judge::{Memory, remembered};
use super::question::{facts, would_change};
use super::{AutoRule, PART};
use crate::error::Result;
use crate::gate::{Entry, KeyRef};
use crate::opened::KeyCell;

impl Entry {
    /// Notes the uses of keys that an event tells of.
    pub(super) fn take_use(&self, memory: &mut Memory, event: &Event) {
        let good = event.outcome.reason().is_none();
        let gone = event.action.as_str() == Action::KeyDelete.name();
        if !good || !(gone || is_use(event.action.as_str())) {
            return;
        }
        let Some(place) = namespace_of(event).and_then(|name| self.rooms.places.namespace(name))
        else {
            return;
        };
        for target in keys_of(event) {
            if let Ok(KeyId(id)) = target.id.as_str().parse() {
                if gone {
                    memory.gone(id);
                    continue;
                }
                memory.used(
                    NamespaceId(place.id.0),
                    id,
                    event.at_millis.div_euclid(1000),
                );
            }
        }
    }

    /// Asks rules of the event's namespace.
    pub(super) async fn ask_event(
        &self,
        memory: &mut Memory,
        (namespace, rules): (&str, &[Arc<AutoRule>]),
        event: &Event,
        place: u64,
    ) -> Result<Vec<Intent>> {
        let (action, outcome) = (event.action.as_str(), event.outcome.name());
        let by = text(event, DetailKey::Rule);
        let chain = match event.details.get(DetailKey::Chain) {
            Some(DetailValue::Number(chain)) => u32::try_from(*chain).unwrap_or(u32::MAX),
            _ => 0,
        };
        let system = event.authentication.as_str() == "system";
        if system && event.principal.as_str() == PART && by.is_empty() {
            return Ok(Vec::new());
        }
        let may = |rule: &&Arc<AutoRule>| {
            let compiled = rule.on(Trigger::Event);
            rule.record.since <= place
                && follows(rule, &by, chain)
                && compiled.is_some_and(|rule| rule.may_hold_for(action, outcome))
        };
        let rules: Vec<_> = rules.iter().filter(may).cloned().collect();
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let credential = (event.authentication.as_str(), event.principal.as_str());
        let whose = text(event, DetailKey::PrincipalNamespace);
        let whose = match whose.is_empty() {
            true => namespace,
            false => &whose,
        };
        let known = memory.labels.of(&self.rooms, whose, credential).await?;
        let cell = self.key_of(namespace, event).await?;
        let snapshot = cell.as_ref().map(|cell| cell.snapshot());
        let now = self.now();
        let key = snapshot.as_ref().and_then(|snapshot| {
            let key = snapshot.key();
            let last = memory.last_use(key);
            facts(&self.rooms, key, snapshot.at().keyring, last, now)
        });
        let cause = text(event, DetailKey::Cause);
        let reason = event.outcome.reason().map(|reason| reason.as_str());
        let target = event.targets.first().map(|target| target.kind.as_str());
        let question = Question {
            now: now.0,
            namespace,
            whom: known.whom(&self.rooms),
            about: key.map_or(About::Namespace, About::Key),
            occasion: Occasion::Event {
                action,
                outcome,
                reason: reason.unwrap_or_default(),
                cause: &cause,
                target: target.unwrap_or_default(),
                source: event.source,
                system,
                rule: &by,
            },
        };
        let asked = Asked::new(&question)?;
        let mut intents = Vec::new();
        for rule in rules {
            let intent = Intent {
                rule: Arc::clone(&rule),
                key: snapshot.as_ref().map(|snapshot| act_key(snapshot)),
                principal: Some(known.who.clone()),
                trigger: Trigger::Event,
                trigger_id: event.id.to_string(),
                matched: String::new(),
                chain: chain.saturating_add(1),
                expires_at: None,
            };
            let key = snapshot.as_ref().map(|snapshot| snapshot.key());
            intents.extend(
                self.ask(memory, intent, &asked, key, (known.kind, known.certain))
                    .await?,
            );
        }
        Ok(intents)
    }

    /// What a rule that is not in force would make of an event.
    pub(crate) async fn would_match(
        &self,
        rule: &Arc<AutoRule>,
        event: &Event,
    ) -> Result<Vec<Intent>> {
        if namespace_of(event).unwrap_or(ROOT_NAMESPACE) != &*rule.namespace_name {
            return Ok(Vec::new());
        }
        let asked = (&*rule.namespace_name, std::slice::from_ref(rule));
        let judge = Arc::clone(&self.rooms.judge);
        let mut guard = judge.0.lock().await;
        let memory = remembered(&self.rooms, &mut guard).await?;
        self.ask_event(memory, asked, event, u64::MAX).await
    }

    /// Asks one rule, and gives the act that follows if it would change
    /// anything.
    pub(crate) async fn ask(
        &self,
        memory: &mut Memory,
        mut intent: Intent,
        asked: &Asked,
        key: Option<&skms_keys::Key>,
        (kind, certain): (&str, bool),
    ) -> Result<Option<Intent>> {
        let rule = Arc::clone(&intent.rule);
        let Some(compiled) = rule.on(asked.trigger()) else {
            return Ok(None);
        };
        memory.spent = memory.spent.saturating_add(rule.weight());
        match compiled.matches(asked) {
            Match::No => return Ok(None),
            Match::Trouble(why) => {
                let why = format!("its condition does not evaluate: {why}");
                self.trouble(memory, &rule, &why).await?;
                return Ok(None);
            }
            Match::Yes(words) => intent.matched = words,
        }
        if compiled.answer().needs_key() {
            intent.principal = None;
            let worth = key.is_some_and(|key| would_change(compiled, key, self.now()));
            return Ok((intent.key.is_some() && worth).then_some(intent));
        }
        if compiled.answer() == skms_policy::rule::Answer::SuspendPrincipal {
            intent.key = None;
            let Some((namespace, name)) = &intent.principal else {
                return Ok(None);
            };
            if !certain {
                let why = format!("it is not clear which principal {name} is");
                self.trouble(memory, &rule, &why).await?;
                return Ok(None);
            }
            let credential = kind != "system";
            let already = self.rooms.suspended.has(namespace, name);
            return Ok((credential && !already).then_some(intent));
        }
        Ok(Some(intent))
    }

    /// The key that an event is about, if it is there and the same.
    pub(super) async fn key_of(
        &self,
        namespace: &str,
        event: &Event,
    ) -> Result<Option<Arc<KeyCell>>> {
        let Some(target) = keys_of(event).next() else {
            return Ok(None);
        };
        let mut parts = target.name.as_str().splitn(3, '/');
        let (Some(place), Some(keyring), Some(name)) = (parts.next(), parts.next(), parts.next())
        else {
            return Ok(None);
        };
        if place != namespace {
            return Ok(None);
        }
        let at = KeyRef {
            namespace,
            keyring,
            name,
        };
        let found = self.rooms.keys.resolve(&self.rooms, at).await?;
        Ok(found.filter(|cell| cell.snapshot().id_text() == target.id.as_str()))
    }
}

/// The namespace that an event is of.
pub(super) fn namespace_of(event: &Event) -> Option<&str> {
    event.namespace.as_ref().map(|name| name.as_str())
}

/// The keys that an event names, which were found.
fn keys_of(event: &Event) -> impl Iterator<Item = &EventTarget> {
    let keys = event.targets.iter();
    keys.filter(|target| target.kind.as_str() == "key" && !target.id.as_str().is_empty())
}

/// A detail that is a text.
pub(super) fn text(event: &Event, key: DetailKey) -> String {
    match event.details.get(key) {
        Some(DetailValue::Text(text)) => text.as_str().to_owned(),
        _ => String::new(),
    }
}

/// Whether an act uses a key, or shows that somebody wants it.
fn is_use(action: &str) -> bool {
    static USES: OnceLock<HashSet<&'static str>> = OnceLock::new();
    let uses = USES.get_or_init(|| {
        let also = [
            Action::KeyDistribute,
            Action::KeyExport,
            Action::KeyExchange,
            Action::KeyResume,
            Action::KeyRestore,
        ];
        let all = Action::ALL.iter().copied();
        all.filter(|action| action.is_in("use") || action.is_in("certify") || also.contains(action))
            .map(Action::name)
            .collect()
    });
    uses.contains(action)
}
