//! Which key wants attention when: one date for each, in order within their
//! namespaces. Namespaces take turns, so that none that has much to be done has
//! the others wait for that.

use std::collections::{BTreeSet, HashMap};

use skms_keys::{KeyId, NamespaceId, UnixSeconds};

/// A key that wants attention.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wanting {
    pub(crate) at: UnixSeconds,
    pub(crate) namespace: NamespaceId,
    pub(crate) key: KeyId,
}

/// The dates.
#[derive(Default)]
pub(super) struct Order {
    by_key: HashMap<KeyId, (UnixSeconds, NamespaceId)>,
    of: HashMap<NamespaceId, BTreeSet<(UnixSeconds, KeyId)>>,
    /// The first date of each namespace.
    first: BTreeSet<(UnixSeconds, NamespaceId)>,
    /// Whose turn was the last.
    last: Option<NamespaceId>,
}

impl Order {
    /// When a key wants attention, if it does.
    pub(super) fn at(&self, key: KeyId) -> Option<UnixSeconds> {
        self.by_key.get(&key).map(|(at, _)| *at)
    }

    /// A key that has a date, with another one.
    pub(super) fn known(
        &self,
        key: KeyId,
        at: UnixSeconds,
    ) -> Option<(KeyId, NamespaceId, UnixSeconds)> {
        let (_, namespace) = self.by_key.get(&key)?;
        Some((key, *namespace, at))
    }

    /// Sets a key's date in place of the one it had.
    pub(super) fn set(&mut self, key: KeyId, namespace: NamespaceId, at: Option<UnixSeconds>) {
        let before = match at {
            Some(at) => self.by_key.insert(key, (at, namespace)),
            None => self.by_key.remove(&key),
        };
        if let Some((at, namespace)) = before {
            self.change(namespace, |dates| {
                dates.remove(&(at, key));
            });
        }
        if let Some(at) = at {
            self.change(namespace, |dates| {
                dates.insert((at, key));
            });
        }
    }

    fn change(
        &mut self,
        namespace: NamespaceId,
        change: impl FnOnce(&mut BTreeSet<(UnixSeconds, KeyId)>),
    ) {
        let dates = self.of.entry(namespace).or_default();
        let before = dates.first().map(|(at, _)| *at);
        change(dates);
        let after = dates.first().map(|(at, _)| *at);
        if dates.is_empty() {
            self.of.remove(&namespace);
        }
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.first.remove(&(at, namespace));
        }
        if let Some(at) = after {
            self.first.insert((at, namespace));
        }
    }

    /// Keys of one namespace that want attention by `until`, the longest overdue
    /// first.
    pub(super) fn wanting_of(
        &self,
        namespace: NamespaceId,
        until: UnixSeconds,
    ) -> impl Iterator<Item = Wanting> {
        let dates = self.of.get(&namespace).into_iter().flatten();
        let dates = dates.take_while(move |(at, _)| *at <= until);
        dates.map(move |(at, key)| Wanting {
            at: *at,
            namespace,
            key: *key,
        })
    }

    /// Keys that want attention by `until`: one of each namespace, then the next
    /// of each, beginning behind the one whose turn was the last.
    pub(super) fn wanting(&self, until: UnixSeconds, most: usize) -> Vec<Wanting> {
        let due = self.first.iter().take_while(|(at, _)| *at <= until);
        let mut due: Vec<NamespaceId> = due.map(|(_, namespace)| *namespace).collect();
        due.sort();
        let begin = match self.last {
            Some(last) => due.partition_point(|namespace| *namespace <= last),
            None => 0,
        };
        let (before, after) = due.split_at(begin);
        let turns = after.iter().chain(before);
        let mut dates: Vec<_> = turns.map(|one| self.wanting_of(*one, until)).collect();
        let mut wanting = Vec::new();
        while !dates.is_empty() {
            dates.retain_mut(|dates| match dates.next() {
                Some(one) if wanting.len() < most => {
                    wanting.push(one);
                    true
                }
                _ => false,
            });
        }
        wanting
    }

    /// Notes whose turn was the last.
    pub(super) fn served(&mut self, namespace: NamespaceId) {
        self.last = Some(namespace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(order: &mut Order, namespace: u8, key: u8, at: Option<i64>) {
        let (key, namespace) = (KeyId([key; 16]), NamespaceId([namespace; 16]));
        order.set(key, namespace, at.map(UnixSeconds));
    }

    fn wanting(order: &Order, until: i64, most: usize) -> Vec<(i64, u8)> {
        let found = order.wanting(UnixSeconds(until), most);
        found.iter().map(|one| (one.at.0, one.key.0[0])).collect()
    }

    #[test]
    fn a_key_has_one_date_and_they_come_in_order() {
        let mut order = Order::default();
        for (key, at) in [(1, 30), (2, 10), (3, 20), (1, 5)] {
            set(&mut order, 1, key, Some(at));
        }
        assert_eq!(wanting(&order, 10, 9), [(5, 1), (10, 2)]);
        assert_eq!(wanting(&order, 100, 9), [(5, 1), (10, 2), (20, 3)]);
        set(&mut order, 1, 2, None);
        set(&mut order, 1, 3, None);
        assert_eq!(wanting(&order, 100, 9), [(5, 1)]);
        assert_eq!(wanting(&order, 4, 9), []);
        assert_eq!(wanting(&order, 100, 0), []);
        set(&mut order, 1, 1, None);
        assert!(order.first.is_empty() && order.of.is_empty());
    }

    #[test]
    fn namespaces_take_turns() {
        let mut order = Order::default();
        for key in 1..=5 {
            set(&mut order, 1, key, Some(0));
        }
        set(&mut order, 2, 10, Some(50));
        set(&mut order, 3, 20, Some(60));
        let some = wanting(&order, 100, 4);
        assert_eq!(some, [(0, 1), (50, 10), (60, 20), (0, 2)]);
        order.served(NamespaceId([1; 16]));
        let some = wanting(&order, 100, 2);
        assert_eq!(some, [(50, 10), (60, 20)]);
        order.served(NamespaceId([3; 16]));
        assert_eq!(wanting(&order, 100, 1), [(0, 1)]);
        assert_eq!(wanting(&order, 55, 9).len(), 6);
    }
}
