//! Whether a recorded history of one key is linearisable: whether every call
//! can be given one moment between its beginning and its end so that the key,
//! told of the calls in that order, answers as it did (Herlihy and Wing 1990;
//! the search is Wing and Gong's, with the states seen remembered as Lowe does).

use std::{collections::HashSet, time::Duration};

/// What was asked of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Encrypt, or sign.
    Protect,
    /// Decrypt what this version encrypted.
    Process(u32),
    Suspend,
    Resume,
    Rotate,
    /// Revoke all versions as compromised.
    Compromise,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done, with this version or, for a rotation, giving this version.
    Done(u32),
    /// The key's state forbade it.
    Refused,
    /// No answer came: it was done at any time since, or never.
    Unknown,
}

/// One call, with its times on one clock.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub call: Call,
    pub outcome: Outcome,
    pub began: Duration,
    pub ended: Duration,
}

/// A key, as much of it as decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Model {
    /// The version in use.
    newest: u32,
    /// This version and all before it are compromised.
    spoilt: u32,
    suspended: bool,
}

impl Model {
    pub const NEW: Self = Self {
        newest: 1,
        spoilt: 0,
        suspended: false,
    };

    /// The key after a call that had this outcome; `None` where it would have
    /// had another.
    fn after(self, call: Call, outcome: Outcome) -> Option<Self> {
        let usable = !self.suspended && self.newest > self.spoilt;
        let (done, becomes) = match call {
            Call::Protect => (usable.then_some(self.newest), self),
            Call::Process(version) => {
                let opens = !self.suspended && version > self.spoilt;
                (opens.then_some(version), self)
            }
            Call::Suspend => {
                let possible = self.newest > self.spoilt;
                let suspended = Self {
                    suspended: true,
                    ..self
                };
                (possible.then_some(0), suspended)
            }
            Call::Resume => {
                let resumed = Self {
                    suspended: false,
                    ..self
                };
                (self.suspended.then_some(0), resumed)
            }
            Call::Rotate => {
                let newest = self.newest + 1;
                let rotated = Self { newest, ..self };
                ((!self.suspended).then_some(newest), rotated)
            }
            Call::Compromise => {
                let spoilt = Self {
                    spoilt: self.newest,
                    suspended: false,
                    ..self
                };
                (Some(0), spoilt)
            }
        };
        match (outcome, done) {
            (Outcome::Done(version), Some(expected)) if version == expected => Some(becomes),
            (Outcome::Refused, None) => Some(self),
            (Outcome::Unknown, Some(_)) => Some(becomes),
            (Outcome::Unknown, None) => Some(self),
            _ => None,
        }
    }
}

impl Call {
    const fn changes(self) -> bool {
        !matches!(self, Self::Protect | Self::Process(_))
    }
}

/// Looks for an order.
///
/// # Errors
/// The call that no order could be found for, and what the key could have been
/// by then.
pub fn check(history: &[Record]) -> Result<(), String> {
    let mut calls: Vec<Record> = history
        .iter()
        .filter(|record| record.outcome != Outcome::Unknown || record.call.changes())
        .copied()
        .collect();
    for record in &mut calls {
        if record.outcome == Outcome::Unknown {
            record.ended = Duration::MAX;
        }
    }
    calls.sort_by_key(|record| record.began);
    let mut search = Search {
        placed: vec![false; calls.len()],
        calls,
        seen: HashSet::new(),
        furthest: (0, Model::NEW, Vec::new()),
    };
    if search.place(Model::NEW, 0) {
        return Ok(());
    }
    let (at, model, next) = &search.furthest;
    Err(format!(
        "no order: after {at} of {} calls the key may be {model:?}, and then came {next:#?}",
        search.calls.len(),
    ))
}

struct Search {
    calls: Vec<Record>,
    placed: Vec<bool>,
    /// The changes placed so far and the key's state: all that decides what
    /// can still be placed, since calls that change nothing are placed as soon
    /// as they can be.
    seen: HashSet<(Vec<usize>, Model)>,
    /// How far it came, what the key would be, and what did not fit then.
    furthest: (usize, Model, Vec<Record>),
}

impl Search {
    /// Places the rest; `first` is the first that is not placed.
    fn place(&mut self, model: Model, first: usize) -> bool {
        let (taken, first) = self.place_reads(model, first);
        self.note(model);
        let open = (first..self.calls.len()).filter(|&at| !self.placed[at]);
        if open
            .clone()
            .all(|at| self.calls[at].outcome == Outcome::Unknown)
        {
            return true;
        }
        let until = self.earliest_end(first);
        let changes: Vec<usize> = open
            .take_while(|&at| self.calls[at].began <= until)
            .filter(|&at| self.calls[at].call.changes())
            .collect();
        for at in changes {
            let record = self.calls[at];
            let Some(next) = model.after(record.call, record.outcome) else {
                continue;
            };
            self.placed[at] = true;
            let key: Vec<usize> = (first..self.calls.len())
                .take_while(|&at| self.calls[at].began <= until)
                .filter(|&at| self.placed[at])
                .chain([first])
                .collect();
            if self.seen.insert((key, next)) && self.place(next, first) {
                return true;
            }
            self.placed[at] = false;
        }
        for at in taken {
            self.placed[at] = false;
        }
        false
    }

