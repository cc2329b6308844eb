//! The walks over keys that rules about time are asked on, a page of one
//! namespace after a page of another, and the look ahead that shows what a rule
//! would do before it is written.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use skms_keys::{Key, NamespaceId};
use skms_policy::rule::{About, Asked, Occasion, Question, Trigger};
use skms_store::{Kind, RecordId};

use super::answer::Intent;
use super::decide::{Counts, HELD_MAX, is_known};
use super::judge::{doubt, remembered};
use super::question::facts;
use super::roster::Roster;
use super::rounds::TURN;
use super::{AutoRule, PART};
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::Result;
use crate::gate::Entry;
use crate::places::Namespace;
use crate::records;
use crate::records::key::KeyRecord;
use crate::records::rule::ActKey;

/// Keys that one step reads at most.
const PAGE: usize = 128;

/// Seconds between two walks.
const WALK_SECONDS: i64 = 3600;

/// Matches of one walk that are kept until its end, of all rules together. What
/// is beyond is found by the next one.
const FOUND_MAX: usize = 20_000;

/// The walk over one namespace.
pub(crate) struct Walk {
    place: Arc<Namespace>,
    rules: Vec<Arc<AutoRule>>,
    roster: Arc<Roster>,
    rings: HashMap<skms_keys::KeyringId, String>,
    after: Option<RecordId>,
    intents: Vec<Intent>,
    found: Vec<usize>,
}

/// Which rules at which revisions.
type Editions = Vec<(RecordId, u64)>;

fn editions(rules: &[Arc<AutoRule>]) -> Editions {
    rules.iter().map(|rule| (rule.id, rule.revision)).collect()
}

impl Engine {
    /// Walks over the keys of every namespace that has rules about time, and
    /// does what they say. Gives how many acts it decided.
    ///
    /// # Errors
    /// As for [`Engine::judge_events`].
    pub async fn judge_time(&self) -> Result<usize> {
        // Last uses first: a key that was just used is not unused.
        self.judge_events().await?;
        let entry = self.enter(&Caller::system(PART)?)?;
        let roster = Arc::new(Roster::load(&entry.rooms).await?);
        let mut walks = VecDeque::new();
        for (namespace, rules) in entry.rooms.rules.on(Trigger::Time) {
            if let Some(place) = entry.rooms.places.namespace(&namespace) {
                walks.push_back(Walk::new(place, rules, Arc::clone(&roster)));
            }
        }
        let mut decided = 0;
        while let Some(mut walk) = walks.pop_front() {
            match entry.step(&mut walk).await? {
                true => decided += entry.end(walk).await?,
                false => walks.push_back(walk),
            }
        }
        self.judge_events().await?;
        self.tidy().await?;
        Ok(decided)
    }

    /// Gives each walk that is under way or due its turn, a page at a time,
    /// until none is left. A walk is due if an hour has gone by since the last
    /// one of that namespace, or its rules are others.
    ///
    /// # Errors
    /// As for [`Engine::judge_events`]; the walks begin anew then.
    pub(crate) async fn walk_where_due(&self) -> Result<()> {
        let mut walks: VecDeque<Walk> = VecDeque::new();
        loop {
            let entry = self.enter(&Caller::system(PART)?)?;
            let underway: HashSet<_> = walks.iter().map(|walk| walk.place.id.0).collect();
            let mut due = self.due(&entry).await?;
            due.retain(|(place, _)| !underway.contains(&place.id.0));
            if !due.is_empty() {
                self.judge_up_to_now().await?;
                let roster = Arc::new(Roster::load(&entry.rooms).await?);
                for (place, rules) in due {
                    let mut guard = entry.rooms.judge.0.lock().await;
                    let memory = remembered(&entry.rooms, &mut guard).await?;
                    let walked = (entry.now().0, editions(&rules));
                    memory.walked.insert(place.name.clone(), walked);
                    walks.push_back(Walk::new(place, rules, Arc::clone(&roster)));
                }
            }
            let Some(mut walk) = walks.pop_front() else {
                break;
            };
            let done = match entry.step(&mut walk).await {
                Ok(false) => {
                    walks.push_back(walk);
                    Ok(())
                }
                Ok(true) => {
                    let name = walk.place.name.clone();
                    let ended = entry.end(walk).await;
                    ended.map(drop).map_err(|error| (name, error))
                }
                Err(error) => Err((walk.place.name.clone(), error)),
            };
            if let Err((name, error)) = done {
                // Again with the next look, as all that were under way.
                if let Some(memory) = entry.rooms.judge.0.lock().await.as_mut() {
                    memory.walked.remove(&name);
                    for walk in &walks {
                        memory.walked.remove(&walk.place.name);
                    }
                }
                return Err(error);
            }
            // A million keys take a while; nobody waits for them.
            tokio::task::yield_now().await;
        }
        self.tidy().await
    }

    /// Forgets what is old, once an hour.
    async fn tidy(&self) -> Result<()> {
        let entry = self.enter(&Caller::system(PART)?)?;
        let judge = Arc::clone(&entry.rooms.judge);
        let mut guard = judge.0.lock().await;
        if guard.is_none() {
            return Ok(());
        }
        let memory = remembered(&entry.rooms, &mut guard).await?;
        let now = entry.now().0;
        let since = memory.tidied.map(|at| now.saturating_sub(at));
        if since.is_some_and(|since| (0..WALK_SECONDS).contains(&since)) {
            return Ok(());
        }
        memory.labels.forget();
        match memory.forget_old(&entry.rooms).await {
            Ok(()) => {
                memory.tidied = Some(now);
                Ok(())
            }
            Err(error) => {
                doubt(&mut guard, &error);
                Err(error)
            }
        }
    }

