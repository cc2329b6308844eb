//! The walk over every stored key that fills the index: at once after an
//! unseal, and once a day after that, a page at a time, so that what no change
//! told the index is found all the same.

use std::sync::Arc;

use skms_keys::NamespaceId;
use skms_store::{Kind, RecordId};

use crate::engine::{Engine, Rooms};
use crate::error::Result;
use crate::places::Namespace;
use crate::records;
use crate::records::key::KeyRecord;

/// Keys that are read at a time.
const PAGE: usize = 128;
/// Pages in one step after an unseal.
const PAGES_AT_FIRST: usize = 64;

/// How far a walk has come.
#[derive(Default)]
pub(crate) struct Walk {
    state: State,
    /// Whether one has been to the end since the unseal.
    complete: bool,
}

#[derive(Default)]
enum State {
    /// It begins with the next step.
    #[default]
    Due,
    At {
        namespaces: Vec<Arc<Namespace>>,
        after: Option<RecordId>,
    },
    Done,
}

impl Engine {
    /// Walks over every stored key once and notes when each wants attention.
    ///
    /// # Errors
    /// [`crate::Error::Sealed`]; what the store refuses.
    pub async fn sweep_agenda(&self) -> Result<()> {
        self.begin_walk()?;
        while self.walk_agenda(PAGES_AT_FIRST).await? {
            // A million keys take a while; nobody waits for them.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Has the next step begin a walk, if none is on its way.
    pub(crate) fn begin_walk(&self) -> Result<()> {
        let rooms = self.rooms()?;
        let mut walk = rooms.agenda.walk();
        if matches!(walk.state, State::Done) {
            walk.state = State::Due;
        }
        Ok(())
    }

    /// Goes on with a walk, as far as one step goes. Whether more is left.
    pub(crate) async fn step_walk(&self) -> Result<bool> {
        let pages = match self.rooms()?.agenda.walk().complete {
            true => 1,
            false => PAGES_AT_FIRST,
        };
        self.walk_agenda(pages).await
    }

    async fn walk_agenda(&self, pages: usize) -> Result<bool> {
        let rooms = self.rooms()?;
        // Taken out while it is read: who comes meanwhile finds nothing to do.
        let state = std::mem::replace(&mut rooms.agenda.walk().state, State::Done);
        let (mut namespaces, mut after) = match state {
            State::Due => {
                if let Err(error) = super::calls::load(&rooms).await {
                    rooms.agenda.walk().state = State::Due;
                    return Err(error);
                }
                (rooms.places.list(), None)
            }
            State::At { namespaces, after } => (namespaces, after),
            State::Done => return Ok(false),
        };
        for _ in 0..pages {
            let Some(namespace) = namespaces.last() else {
                break;
            };
            match self.walk_page(&rooms, namespace.id, after).await {
                Ok(last @ Some(_)) => after = last,
                Ok(None) => {
                    namespaces.pop();
                    after = None;
                }
                Err(error) => {
                    rooms.agenda.walk().state = State::At { namespaces, after };
                    return Err(error);
                }
            }
        }
        let mut walk = rooms.agenda.walk();
        if namespaces.is_empty() {
            walk.complete = true;
            return Ok(matches!(walk.state, State::Due));
        }
        walk.state = State::At { namespaces, after };
        Ok(true)
    }

    /// One page; where the next begins.
    async fn walk_page(
        &self,
        rooms: &Rooms,
        namespace: NamespaceId,
        after: Option<RecordId>,
    ) -> Result<Option<RecordId>> {
        let store = &rooms.store;
        let page = store.scan(namespace.0, Kind::Key, after, PAGE).await?;
        let last = page.last().map(|record| record.id);
        for stored in page {
            let record: Result<KeyRecord> = records::decode(stored.plaintext.expose());
            match record.and_then(|record| record.into_domain(stored.id, namespace)) {
                Ok(key) => rooms.agenda.note_found(&key, rooms.clock.now()),
                // One record that is damaged keeps no other from its dates.
                Err(error) => self.note_trouble(&error),
            }
        }
        Ok(last)
    }
}

impl super::dates::Agenda {
    /// Whether every stored key has been looked at since the unseal.
    pub(crate) fn is_complete(&self) -> bool {
        self.walk().complete
    }
}
