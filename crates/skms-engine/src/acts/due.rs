//! Says what is due for the keys of a namespace, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::{Due, KeyId, UnixSeconds};
use skms_policy::{Action, ResourceRef};

use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::jobs::agenda::{Wanting, stored_key};
use crate::target::Target;

act!(KeysDue, KeyDue, "Says what is due for a namespace's keys.");

/// Most items of one answer.
pub const MAX_DUE: usize = 1000;
/// Keys that are looked at for one answer.
const MAX_KEYS: usize = 10_000;

/// Something that is due.
#[derive(Clone, Debug)]
pub struct DueItem {
    /// The key's keyring.
    pub keyring: Arc<str>,
    /// What it is called there.
    pub name: Arc<str>,
    /// The key.
    pub key: KeyId,
    /// What is due, with which version, when and by which rule.
    pub due: Due,
}

/// What is due.
#[derive(Clone, Debug)]
pub struct Agenda {
    /// By time, the longest overdue first.
    pub items: Vec<DueItem>,
    /// Whether there is more than is here.
    pub more: bool,
    /// Whether every key has been looked at since the server was unsealed.
    pub complete: bool,
    /// Until when it looks.
    pub until: UnixSeconds,
}

impl Engine {
    /// What is due for the keys of a namespace that the caller may read, within
    /// so many seconds from now.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent namespace and one that is not visible.
    pub async fn keys_due(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        within_seconds: u64,
        limit: usize,
    ) -> Result<Agenda> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<KeysDue>(Target::namespace(namespace))
            .await?;
        let Some(place) = entry.rooms.places.namespace(namespace) else {
            let absent = Err(Error::NotFound { what: "namespace" });
            return entry.failed(&allowed, absent).await;
        };
        let until = entry.now().plus(within_seconds);
        let index = &entry.rooms.agenda;
        let keys: Vec<Wanting> = index.wanting_of(place.id, until, MAX_KEYS + 1);
        let mut more = keys.len() > MAX_KEYS;
        let mut found = Found::new(limit);
        for wanting in keys.into_iter().take(MAX_KEYS) {
            // What follows is later than what is here already.
            if found.is_full_before(wanting.at) {
                more = true;
                break;
            }
            let Some(key) = stored_key(&entry.rooms, place.id, wanting.key).await? else {
                continue;
            };
            let Some((_, keyring)) = entry.rooms.places.names_of(place.id, key.keyring) else {
                continue;
            };
            let resource = ResourceRef::key(namespace, &keyring, key.name.as_str())
                .with_algorithm(key.algorithm.name())
                .with_owner(&key.owner)
                .with_exportable(key.exportable)
                .with_tags(&key.tags);
            if !entry.may_see(Action::KeyRead, &resource) {
                continue;
            }
            let (keyring, name) = (Arc::from(keyring), Arc::from(key.name.as_str()));
            let due = index.due_of(&key, entry.now()).into_iter();
            for due in due.filter(|due| due.at <= until) {
                found.add(DueItem {
                    keyring: Arc::clone(&keyring),
                    name: Arc::clone(&name),
                    key: key.id,
                    due,
                });
            }
        }
        more |= found.more;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        entry.record(event).await?;
        Ok(Agenda {
            items: found.items.into_values().collect(),
            more,
            complete: index.is_complete(),
            until,
        })
    }
}

/// The first of what was found, by time.
struct Found {
    items: BTreeMap<(UnixSeconds, KeyId, Due), DueItem>,
    limit: usize,
    /// Whether there was more.
    more: bool,
}

impl Found {
    const fn new(limit: usize) -> Self {
        Self {
            items: BTreeMap::new(),
            limit,
            more: false,
        }
    }

    fn add(&mut self, item: DueItem) {
        self.items.insert((item.due.at, item.key, item.due), item);
        if self.items.len() > self.limit {
            self.items.pop_last();
            self.more = true;
        }
    }

    /// Whether as many as are wanted are due before then.
    fn is_full_before(&self, at: UnixSeconds) -> bool {
        let last = self.items.last_key_value();
        self.items.len() >= self.limit && last.is_none_or(|((last, ..), _)| *last < at)
    }
}
