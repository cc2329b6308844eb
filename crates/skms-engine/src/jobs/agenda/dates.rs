//! When each stored key wants attention next: an index in memory over all keys
//! that have a date, filled by a walk after each unseal and kept up by every
//! change. So idle keys cost nothing, however many there are.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use skms_keys::{DueAct, Key, KeyId, NamespaceId, UnixSeconds};

/// The index.
#[derive(Default)]
pub(crate) struct Agenda {
    dates: Mutex<Dates>,
    walk: Mutex<super::walk::Walk>,
}

#[derive(Default)]
struct Dates {
    in_order: BTreeSet<(UnixSeconds, KeyId)>,
    by_key: HashMap<KeyId, (UnixSeconds, NamespaceId)>,
    /// Keys that could not be rotated when they were due, or not be attended
    /// to at all, and when that is tried again.
    put_off: HashMap<KeyId, PutOff>,
}

#[derive(Clone, Copy)]
struct PutOff {
    since: UnixSeconds,
    until: UnixSeconds,
    /// The rotation alone, or everything.
    rotation_alone: bool,
}

/// A key that wants attention.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wanting {
    pub(crate) at: UnixSeconds,
    pub(crate) namespace: NamespaceId,
    pub(crate) key: KeyId,
}

impl Dates {
    fn set(&mut self, key: KeyId, namespace: NamespaceId, at: Option<UnixSeconds>) {
        let before = match at {
            Some(at) => self.by_key.insert(key, (at, namespace)),
            None => self.by_key.remove(&key),
        };
        if let Some((before, _)) = before {
            self.in_order.remove(&(before, key));
        }
        if let Some(at) = at {
            self.in_order.insert((at, key));
        }
    }
}

impl Agenda {
    fn dates(&self) -> MutexGuard<'_, Dates> {
        self.dates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn walk(&self) -> MutexGuard<'_, super::walk::Walk> {
        self.walk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes when a key wants attention next, as it is recorded now.
    pub(crate) fn note(&self, key: &Key, now: UnixSeconds) {
        self.note_as(key, now, false);
    }

    /// As [`Agenda::note`], of a record that may have been changed since it was
    /// read: it adds a date or brings one forward, and takes none away.
    pub(super) fn note_found(&self, key: &Key, now: UnixSeconds) {
        self.note_as(key, now, true);
    }

    fn note_as(&self, key: &Key, now: UnixSeconds, may_be_older: bool) {
        let agenda = key.agenda();
        let mut dates = self.dates();
        // A clock that went back before it was put off puts nothing off.
        let put_off = dates.put_off.get(&key.id).copied();
        let put_off = put_off.filter(|off| off.since <= now && now < off.until);
        if put_off.is_none() {
            dates.put_off.remove(&key.id);
        }
        let next = agenda.into_iter().map(|item| match put_off {
            Some(off) if item.act == DueAct::Rotate || !off.rotation_alone => {
                item.at.max(off.until)
            }
            _ => item.at,
        });
        let next = next.min();
        let known = dates.by_key.get(&key.id).map(|(at, _)| *at);
        if may_be_older && next.is_none_or(|next| known.is_some_and(|known| known <= next)) {
            return;
        }
        dates.set(key.id, key.namespace, next);
    }

    /// Has a key wait that could not be attended to.
    pub(super) fn put_off(
        &self,
        wanting: Wanting,
        now: UnixSeconds,
        seconds: u64,
        rotation_alone: bool,
    ) {
        let until = now.plus(seconds);
        let mut dates = self.dates();
        dates.put_off.insert(
            wanting.key,
            PutOff {
                since: now,
                until,
                rotation_alone,
            },
        );
        dates.set(wanting.key, wanting.namespace, Some(until));
    }

    /// Forgets a key that is gone.
    pub(crate) fn forget(&self, key: KeyId) {
        let mut dates = self.dates();
        let namespace = NamespaceId([0; 16]);
        dates.set(key, namespace, None);
        dates.put_off.remove(&key);
    }

    /// Keys that want attention by `until`, the longest overdue first.
    pub(crate) fn wanting(&self, until: UnixSeconds, most: usize) -> Vec<Wanting> {
        let dates = self.dates();
        let due = dates.in_order.iter().take_while(|(at, _)| *at <= until);
        due.filter_map(|(at, key)| {
            let (_, namespace) = dates.by_key.get(key)?;
            Some(Wanting {
                at: *at,
                namespace: *namespace,
                key: *key,
            })
        })
        .take(most)
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACE: NamespaceId = NamespaceId([1; 16]);

    fn wanting(agenda: &Agenda, until: i64) -> Vec<(i64, u8)> {
        let found = agenda.wanting(UnixSeconds(until), 10);
        found.iter().map(|one| (one.at.0, one.key.0[0])).collect()
    }

    #[test]
    fn a_key_has_one_date_and_they_come_in_order() {
        let agenda = Agenda::default();
        let set = |key: u8, at: Option<i64>| {
            let at = at.map(UnixSeconds);
            agenda.dates().set(KeyId([key; 16]), NAMESPACE, at);
        };
        set(1, Some(30));
        set(2, Some(10));
        set(3, Some(20));
        set(1, Some(5));
        assert_eq!(wanting(&agenda, 10), [(5, 1), (10, 2)]);
        assert_eq!(wanting(&agenda, 100), [(5, 1), (10, 2), (20, 3)]);
        set(2, None);
        agenda.forget(KeyId([3; 16]));
        assert_eq!(wanting(&agenda, 100), [(5, 1)]);
        assert_eq!(agenda.wanting(UnixSeconds(100), 0), []);
    }
}
