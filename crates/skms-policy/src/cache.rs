//! Remembered decisions.
//!
//! An entry answers only a request that is equal to the one it was made for
//! in everything a decision can depend on: the policy set's epoch, the whole
//! principal, the action, the resource with its record id and revision, and
//! the context fields the set mentions. Hashes only choose where to look.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Action, Context, Decision, PolicySet, Principal, Request, ResourceKind, ResourceRef,
    resource::Stored,
};

const WAYS: usize = 4;
const SHARDS: usize = 16;

struct Entry {
    epoch: u64,
    principal: Arc<Principal>,
    action: Action,
    resource: Resource,
    context: Context,
    decision: Arc<Decision>,
}

struct Resource {
    kind: ResourceKind,
    stored: Stored,
    namespace: Box<str>,
    keyring: Box<str>,
    name: Box<str>,
}

impl Resource {
    fn is(&self, other: &ResourceRef<'_>, stored: Stored) -> bool {
        self.kind == other.kind
            && self.stored == stored
            && *self.namespace == *other.namespace
            && *self.keyring == *other.keyring
            && *self.name == *other.name
    }
}

/// One bucket: the entries whose hashes fall together, newest first.
type Bucket = [Option<Entry>; WAYS];

/// A bounded memory of decisions, shared by all threads.
pub struct DecisionCache {
    hasher: RandomState,
    shards: Vec<Mutex<Vec<Bucket>>>,
    buckets_per_shard: usize,
}

impl std::fmt::Debug for DecisionCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DecisionCache")
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

impl DecisionCache {
    /// A cache of at least `capacity` entries (rounded up to whole buckets).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let buckets_per_shard = capacity.div_ceil(SHARDS * WAYS).max(1);
        let shards = (0..SHARDS)
            .map(|_| Mutex::new((0..buckets_per_shard).map(|_| Bucket::default()).collect()))
            .collect();
        Self {
            hasher: RandomState::new(),
            shards,
            buckets_per_shard,
        }
    }

    /// The most entries it will ever hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shards.len() * self.buckets_per_shard * WAYS
    }

    /// The remembered decision, or a fresh one, which is then remembered if
    /// it may be.
    #[must_use]
    pub fn decide(&self, policies: &PolicySet, request: &Request<'_>) -> Arc<Decision> {
        let Some(stored) = request.resource.stored else {
            return Arc::new(policies.decide(request));
        };
        let context = request.context.only(policies.mentions());
        let hash = self.hasher.hash_one((
            policies.epoch(),
            request.principal.id(),
            request.action,
            stored,
            request.resource.name,
            context,
        ));
        let (shard, bucket) = self.place(hash);
        if let Some(found) = self.with_bucket(shard, bucket, |entries| {
            entries.iter().flatten().find_map(|entry| {
                let same = entry.epoch == policies.epoch()
                    && entry.action == request.action
                    && entry.resource.is(request.resource, stored)
                    && entry.context == context
                    && (Arc::ptr_eq(&entry.principal, request.principal)
                        || entry.principal == *request.principal);
                same.then(|| Arc::clone(&entry.decision))
            })
        }) {
            return found;
        }
        let decision = Arc::new(policies.decide(request));
        if decision.cacheable {
            let entry = Entry {
                epoch: policies.epoch(),
                principal: Arc::clone(request.principal),
                action: request.action,
                resource: Resource {
                    kind: request.resource.kind,
                    stored,
                    namespace: request.resource.namespace.into(),
                    keyring: request.resource.keyring.into(),
                    name: request.resource.name.into(),
                },
                context,
                decision: Arc::clone(&decision),
            };
            self.with_bucket(shard, bucket, |entries| {
                entries.rotate_right(1);
                if let Some(first) = entries.first_mut() {
                    *first = Some(entry);
                }
                None::<()>
            });
        }
        decision
    }

    /// How many decisions are remembered right now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| {
                let buckets = shard.lock().unwrap_or_else(PoisonError::into_inner);
                buckets.iter().flatten().flatten().count()
            })
            .sum()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn place(&self, hash: u64) -> (usize, usize) {
        // Both remainders are smaller than a usize.
        let shard = (hash % self.shards.len() as u64) as usize;
        let bucket = ((hash >> 32) % self.buckets_per_shard as u64) as usize;
        (shard, bucket)
    }

    fn with_bucket<T>(
        &self,
        shard: usize,
        bucket: usize,
        run: impl FnOnce(&mut Bucket) -> Option<T>,
    ) -> Option<T> {
        let shard = self.shards.get(shard)?;
        // An entry is replaced whole, so a panic elsewhere leaves no half.
        let mut buckets = shard.lock().unwrap_or_else(PoisonError::into_inner);
        run(buckets.get_mut(bucket)?)
    }
}
