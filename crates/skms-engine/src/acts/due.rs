//! Says what is due for the keys of a namespace, and when.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_keys::{Due, Key, UnixSeconds};
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
    pub keyring: String,
    /// The key.
    pub key: Key,
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
        let mut items = Vec::new();
        for wanting in keys.into_iter().take(MAX_KEYS) {
            // What follows is later than what is here already.
            if items.len() > limit && wanting.at > last(&mut items, limit) {
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
            let due = index.due_of(&key).into_iter();
            items.extend(due.filter(|due| due.at <= until).map(|due| DueItem {
                keyring: keyring.clone(),
                key: key.clone(),
                due,
            }));
        }
        items.sort_by_key(|item| (item.due.at, item.key.id, item.due));
        more |= items.len() > limit;
        items.truncate(limit);
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        entry.record(event).await?;
        Ok(Agenda {
            items,
            more,
            complete: index.is_complete(),
            until,
        })
    }
}

/// The time of the last item that fits.
fn last(items: &mut [DueItem], limit: usize) -> UnixSeconds {
    items.sort_by_key(|item| item.due.at);
    let last = items.get(limit.saturating_sub(1));
    last.map_or(UnixSeconds::NEVER, |item| item.due.at)
}
