//! A map whose copies share what they have in common.
//!
//! It is cut into shards by the keys' hashes. A copy takes over all shards as
//! they are; a change copies the one shard it falls into. So a change of one
//! among ten thousand costs what changing one among forty does.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
};

/// Enough that a shard of some ten thousand entries is soon copied, and few
/// enough that taking over all of them costs microseconds.
const SHARDS: usize = 256;

#[derive(Clone)]
pub(crate) struct SharedMap<K, V> {
    hasher: RandomState,
    shards: Vec<Arc<HashMap<K, V>>>,
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Arc::default()).collect(),
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> SharedMap<K, V> {
    fn place<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        // The remainder is smaller than a usize.
        (self.hasher.hash_one(key) % SHARDS as u64) as usize
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shards.get(self.place(key))?.get(key)
    }

    /// The shard of a key, this map's own from here on.
    pub(crate) fn shard(&mut self, key: &K) -> &mut HashMap<K, V> {
        let place = self.place(key);
        Arc::make_mut(&mut self.shards[place])
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let place = self.place(key);
        // What is not there needs no copy.
        self.shards.get(place)?.get(key)?;
        Arc::make_mut(&mut self.shards[place]).remove(key)
    }

    /// All values, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.shards.iter().flat_map(|shard| shard.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_copy_leaves_the_other_and_shares_the_rest() {
        let mut old = SharedMap::default();
        for number in 0..1000u32 {
            old.shard(&number).insert(number, number);
        }
        let mut new = old.clone();
        new.shard(&7).insert(7, 70);
        assert_eq!(new.remove(&8), Some(8));
        assert_eq!(new.remove(&1000), None);
        assert_eq!((old.get(&7), new.get(&7)), (Some(&7), Some(&70)));
        assert_eq!((old.get(&8), new.get(&8)), (Some(&8), None));
        assert_eq!((old.values().count(), new.values().count()), (1000, 999));
        let apart = old
            .shards
            .iter()
            .zip(&new.shards)
            .filter(|(old, new)| !Arc::ptr_eq(old, new))
            .count();
        assert!((1..=2).contains(&apart), "{apart} shards copied");
    }
}
