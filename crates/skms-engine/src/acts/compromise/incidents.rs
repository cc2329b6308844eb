//! The incidents that are not finished, and whose turn it is. Namespaces take
//! turns, so that nobody waits for another's many; and no report is waited for,
//! which reads the journal for long, by what takes something away.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use skms_store::{RecordId, SealedStore};
use tokio::sync::Notify;

use crate::error::Result;
use crate::places::{self, Places};
use crate::records::incident::{IncidentRecord, Reach, Rotation};

/// The wait after an incident could not be finished; it doubles with each time,
/// to about two minutes.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const WAIT_DOUBLES: u32 = 8;
/// Dry runs that are made at once.
const MOST_SHOWN: usize = 4;

type Scope = [u8; 16];

/// What is done of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// What depends on it is taken away, and replaced.
    Mark,
    /// The report is made, and ends it.
    Tell,
}

/// The incidents whose cascade is not finished, and the bells for whoever does
/// that.
#[derive(Default)]
pub(crate) struct Incidents {
    open: Mutex<BTreeMap<RecordId, Open>>,
    /// When each namespace had its last turn.
    turns: Mutex<HashMap<Scope, u64>>,
    /// The namespaces that a dry run is made for.
    shown: Mutex<BTreeSet<Scope>>,
    mark: Work,
    tell: Work,
}

/// Held by whoever works on a stage, one at a time; rung when there is more.
#[derive(Default)]
pub(super) struct Work {
    pub(super) lock: tokio::sync::Mutex<()>,
    pub(super) bell: Arc<Notify>,
}

/// One that is not finished.
struct Open {
    scope: Scope,
    order: Ordered,
    stage: Stage,
    /// How often it could not be, one time after the other.
    failures: u32,
    /// When it is tried again, if it could not be.
    again: Option<Instant>,
    /// Why not.
    why: String,
}

/// What was ordered, of which versions of which key.
pub(super) struct Ordered {
    key: String,
    pub(super) versions: Vec<u32>,
    reach: Reach,
    rotation: Rotation,
    since: Option<i64>,
}

impl Ordered {
    pub(super) fn of(record: &IncidentRecord) -> Self {
        Self {
            key: record.key_id.clone(),
            versions: record.versions.clone(),
            reach: record.reach,
            rotation: record.rotation,
            since: record.since,
        }
    }

    /// Whether nothing comes of another order that does not come of this one.
    fn covers(&self, other: &Self) -> bool {
        let rest = (self.reach, self.rotation, self.since);
        self.key == other.key
            && rest == (other.reach, other.rotation, other.since)
            && (other.versions.iter()).all(|version| self.versions.contains(version))
    }
}

impl Open {
    const fn new(scope: Scope, order: Ordered) -> Self {
        Self {
            scope,
            order,
            stage: Stage::Mark,
            failures: 0,
            again: None,
            why: String::new(),
        }
    }
}

impl Incidents {
    /// Those in the store.
    pub(crate) async fn load(store: &SealedStore, places: &Places) -> Result<Self> {
        let mut open = BTreeMap::new();
        for namespace in places.list() {
            let scope = namespace.id.0;
            for (id, _, record) in places::all::<IncidentRecord>(store, scope).await? {
                if record.finished_at.is_none() {
                    open.insert(id, Open::new(scope, Ordered::of(&record)));
                }
            }
        }
        Ok(Self {
            open: Mutex::new(open),
            ..Self::default()
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<RecordId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn work(&self, stage: Stage) -> &Work {
        match stage {
            Stage::Mark => &self.mark,
            Stage::Tell => &self.tell,
        }
    }

    /// Adds one, and has it worked on if it is in the store.
    pub(super) fn begin(&self, id: RecordId, scope: Scope, order: Ordered) {
        self.lock().insert(id, Open::new(scope, order));
        self.mark.bell.notify_one();
    }

    /// One that does what is ordered already.
    pub(super) fn covering(&self, scope: Scope, order: &Ordered) -> Option<RecordId> {
        let all = self.lock();
        let covers = |open: &Open| open.scope == scope && open.order.covers(order);
        let found = all.iter().find(|(_, open)| covers(open));
        found.map(|(id, _)| *id)
    }

    /// The next at a stage but those that were `tried`, and those that are not
    /// due where only such are wanted: of the namespace whose last turn is the
    /// longest ago.
    pub(super) fn next(
        &self,
        stage: Stage,
        tried: &HashSet<RecordId>,
        due: Option<Instant>,
    ) -> Option<(RecordId, Scope)> {
        let is_due = |open: &Open| {
            let both = due.zip(open.again);
            both.is_none_or(|(now, again)| again <= now)
        };
        let all = self.lock();
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let last = |scope: &Scope| turns.get(scope).copied().unwrap_or(0);
        let wanted = all
            .iter()
            .filter(|(id, open)| open.stage == stage && !tried.contains(id) && is_due(open));
        let (id, open) = wanted.min_by_key(|(id, open)| (last(&open.scope), **id))?;
        let turn = turns.values().max().map_or(1, |turn| turn + 1);
        turns.insert(open.scope, turn);
        Some((*id, open.scope))
    }

    /// The turn of a namespace to be shown what a compromise would do; there are
    /// few, and one for each.
    pub(super) fn show(&self, scope: Scope) -> Option<Showing<'_>> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let free = shown.len() < MOST_SHOWN && shown.insert(scope);
        free.then(|| Showing { of: self, scope })
    }

    /// All is done of it.
    pub(super) fn done(&self, id: RecordId) {
        self.lock().remove(&id);
    }

    /// All is done of it but the report.
    pub(super) fn marked(&self, id: RecordId) {
        if let Some(open) = self.lock().get_mut(&id) {
            open.stage = Stage::Tell;
            (open.failures, open.again) = (0, None);
        }
        self.tell.bell.notify_one();
    }

    /// It could not be finished: others go first for a while.
    pub(super) fn failed(&self, id: RecordId, why: String) {
        if let Some(open) = self.lock().get_mut(&id) {
            let wait = FIRST_WAIT.saturating_mul(1 << open.failures.min(WAIT_DOUBLES));
            open.failures = open.failures.saturating_add(1);
            open.again = Instant::now().checked_add(wait);
            open.why = why;
        }
    }

    /// Why one cannot be finished, as far as it was tried.
    pub(super) fn why(&self, id: RecordId) -> Option<String> {
        let all = self.lock();
        let open = all.get(&id).filter(|open| open.failures > 0);
        open.map(|open| open.why.clone())
    }

    /// Whether one of a namespace is not finished.
    pub(crate) fn is_open_in(&self, scope: Scope) -> bool {
        self.lock().values().any(|open| open.scope == scope)
    }
}

/// A dry run that is being made.
pub(super) struct Showing<'a> {
    of: &'a Incidents,
    scope: Scope,
}

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        let mut shown = (self.of.shown.lock()).unwrap_or_else(PoisonError::into_inner);
        shown.remove(&self.scope);
    }
}
