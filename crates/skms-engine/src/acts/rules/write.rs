//! Writes and deletes rules. What one would do is seen before it is written.

use std::collections::BTreeSet;
use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_policy::rule::Rule;
use skms_store::{Change, Kind, RecordId};

use super::{Delete, RULES_MAX, Trial, View, Write};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::rule::RuleRecord;
use crate::rules::{AutoRule, compile};

/// A rule as it is written.
#[derive(Clone, Debug)]
pub struct NewRule {
    /// Its text.
    pub text: String,
    /// Whether it is to be asked.
    pub enabled: bool,
    /// Whether it is to report only.
    pub dry_run: bool,
}

impl Engine {
    /// Writes a rule, new or in place of the one of that name, and says what it
    /// would have done just now. It is in force when this returns; acts that
    /// the one before held are dropped.
    ///
    /// # Errors
    /// [`Error::Policy`] with the place of the mistake, [`Error::Invalid`] for
    /// a reason that revokes nothing, or rules that would follow each other
    /// round in a circle; then nothing changed.
    pub async fn write_rule(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        new: NewRule,
    ) -> Result<(View, Trial)> {
        let entry = self.enter(caller)?;
        let check = || {
            let compiled = compile(namespace, name, &new.text)?;
            entry.follows_nobody_round(namespace, name, &compiled)
        };
        let target = entry.rule_target(namespace, name);
        let (allowed, ()) = entry.authorize_checked::<Write, _>(target, check).await?;
        let tried = self.try_out(&entry, (namespace, name), &new.text).await;
        let trial = entry.failed(&allowed, tried).await?;
        let done = async {
            let compiled = compile(namespace, name, &new.text)?;
            let guard = entry.rooms.lock_changes().await;
            let place = entry.rooms.places.namespace(namespace);
            let place = place.ok_or(Error::NotFound { what: "namespace" })?;
            let old = entry.rooms.rules.find(namespace, name);
            if old.is_none() && entry.rooms.rules.of(namespace).len() >= RULES_MAX {
                return Err(Error::TooLarge {
                    what: "the number of rules",
                    limit: RULES_MAX as u64,
                });
            }
            entry.follows_nobody_round(namespace, name, &compiled)?;
            let now = entry.now().0;
            let (id, expected, edition, created_at) = match &old {
                Some(old) => (
                    old.id,
                    Some(old.revision),
                    old.record.edition.saturating_add(1),
                    old.record.created_at,
                ),
                None => (RecordId::random()?, None, 1, now),
            };
            let record = RuleRecord {
                name: name.to_owned(),
                text: new.text.clone(),
                enabled: new.enabled,
                dry_run: new.dry_run,
                edition,
                since: entry.rooms.journal.durable_sequence(),
                created_at,
                updated_at: now,
                written_by: entry.caller.session.principal.id().to_owned(),
            };
            let change = Change::Put {
                namespace: place.id.0,
                kind: Kind::Rule,
                id,
                name: Some(name.to_owned()),
                expected,
                plaintext: records::encode(&record)?,
            };
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .target_id(id)
                .detail(DetailKey::RuleEdition, edition)
                .detail(DetailKey::Count, trial.would_touch);
            let whose = (place.id, Arc::from(namespace));
            let name = name.to_owned();
            entry
                .change(guard, vec![change], event, move |rooms, revisions| {
                    let revision = revisions.first().copied().unwrap_or_default();
                    let rule = AutoRule::new((id, revision), whose, record);
                    let namespace = Arc::clone(&rule.namespace_name);
                    rooms.rules.put(rule);
                    let rule = rooms.rules.find(&namespace, &name);
                    rule.ok_or(Error::Internal("a rule that was just written"))
                })
                .await
        };
        let done = done.await;
        let rule = entry.failed(&allowed, done).await?;
        Ok((entry.view_of(&rule).await?, trial))
    }

    /// Deletes a rule. What it did stays done, and can still be undone; what it
    /// holds is dropped.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_rule(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let check = || entry.rule(namespace, name).map(drop);
        let target = entry.rule_target(namespace, name);
        let (allowed, ()) = entry.authorize_checked::<Delete, _>(target, check).await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let rule = entry.rule(namespace, name)?;
            let change = Change::Delete {
                namespace: rule.namespace.0,
                kind: Kind::Rule,
                id: rule.id,
                expected: rule.revision,
            };
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
            entry
                .change(guard, vec![change], event, move |rooms, _| {
                    let record = &rule.record;
                    rooms.rules.remove(&rule.namespace_name, &record.name);
                    Ok(())
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

impl Entry {
    /// Refuses rules that would answer each other's acts for ever, and names of
    /// rules that are not there. It holds for good only under the change lock.
    pub(super) fn follows_nobody_round(
        &self,
        namespace: &str,
        name: &str,
        rule: &Rule,
    ) -> Result<()> {
        let mut ahead: Vec<String> = rule.follows().to_vec();
        let mut seen = BTreeSet::new();
        while let Some(next) = ahead.pop() {
            if next == name {
                return Err(Error::Invalid(format!(
                    "the rule would answer its own acts, by way of the rules that it @follows: \
                     {name} is among them"
                )));
            }
            if !seen.insert(next.clone()) {
                continue;
            }
            let Some(found) = self.rooms.rules.find(namespace, &next) else {
                if rule.follows().contains(&next) {
                    return Err(Error::Invalid(format!(
                        "@follows names {next:?}, which is no rule of the namespace"
                    )));
                }
                continue;
            };
            let follows = found.compiled.as_ref().map(|known| known.follows());
            ahead.extend(follows.into_iter().flatten().cloned());
        }
        Ok(())
    }
}
