//! What detectors of weak or published material found: each finding about a key
//! is an event of the record, and so is come across like all others, once.

use std::sync::Arc;

use skms_evidence::{DetailValue, Event};
use skms_policy::rule::{About, Asked, Occasion, Question, Trigger};

use super::AutoRule;
use super::answer::{Intent, act_key};
use super::judge::Memory;
use super::question::facts;
use super::roster::Roster;
use crate::error::Result;
use crate::gate::Entry;

/// What the record calls a finding.
const FOUND: &str = "weak.find";

/// The gravity of what is certain to protect nothing.
const PROVEN: &str = "compromised";

/// What follows for the rules about findings from an event.
pub(super) async fn found(
    entry: &Entry,
    memory: &mut Memory,
    (namespace, rules): (&str, &[Arc<AutoRule>]),
    event: &Event,
    place: u64,
) -> Result<Vec<Intent>> {
    if event.action.as_str() != FOUND || event.outcome.reason().is_some() {
        return Ok(Vec::new());
    }
    let Some(cell) = entry.key_of(namespace, event).await? else {
        return Ok(Vec::new());
    };
    let snapshot = cell.snapshot();
    let key = snapshot.key();
    let owner = Roster::load(&entry.rooms)
        .await?
        .named(namespace, &key.owner);
    let last = memory.last_use(key);
    let keyring = snapshot.at().keyring;
    let Some(facts) = facts(&entry.rooms, key, keyring, last, entry.now()) else {
        return Ok(Vec::new());
    };
    let version = event.targets.first().and_then(|target| target.version);
    let gravity = said(event, "gravity");
    let asked = Asked::new(&Question {
        now: entry.now().0,
        namespace,
        whom: owner.whom(&entry.rooms),
        about: About::Key(facts),
        occasion: Occasion::Finding {
            detector: said(event, "detector"),
            gravity,
            proven: gravity == PROVEN,
            reason: said(event, "reason"),
            version: version.unwrap_or(facts.version),
        },
    })?;
    let mut intents = Vec::new();
    for rule in rules.iter().filter(|rule| rule.record.since <= place) {
        let intent = Intent {
            rule: Arc::clone(rule),
            key: Some(act_key(&snapshot)),
            principal: Some(owner.who.clone()),
            trigger: Trigger::Finding,
            trigger_id: event.id.to_string(),
            matched: String::new(),
            chain: 1,
            expires_at: None,
        };
        let about = (owner.kind, owner.certain);
        intents.extend(entry.ask(memory, intent, &asked, Some(key), about).await?);
    }
    Ok(intents)
}

/// A detail by its name.
fn said<'a>(event: &'a Event, name: &str) -> &'a str {
    let mut all = event.details.iter();
    match all.find(|(key, _)| key.name() == name) {
        Some((_, DetailValue::Text(text))) => text.as_str(),
        _ => "",
    }
}
