//! A backup: the sealed store and journal as one stream, while everything
//! goes on.

use std::sync::Arc;

use skms_evidence::{DetailKey, Event, Outcome};
use skms_store::backup::{Copied, Notes, Sink};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry};
use crate::target::Target;

act!(Backup, StorageBackup, "Streams a backup.");

/// A backup that may be made, and has its event.
pub struct Begun {
    entry: Entry,
    allowed: Authorized<Backup, Target>,
    /// One at a time: each reads the whole store.
    _turn: OwnedSemaphorePermit,
}

impl Engine {
    /// Lets a backup begin. That it did is recorded before the first byte
    /// leaves; how it ended is recorded too.
    ///
    /// # Errors
    /// [`Error::Busy`] while another is being made.
    pub async fn begin_backup(&self, caller: &Arc<Caller>) -> Result<Begun> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Backup>(Target::system()).await?;
        let turn = Arc::clone(&entry.rooms.backups)
            .try_acquire_owned()
            .map_err(|_| Error::Busy);
        let turn = entry.failed(&allowed, turn).await?;
        let event =
            EventDraft::of(&entry, &allowed, Outcome::Success)?.detail(DetailKey::Reason, "begun");
        entry.record(event).await?;
        Ok(Begun {
            entry,
            allowed,
            _turn: turn,
        })
    }
}

impl Begun {
    /// Streams it into `sink`, on a thread of its own: reading and hashing
    /// the whole store must not hold up a worker.
    ///
    /// # Errors
    /// [`Error::Store`] for what is wrong with the store, and the sink's.
    pub async fn run(self, mut sink: impl Sink + 'static) -> Result<Copied> {
        let (sender, done) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|_| Error::Internal("no runtime for a backup"))?;
        std::thread::Builder::new()
            .name("skms-backup".to_owned())
            .spawn(move || {
                // The asker may be gone.
                let _ = sender.send(runtime.block_on(self.copy(&mut sink)));
            })
            .map_err(|_| Error::Internal("no thread for a backup"))?;
        done.await
            .map_err(|_| Error::Internal("a backup panicked"))?
    }

    async fn copy(self, sink: &mut dyn Sink) -> Result<Copied> {
        let rooms = &self.entry.rooms;
        let notes = Notes {
            now_ms: self.entry.now_ms,
            server_version: env!("CARGO_PKG_VERSION"),
            time_of: &|bytes| Event::decode(bytes).ok().map(|event| event.at_millis),
        };
        let copied = async {
            rooms.recorder.sweep().await?;
            let journal = rooms.journal.as_ref();
            Ok(rooms.store.backup(journal, &notes, sink).await?)
        };
        let copied = copied.await;
        let copied = self.entry.failed(&self.allowed, copied).await?;
        let event = EventDraft::of(&self.entry, &self.allowed, Outcome::Success)?
            .detail(DetailKey::Count, copied.summary.total_rows())
            .detail(DetailKey::BytesOut, copied.bytes);
        self.entry.record(event).await?;
        Ok(copied)
    }
}