    async fn due(&self, entry: &Entry) -> Result<Vec<(Arc<Namespace>, Vec<Arc<AutoRule>>)>> {
        let asking = entry.rooms.rules.on(Trigger::Time);
        if asking.is_empty() {
            return Ok(Vec::new());
        }
        let now = entry.now().0;
        let mut guard = entry.rooms.judge.0.lock().await;
        let memory = remembered(&entry.rooms, &mut guard).await?;
        let due = asking.into_iter().filter_map(|(namespace, rules)| {
            let place = entry.rooms.places.namespace(&namespace)?;
            let walked = memory.walked.get(&namespace);
            let done = walked.is_some_and(|(at, of)| {
                let since = now.saturating_sub(*at);
                (0..WALK_SECONDS).contains(&since) && *of == editions(&rules)
            });
            (!done).then_some((place, rules))
        });
        Ok(due.collect())
    }
}

impl Walk {
    fn new(place: Arc<Namespace>, rules: Vec<Arc<AutoRule>>, roster: Arc<Roster>) -> Self {
        let rings = place.keyrings.values();
        let rings = rings.map(|ring| (ring.ring.id, ring.ring.name.as_str().to_owned()));
        Self {
            rings: rings.collect(),
            found: vec![0; rules.len()],
            place,
            rules,
            roster,
            after: None,
            intents: Vec::new(),
        }
    }

    /// How many keys a step reads: the more or longer the rules, the fewer, so
    /// that one takes about as long as another.
    fn page(&self) -> usize {
        let weight = self.rules.iter().map(|rule| rule.weight()).sum::<u64>();
        let keys = TURN.checked_div(weight).unwrap_or_default();
        usize::try_from(keys).unwrap_or(PAGE).clamp(1, PAGE)
    }
}

impl Entry {
    /// Asks rules about every key of a namespace. Gives some of the matches, and
    /// how many there are of each rule.
    pub(crate) async fn walk(
        &self,
        place: &Arc<Namespace>,
        rules: &[Arc<AutoRule>],
        roster: Roster,
    ) -> Result<(Vec<Intent>, Counts)> {
        let mut walk = Walk::new(Arc::clone(place), rules.to_vec(), Arc::new(roster));
        while !self.step(&mut walk).await? {
            tokio::task::yield_now().await;
        }
        let counts = counts(&walk);
        Ok((walk.intents, counts))
    }

    /// Asks about the next keys; whether those were the last.
    async fn step(&self, walk: &mut Walk) -> Result<bool> {
        let (scope, size) = (walk.place.id.0, walk.page());
        let store = &self.rooms.store;
        let page = store.scan(scope, Kind::Key, walk.after, size).await?;
        walk.after = page.last().map(|record| record.id);
        let last = page.len() < size;
        // One lock for a page: verdicts come in between two.
        let judge = Arc::clone(&self.rooms.judge);
        let mut guard = judge.0.lock().await;
        let memory = remembered(&self.rooms, &mut guard).await?;
        for stored in page {
            let record: KeyRecord = records::decode(stored.plaintext.expose())?;
            let key = record.into_domain(stored.id, NamespaceId(scope))?;
            let Some(keyring) = walk.rings.get(&key.keyring) else {
                continue;
            };
            let last_use = memory.last_use(&key);
            let Some(facts) = facts(&self.rooms, &key, keyring, last_use, self.now()) else {
                continue;
            };
            let owner = walk.roster.named(&walk.place.name, &key.owner);
            let asked = Asked::new(&Question {
                now: self.now().0,
                namespace: &walk.place.name,
                whom: owner.whom(&self.rooms),
                about: About::Key(facts),
                occasion: Occasion::Time,
            })?;
            let day = last_use.map_or_else(|| "-".to_owned(), |last| last.day.to_string());
            for (rule, found) in walk.rules.iter().zip(&mut walk.found) {
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
                let Some(act) = act.filter(|act| !is_known(memory, &act.id(), act)) else {
                    continue;
                };
                *found += 1;
                if *found <= HELD_MAX + 1 && walk.intents.len() < FOUND_MAX {
                    walk.intents.push(act);
                }
            }
        }
        Ok(last)
    }

    /// Decides about what a walk found. Gives how many acts are to be done.
    async fn end(&self, walk: Walk) -> Result<usize> {
        let judge = Arc::clone(&self.rooms.judge);
        let mut guard = judge.0.lock().await;
        let memory = remembered(&self.rooms, &mut guard).await?;
        let counts = counts(&walk);
        match self
            .settle_matches(memory, walk.intents, Some(&counts))
            .await
        {
            Ok(acts) => Ok(acts.len()),
            Err(error) => {
                doubt(&mut guard, &error);
                Err(error)
            }
        }
    }
}

fn counts(walk: &Walk) -> Counts {
    let rules = walk.rules.iter().map(|rule| rule.id);
    rules.zip(walk.found.iter().copied()).collect()
}

fn act_key(key: &Key, keyring: &str) -> ActKey {
    ActKey {
        keyring: keyring.to_owned(),
        name: key.name.as_str().to_owned(),
        id: key.id.to_string(),
    }
}
