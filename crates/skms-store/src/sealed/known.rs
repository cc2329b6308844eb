//! Which rows are true, in memory, so that a row that is replayed, brought
//! back or removed behind a running server is refused when it is read.
//!
//! SQLite cannot see to that: `locking_mode = EXCLUSIVE` would shut out this
//! process's own readers, and whoever can write the file need not use SQLite.
//!
//! For each row of the kinds that decide who may do what with which key,
//! 26 bytes: 4 of its scope, its id, and 6 of its authentication tag, which
//! tells it from every other row that was ever sealed at its place; 8 more
//! for its name. With what the collections add that is 40 to 60 bytes.
//!
//! Filled by the walk that unsealing does anyway. A batch announces what it
//! writes before it is submitted ([`Known::announce`]), so that a reader who
//! is faster than the writer's own task is not led astray, and is entered
//! once it is durable ([`Known::settle`]), by the commit numbers' order. A
//! batch whose outcome nobody knows stays announced: the row may be as it was
//! or as the batch would have it.
//!
//! This is only right where one process has the store to itself.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::place;
use crate::store::{Kind, RecordId, Row};

/// The first bytes of a scope. Two namespaces that share them are told apart
/// by opening the row.
pub(super) type Prefix = [u8; 4];

/// What tells a row from others at its place.
pub(super) type Print = [u8; 6];

type Spot = (Prefix, RecordId);

type Rows = BTreeMap<Spot, Print>;

/// Whether rows of a kind are kept track of.
pub(super) const fn tracked(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Namespace
            | Kind::Keyring
            | Kind::Key
            | Kind::Material
            | Kind::Token
            | Kind::Policy
            | Kind::Principal
            | Kind::Directory
            | Kind::Approval
    )
}

pub(super) fn prefix(scope: Option<&[u8; 32]>) -> Prefix {
    scope
        .and_then(|scope| scope.first_chunk())
        .copied()
        .unwrap_or_default()
}

/// `None` for a row that is too short to be one: it is nobody's.
pub(super) fn print(row: &Row) -> Option<Print> {
    place::tag(row)?.first_chunk().copied()
}

