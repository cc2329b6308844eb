//! The walk over the keys that rules about time are asked on, and the look
//! ahead that shows what a rule would do before it is written.

use std::collections::HashMap;
use std::sync::Arc;

use skms_keys::{Key, NamespaceId};
use skms_policy::rule::{About, Asked, Occasion, Question, Trigger};
use skms_store::Kind;

use super::answer::Intent;
use super::decide::HELD_MAX;
use super::judge::{doubt, remembered};
use super::question::facts;
use super::roster::Roster;
use super::{AutoRule, PART};
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::Entry;
use crate::places::Namespace;
use crate::records;
use crate::records::key::KeyRecord;
use crate::records::rule::ActKey;

/// Keys that one step reads.
const PAGE: usize = 128;

/// Seconds between two walks.
const WALK_SECONDS: i64 = 3600;

impl Engine {
    /// Walks over the keys of every namespace that has rules about time, and
    /// does what they say. Gives how many acts it decided.
    ///
    /// # Errors
    /// As for [`Engine::judge_events`].
    pub async fn judge_time(&self) -> Result<usize> {
        // Last uses first: a key that was just used is not unused.
        self.judge_events().await?;
        let caller = Caller::system(PART)?;
        let entry = self.enter(&caller)?;
        let asking = entry.rooms.rules.on(Trigger::Time);
        if asking.is_empty() {
            return Ok(0);
        }
        let roster = Roster::load(&entry.rooms).await?;
        let mut decided = 0;
        for (namespace, rules) in asking {
            let Some(place) = entry.rooms.places.namespace(&namespace) else {
                continue;
            };
            let intents = entry.walk(&place, &rules, &roster).await?;
            let judge = Arc::clone(&entry.rooms.judge);
            let mut guard = judge.0.lock().await;
            let memory = remembered(&entry.rooms, &mut guard).await?;
            let acts = match entry.settle_matches(memory, intents, true).await {
                Ok(acts) => acts,
                Err(error) => {
                    doubt(&mut guard, &error);
                    return Err(error);
                }
            };
            drop(guard);
            decided += acts.len();
            self.carry_out(&acts).await?;
        }
        let judge = Arc::clone(&entry.rooms.judge);
        let mut guard = judge.0.lock().await;
        let memory = remembered(&entry.rooms, &mut guard).await?;
        memory.labels.forget();
        if let Err(error) = memory.forget_old(&entry.rooms).await {
            doubt(&mut guard, &error);
            return Err(error);
        }
        Ok(decided)
    }

    /// As [`Engine::judge_time`], if an hour has gone by since the last walk or
    /// the rules are others; and [`Engine::judge_events`] either way.
    ///
    /// # Errors
    /// As there.
    pub async fn judge(&self) -> Result<()> {
        let rooms = self.rooms()?;
        if rooms.rules.is_empty() {
            return Ok(());
        }
        let (now, rules) = (rooms.clock.now().0, rooms.rules.generation());
        let due = {
            let mut guard = rooms.judge.0.lock().await;
            let memory = remembered(&rooms, &mut guard).await?;
            let since = |at: i64| now.saturating_sub(at);
            let done = memory
                .walked
                .is_some_and(|(at, of)| of == rules && (0..WALK_SECONDS).contains(&since(at)));
            if !done {
                memory.walked = Some((now, rules));
            }
            !done
        };
        if !due {
            return self.judge_events().await.map(drop);
        }
        let done = self.judge_time().await.map(drop);
        if done.is_err()
            && let Some(memory) = rooms.judge.0.lock().await.as_mut()
        {
            // Again with the next look.
            memory.walked = None;
        }
        done
    }
}

impl Entry {
    /// Asks rules about every key of a namespace.
    pub(crate) async fn walk(
        &self,
        place: &Namespace,
        rules: &[Arc<AutoRule>],
        roster: &Roster,
    ) -> Result<Vec<Intent>> {
        let rings: HashMap<_, _> = place
            .keyrings
            .values()
            .map(|ring| (ring.ring.id, ring.ring.name.as_str().to_owned()))
            .collect();
        let mut intents = Vec::new();
        let mut found = vec![0_usize; rules.len()];
        let mut after = None;
        loop {
            let page = self
                .rooms
                .store
                .scan(place.id.0, Kind::Key, after, PAGE)
                .await?;
            after = page.last().map(|record| record.id);
            let last = page.len() < PAGE;
            // One lock for a page: verdicts come in between two.
            let judge = Arc::clone(&self.rooms.judge);
            let mut guard = judge.0.lock().await;
            let memory = remembered(&self.rooms, &mut guard).await?;
            for stored in page {
                let record: KeyRecord = records::decode(stored.plaintext.expose())?;
                let key = record.into_domain(stored.id, NamespaceId(place.id.0))?;
                let Some(keyring) = rings.get(&key.keyring) else {
                    continue;
                };
                let last_use = memory.last_use(key.id.0);
                let Some(facts) = facts(&self.rooms, &key, keyring, last_use, self.now()) else {
                    continue;
                };
                let owner = roster.named(&place.name, &key.owner);
                let asked = Asked::new(&Question {
                    now: self.now().0,
                    namespace: &place.name,
                    whom: owner.whom(&self.rooms),
                    about: About::Key(facts),
                    occasion: Occasion::Time,
                })?;
                let day = last_use.map_or_else(|| "-".to_owned(), |last| last.day.to_string());
                for (rule, found) in rules.iter().zip(&mut found) {
                    let intent = Intent {
                        rule: Arc::clone(rule),
                        key: Some(act_key(&key, keyring)),
                        principal: Some(owner.who.clone()),
                        trigger: Trigger::Time,
                        trigger_id: format!("v{} u{day}", facts.version),
                        matched: String::new(),
                        chain: 1,
                        expires_at: None,
                    };
                    let about = (owner.kind, owner.certain);
                    let act = self.ask(memory, intent, &asked, Some(&key), about).await?;
                    if let Some(act) = act
                        && *found <= HELD_MAX
                    {
                        *found += 1;
                        intents.push(act);
                    }
                }
            }
            drop(guard);
            if last {
                return Ok(intents);
            }
            // A million keys take a while; nobody waits for them.
            tokio::task::yield_now().await;
        }
    }
}

fn act_key(key: &Key, keyring: &str) -> ActKey {
    ActKey {
        keyring: keyring.to_owned(),
        name: key.name.as_str().to_owned(),
        id: key.id.to_string(),
    }
}
