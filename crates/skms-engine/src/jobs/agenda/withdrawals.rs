//! Keys that rotate when their algorithm is withdrawn, in memory, and which
//! algorithms are. Nothing is noted anywhere of what was answered: a key that
//! has the successor's algorithm is due no more, and one that has not is found
//! by the walk after each unseal.

use std::collections::HashMap;

use skms_crypto::Algorithm;
use skms_keys::{Key, KeyId, NamespaceId, Occasion, UnixSeconds};

/// The index.
#[derive(Default)]
pub(super) struct Withdrawals {
    /// Algorithms that are withdrawn and have a successor, since when.
    since: HashMap<Algorithm, UnixSeconds>,
    /// The algorithm of each key that rotates then, and the other way round.
    algorithm_of: HashMap<KeyId, Algorithm>,
    of: HashMap<Algorithm, HashMap<KeyId, NamespaceId>>,
}

impl Withdrawals {
    /// Notes what a key says.
    pub(super) fn note(&mut self, key: &Key) {
        let rotates = key.rules.rotate_on.has(Occasion::AlgorithmWithdrawn);
        let algorithm = rotates.then_some(key.algorithm);
        if self.algorithm_of.get(&key.id).copied() == algorithm {
            return;
        }
        self.forget(key.id);
        if let Some(algorithm) = algorithm {
            self.algorithm_of.insert(key.id, algorithm);
            let keys = self.of.entry(algorithm).or_default();
            keys.insert(key.id, key.namespace);
        }
    }

    /// As [`Withdrawals::note`], of a record that others may have changed since
    /// it was read: what is known already is as new as this.
    pub(super) fn note_found(&mut self, key: &Key) {
        if !self.algorithm_of.contains_key(&key.id) {
            self.note(key);
        }
    }

    pub(super) fn forget(&mut self, key: KeyId) {
        if let Some(algorithm) = self.algorithm_of.remove(&key)
            && let Some(keys) = self.of.get_mut(&algorithm)
        {
            keys.remove(&key);
            if keys.is_empty() {
                self.of.remove(&algorithm);
            }
        }
    }

    /// Since when a key is due for a version of another algorithm, if it is.
    pub(super) fn due(&self, key: &Key) -> Option<UnixSeconds> {
        let since = *self.since.get(&key.algorithm)?;
        key.leaves_withdrawn_algorithm().then_some(since)
    }

    /// Takes over which algorithms are withdrawn, and since when. Gives the keys
    /// that may be due by it.
    pub(super) fn replace(
        &mut self,
        since: HashMap<Algorithm, UnixSeconds>,
    ) -> Vec<(KeyId, NamespaceId, UnixSeconds)> {
        self.since = since;
        let reached = self.since.iter().filter_map(|(algorithm, at)| {
            let keys = self.of.get(algorithm)?;
            Some(keys.iter().map(|(key, namespace)| (*key, *namespace, *at)))
        });
        reached.flatten().collect()
    }
}
