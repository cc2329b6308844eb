//! Writes down how far channels have come, where nothing is to be told.

use std::sync::Arc;

use crate::engine::Rooms;
use crate::error::Result;
use crate::notify::Channel;

/// Writes down how far a channel has come.
///
/// A commit can come to nothing since memory is behind the record: after one of
/// which nobody knew whether it happened. So the revision is read again, and
/// what is not written down is still to be.
///
/// # Errors
/// The store's; that somebody else changed it, as by deleting it, is none.
pub(super) async fn save(rooms: &Arc<Rooms>, channel: &Channel) -> Result<()> {
    let _one = channel.progress.saving.lock().await;
    let (since, cursor, revision) = {
        let mut state = channel.progress.state();
        let Some(since) = state.dirty_since.take() else {
            return Ok(());
        };
        (since, state.record(), state.revision)
    };
    let change = channel.put_cursor(&cursor, Some(revision))?;
    let error = match rooms.store.commit(vec![change], None).await {
        Ok(done) => {
            if let Some(revision) = done.revisions.first() {
                channel.progress.state().revision = *revision;
            }
            return Ok(());
        }
        Err(error) => error,
    };
    channel.progress.state().dirty_since = Some(since);
    if !matches!(error, skms_store::Error::Unavailable(_)) {
        // Where it cannot be read now, the next attempt ends here again.
        let _ = channel.reread(&rooms.store).await;
    }
    match error {
        skms_store::Error::Conflict { .. } => Ok(()),
        error => Err(error.into()),
    }
}

/// Writes down how far all channels have come, before the rooms are closed.
pub(crate) async fn save_all(rooms: &Arc<Rooms>) {
    for channel in rooms.channels.all() {
        // What is not written down is delivered again.
        let _ = save(rooms, &channel).await;
    }
}
