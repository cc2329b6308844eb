//! How an act that changes state ends: records and event in one batch, then
//! memory, then the journal, then the answer. Once begun it runs to the end,
//! even when the caller hangs up in between.

use std::future::Future;

use skms_store::Change;

use crate::draft::EventDraft;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::Entry;

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
            let _guard = guard;
            let committed = rooms.recorder.commit(changes, &event, urgent).await?;
            let value = after(&rooms, &committed.revisions)?;
            rooms.recorder.settle(committed).await?;
            Ok(value)
        })
        .await
    }
}
