//! Messages that were here before, by the contract of
//! [`skms_exchange::ReplayStore`]: the name of a record is unique in the store,
//! so that looking up and recording are one step, and a batch is answered when
//! it is durable.

use skms_exchange::freshness::RETENTION_SECONDS;
use skms_exchange::{ReplayEntry, Seen};
use skms_store::{Change, Kind, RecordId};

use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::exchange::{ExchangeRecord, ReplayRecord};
use crate::sessions::hex;

/// Records that one step of forgetting reads.
const STEP: usize = 256;

/// The name of the record that closes the store of entries. No entry's has
/// letters beyond f.
const CLOSED: &str = "closed";

/// Closes the store for as long as a message could be taken again: entries
/// were lost, by a restore.
pub(crate) async fn close(rooms: &Rooms) -> Result<()> {
    let found = find_closed(rooms).await?;
    let (id, expected) = match found {
        Some((id, revision, _)) => (id, Some(revision)),
        None => (RecordId::random()?, None),
    };
    let record = ReplayRecord {
        ends_at: rooms.clock.now().plus(RETENTION_SECONDS.into()).0,
    };
    let put = Change::Put {
        namespace: SYSTEM_SCOPE,
        kind: Kind::ExchangeReplay,
        id,
        name: Some(CLOSED.to_owned()),
        expected,
        plaintext: records::encode(&record)?,
    };
    rooms.store.commit(vec![put], None).await?;
    Ok(())
}

async fn find_closed(rooms: &Rooms) -> Result<Option<(RecordId, u64, i64)>> {
    let found = rooms
        .store
        .find(SYSTEM_SCOPE, Kind::ExchangeReplay, CLOSED)
        .await?;
    let Some(stored) = found else {
        return Ok(None);
    };
    let record: ReplayRecord = records::decode(stored.plaintext.expose())?;
    Ok(Some((stored.id, stored.revision, record.ends_at)))
}

/// Records an entry, and tells whether it was there.
///
/// # Errors
/// [`Error::Busy`] while the store is closed.
pub(super) async fn record(rooms: &Rooms, entry: &ReplayEntry) -> Result<Seen> {
    if let Some((_, _, ends_at)) = find_closed(rooms).await?
        && rooms.clock.now().0 <= ends_at
    {
        return Err(Error::Busy);
    }
    let record = ReplayRecord {
        ends_at: entry.until().0,
    };
    let put = Change::Put {
        namespace: SYSTEM_SCOPE,
        kind: Kind::ExchangeReplay,
        id: RecordId::random()?,
        name: Some(hex(entry.id())),
        expected: None,
        plaintext: records::encode(&record)?,
    };
    match rooms.store.commit(vec![put], None).await {
        Ok(_) => Ok(Seen::First),
        Err(skms_store::Error::Conflict { .. }) => Ok(Seen::Again),
        Err(other) => Err(other.into()),
    }
}

impl Engine {
    /// Forgets replay entries and exchanges that have ended. Returns how many.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what the store refuses.
    pub async fn forget_ended_exchanges(&self) -> Result<usize> {
        let rooms = self.rooms()?;
        let replays = forget(&rooms, Kind::ExchangeReplay, |bytes| {
            records::decode::<ReplayRecord>(bytes).map(|record| record.ends_at)
        });
        let waiting = forget(&rooms, Kind::Exchange, |bytes| {
            records::decode::<ExchangeRecord>(bytes).map(|record| record.ends_at)
        });
        Ok(replays.await? + waiting.await?)
    }
}

async fn forget(
    rooms: &Rooms,
    kind: Kind,
    ends_at: impl Fn(&[u8]) -> Result<i64>,
) -> Result<usize> {
    let mut forgotten = 0;
    let mut after = None;
    loop {
        let step = rooms.store.scan(SYSTEM_SCOPE, kind, after, STEP).await?;
        let last = step.len() < STEP;
        after = step.last().map(|record| record.id);
        let now = rooms.clock.now().0;
        let mut changes = Vec::new();
        for stored in step {
            if ends_at(stored.plaintext.expose())? < now {
                changes.push(Change::Delete {
                    namespace: SYSTEM_SCOPE,
                    kind,
                    id: stored.id,
                    expected: stored.revision,
                });
            }
        }
        if !changes.is_empty() {
            let count = changes.len();
            match rooms.store.commit(changes, None).await {
                Ok(_) => forgotten += count,
                // One of them was confirmed meanwhile: next time.
                Err(skms_store::Error::Conflict { .. }) => {}
                Err(other) => return Err(Error::from(other)),
            }
        }
        if last {
            return Ok(forgotten);
        }
    }
}
