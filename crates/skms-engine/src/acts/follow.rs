//! Follows the record: events as they become durable, from a place on.
//!
//! Everything is read from the journal, so that whoever comes back with the
//! last place they saw misses nothing and sees nothing twice, and whoever is
//! slow costs no memory. Nothing is held open in between: whether the session
//! lives, the server is unsealed and policy still permits it is asked again
//! before every page, and at once when one of these changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use skms_evidence::Outcome;
use skms_policy::ROOT_NAMESPACE;
use skms_store::durability::Durability;
use tokio::sync::watch;
use tokio::time::Instant;

use super::events::{Read, Recorded, is_of, place_of};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::filter::EventFilter;
use crate::gate::Entry;
use crate::tail::Reader;

/// The most that one principal may follow at once.
pub const EACH_MAX: usize = 16;
/// The most that those of one namespace may, all that may, and how many of them
/// are kept for the root namespace.
const NAMESPACE_MAX: usize = 256;
const ALL_MAX: usize = 1024;
const KEPT: usize = 128;
/// A busy record is read this much later, many entries at once.
const GATHER: Duration = Duration::from_millis(10);
/// How long who may follow is taken for granted: policies can depend on the
/// time.
const ASKED_AGAIN: Duration = Duration::from_secs(15);

/// Who follows the record: how many times each principal, by namespace.
#[derive(Default)]
pub(crate) struct Followers(Mutex<HashMap<String, HashMap<String, usize>>>);

fn count(of: &HashMap<String, usize>) -> usize {
    of.values().sum()
}

impl Followers {
    fn enter(self: &Arc<Self>, namespace: &str, name: &str) -> Result<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let root = all.get(ROOT_NAMESPACE).map_or(0, count);
        let others: usize = all.values().map(count).sum::<usize>() - root;
        let room = match namespace == ROOT_NAMESPACE {
            true => root + others < ALL_MAX,
            false => root + others < ALL_MAX && others < ALL_MAX - KEPT,
        };
        if !room {
            return Err(Error::Busy);
        }
        let these = all.get(namespace).map_or(0, count);
        if namespace != ROOT_NAMESPACE && these >= NAMESPACE_MAX {
            return Err(Error::QuotaExceeded {
                what: "event streams of one namespace".to_owned(),
                limit: NAMESPACE_MAX as u64,
            });
        }
        let own = all.entry(namespace.to_owned()).or_default();
        let own = own.entry(name.to_owned()).or_default();
        if *own >= EACH_MAX {
            return Err(Error::QuotaExceeded {
                what: "event streams of one principal".to_owned(),
                limit: EACH_MAX as u64,
            });
        }
        *own += 1;
        Ok(Place {
            of: Arc::clone(self),
            who: (namespace.to_owned(), name.to_owned()),
        })
    }

    pub(crate) fn count(&self) -> usize {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().map(count).sum()
    }
}

/// One of those that a principal may have, until it is dropped.
struct Place {
    of: Arc<Followers>,
    who: (String, String),
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (namespace, name) = &self.who;
        let Some(these) = all.get_mut(namespace) else {
            return;
        };
        if let Some(own) = these.get_mut(name) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                these.remove(name);
            }
        }
        if these.is_empty() {
            all.remove(namespace);
        }
    }
}

/// A place in the record: that of an entry, and the first bytes of its event's
/// identifier. The number alone means another entry after a restore from a
/// backup, once the record has grown that long again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The entry's sequence number.
    pub sequence: u64,
    /// What its event's identifier begins with, where that is known.
    pub event: Option<[u8; 4]>,
}

impl Mark {
    fn of(sequence: u64, id: &[u8; 16]) -> Self {
        Self {
            sequence,
            event: id.first_chunk().copied(),
        }
    }
}

/// Somebody who follows the record.
pub struct Following {
    caller: Arc<Caller>,
    namespace: String,
    filter: EventFilter,
    /// The rooms it began in; after sealing there are others.
    rooms: Weak<Rooms>,
    durability: Arc<Durability>,
    changed: watch::Receiver<()>,
    next: u64,
    seen: Option<Mark>,
    _place: Place,
}

