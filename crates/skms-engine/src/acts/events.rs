//! Reads the record: every event for the server's auditors, a tenant's own
//! for the tenant's.

use std::sync::Arc;

use skms_evidence::{Event, Outcome};
use skms_policy::ROOT_NAMESPACE;

use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::filter::EventFilter;
use crate::page::MAX_PAGE;
use crate::target::Target;

act!(Read, EventRead, "Reads events.");

/// How many entries one step reads.
const STEP: usize = 256;
/// Most entries that one call looks through for a tenant's few.
pub const MAX_LOOKED_AT: usize = 65_536;

/// An event with its place in the log.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its sequence number: the index of its leaf, from 0.
    pub sequence: u64,
    /// The event.
    pub event: Event,
}

/// Where a namespace's events are read: those of the server in the root
/// namespace.
pub(crate) fn place_of(namespace: &str) -> Target {
    if namespace == ROOT_NAMESPACE {
        Target::system()
    } else {
        Target::namespace(namespace)
    }
}

/// Whether an event is among those of a namespace: all are in the root
/// namespace's.
pub(crate) fn is_of(event: &Event, namespace: &str) -> bool {
    let its = event.namespace.as_ref();
    namespace == ROOT_NAMESPACE || its.is_some_and(|name| name.as_str() == namespace)
}

impl Engine {
    /// Events from `from` on, in order: all of them in the root namespace,
    /// elsewhere the namespace's own. Gives the place to go on from.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no policy lets the caller read them.
    pub async fn read_events(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        from: u64,
        limit: usize,
    ) -> Result<(Vec<Recorded>, u64)> {
        let all = EventFilter::default();
        self.select_events(caller, namespace, from, limit, &all)
            .await
    }

    /// As [`Engine::read_events`], of those that `filter` takes.
    ///
    /// # Errors
    /// As there.
    pub async fn select_events(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        from: u64,
        limit: usize,
        filter: &EventFilter,
    ) -> Result<(Vec<Recorded>, u64)> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Read>(place_of(namespace)).await?;
        if limit == 0 || limit > MAX_PAGE {
            return Err(Error::TooLarge {
                what: "the page's limit",
                limit: MAX_PAGE as u64,
            });
        }
        let journal = &entry.rooms.journal;
        let mut events = Vec::new();
        let mut next = from;
        let mut looked_at = 0;
        'pages: while events.len() < limit && looked_at < MAX_LOOKED_AT {
            let page = journal.read(next, STEP).await?;
            if page.is_empty() {
                break;
            }
            for stored in page {
                if events.len() == limit {
                    break 'pages;
                }
                next = stored.sequence + 1;
                looked_at += 1;
                let event = Event::decode(&stored.entry.bytes)?;
                if is_of(&event, namespace) && filter.takes(&event) {
                    events.push(Recorded {
                        sequence: stored.sequence,
                        event,
                    });
                }
            }
        }
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok((events, next))
    }

    /// The place of the newest durable event: a number about the server, told
    /// with its status, that lets a reader begin near the end.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn newest_event(&self) -> Result<Option<u64>> {
        Ok(self.rooms()?.journal.durable_sequence().checked_sub(1))
    }
}
