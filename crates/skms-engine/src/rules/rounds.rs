//! Turns: every namespace with rules has one in each round, of the same length,
//! whatever the others write and do. One that has more to be asked than a turn
//! holds falls behind by itself, with a place of its own in the journal, and
//! everything else goes on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use skms_evidence::Event;
use skms_policy::ROOT_NAMESPACE;
use skms_policy::rule::Trigger;
use skms_store::RecordId;

use super::answer::Intent;
use super::events::namespace_of;
use super::judge::{Memory, doubt, remembered};
use super::{AutoRule, PART, certificates, findings};
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;

/// Events that one step reads.
const STEP: usize = 512;

/// What a namespace is asked in one turn: so many short rules about one event,
/// one about so many events, or less where they are long.
pub(crate) const TURN: u64 = 4096;

/// A namespace with so many acts that are decided and not done is asked nothing
/// more until some of them are.
pub(crate) const PENDING_MAX: usize = 512;

/// An event with its place in the journal.
struct Seen {
    place: u64,
    event: Event,
}

/// The rules of a namespace that events can match.
#[derive(Default)]
struct Asking {
    events: Vec<Arc<AutoRule>>,
    findings: Vec<Arc<AutoRule>>,
    certificates: Vec<Arc<AutoRule>>,
}

/// What became of a turn to carry an act out.
pub(crate) enum Turn {
    /// There is none left.
    Nothing,
    /// It is over.
    Done,
    /// It is tried again later.
    Trouble(Error),
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Round {
    /// Events that it read for all namespaces.
    pub(crate) read: usize,
    /// Whether the next one finds more.
    pub(crate) more: bool,
}

impl Engine {
    /// Asks the rules about every event that became durable since it was last
    /// done, and does what they say. Gives how many events it read. Without any
    /// rule it reads none.
    ///
    /// # Errors
    /// [`crate::Error::Sealed`]; what the store refuses. What was not done is
    /// done the next time, and nothing twice.
    pub async fn judge_events(&self) -> Result<usize> {
        let mut read = 0;
        let mut tried = HashSet::new();
        loop {
            let Some(round) = self.judge_round().await? else {
                return Ok(read);
            };
            read += round.read;
            // What an earlier run decided and did not come to do, too.
            let (mut did, mut trouble) = (false, None);
            for namespace in self.to_do().await? {
                for urgent in [true, false] {
                    loop {
                        match self.answer_one(&namespace, urgent, &mut tried).await? {
                            Turn::Nothing => break,
                            Turn::Done => did = true,
                            Turn::Trouble(error) => trouble = trouble.or(Some(error)),
                        }
                    }
                }
            }
            if let Some(error) = trouble {
                return Err(error);
            }
            if !round.more && !did {
                return Ok(read);
            }
            tokio::task::yield_now().await;
        }
    }

    /// One turn for each namespace: of what is new in the journal, and of those
    /// that are behind. `None` without any rule.
    ///
    /// # Errors
    /// As for [`Engine::judge_events`].
    pub(crate) async fn judge_round(&self) -> Result<Option<Round>> {
        let rooms = self.rooms()?;
        if rooms.rules.is_empty() {
            return Ok(None);
        }
        let entry = self.enter(&Caller::system(PART)?)?;
        let judge = Arc::clone(&rooms.judge);
        let (read, behind) = {
            let mut guard = judge.0.lock().await;
            let memory = remembered(&rooms, &mut guard).await?;
            let behind: Vec<String> = memory.behind.keys().cloned().collect();
            match entry.judge_step(memory).await {
                Ok(read) => (read, behind),
                Err(error) => {
                    doubt(&mut guard, &error);
                    return Err(error);
                }
            }
        };
        let mut more = read == STEP;
        for namespace in behind {
            // Verdicts come in between two.
            let mut guard = judge.0.lock().await;
            let memory = remembered(&rooms, &mut guard).await?;
            match entry.catch_up(memory, &namespace).await {
                Ok(moved) => more |= moved,
                Err(error) => {
                    doubt(&mut guard, &error);
                    return Err(error);
                }
            }
        }
        Ok(Some(Round { read, more }))
    }