impl Following {
    /// The place of the last entry that was looked at: what to come back with,
    /// for whoever was given all that [`Engine::next_events`] gave. None before
    /// the first of all.
    pub fn seen(&self) -> Option<Mark> {
        self.seen
    }
}

impl Engine {
    /// How many follow the record.
    pub fn followers(&self) -> usize {
        self.rooms().map_or(0, |rooms| rooms.followers.count())
    }

    /// Lets a caller follow the events after the place `after`, or those from
    /// now on: of all in the root namespace, elsewhere of the namespace's own.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no policy lets the caller read them;
    /// [`Error::Invalid`] for a place that the record does not have;
    /// [`Error::QuotaExceeded`] and [`Error::Busy`] for one too many.
    pub async fn follow_events(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        after: Option<Mark>,
        filter: EventFilter,
    ) -> Result<Following> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Read>(place_of(namespace)).await?;
        let began = begin(&entry, namespace, after, filter).await;
        let mut began = entry.failed(&allowed, began).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        if after.is_none() {
            // Not the event of this very act.
            began.next = entry.rooms.journal.durable_sequence();
            let last = began.next.checked_sub(1);
            began.seen = match last {
                Some(last) => mark(&entry.rooms, last).await?,
                None => None,
            };
        }
        Ok(began)
    }

    /// The next events, in order; none when there were none for as long as
    /// `patience`.
    ///
    /// # Errors
    /// Why it may not be followed any longer: [`Error::Unauthenticated`],
    /// [`Error::Sealed`], [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn next_events(
        &self,
        following: &mut Following,
        patience: Duration,
    ) -> Result<Vec<Arc<Recorded>>> {
        let until = Instant::now() + patience;
        loop {
            let entry = self.still(following).await?;
            let journal = &entry.rooms.journal;
            if journal.durable_sequence() > following.next {
                let page = entry
                    .rooms
                    .tail
                    .read(journal.as_ref(), following.next, Reader::Stream)
                    .await?;
                if let Some(last) = page.last() {
                    following.next = last.sequence + 1;
                    following.seen = Some(Mark::of(last.sequence, &last.event.id.0));
                }
                let wanted = |one: &Arc<Recorded>| {
                    is_of(&one.event, &following.namespace) && following.filter.takes(&one.event)
                };
                let found: Vec<_> = page.into_iter().filter(wanted).collect();
                if !found.is_empty() || Instant::now() >= until {
                    return Ok(found);
                }
                continue;
            }
            // Whoever waits keeps nobody from sealing.
            drop(entry);
            let more = following.durability.wait(following.next.saturating_add(1));
            let wakes = until.min(self.asks_again(following));
            tokio::select! {
                more = more => {
                    more?;
                    tokio::time::sleep(GATHER).await;
                }
                // No sender: the rooms are gone, which is seen above.
                _ = following.changed.changed() => {}
                () = tokio::time::sleep_until(wakes) => {
                    if Instant::now() >= until {
                        self.still(following).await?;
                        return Ok(Vec::new());
                    }
                }
            }
        }
    }

    /// Waits until it may not be followed any longer, and says why.
    pub async fn follows_no_longer(&self, following: &mut Following) -> Error {
        loop {
            match self.still(following).await {
                Ok(entry) => drop(entry),
                Err(error) => return error,
            }
            let wakes = self.asks_again(following);
            tokio::select! {
                _ = following.changed.changed() => {}
                () = tokio::time::sleep_until(wakes) => {}
            }
        }
    }

    /// Asks all of it again. What changes after this is seen as a change.
    async fn still(&self, following: &mut Following) -> Result<Entry> {
        following.changed.borrow_and_update();
        let entry = self.enter(&following.caller)?;
        if !Weak::ptr_eq(&following.rooms, &Arc::downgrade(&entry.rooms)) {
            return Err(Error::Sealed);
        }
        entry
            .authorize::<Read>(place_of(&following.namespace))
            .await?;
        Ok(entry)
    }

    /// When it has to be asked again, though nothing changed.
    fn asks_again(&self, following: &Following) -> Instant {
        let ends = following.caller.session.expires_at;
        let left = ends.map_or(i64::MAX, |end| end.0.saturating_sub(self.now().0).max(0));
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(u64::MAX));
        Instant::now() + left.min(ASKED_AGAIN).max(GATHER)
    }
}

