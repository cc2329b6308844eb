//! Which requests that have ended are kept, and for how long.

use std::collections::HashMap;

use skms_store::{Change, Kind, RecordId};

use crate::approvals::pending::Stored;
use crate::engine::Rooms;
use crate::error::Result;
use crate::places::SYSTEM_SCOPE;
use crate::records::approval::{Outline, RequestState};

/// How long a request that has ended is kept; its events stay.
const KEPT_SECONDS: i64 = 90 * 86_400;
/// How many of those that principals of one namespace made, and how many bytes
/// of them.
const KEPT: usize = 1000;
const KEPT_BYTES: u64 = 16 << 20;
/// How many go in one batch.
const AT_ONCE: usize = 64;

/// A request that has ended.
pub(super) struct Ended {
    id: RecordId,
    revision: u64,
    bytes: u64,
    /// Of whoever made it.
    namespace: String,
    at: i64,
    /// Nobody did anything about it.
    ran_out: bool,
}

impl Ended {
    pub(super) fn of(stored: Stored<Outline>) -> Self {
        let facts = stored.record.facts;
        Self {
            id: stored.id,
            revision: stored.revision,
            bytes: stored.bytes,
            namespace: facts.requester.namespace,
            at: stored.record.ended_at.unwrap_or(facts.expires_at),
            ran_out: stored.record.state == RequestState::Expired,
        }
    }
}

/// Removes those that have been kept long enough, and those of a namespace that
/// are too many.
///
/// # Errors
/// What the store refuses.
pub(super) async fn forget(rooms: &Rooms, ended: Vec<Ended>, now: i64) -> Result<()> {
    let gone = surplus(ended, now);
    for some in gone.chunks(AT_ONCE) {
        let changes = some.iter().map(|one| Change::Delete {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Approval,
            id: one.id,
            expected: one.revision,
        });
        match rooms.store.commit(changes.collect(), None).await {
            // Somebody else was there before: what is left goes the next time.
            Ok(_) | Err(skms_store::Error::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Those that go. Where they are too many, first those that ran out, so that
/// nobody drives out with them what was used or rejected; then the oldest.
fn surplus(mut ended: Vec<Ended>, now: i64) -> Vec<Ended> {
    ended.sort_by_key(|one| (one.ran_out, std::cmp::Reverse((one.at, one.id))));
    let mut kept: HashMap<String, (usize, u64)> = HashMap::new();
    ended.retain(|one| {
        if one.at.saturating_add(KEPT_SECONDS) < now {
            return true;
        }
        let (count, bytes) = kept.entry(one.namespace.clone()).or_default();
        *count += 1;
        *bytes = bytes.saturating_add(one.bytes);
        *count > KEPT || *bytes > KEPT_BYTES
    });
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(namespace: &str, at: i64, bytes: u64, ran_out: bool) -> Ended {
        Ended {
            id: RecordId::random().unwrap(),
            revision: 2,
            bytes,
            namespace: namespace.into(),
            at,
            ran_out,
        }
    }

    #[test]
    fn they_are_kept_for_a_time_and_so_many() {
        let now = 100 * 86_400;
        let times = |gone: Vec<Ended>| gone.into_iter().map(|one| one.at).collect::<Vec<_>>();
        let old = now - KEPT_SECONDS;
        let two = vec![one("a", old, 1, false), one("a", old - 1, 1, false)];
        assert_eq!(times(surplus(two, now)), [old - 1]);
        let many = (0..).take(KEPT + 2).map(|at| one("a", now - at, 1, true));
        let others = (0..).take(KEPT).map(|at| one("b", now - at, 1, true));
        let gone = surplus(many.chain(others).collect(), now);
        assert_eq!(times(gone), [now - 1000, now - 1001]);
    }

    #[test]
    fn what_ran_out_drives_out_nothing_that_was_used() {
        let now = 100 * 86_400;
        let mut all = vec![one("a", now - 50, KEPT_BYTES / 4, false)];
        all.extend((0..10).map(|at| one("a", now - at, KEPT_BYTES / 4, true)));
        let gone = surplus(all, now);
        assert_eq!(gone.len(), 7);
        assert!(gone.iter().all(|one| one.ran_out && one.at <= now - 3));
    }
}
