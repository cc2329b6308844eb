//! The record of every act: an event, sealed with its salt, durable in the
//! journal before the act is answered.
//!
//! An act that changes nothing commits by its append. An act that changes
//! state commits its event with its records, as an outbox row; the journal is
//! then fed from the row, idempotently by the event's identifier, now and
//! again at the next unseal.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use skms_crypto::rand;
use skms_evidence::Event;
use skms_store::sealed::{KeysEvent, OutboxEvent, TermNumber};
use skms_store::{Change, Entry as JournalEntry, Journal, SealedStore};

use crate::draft::Final;
use crate::error::{Error, Result};
use crate::lanes::durable;

/// What the store is told when the salt of an event's leaf cannot be drawn.
const NO_RANDOMNESS: skms_store::Error = skms_store::Error::Invalid("no randomness for an event");

/// Writes events.
pub(crate) struct Recorder {
    store: Arc<SealedStore>,
    journal: Arc<dyn Journal>,
    settled: Mutex<Vec<[u8; 16]>>,
}

/// A change that is committed but not yet answerable: its event still has to
/// reach the journal.
#[must_use = "an act is answered only after its event is durable"]
pub(crate) struct Committed {
    pub(crate) revisions: Vec<u64>,
    entry: JournalEntry,
    urgent: bool,
}

impl Recorder {
    pub(crate) fn new(store: Arc<SealedStore>, journal: Arc<dyn Journal>) -> Self {
        Self {
            store,
            journal,
            settled: Mutex::new(Vec::new()),
        }
    }

    /// Appends an event and waits until it is durable.
    pub(crate) async fn append(&self, event: &Final) -> Result<()> {
        if event.claims.is_some() {
            // The approvals that it uses make it a change.
            let committed = self.commit(Vec::new(), event, false).await?;
            return self.settle(committed).await;
        }
        self.append_entry(seal(&event.event, None)?).await
    }

    /// As [`Recorder::append`], of an event that is encoded already.
    pub(crate) async fn append_entry(&self, entry: JournalEntry) -> Result<()> {
        let ticket = self.journal.append(vec![entry])?;
        durable(&ticket).await
    }

    /// As [`Recorder::append`]; may use the reserve when the disk is full.
    pub(crate) async fn append_urgent(&self, event: &Final) -> Result<()> {
        let ticket = (self.journal).append_as(vec![seal(&event.event, None)?], true)?;
        durable(&ticket).await
    }

    /// Writes `changes` and the event's outbox row in one batch. `urgent`
    /// draws on the store's reserve when the disk is full.
    ///
    /// Approvals that the act uses are used up in the same batch, behind the
    /// changes; of their revisions nothing is told.
    pub(crate) async fn commit(
        &self,
        mut changes: Vec<Change>,
        event: &Final,
        urgent: bool,
    ) -> Result<Committed> {
        let Final { event, claims } = event;
        let mut entry = seal(event, None)?;
        let told = changes.len();
        if let Some(claims) = claims {
            let at = event.at_millis.div_euclid(1000);
            changes.extend(claims.spending(Some(event.id), at)?);
        }
        let outbox = OutboxEvent {
            id: entry.id,
            salt: entry.salt,
            bytes: entry.bytes.clone(),
        };
        let done = if urgent {
            self.store.commit_urgent(changes, Some(outbox)).await?
        } else {
            self.store.commit(changes, Some(outbox)).await?
        };
        if let Some(claims) = claims {
            claims.spent();
        }
        entry.commit = Some(done.commit);
        let mut revisions = done.revisions;
        revisions.truncate(told);
        Ok(Committed {
            revisions,
            entry,
            urgent,
        })
    }

    /// As [`Recorder::commit`], for a change of keys or seals, which the store
    /// makes by itself. `event` is given the storage key's new term.
    pub(crate) async fn commit_keys<T, F>(
        &self,
        event: impl FnOnce(TermNumber) -> Final + Send + 'static,
        change: impl FnOnce(KeysEvent) -> F,
    ) -> Result<(T, Committed)>
    where
        F: Future<Output = skms_store::Result<(T, u64)>>,
    {
        let sealed = Arc::new(Mutex::new(None));
        let made = Arc::clone(&sealed);
        let event: KeysEvent = Box::new(move |term| {
            let entry = seal(&event(term).event, None).map_err(|_| NO_RANDOMNESS)?;
            let outbox = OutboxEvent {
                id: entry.id,
                salt: entry.salt,
                bytes: entry.bytes.clone(),
            };
            *made.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
            Ok(outbox)
        });
        let (value, commit) = change(event).await?;
        let entry = sealed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or(Error::Internal("a change of keys without its event"))?;
        let committed = Committed {
            revisions: Vec::new(),
            entry: JournalEntry {
                commit: Some(commit),
                ..entry
            },
            urgent: false,
        };
        Ok((value, committed))
    }

    /// Feeds the journal from a committed change and waits until it is
    /// durable there.
    pub(crate) async fn settle(&self, committed: Committed) -> Result<()> {
        let id = committed.entry.id;
        let ticket = self
            .journal
            .append_as(vec![committed.entry], committed.urgent)?;
        durable(&ticket).await?;
        self.settled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(id);
        Ok(())
    }

    /// Checks that neither side was rolled back, and feeds what an earlier
    /// run committed and did not feed.
    pub(crate) async fn recover(&self) -> Result<()> {
        self.store.recover_from(&self.journal).await?;
        Ok(())
    }

    /// Lets the database know how long the journal is, so that a cut of its
    /// tail is found although nothing changed since.
    pub(crate) async fn note_length(&self) -> Result<()> {
        let durable = self.journal.durable_sequence();
        self.store.note_journal(durable).await?;
        Ok(())
    }

    /// Lets go of the files.
    pub(crate) async fn close(&self) -> Result<()> {
        self.journal.close().await?;
        self.store.store().close().await?;
        Ok(())
    }

    /// Removes the outbox rows whose events are in the journal.
    pub(crate) async fn sweep(&self) -> Result<()> {
        let settled =
            std::mem::take(&mut *self.settled.lock().unwrap_or_else(PoisonError::into_inner));
        if !settled.is_empty() {
            let durable = self.journal.durable_sequence();
            if let Err(error) = self.store.mark_done(&settled, durable).await {
                // Again the next time, when there is room for instance.
                self.settled
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(settled);
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// Encodes an event and draws the salt of its leaf.
fn seal(event: &Event, commit: Option<u64>) -> Result<JournalEntry> {
    let mut bytes = Vec::with_capacity(512);
    event.encode(&mut bytes);
    Ok(JournalEntry {
        id: event.id.0,
        salt: rand::array()?,
        bytes,
        commit,
    })
}
