//! How an act that changes state ends: records and event in one batch, then
//! memory, then the journal, then the answer. Once begun it runs to the end,
//! even when the caller hangs up in between.

use std::future::Future;

use skms_evidence::Outcome;
use skms_store::Change;

use crate::act::Act;
use crate::draft::EventDraft;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::target::Target;

/// Runs `work` in a task of its own, so that a caller who goes away cannot
/// stop it between the commit and its effects.
pub(crate) async fn to_the_end<T>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T>
where
    T: Send + 'static,
{
    tokio::spawn(work)
        .await
        .map_err(|_| Error::Internal("an act panicked"))?
}

impl Entry {
    /// Passes on what an authorised act on anything but a key came to; a
    /// failure leaves its event first.
    pub(crate) async fn failed<A: Act, T>(
        &self,
        authorized: &Authorized<A, Target>,
        result: Result<T>,
    ) -> Result<T> {
        if let Err(error) = &result {
            let event = EventDraft::of(self, authorized, Outcome::failed(error))?;
            self.record(event).await?;
        }
        result
    }

    /// As [`Entry::failed`], for an act on a key.
    pub(crate) async fn failed_key<A: Act, T>(
        &self,
        authorized: &Authorized<A, KeyTarget>,
        result: Result<T>,
    ) -> Result<T> {
        if let Err(error) = &result {
            let event = EventDraft::of_key(self, authorized, Outcome::failed(error))?;
            self.record(event).await?;
        }
        result
    }

    /// Commits `changes` with the act's event; `after` brings memory up to
    /// date with the new revisions. `guard` is the lock under which the
    /// changes were worked out.
    pub(crate) async fn change<T, F, G>(
        &self,
        guard: G,
        changes: Vec<Change>,
        event: EventDraft,
        after: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        G: Send + 'static,
        F: FnOnce(&Rooms, &[u64]) -> Result<T> + Send + 'static,
    {
        let rooms = self.rooms.clone();
        let urgent = event.is_urgent();
        let event = event.finish();
        to_the_end(async move {
            let guard = guard;
            let committed = match rooms.recorder.commit(changes, &event, urgent).await {
                Ok(committed) => committed,
                Err(error) => {
                    // It may have been done all the same: let memory say what
                    // the store says, under the lock that reading takes.
                    drop(guard);
                    rooms.reread(&error).await;
                    return Err(error);
                }
            };
            let value = after(&rooms, &committed.revisions)?;
            rooms.recorder.settle(committed).await?;
            Ok(value)
        })
        .await
    }
}
