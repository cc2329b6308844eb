//! Keys that rotate when somebody leaves, in memory, and who was there when
//! that was looked at last. So it is noticed who left since then without a word
//! from whoever took a credential away; and what was missed while nobody
//! looked is found by looking at all of them, once after each unseal.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use skms_keys::{Key, KeyId, NamespaceId, Occasion, VersionNumber};

use crate::suspended::Who;

/// The index.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) keys: HashMap<KeyId, Watched>,
    /// Keys whose owners were not looked at since they became others.
    fresh: HashSet<KeyId>,
    /// Whether who holds something is looked at again, whoever left.
    holders: bool,
    last: Option<Last>,
}

/// What is watched of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) namespace: NamespaceId,
    pub(super) owner: String,
    pub(super) orphaned: bool,
    pub(super) newest: VersionNumber,
    /// Whether an owner who leaves counts, and whether a holder does.
    pub(super) owners: bool,
    pub(super) holders: bool,
}

/// What was found the last time.
#[derive(Clone)]
pub(super) struct Last {
    pub(super) there: Arc<HashSet<Who>>,
    /// What had been written of tokens and registrations, and of suspensions.
    pub(super) written: (u64, u64),
    /// When the next credential ends by itself.
    pub(super) ends: i64,
}

/// What is to be looked at.
pub(super) struct Look {
    /// Keys whose owners are.
    pub(super) owners: HashMap<KeyId, Watched>,
    /// Keys whose holders are.
    pub(super) holders: HashMap<KeyId, Watched>,
    fresh: HashSet<KeyId>,
}

impl Watched {
    fn of(key: &Key) -> Option<Self> {
        let on = key.rules.rotate_on;
        let (owners, holders) = (on.has(Occasion::OwnerLeft), on.has(Occasion::HolderLeft));
        let newest = key.newest().ok()?.number;
        (owners || holders).then(|| Self {
            namespace: key.namespace,
            owner: key.owner.clone(),
            orphaned: key.orphaned,
            newest,
            owners,
            holders,
        })
    }
}

impl Watch {
    /// Notes what a key says; `stale` of a record that others may have changed
    /// since it was read.
    pub(super) fn note(&mut self, key: &Key, stale: bool) {
        if stale && self.keys.contains_key(&key.id) {
            return;
        }
        let Some(watched) = Watched::of(key) else {
            self.forget(key.id);
            return;
        };
        let before = self.keys.insert(key.id, watched.clone());
        let was = |told: fn(&Watched) -> bool| before.as_ref().is_some_and(told);
        let same_owner = before
            .as_ref()
            .is_some_and(|one| one.owner == watched.owner);
        match watched.owners {
            true if was(|one| one.owners) && same_owner => {}
            true => drop(self.fresh.insert(key.id)),
            false => drop(self.fresh.remove(&key.id)),
        }
        // Who holds a version that is just being made will be there to get it.
        self.holders |= watched.holders && !was(|one| one.holders);
    }

    pub(super) fn forget(&mut self, key: KeyId) {
        self.keys.remove(&key);
        self.fresh.remove(&key);
    }

    /// Whether there may be something to look at: `written` since the last
    /// time, or by now.
    pub(super) fn wants(&self, written: (u64, u64), now: i64) -> bool {
        let known = self.last.as_ref();
        let same = known.is_some_and(|last| last.written == written && now < last.ends);
        !self.keys.is_empty() && (!same || self.holders || !self.fresh.is_empty())
    }

    /// What is to be looked at, with who is there now.
    pub(super) fn look(&self, there: &HashSet<Who>) -> Look {
        // Those of a namespace are its own or the root's: names are enough.
        let changed: Option<HashSet<&str>> = self.last.as_ref().map(|last| {
            let changed = last.there.symmetric_difference(there);
            changed.map(|(_, name)| name.as_str()).collect()
        });
        let all = changed.is_none();
        let is_to_be = |key: &KeyId, one: &Watched| {
            let changed = changed.as_ref();
            let touched = changed.is_none_or(|changed| changed.contains(one.owner.as_str()));
            one.owners && (touched || self.fresh.contains(key))
        };
        let owners = self.keys.iter().filter(|(key, one)| is_to_be(key, one));
        let left = self
            .last
            .as_ref()
            .is_some_and(|last| last.there.difference(there).next().is_some());
        let holders = self.keys.iter().filter(|(_, one)| one.holders);
        let copy = |(key, one): (&KeyId, &Watched)| (*key, one.clone());
        Look {
            owners: owners.map(copy).collect(),
            holders: match all || left || self.holders {
                true => holders.map(copy).collect(),
                false => HashMap::new(),
            },
            fresh: self.fresh.clone(),
        }
    }

    /// Takes it that everything about the holders is looked at from here on;
    /// what is noted meanwhile is looked at again.
    pub(super) fn looking(&mut self) {
        self.holders = false;
    }

    /// Has it all looked at again, since it was not to the end.
    pub(super) fn look_again(&mut self) {
        self.holders = true;
    }

    /// Notes that all of that was looked at.
    pub(super) fn looked(&mut self, look: &Look, last: Last) {
        for key in &look.fresh {
            let (seen, now) = (look.owners.get(key), self.keys.get(key));
            if seen.map(|one| &one.owner) == now.map(|one| &one.owner) {
                self.fresh.remove(key);
            }
        }
        self.last = Some(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> Who {
        ("root".to_owned(), name.to_owned())
    }

    fn last(there: &[&str]) -> Last {
        Last {
            there: Arc::new(there.iter().map(|name| who(name)).collect()),
            written: (1, 1),
            ends: 100,
        }
    }

    fn watched(owner: &str) -> Watched {
        Watched {
            namespace: NamespaceId([1; 16]),
            owner: owner.to_owned(),
            orphaned: false,
            newest: VersionNumber(1),
            owners: true,
            holders: true,
        }
    }

    #[test]
    fn who_comes_or_goes_has_their_keys_looked_at_and_no_others() {
        let mut watch = Watch::default();
        assert!(!watch.wants((1, 1), 0), "no key is watched");
        for (key, owner) in [(1, "ann"), (2, "bob")] {
            watch.keys.insert(KeyId([key; 16]), watched(owner));
        }
        let there: HashSet<Who> = [who("ann"), who("bob")].into();
        let all = watch.look(&there);
        assert_eq!((all.owners.len(), all.holders.len()), (2, 2));
        watch.looked(&all, last(&["ann", "bob"]));
        assert!(!watch.wants((1, 1), 99));
        assert!(watch.wants((1, 1), 100) && watch.wants((2, 1), 0));
        let none = watch.look(&there);
        assert!(none.owners.is_empty() && none.holders.is_empty());
        let gone = watch.look(&[who("ann")].into());
        assert_eq!((gone.owners.len(), gone.holders.len()), (1, 2));
        assert_eq!(gone.owners[&KeyId([2; 16])].owner, "bob");
        let more = [who("ann"), who("bob"), who("eve")].into();
        let came = watch.look(&more);
        assert!(came.owners.is_empty() && came.holders.is_empty());
    }
}
