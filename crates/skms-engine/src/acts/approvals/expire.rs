//! Notes that requests have run out, and forgets those that ended long ago.

use skms_evidence::{DetailKey, Outcome};
use skms_policy::PrincipalKind;
use skms_store::{Change, Kind};

use super::Expire;
use crate::approvals::put;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::places::{self, SYSTEM_SCOPE};
use crate::records::approval::{ApprovalRecord, RequestState};
use crate::sessions::hex;
use crate::target::Target;

/// How long a request that has ended is kept; its events stay.
const KEPT_SECONDS: i64 = 90 * 86_400;

impl Engine {
    /// Leaves the events of requests for approval that have run out, and removes
    /// those that ended ninety days ago. Returns how many ran out.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what the store refuses.
    pub async fn expire_approvals(&self) -> Result<usize> {
        let entry = self.enter(&Caller::system("approvals")?)?;
        let rooms = &entry.rooms;
        let changing = rooms.approvals.changing.lock().await;
        let all = places::all::<ApprovalRecord>(&rooms.store, SYSTEM_SCOPE).await?;
        let now = entry.now().0;
        let mut expired = 0;
        let mut rules = Vec::new();
        for (id, revision, mut record) in all {
            let ended = record.ended_at.unwrap_or(record.facts.expires_at);
            if record.state != RequestState::Pending {
                if ended.saturating_add(KEPT_SECONDS) < now {
                    let gone = Change::Delete {
                        namespace: SYSTEM_SCOPE,
                        kind: Kind::Approval,
                        id,
                        expected: revision,
                    };
                    rooms.store.commit(vec![gone], None).await?;
                }
                continue;
            }
            if record.facts.expires_at >= now {
                if record.facts.requester.kind == PrincipalKind::System.name() {
                    rules.push(id);
                }
                continue;
            }
            record.state = RequestState::Expired;
            record.ended_at = Some(now);
            let target = Target::namespace(&record.facts.namespace);
            let allowed = entry.authorize_target_as_system::<Expire>(target)?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Approval, record.facts.id.as_str())
                .detail(DetailKey::ApprovalHash, hex(&record.facts.hash()))
                .detail(
                    DetailKey::ApprovedAction,
                    record.facts.target.action.as_str(),
                );
            let change = put(id, Some(revision), &record)?;
            let event = event.finish();
            match rooms.recorder.commit(vec![change], &event, false).await {
                Ok(committed) => rooms.recorder.settle(committed).await?,
                // Somebody used it in its last moment.
                Err(Error::Conflict) => continue,
                Err(error) => return Err(error),
            }
            expired += 1;
        }
        drop(changing);
        // Approved, and the server stopped before it was done.
        for id in rules {
            match self.release_if_approved(id).await {
                Err(Error::ApprovalRefused(_) | Error::Invalid(_)) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(expired)
    }
}
