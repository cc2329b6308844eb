//! What the rules remember: how far the journal was read, when keys were used
//! last, and every act that was decided. All of it is records; memory is read
//! from them when it is first wanted, and again after a commit whose outcome is
//! not known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use skms_keys::{Key, NamespaceId};
use skms_policy::rule::Answer;
use skms_store::{Change, Kind, RecordId};
use tokio::sync::Mutex;

use super::known::{KEPT_MAX, KnownActs, Tally, WARNINGS_MAX};
use super::question::LastUse;
use super::roster::Labels;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::places::{self, SYSTEM_SCOPE};
use crate::records;
use crate::records::rule::{ActState, JudgedRecord, KeyUseRecord, RuleActRecord};

/// How long an act is remembered once it is over.
const KEPT_SECONDS: i64 = 400 * 86_400;
/// And how long at least, where a namespace has too many of them: the longest
/// time that a limit looks back on.
const KEPT_AT_LEAST_SECONDS: i64 = 7 * 86_400;

/// For how long after a restore what a walk finds is held.
const RESTORED_SECONDS: i64 = 86_400;

/// Records that one step reads, and that one batch writes at most.
pub(crate) const STEP: usize = 256;

/// Changes of last uses that wait before they are written, and how long the
/// place in the journal waits.
const DIRTY_MAX: usize = 256;
const UNSAVED_EVENTS: u64 = 4096;
const UNSAVED_SECONDS: i64 = 60;

/// One act that is known.
#[derive(Clone, Debug)]
pub(crate) struct KnownAct {
    pub(crate) id: RecordId,
    pub(crate) namespace: NamespaceId,
    pub(crate) namespace_name: String,
    pub(crate) revision: u64,
    pub(crate) record: RuleActRecord,
}

impl KnownAct {
    /// The change that makes this its record; `None` as the revision of one that
    /// is new.
    pub(crate) fn put(&self, expected: Option<u64>) -> Result<Change> {
        Ok(Change::Put {
            namespace: self.namespace.0,
            kind: Kind::RuleAct,
            id: self.id,
            name: None,
            expected,
            plaintext: records::encode(&self.record)?,
        })
    }

    /// The change of a known one.
    pub(crate) fn change(&self) -> Result<Change> {
        self.put(Some(self.revision))
    }
}

struct Use {
    last: LastUse,
    revision: Option<u64>,
    namespace: [u8; 16],
    dirty: bool,
}

/// Everything that is remembered.
pub(crate) struct Memory {
    /// The place of the next event to be read.
    pub(crate) next: u64,
    /// Namespaces whose rules have not come so far, each with the place of its
    /// next event: those that have more to be asked than one turn holds.
    pub(crate) behind: BTreeMap<String, u64>,
    /// Events that were read since it was written down.
    unsaved: u64,
    /// When the store was last restored from a backup.
    restored_at: Option<i64>,
    saved_at: i64,
    stored: Option<(RecordId, u64)>,
    pub(crate) acts: KnownActs,
    /// Acts that met trouble, and are tried again.
    pub(crate) failed: HashSet<RecordId>,
    /// What was asked since a turn began, by the length of rules.
    pub(crate) spent: u64,
    uses: HashMap<[u8; 16], Use>,
    dirty: usize,
    /// Records of keys that are gone: namespace, key, revision.
    gone: Vec<([u8; 16], [u8; 16], u64)>,
    pub(crate) labels: Labels,
    /// How many keys a namespace has, and when that was counted.
    keys: BTreeMap<String, (u64, i64)>,
    /// When the keys of each namespace were last walked over, and for which
    /// rules.
    pub(crate) walked: BTreeMap<String, (i64, Vec<(RecordId, u64)>)>,
    /// When old acts were last forgotten.
    pub(crate) tidied: Option<i64>,
    /// When it was last told that a rule holds acts.
    pub(crate) told_held: HashMap<RecordId, i64>,
    /// When each rule's trouble was last told.
    pub(crate) troubles: HashMap<RecordId, i64>,
}

/// How long a count of keys holds.
const COUNT_SECONDS: i64 = 3600;

/// The rules' memory, once it is wanted.
#[derive(Default)]
pub(crate) struct Judge(pub(crate) Mutex<Option<Memory>>, Claimed);

/// Acts that somebody carries out just now.
type Claimed = Arc<StdMutex<HashSet<RecordId>>>;

/// Acts that are carried out by whoever has this, and by nobody else.
pub(crate) struct Claim {
    of: Claimed,
    pub(crate) ids: Vec<RecordId>,
}

