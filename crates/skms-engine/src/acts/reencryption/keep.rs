//! Jobs that ended go after a while, and so does what they count: who needs it
//! longer keeps the signed report.

use super::{Stored, update};
use crate::engine::Engine;
use crate::error::Result;
use crate::places;
use crate::records::reencryption::JobRecord;
use skms_store::{Change, Kind};

/// How long a job is kept after its end: 90 days.
pub const KEPT_SECONDS: i64 = 90 * 24 * 60 * 60;

impl Engine {
    /// Deletes the jobs that ended long enough ago, and says how many.
    ///
    /// # Errors
    /// Sealed; what the store says.
    pub async fn forget_ended_jobs(&self) -> Result<usize> {
        let rooms = self.rooms()?;
        let before = rooms.clock.now().0.saturating_sub(KEPT_SECONDS);
        let mut forgotten = 0;
        for namespace in rooms.places.list() {
            let scope = namespace.id.0;
            for (id, revision, record) in places::all::<JobRecord>(&rooms.store, scope).await? {
                if record.ended_at.is_none_or(|ended| ended > before) {
                    continue;
                }
                let mut changes = vec![Change::Delete {
                    namespace: scope,
                    kind: Kind::Reencryption,
                    id,
                    expected: revision,
                }];
                let job = Stored {
                    scope,
                    id,
                    revision,
                    record,
                };
                changes.extend(update::forget_answer(&rooms, &job).await?);
                rooms.store.commit(changes, None).await?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }
}