    /// Remembers how far it came, for whoever has to find out why.
    fn note(&mut self, model: Model) {
        let placed = self.placed.iter().filter(|placed| **placed).count();
        if placed < self.furthest.0 {
            return;
        }
        let both = self.calls.iter().zip(&self.placed);
        let open = both.filter(|(_, placed)| !**placed);
        let next = open.map(|(record, _)| *record).take(8).collect();
        self.furthest = (placed, model, next);
    }

    /// Places every call that changes nothing and can be placed now: later is
    /// no better for anything. Gives what it placed, and the first open call.
    fn place_reads(&mut self, model: Model, mut first: usize) -> (Vec<usize>, usize) {
        let mut taken = Vec::new();
        loop {
            while self.placed.get(first) == Some(&true) {
                first += 1;
            }
            let until = self.earliest_end(first);
            let before = taken.len();
            for at in first..self.calls.len() {
                let record = self.calls[at];
                if record.began > until {
                    break;
                }
                let refused_change = record.call.changes() && record.outcome == Outcome::Refused;
                let reads = !record.call.changes() || refused_change;
                if !self.placed[at] && reads && model.after(record.call, record.outcome).is_some() {
                    self.placed[at] = true;
                    taken.push(at);
                }
            }
            if taken.len() == before {
                return (taken, first);
            }
        }
    }

    /// Whatever comes next began before the first of the open calls ended.
    fn earliest_end(&self, first: usize) -> Duration {
        let mut until = Duration::MAX;
        for at in first..self.calls.len() {
            if self.calls[at].began > until {
                break;
            }
            if !self.placed[at] {
                until = until.min(self.calls[at].ended);
            }
        }
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(call: Call, outcome: Outcome, began: u64, ended: u64) -> Record {
        Record {
            call,
            outcome,
            began: Duration::from_millis(began),
            ended: Duration::from_millis(ended),
        }
    }

    use Call::{Compromise, Process, Protect, Resume, Rotate, Suspend};
    use Outcome::{Done, Refused, Unknown};

    #[test]
    fn histories_that_a_key_can_have_are_taken() {
        for history in [
            vec![
                record(Protect, Done(1), 0, 10),
                record(Compromise, Done(0), 5, 20),
                record(Protect, Refused, 6, 21),
                record(Protect, Done(1), 7, 30),
                record(Protect, Refused, 22, 23),
            ],
            vec![
                record(Suspend, Done(0), 0, 50),
                record(Protect, Refused, 1, 5),
                record(Resume, Done(0), 10, 60),
                record(Protect, Done(1), 20, 30),
            ],
            vec![
                record(Rotate, Unknown, 0, 1),
                record(Protect, Done(1), 2, 3),
                record(Protect, Done(2), 4, 5),
                record(Process(1), Done(1), 6, 7),
            ],
            vec![
                record(Compromise, Unknown, 0, 1),
                record(Protect, Done(1), 2, 3),
            ],
            // A rotation overtakes a use.
            vec![
                record(Rotate, Done(2), 0, 10),
                record(Protect, Done(2), 4, 5),
                record(Protect, Done(1), 3, 15),
            ],
            vec![
                record(Compromise, Done(0), 0, 1),
                record(Rotate, Done(2), 2, 3),
                record(Protect, Done(2), 4, 5),
                record(Process(1), Refused, 4, 5),
                record(Process(2), Done(2), 4, 5),
            ],
        ] {
            check(&history).unwrap();
        }
    }

    #[test]
    fn histories_that_no_key_can_have_are_not() {
        for history in [
            // A use after the revocation was answered.
            vec![
                record(Compromise, Done(0), 0, 10),
                record(Protect, Done(1), 11, 20),
            ],
            vec![
                record(Compromise, Done(0), 0, 10),
                record(Process(1), Done(1), 11, 20),
            ],
            // Refused, and then done before the resumption began.
            vec![
                record(Suspend, Done(0), 0, 50),
                record(Protect, Refused, 1, 5),
                record(Protect, Done(1), 6, 9),
                record(Resume, Done(0), 10, 60),
            ],
            // Back to the version before.
            vec![
                record(Rotate, Done(2), 0, 10),
                record(Protect, Done(2), 1, 2),
                record(Protect, Done(1), 3, 4),
            ],
            // Refused for no reason.
            vec![record(Protect, Refused, 0, 1)],
            vec![
                record(Rotate, Done(2), 0, 10),
                record(Protect, Refused, 5, 15),
            ],
            // The version before a rotation that was over.
            vec![
                record(Rotate, Done(2), 0, 10),
                record(Protect, Done(1), 11, 15),
            ],
            // Two rotations to one version.
            vec![
                record(Rotate, Done(2), 0, 10),
                record(Rotate, Done(2), 0, 10),
            ],
            // What was answered is lost in a crash.
            vec![
                record(Compromise, Done(0), 0, 10),
                record(Resume, Unknown, 0, 11),
                record(Process(1), Done(1), 12, 13),
            ],
        ] {
            assert!(check(&history).is_err(), "{history:?}");
        }
    }
}