impl Judge {
    /// Takes acts that nobody else has.
    pub(crate) fn claim(&self, ids: impl IntoIterator<Item = RecordId>) -> Claim {
        let mut all = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = ids.into_iter().filter(|id| all.insert(*id)).collect();
        Claim {
            of: Arc::clone(&self.1),
            ids,
        }
    }

    /// Whether somebody carries an act out just now.
    pub(crate) fn is_claimed(&self, id: &RecordId) -> bool {
        let all = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        all.contains(id)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut all = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &self.ids {
            all.remove(id);
        }
    }
}

/// The memory, read in where it is not there.
pub(crate) async fn remembered<'a>(
    rooms: &Rooms,
    memory: &'a mut Option<Memory>,
) -> Result<&'a mut Memory> {
    if memory.is_none() {
        *memory = Some(Memory::load(rooms).await?);
    }
    memory
        .as_mut()
        .ok_or(Error::Internal("the rules' memory was not read"))
}

/// Notes that the store was restored from a backup, before anybody is let in.
///
/// # Errors
/// What the store refuses.
pub(crate) async fn note_restore(rooms: &Rooms) -> Result<()> {
    let mut guard = rooms.judge.0.lock().await;
    let memory = remembered(rooms, &mut guard).await?;
    memory.restored_at = Some(rooms.clock.now().0);
    let noted = memory.write_place(rooms).await;
    if noted.is_err() {
        *guard = None;
    }
    noted
}

/// Lets the memory go after a commit that may have been done all the same.
pub(crate) fn doubt(memory: &mut Option<Memory>, error: &Error) {
    if !error.is_away() {
        *memory = None;
    }
}

impl Memory {
    async fn load(rooms: &Rooms) -> Result<Self> {
        let store = &rooms.store;
        let found = store
            .find(SYSTEM_SCOPE, Kind::Setting, JudgedRecord::NAME)
            .await?;
        let (judged, stored) = match found {
            None => (JudgedRecord::default(), None),
            Some(stored) => {
                let record: JudgedRecord = records::decode(stored.plaintext.expose())?;
                (record, Some((stored.id, stored.revision)))
            }
        };
        let mut acts = KnownActs::default();
        let mut uses = HashMap::new();
        for place in rooms.places.list() {
            let found = places::all::<RuleActRecord>(store, place.id.0).await?;
            for (id, revision, record) in found {
                acts.put(KnownAct {
                    id,
                    namespace: place.id,
                    namespace_name: place.name.clone(),
                    revision,
                    record,
                });
            }
            let found = places::all::<KeyUseRecord>(store, place.id.0).await?;
            uses.extend(found.into_iter().map(|(id, revision, record)| {
                let one = Use {
                    last: LastUse::on(record.day),
                    revision: Some(revision),
                    namespace: place.id.0,
                    dirty: false,
                };
                (id.0, one)
            }));
        }
        // A journal that lost its tail, as after a restore, is read from where
        // it ends now.
        let next = judged.next.min(rooms.journal.durable_sequence());
        let mut behind: BTreeMap<String, u64> = judged.behind.into_iter().collect();
        behind.retain(|_, place| *place < next);
        Ok(Self {
            next,
            behind,
            unsaved: 0,
            restored_at: judged.restored_at,
            saved_at: rooms.clock.now().0,
            stored,
            acts,
            failed: HashSet::new(),
            spent: 0,
            uses,
            dirty: 0,
            gone: Vec::new(),
            labels: Labels::default(),
            keys: BTreeMap::new(),
            walked: BTreeMap::new(),
            tidied: None,
            told_held: HashMap::new(),
            troubles: HashMap::new(),
        })
    }

    /// When a key was used last, as far as the journal was read. Of keys that
    /// were there when the store was restored it is that day at least: a backup
    /// does not know of their uses since.
    pub(crate) fn last_use(&self, key: &Key) -> Option<LastUse> {
        let known = self.uses.get(&key.id.0).map(|one| one.last);
        let restored = self.restored_at.filter(|at| key.created_at.0 <= *at);
        match (known, restored.map(LastUse::at)) {
            (Some(known), Some(restored)) if known.at >= restored.at => Some(known),
            (known, restored) => restored.or(known),
        }
    }

    /// Whether the store was restored so lately that what it says of keys and
    /// principals may be old.
    pub(crate) fn was_just_restored(&self, now: i64) -> bool {
        let since = self.restored_at.map(|at| now.saturating_sub(at));
        since.is_some_and(|since| (0..RESTORED_SECONDS).contains(&since))
    }

