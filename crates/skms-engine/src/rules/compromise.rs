//! Compromises by rules: how many keys one reaches, which its rule's limit
//! counts before it is decided, and the act itself, whose record is in the batch
//! that begins the incident.

use skms_keys::{KeyId, Versions};
use skms_policy::ROOT_NAMESPACE;
use skms_policy::rule::{Answer, Rule};
use skms_store::RecordId;

use super::answer::extra;
use super::compromises;
use super::decide::Intent;
use super::judge::KnownAct;
use crate::acts::compromise::{
    Order, Ordering, Reach, compromise_by_rule, extent, reaches_an_authority,
};
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyTarget};
use crate::opened::KeySnapshot;
use crate::records::incident::ByRule;

impl Entry {
    /// How many keys beside its own each match would reach: of as many of the
    /// first ones as a limit has room for, counted with their own keys.
    ///
    /// # Errors
    /// What the store refuses.
    pub(crate) async fn reached(&self, fresh: &[Intent], room: usize) -> Result<Vec<u64>> {
        let (mut reached, mut left) = (Vec::new(), room);
        for intent in fresh {
            let Some(most) = left.checked_sub(1) else {
                break;
            };
            let beside = self.reached_by(intent, most).await?;
            let Some(after) = most.checked_sub(beside) else {
                break;
            };
            left = after;
            reached.push(beside as u64);
        }
        Ok(reached)
    }

    /// How many keys beside its own a match would reach; one more than `most` at
    /// the most, and so much where it cannot be told: somebody is to look at
    /// that, and no other rule waits for it.
    pub(crate) async fn reached_by(&self, intent: &Intent, most: usize) -> Result<usize> {
        let compiled = intent.rule.compiled.as_ref();
        let compromise = compiled.filter(|rule| rule.answer() == Answer::Compromise);
        let (Some(rule), Some(key)) = (compromise, &intent.key) else {
            return Ok(0);
        };
        let (reach, _) = compromises(rule)?;
        let Ok(id) = key.id.parse::<KeyId>() else {
            return Ok(0);
        };
        let of = (&*intent.rule.namespace_name, id);
        match extent(self, of, reach, most).await {
            Err(error) if error.is_away() => Err(error),
            Err(_) => Ok(most.saturating_add(1)),
            counted => counted,
        }
    }

    /// Why rules do not compromise a key, for what depends on it.
    ///
    /// # Errors
    /// As for [`reaches_an_authority`].
    pub(crate) async fn kept_off_below(
        &self,
        snapshot: &KeySnapshot,
        reach: Reach,
    ) -> Result<Option<String>> {
        if snapshot.at().namespace != ROOT_NAMESPACE {
            return Ok(None);
        }
        let reaches = reaches_an_authority(self, snapshot.key().id, reach).await?;
        Ok(reaches.then(|| {
            "an authority of the root namespace stands on a key that depends on it".to_owned()
        }))
    }

    /// Compromises a key for an act, whose record then names the incident.
    pub(super) async fn compromise_for(&self, cell: &KeyTarget, done: &mut KnownAct) -> Result<()> {
        let record = &done.record;
        let ordered = record.compromise.as_ref();
        let ordered = ordered.ok_or(Error::Internal("a compromise that was not decided"))?;
        let order = Order {
            versions: Versions::All,
            reason: in_words(done),
            // What it was asked on says when it was noticed, and not since when.
            since: None,
            reach: ordered.reach,
            rotation: ordered.rotation,
        };
        let by = ByRule {
            rule: record.rule.clone(),
            chain: record.chain,
        };
        let begun = {
            let act = &*done;
            let written = |id, reason: &str| extra(&in_incident(act, id, reason));
            let ordering = Ordering {
                by,
                extra: &written,
            };
            compromise_by_rule(self, cell, &order, &ordering).await?
        };
        *done = in_incident(done, begun.id, &begun.revocation_reason);
        Ok(())
    }
}

/// Whether a rule compromises keys, and how far.
pub(crate) fn reach_of(rule: &Rule) -> Option<Reach> {
    let compromises_keys = rule.answer() == Answer::Compromise;
    let ordered = compromises_keys.then(|| compromises(rule).ok()).flatten();
    ordered.map(|(reach, _)| reach)
}

/// What the incident says why: the rule, and what it was asked on.
fn in_words(act: &KnownAct) -> String {
    let record = &act.record;
    let asked = format!("{} {}", record.trigger, record.trigger_id);
    format!("by the rule {}, on {}", record.rule, asked.trim_end())
}

/// The act as it is once its incident has begun.
fn in_incident(act: &KnownAct, id: RecordId, reason: &str) -> KnownAct {
    let mut done = act.clone();
    done.record.reason = Some(reason.to_owned());
    if let Some(compromise) = &mut done.record.compromise {
        compromise.incident = Some(id.to_string());
    }
    done
}