/// A keyed digest, so that eight bytes of it are enough.
fn name(index: &[u8; 32]) -> u64 {
    index.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// Rows while they are collected.
#[derive(Default)]
pub(crate) struct Collected {
    rows: HashMap<Kind, Vec<(Spot, Print)>>,
    names: HashSet<u64>,
}

impl Collected {
    pub(crate) fn take(&mut self, row: &Row) {
        if let (true, Some(print)) = (tracked(row.kind), print(row)) {
            let place = (prefix(row.scope.as_ref()), row.id);
            self.rows.entry(row.kind).or_default().push((place, print));
            self.names.extend(row.index.as_ref().map(name));
        }
    }
}

/// One write on its way.
pub(super) struct Flight {
    pub(super) kind: Kind,
    pub(super) id: RecordId,
    pub(super) scope: Prefix,
    /// What will be there; `None` when it is removed.
    pub(super) after: Option<Print>,
    /// The name it will have.
    pub(super) name: Option<[u8; 32]>,
}

/// A batch on its way.
struct Batch {
    flights: Vec<Flight>,
    /// Names of the rows it replaces, once its transaction has seen them.
    gone: Vec<u64>,
    /// The commit it then was to be.
    commit: u64,
}

#[derive(Default)]
struct State {
    rows: HashMap<Kind, Rows>,
    names: HashSet<u64>,
    /// How many more (or fewer) rows have a name than `names` says, while
    /// batches settle out of order.
    names_off: HashMap<u64, i64>,
    batches: HashMap<u64, Batch>,
    /// Those of them that ended, nobody knows how.
    doubtful: Vec<u64>,
    /// For places that batches under way write: how many of those, and the
    /// newest commit that was entered meanwhile.
    busy: HashMap<(Kind, RecordId), Busy>,
}

#[derive(Default)]
struct Busy {
    batches: u64,
    newest: u64,
}

/// What is true. See the module.
#[derive(Default)]
pub(super) struct Known {
    state: RwLock<State>,
    next: AtomicU64,
    settled: AtomicU64,
}

/// A batch that was announced.
#[derive(Clone, Copy)]
pub(super) struct Ticket(u64);

impl Known {
    pub(super) fn new(collected: Collected) -> Self {
        let sorted = |mut rows: Vec<(Spot, Print)>| {
            rows.sort_unstable_by_key(|(place, _)| *place);
            rows.into_iter().collect()
        };
        Self {
            state: RwLock::new(State {
                rows: collected
                    .rows
                    .into_iter()
                    .map(|(kind, rows)| (kind, sorted(rows)))
                    .collect(),
                names: collected.names,
                ..State::default()
            }),
            ..Self::default()
        }
    }

    fn change<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn look<R>(&self, act: impl FnOnce(&State) -> R) -> R {
        act(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A batch is about to be submitted.
    pub(super) fn announce(&self, flights: Vec<Flight>) -> Option<Ticket> {
        if flights.is_empty() {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.change(|state| {
            for flight in &flights {
                let busy = state.busy.entry((flight.kind, flight.id)).or_default();
                busy.batches += 1;
            }
            let batch = Batch {
                flights,
                gone: Vec::new(),
                commit: 0,
            };
            state.batches.insert(number, batch);
        });
        Some(Ticket(number))
    }

    /// Its transaction has seen the rows it replaces, and is to be this
    /// commit.
    pub(super) fn replaces(&self, Ticket(number): Ticket, replaced: &[Option<Row>], commit: u64) {
        let gone = replaced
            .iter()
            .flatten()
            .filter(|row| tracked(row.kind))
            .filter_map(|row| row.index.as_ref().map(name))
            .collect();
        self.change(|state| {
            if let Some(batch) = state.batches.get_mut(&number) {
                batch.gone = gone;
                batch.commit = commit;
            }
        });
    }

    /// Nothing of it was written.
    pub(super) fn forget(&self, Ticket(number): Ticket) {
        self.change(|state| {
            if let Some(batch) = state.batches.remove(&number) {
                for flight in &batch.flights {
                    state.leave(flight);
                }
            }
        });
    }

    /// It may have been written or not.
    pub(super) fn doubt(&self, Ticket(number): Ticket) {
        self.change(|state| state.doubtful.push(number));
    }

    /// It is durable, as this commit.
    pub(super) fn settle(&self, Ticket(number): Ticket, commit: u64) {
        self.change(|state| {
            let Some(batch) = state.batches.remove(&number) else {
                return;
            };
            for gone in batch.gone {
                state.count_name(gone, -1);
            }
            for flight in &batch.flights {
                if let Some(index) = &flight.name {
                    state.count_name(name(index), 1);
                }
                state.enter(flight, commit);
                state.leave(flight);
            }
            state.resolve(&batch.flights, commit);
            // Seen by readers before they look: see `settled`.
            self.settled.fetch_add(1, Ordering::Release);
        });
    }

    /// Changes whenever a batch settles. What was read after this was taken
    /// and does not fit is refused only if it is still the same then.
    pub(super) fn settled(&self) -> u64 {
        self.settled.load(Ordering::Acquire)
    }

    /// Whether this, or nothing, may be at this place.
    pub(super) fn accepts(
        &self,
        kind: Kind,
        scope: Prefix,
        id: RecordId,
        found: Option<&Row>,
    ) -> bool {
        let found = match found.map(print) {
            None => None,
            Some(Some(print)) => Some(print),
            Some(None) => return false,
        };
        self.look(|state| {
            state.known(kind, scope, id) == found
                || (state.busy.contains_key(&(kind, id))
                    && state.flights().any(|flight| {
                        (flight.kind, flight.scope, flight.id, flight.after)
                            == (kind, scope, id, found)
                    }))
        })
    }

    /// Whether no row may have this name.
    pub(super) fn accepts_no(&self, index: &[u8; 32]) -> bool {
        let wanted = name(index);
        self.look(|state| {
            !state.names.contains(&wanted)
                || state
                    .batches
                    .values()
                    .any(|batch| batch.gone.contains(&wanted))
        })
    }

    /// The places of a kind, of one scope or of all, with ids after `after`
    /// up to `last`, that are known and not in `found`.
    pub(super) fn missing(
        &self,
        kind: Kind,
        scope: Option<Prefix>,
        after: Option<RecordId>,
        last: Option<RecordId>,
        found: &HashSet<RecordId>,
    ) -> Vec<Spot> {
        let last = last.unwrap_or(RecordId([0xff; 16]));
        if after.is_some_and(|after| after >= last) {
            return Vec::new();
        }
        self.look(|state| {
            let Some(rows) = state.rows.get(&kind) else {
                return Vec::new();
            };
            let mut missing = Vec::new();
            let mut next = scope.or_else(|| rows.keys().next().map(|(scope, _)| *scope));
            while let Some(here) = next {
                let from = (here, after.unwrap_or(RecordId([0; 16])));
                missing.extend(
                    rows.range(from..=(here, last))
                        .map(|(place, _)| *place)
                        .filter(|(_, id)| Some(*id) != after && !found.contains(id)),
                );
                next = match (scope, u32::from_be_bytes(here).checked_add(1)) {
                    (None, Some(above)) => rows
                        .range((above.to_be_bytes(), RecordId([0; 16]))..)
                        .next()
                        .map(|((scope, _), _)| *scope),
                    _ => None,
                };
            }
            missing
        })
    }
}

impl State {
    fn known(&self, kind: Kind, scope: Prefix, id: RecordId) -> Option<Print> {
        self.rows.get(&kind)?.get(&(scope, id)).copied()
    }

    fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.batches.values().flat_map(|batch| &batch.flights)
    }

    fn enter(&mut self, flight: &Flight, commit: u64) {
        if let Some(busy) = self.busy.get_mut(&(flight.kind, flight.id)) {
            if busy.newest > commit {
                // A later batch was entered before.
                return;
            }
            busy.newest = commit;
        }
        let rows = self.rows.entry(flight.kind).or_default();
        match flight.after {
            Some(print) => rows.insert((flight.scope, flight.id), print),
            None => rows.remove(&(flight.scope, flight.id)),
        };
    }

    fn leave(&mut self, flight: &Flight) {
        let place = (flight.kind, flight.id);
        if let Some(busy) = self.busy.get_mut(&place) {
            busy.batches = busy.batches.saturating_sub(1);
            if busy.batches == 0 {
                self.busy.remove(&place);
            }
        }
    }

    /// Where a later commit wrote, it no longer matters what a doubtful batch
    /// did.
    fn resolve(&mut self, written: &[Flight], commit: u64) {
        for number in std::mem::take(&mut self.doubtful) {
            let Some(mut batch) = self.batches.remove(&number) else {
                continue;
            };
            let earlier = batch.commit <= commit;
            let over = |flight: &Flight| {
                earlier
                    && written
                        .iter()
                        .any(|other| (other.kind, other.id) == (flight.kind, flight.id))
            };
            let (gone, left): (Vec<_>, Vec<_>) = batch.flights.into_iter().partition(over);
            for flight in &gone {
                self.leave(flight);
            }
            if !left.is_empty() {
                batch.flights = left;
                self.batches.insert(number, batch);
                self.doubtful.push(number);
            }
        }
    }

    /// Additions and removals may come in any order; the sum is right.
    fn count_name(&mut self, name: u64, by: i64) {
        let sum =
            i64::from(self.names.remove(&name)) + self.names_off.remove(&name).unwrap_or(0) + by;
        if sum > 0 {
            self.names.insert(name);
        }
        let rest = sum - i64::from(sum > 0);
        if rest != 0 {
            self.names_off.insert(name, rest);
        }
    }
}

#[cfg(test)]
mod tests;