    /// Takes a use in.
    pub(crate) fn used(&mut self, namespace: NamespaceId, key: [u8; 16], at: i64) {
        let last = LastUse::at(at);
        let known = self.uses.entry(key).or_insert_with(|| Use {
            last: LastUse { day: i64::MIN, at },
            revision: None,
            namespace: namespace.0,
            dirty: false,
        });
        if last.day > known.last.day {
            self.dirty += usize::from(!known.dirty);
            known.dirty = true;
            known.last = last;
        } else if last.day == known.last.day {
            known.last.at = known.last.at.max(last.at);
        }
    }

    /// Forgets the uses of a key that is gone.
    pub(crate) fn gone(&mut self, key: [u8; 16]) {
        if let Some(one) = self.uses.remove(&key) {
            self.dirty -= usize::from(one.dirty);
            let stored = one.revision.map(|revision| (one.namespace, key, revision));
            self.gone.extend(stored);
        }
    }

    /// Writes the place in the journal and the days of last uses, if there is
    /// enough to write or it has waited for long.
    ///
    /// # Errors
    /// What the store refuses; then what is in memory is as before.
    pub(crate) async fn save(&mut self, rooms: &Rooms) -> Result<()> {
        let now = rooms.clock.now().0;
        let moved = self.unsaved;
        let waited = now.saturating_sub(self.saved_at) >= UNSAVED_SECONDS;
        let enough = self.dirty >= DIRTY_MAX || moved >= UNSAVED_EVENTS;
        if !(enough || (waited && (moved > 0 || self.dirty > 0))) {
            return Ok(());
        }
        let dirty: Vec<[u8; 16]> = self
            .uses
            .iter()
            .filter_map(|(key, one)| one.dirty.then_some(*key))
            .collect();
        // Uses first: the place never says more than they do.
        for some in dirty.chunks(STEP) {
            self.save_uses(rooms, some).await?;
        }
        for (namespace, key, expected) in self.gone.split_off(0) {
            let change = Change::Delete {
                namespace,
                kind: Kind::KeyUse,
                id: RecordId(key),
                expected,
            };
            rooms.store.commit(vec![change], None).await?;
        }
        self.write_place(rooms).await
    }

    /// Writes the place in the journal.
    async fn write_place(&mut self, rooms: &Rooms) -> Result<()> {
        let now = rooms.clock.now().0;
        let behind = self.behind.iter();
        let record = JudgedRecord {
            next: self.next,
            behind: behind.map(|(name, place)| (name.clone(), *place)).collect(),
            restored_at: self.restored_at,
        };
        let (id, expected) = match self.stored {
            Some((id, revision)) => (id, Some(revision)),
            None => (RecordId::random()?, None),
        };
        let change = Change::Put {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Setting,
            id,
            name: Some(JudgedRecord::NAME.to_owned()),
            expected,
            plaintext: records::encode(&record)?,
        };
        let done = rooms.store.commit(vec![change], None).await?;
        let revision = done.revisions.first().copied().unwrap_or_default();
        self.stored = Some((id, revision));
        (self.unsaved, self.saved_at) = (0, now);
        Ok(())
    }