    /// The namespaces whose rules have something to be done.
    ///
    /// # Errors
    /// As for [`Engine::judge_events`].
    pub(crate) async fn to_do(&self) -> Result<Vec<String>> {
        let rooms = self.rooms()?;
        if rooms.rules.is_empty() {
            return Ok(Vec::new());
        }
        let mut guard = rooms.judge.0.lock().await;
        Ok(remembered(&rooms, &mut guard).await?.acts.to_do())
    }

    /// Carries out the next act of a namespace that was not tried yet.
    ///
    /// # Errors
    /// As for [`Engine::judge_events`].
    pub(crate) async fn answer_one(
        &self,
        namespace: &str,
        urgent: bool,
        tried: &mut HashSet<RecordId>,
    ) -> Result<Turn> {
        let rooms = self.rooms()?;
        let claim = {
            let mut guard = rooms.judge.0.lock().await;
            let memory = remembered(&rooms, &mut guard).await?;
            let mut pending = memory.acts.pending(namespace, urgent);
            let next = pending.find(|id| !tried.contains(id) && !rooms.judge.is_claimed(id));
            rooms.judge.claim(next)
        };
        if claim.ids.is_empty() {
            return Ok(Turn::Nothing);
        }
        tried.extend(&claim.ids);
        match self.carry_out(&claim).await {
            Ok(_) => Ok(Turn::Done),
            Err(Error::Sealed) => Err(Error::Sealed),
            Err(error) => Ok(Turn::Trouble(error)),
        }
    }