/// The place of an entry.
async fn mark(rooms: &Rooms, sequence: u64) -> Result<Option<Mark>> {
    let page = rooms.journal.read(sequence, 1).await?;
    let stored = page.first().filter(|stored| stored.sequence == sequence);
    Ok(stored.map(|stored| Mark::of(sequence, &stored.entry.id)))
}

async fn begin(
    entry: &Entry,
    namespace: &str,
    after: Option<Mark>,
    filter: EventFilter,
) -> Result<Following> {
    let rooms = &entry.rooms;
    let next = match after {
        None => 0,
        Some(after) => after.sequence.saturating_add(1),
    };
    if next > rooms.journal.durable_sequence() {
        return Err(Error::Invalid(
            "the record does not reach to this place: it may have been restored from a backup"
                .into(),
        ));
    }
    let seen = match after {
        Some(after) => mark(rooms, after.sequence).await?,
        None => None,
    };
    let said = after.filter(|after| after.event.is_some());
    if said.is_some() && said != seen {
        return Err(Error::Invalid(
            "at this place the record has another event now: it was restored from a backup".into(),
        ));
    }
    let principal = &entry.caller.session.principal;
    let place = rooms
        .followers
        .enter(principal.namespace(), principal.id())?;
    Ok(Following {
        caller: Arc::clone(&entry.caller),
        namespace: namespace.to_owned(),
        filter,
        rooms: Arc::downgrade(rooms),
        durability: Arc::clone(rooms.journal.durability()),
        changed: rooms.sessions.changes(),
        next,
        seen,
        _place: place,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_follows_so_often_and_no_more() {
        let followers = Arc::new(Followers::default());
        let mut held: Vec<_> = (0..EACH_MAX)
            .map(|_| followers.enter("root", "a").unwrap())
            .collect();
        assert!(matches!(
            followers.enter("root", "a"),
            Err(Error::QuotaExceeded { .. })
        ));
        let other = followers.enter("root", "b").unwrap();
        let alike = followers.enter("team", "a").unwrap();
        assert_eq!(followers.count(), EACH_MAX + 2);
        held.pop();
        assert!(followers.enter("root", "a").is_ok());
        drop((held, other, alike));
        assert_eq!(followers.count(), 0);
        assert!(followers.0.lock().unwrap().is_empty());
    }

    #[test]
    fn no_namespace_takes_the_streams_of_others() {
        let followers = Arc::new(Followers::default());
        let fill = |namespace: &str| -> Vec<_> {
            (0..ALL_MAX)
                .map_while(|number| followers.enter(namespace, &number.to_string()).ok())
                .collect()
        };
        let one = fill("a");
        assert_eq!(one.len(), NAMESPACE_MAX);
        assert!(matches!(
            followers.enter("a", "x"),
            Err(Error::QuotaExceeded { .. })
        ));
        let others: Vec<_> = ["b", "c", "d", "e"].into_iter().map(fill).collect();
        let count = others.iter().map(Vec::len).sum::<usize>();
        assert_eq!(one.len() + count, ALL_MAX - KEPT);
        assert!(matches!(followers.enter("f", "x"), Err(Error::Busy)));
        let root = fill(ROOT_NAMESPACE);
        assert_eq!(root.len(), KEPT);
        assert!(matches!(followers.enter("root", "x"), Err(Error::Busy)));
        drop(one);
        assert!(followers.enter("f", "x").is_ok());
    }
}