    async fn save_uses(&mut self, rooms: &Rooms, keys: &[[u8; 16]]) -> Result<()> {
        let mut changes = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(one) = self.uses.get(key) else {
                continue;
            };
            changes.push(Change::Put {
                namespace: one.namespace,
                kind: Kind::KeyUse,
                id: RecordId(*key),
                name: None,
                expected: one.revision,
                plaintext: records::encode(&KeyUseRecord { day: one.last.day })?,
            });
        }
        let done = rooms.store.commit(changes, None).await?;
        for (key, revision) in keys.iter().zip(done.revisions) {
            if let Some(one) = self.uses.get_mut(key) {
                one.revision = Some(revision);
                self.dirty -= usize::from(one.dirty);
                one.dirty = false;
            }
        }
        Ok(())
    }

    /// Moves on in the journal.
    pub(crate) fn read_on(&mut self, events: u64) {
        self.unsaved = self.unsaved.saturating_add(events);
    }

    /// Puts an act's changed record in force, which was committed. Where what is
    /// known is newer, as when all was read anew meanwhile, that stays.
    pub(crate) fn settled(&mut self, mut act: KnownAct) {
        act.revision = act.revision.saturating_add(1);
        self.failed.remove(&act.id);
        let known = self.acts.get(&act.id);
        if known.is_none_or(|known| known.revision < act.revision) {
            self.acts.put(act);
        }
    }

    /// How much of a rule's acts counted against its limit after a time.
    pub(crate) fn counted(&self, rule: &str, edition: u64, after: i64) -> usize {
        self.acts.counted(rule, edition, after)
    }

    /// Acts of a rule's edition that wait to be released.
    pub(crate) fn held(&self, rule: &str, edition: u64) -> impl Iterator<Item = &KnownAct> {
        self.acts.held(rule, edition)
    }

    /// Forgets acts that were over long ago, and sooner where a namespace has
    /// nearly as many as are remembered.
    ///
    /// # Errors
    /// What the store refuses.
    pub(crate) async fn forget_old(&mut self, rooms: &Rooms) -> Result<()> {
        let now = rooms.clock.now().0;
        let old = |act: &&KnownAct| is_old(&act.record, self.acts.tally(&act.namespace_name), now);
        let old: Vec<KnownAct> = self.acts.values().filter(old).cloned().collect();
        for some in old.chunks(STEP) {
            let changes = some.iter().map(|act| Change::Delete {
                namespace: act.namespace.0,
                kind: Kind::RuleAct,
                id: act.id,
                expected: act.revision,
            });
            rooms.store.commit(changes.collect(), None).await?;
            for act in some {
                self.acts.remove(&act.id);
            }
        }
        Ok(())
    }

    /// How many keys a namespace has, counted within the hour.
    ///
    /// # Errors
    /// What the store refuses.
    pub(crate) async fn keys(&mut self, rooms: &Rooms, namespace: &str) -> Result<u64> {
        let now = rooms.clock.now().0;
        if let Some((count, at)) = self.keys.get(namespace)
            && now.saturating_sub(*at) < COUNT_SECONDS
        {
            return Ok(*count);
        }
        let Some(place) = rooms.places.namespace(namespace) else {
            return Ok(0);
        };
        let (mut count, mut after) = (0_u64, None);
        loop {
            let page = rooms.store.scan(place.id.0, Kind::Key, after, STEP).await?;
            count += page.len() as u64;
            after = page.last().map(|record| record.id);
            if page.len() < STEP {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.keys.insert(namespace.to_owned(), (count, now));
        Ok(count)
    }
}

/// Whether an act of a namespace that has so many is forgotten.
fn is_old(record: &RuleActRecord, tally: Tally, now: i64) -> bool {
    let before = now.saturating_sub(KEPT_SECONDS);
    let sooner = now.saturating_sub(KEPT_AT_LEAST_SECONDS);
    let warning = record.answer == Answer::Warn.name();
    let many = tally.all > KEPT_MAX / 4 * 3 || (warning && tally.warnings > WARNINGS_MAX / 4 * 3);
    match record.state {
        ActState::Pending => false,
        // Somebody waits for the one, and the other is not to be done again.
        ActState::Held | ActState::Undone => record.at < before,
        _ => record.at < before || (many && record.at < sooner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(answer: Answer, state: ActState, at: i64) -> RuleActRecord {
        RuleActRecord {
            rule: String::new(),
            rule_id: String::new(),
            edition: 1,
            answer: answer.name().to_owned(),
            reason: None,
            compromise: None,
            key: None,
            principal: None,
            trigger: String::new(),
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
        }
    }

    #[test]
    fn where_there_are_many_what_is_a_week_old_is_forgotten() {
        let (now, week) = (KEPT_SECONDS * 2, KEPT_AT_LEAST_SECONDS);
        let few = Tally::default();
        let many = Tally {
            all: KEPT_MAX,
            ..few
        };
        let warnings = Tally {
            warnings: WARNINGS_MAX,
            ..few
        };
        let old = |answer, state, age, tally| is_old(&record(answer, state, now - age), tally, now);
        let (warn, suspend, done) = (Answer::Warn, Answer::Suspend, ActState::Done);
        for (answer, state, age, tally, is) in [
            (warn, done, week + 1, few, false),
            (warn, done, week + 1, warnings, true),
            // What limits look back on stays.
            (warn, done, week, many, false),
            (suspend, done, week + 1, warnings, false),
            (suspend, done, week + 1, many, true),
            (suspend, ActState::Undone, week + 1, many, false),
            (suspend, ActState::Held, week + 1, many, false),
            (suspend, ActState::Pending, KEPT_SECONDS + 1, many, false),
            (suspend, done, KEPT_SECONDS, few, false),
            (suspend, done, KEPT_SECONDS + 1, few, true),
        ] {
            assert_eq!(
                old(answer, state, age, tally),
                is,
                "{answer:?} {state:?} {age}"
            );
        }
    }
}