    /// Reads the journal to where it ends now.
    pub(crate) async fn judge_up_to_now(&self) -> Result<()> {
        let rooms = self.rooms()?;
        let end = rooms.journal.durable_sequence();
        loop {
            let next = {
                let mut guard = rooms.judge.0.lock().await;
                remembered(&rooms, &mut guard).await?.next
            };
            if next >= end
                || self
                    .judge_round()
                    .await?
                    .is_none_or(|round| round.read == 0)
            {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Entry {
    fn asking(&self) -> BTreeMap<String, Asking> {
        let rules = &self.rooms.rules;
        let mut all: BTreeMap<String, Asking> = BTreeMap::new();
        for (namespace, these) in rules.on(Trigger::Event) {
            all.entry(namespace).or_default().events = these;
        }
        for (namespace, these) in rules.on(Trigger::Finding) {
            all.entry(namespace).or_default().findings = these;
        }
        for (namespace, these) in rules.on(Trigger::Certificate) {
            all.entry(namespace).or_default().certificates = these;
        }
        all
    }

    /// Reads the next page of the journal and gives everybody a turn who is not
    /// behind.
    async fn judge_step(&self, memory: &mut Memory) -> Result<usize> {
        let page = self.page(memory.next).await?;
        let Some(last) = page.last() else {
            memory.save(&self.rooms).await?;
            return Ok(0);
        };
        let next = last.place.saturating_add(1);
        for seen in &page {
            self.take_use(memory, &seen.event);
        }
        let (own, everybody) = shares(&page);
        let asking = self.asking();
        let mut intents = Vec::new();
        let mut behind = Vec::new();
        for (namespace, rules) in &asking {
            if memory.behind.contains_key(namespace) {
                continue;
            }
            let mut these: Vec<usize> = own.get(namespace.as_str()).cloned().unwrap_or_default();
            these.extend(&everybody);
            these.sort_unstable();
            these.dedup();
            let events = these.iter().filter_map(|at| page.get(*at));
            let at = self
                .turn(memory, (namespace, rules), events, &mut intents)
                .await?;
            behind.extend(at.map(|at| (namespace.clone(), at)));
        }
        // Durable before the place moves on: acts that are known already are
        // not decided again.
        self.settle_matches(memory, intents, None).await?;
        memory.behind.extend(behind);
        memory.next = next;
        memory.read_on(page.len() as u64);
        memory.save(&self.rooms).await?;
        Ok(page.len())
    }

    /// Gives a turn to a namespace that is behind; whether it came any further.
    async fn catch_up(&self, memory: &mut Memory, namespace: &str) -> Result<bool> {
        let Some(from) = memory.behind.get(namespace).copied() else {
            return Ok(false);
        };
        let asking = self.asking().remove(namespace);
        let page = self.page(from).await?;
        let (Some(rules), Some(last)) = (asking, page.last()) else {
            // Nobody asks any more.
            memory.behind.remove(namespace);
            return Ok(true);
        };
        let end = last.place.saturating_add(1).min(memory.next);
        let mut intents = Vec::new();
        let these = page.iter().filter(|seen| {
            let of = namespace_of(&seen.event).unwrap_or(ROOT_NAMESPACE);
            seen.place < end && (of == namespace || concerns_everybody(&seen.event))
        });
        let at = self
            .turn(memory, (namespace, &rules), these, &mut intents)
            .await?;
        self.settle_matches(memory, intents, None).await?;
        let at = at.unwrap_or(end);
        match at < memory.next {
            true => memory.behind.insert(namespace.to_owned(), at),
            false => memory.behind.remove(namespace),
        };
        memory.read_on(at.saturating_sub(from));
        memory.save(&self.rooms).await?;
        Ok(at > from)
    }

    async fn page(&self, from: u64) -> Result<Vec<Seen>> {
        let page = self.rooms.journal.read(from, STEP).await?;
        let seen = page.into_iter().map(|stored| {
            Ok(Seen {
                place: stored.sequence,
                event: Event::decode(&stored.entry.bytes)?,
            })
        });
        seen.collect()
    }

    /// Asks a namespace's rules about events until its turn is over. Gives the
    /// place of the event that it did not come to, if there is one.
    async fn turn<'a>(
        &self,
        memory: &mut Memory,
        (namespace, rules): (&str, &Asking),
        events: impl Iterator<Item = &'a Seen>,
        intents: &mut Vec<Intent>,
    ) -> Result<Option<u64>> {
        let begun = intents.len();
        let waiting = self.waiting(memory, namespace);
        memory.spent = 0;
        for Seen { place, event } in events {
            let decided = waiting + intents.len() - begun;
            if memory.spent >= TURN || decided >= PENDING_MAX {
                return Ok(Some(*place));
            }
            let place = *place;
            let own = namespace_of(event).unwrap_or(ROOT_NAMESPACE) == namespace;
            if own {
                let asked = (namespace, rules.events.as_slice());
                intents.extend(self.ask_event(memory, asked, event, place).await?);
            }
            if own && !rules.findings.is_empty() {
                let asked = (namespace, rules.findings.as_slice());
                intents.extend(findings::found(self, memory, asked, event, place).await?);
            }
            if !rules.certificates.is_empty() {
                let asked = (namespace, rules.certificates.as_slice());
                intents.extend(certificates::revoked(self, memory, asked, event, place).await?);
            }
        }
        Ok(None)
    }

    /// How many acts of a namespace are decided and were not tried yet.
    fn waiting(&self, memory: &Memory, namespace: &str) -> usize {
        let both = [true, false].into_iter();
        let all = both.flat_map(|urgent| memory.acts.pending(namespace, urgent));
        all.filter(|id| !memory.failed.contains(id)).count()
    }
}

/// Which events of a page are whose, and which may concern everybody.
fn shares(page: &[Seen]) -> (HashMap<&str, Vec<usize>>, Vec<usize>) {
    let mut own: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut everybody = Vec::new();
    for (at, seen) in page.iter().enumerate() {
        let of = namespace_of(&seen.event).unwrap_or(ROOT_NAMESPACE);
        own.entry(of).or_default().push(at);
        if concerns_everybody(&seen.event) {
            everybody.push(at);
        }
    }
    (own, everybody)
}

/// Whether rules of other namespaces may be asked about an event as well.
fn concerns_everybody(event: &Event) -> bool {
    event.action.as_str() == certificates::REVOKED
}
