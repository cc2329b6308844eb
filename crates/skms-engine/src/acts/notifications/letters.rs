//! What was given up: list it, try it again, or let it go.

use std::collections::BTreeMap;
use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::UnixSeconds;
use skms_store::{Change, Kind, RecordId};

use super::{Manage, Read};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::notify::state::{State, WAITING_MAX};
use crate::records;
use crate::records::notification::DeadLetterRecord;

/// A notification that was given up.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Its identifier.
    pub id: RecordId,
    /// The event's place in the journal.
    pub sequence: u64,
    /// The event's identifier, in hexadecimal.
    pub event: String,
    /// The event's action.
    pub action: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When first.
    pub first_at: UnixSeconds,
    /// When last.
    pub died_at: UnixSeconds,
    /// Why it was not taken then.
    pub reason: String,
}

/// Which dead letters of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letters {
    /// All of them.
    All,
    /// These.
    These(Vec<RecordId>),
}

impl Letters {
    fn of(&self, state: &State) -> Result<BTreeMap<RecordId, u64>> {
        match self {
            Self::All => Ok(state.dead.clone()),
            Self::These(ids) => ids
                .iter()
                .map(|id| {
                    let found = state.dead.get(id).map(|revision| (*id, *revision));
                    found.ok_or(Error::NotFound {
                        what: "dead letter",
                    })
                })
                .collect(),
        }
    }
}

impl Engine {
    /// The dead letters of a channel, oldest first: at most `limit` after one,
    /// and whether there are more.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn dead_letters(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<(Vec<DeadLetter>, bool)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.channel_target(namespace, name))
            .await?;
        let read = async {
            let channel = entry.channel(namespace, name)?;
            let ids: Vec<RecordId> = {
                let state = channel.progress.state();
                let later = state.dead.keys();
                let later = later.filter(|id| after.is_none_or(|after| **id > after));
                later.copied().take(limit + 1).collect()
            };
            let mut found = Vec::new();
            for id in ids.iter().take(limit) {
                let scope = channel.namespace.0;
                let stored = entry.rooms.store.get(scope, Kind::DeadLetter, *id).await?;
                // One that was let go in between is none.
                if let Some(stored) = stored {
                    let record = records::decode::<DeadLetterRecord>(stored.plaintext.expose())?;
                    found.push(view(*id, record));
                }
            }
            Ok((found, ids.len() > limit))
        };
        let read = read.await;
        let read = entry.failed(&allowed, read).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(read)
    }

    /// Has dead letters delivered after all, as if they had just happened:
    /// says how many. Those that there is no room for stay.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the channel and for one of those named.
    pub async fn retry_dead_letters(
        &self,
        caller: &Arc<Caller>,
        at: (&str, &str),
        which: Letters,
    ) -> Result<usize> {
        self.handle(caller, at, which, true).await
    }

    /// Lets dead letters go: says how many. Their events stay in the record.
    ///
    /// # Errors
    /// As [`Engine::retry_dead_letters`].
    pub async fn discard_dead_letters(
        &self,
        caller: &Arc<Caller>,
        at: (&str, &str),
        which: Letters,
    ) -> Result<usize> {
        self.handle(caller, at, which, false).await
    }

    async fn handle(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        which: Letters,
        again: bool,
    ) -> Result<usize> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(entry.channel_target(namespace, name))
            .await?;
        let done = async {
            let channel = entry.channel(namespace, name)?;
            let saving = channel.progress.save().await;
            let (mut letters, room) = {
                let state = channel.progress.state();
                let room = WAITING_MAX.saturating_sub(state.waiting.len());
                (which.of(&state)?, room)
            };
            if again {
                let keep = letters.keys().nth(room).copied();
                if let Some(keep) = keep {
                    letters.split_off(&keep);
                }
            }
            let scope = channel.namespace.0;
            let mut sequences = Vec::new();
            for id in letters.keys().filter(|_| again) {
                let stored = entry.rooms.store.get(scope, Kind::DeadLetter, *id).await?;
                let stored = stored.ok_or(Error::Conflict)?;
                let record = records::decode::<DeadLetterRecord>(stored.plaintext.expose())?;
                sequences.push(record.sequence);
            }
            let now_ms = entry.now_ms;
            let (cursor, revision) = {
                let state = channel.progress.state();
                let mut cursor = state.record();
                cursor.bring_back(&sequences, now_ms);
                (cursor, state.revision)
            };
            let mut changes = vec![channel.put_cursor(&cursor, Some(revision))?];
            changes.extend(letters.iter().map(|(id, expected)| Change::Delete {
                namespace: scope,
                kind: Kind::DeadLetter,
                id: *id,
                expected: *expected,
            }));
            let count = letters.len();
            let what = if again { "retried" } else { "discarded" };
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Changed, what)
                .detail(DetailKey::Count, count as u64);
            let of = Arc::clone(&channel);
            let changed = entry
                .change(saving, changes, event, move |rooms, revisions| {
                    let mut state = of.progress.state();
                    if let Some(revision) = revisions.first() {
                        state.revision = *revision;
                    }
                    for id in letters.keys() {
                        state.dead.remove(id);
                    }
                    state.bring_back(&sequences, now_ms);
                    rooms.channels.stirred.notify_one();
                    Ok(count)
                })
                .await;
            if let Err(error) = &changed {
                channel.reread_after(&entry.rooms.store, error).await;
            }
            changed
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

fn view(id: RecordId, record: DeadLetterRecord) -> DeadLetter {
    DeadLetter {
        id,
        sequence: record.sequence,
        event: record.event,
        action: record.action,
        attempts: record.attempts,
        first_at: UnixSeconds(record.first_at),
        died_at: UnixSeconds(record.died_at),
        reason: record.reason,
    }
}
