//! Notes that requests have run out, and forgets those that ended long ago.

use std::collections::HashSet;

use skms_evidence::{DetailKey, Outcome};
use skms_policy::PrincipalKind;
use skms_store::RecordId;

use super::Expire;
use super::ended::{self, Ended};
use crate::approvals::pending::{Stored, each};
use crate::approvals::put;
use crate::approvals::request::load;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records::approval::{Outline, RequestState};
use crate::sessions::hex;
use crate::target::Target;

/// What is there to be done.
#[derive(Default)]
struct Found {
    /// All that wait, and of these which have run out and which rules made.
    waiting: HashSet<RecordId>,
    over: Vec<RecordId>,
    rules: Vec<RecordId>,
    ended: Vec<Ended>,
}

impl Found {
    fn take(&mut self, one: Stored<Outline>, now: i64) {
        let Outline { facts, state, .. } = &one.record;
        if *state != RequestState::Pending {
            self.ended.push(Ended::of(one));
            return;
        }
        self.waiting.insert(one.id);
        if facts.expires_at < now {
            self.over.push(one.id);
        } else if facts.requester.kind == PrincipalKind::System.name() {
            self.rules.push(one.id);
        }
    }
}

impl Engine {
    /// Leaves the events of requests for approval that have run out, and removes
    /// those that ended ninety days ago or are too many. Returns how many ran
    /// out.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what the store refuses.
    pub async fn expire_approvals(&self) -> Result<usize> {
        let entry = self.enter(&Caller::system("approvals")?)?;
        let (rooms, now) = (&entry.rooms, entry.now().0);
        let pending = &rooms.approvals.pending;
        let known = {
            let _changing = rooms.approvals.changing.lock().await;
            pending.read(&rooms.store).await?;
            pending.ids()
        };
        // Requests are made meanwhile: what is found is looked at again.
        let mut found = Found::default();
        each(&rooms.store, |one| found.take(one, now)).await?;
        pending.retain(&known, &found.waiting);
        let mut expired = 0;
        for id in found.over {
            expired += usize::from(entry.expire(id).await?);
        }
        ended::forget(rooms, found.ended, now).await?;
        // Approved, and the server stopped before it was done.
        for id in found.rules {
            match self.release_if_approved(id).await {
                Err(Error::ApprovalRefused(_) | Error::Invalid(_)) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(expired)
    }
}

impl Entry {
    /// Notes that a request has run out, unless it waits no more.
    async fn expire(&self, id: RecordId) -> Result<bool> {
        let approvals = &self.rooms.approvals;
        let changing = approvals.changing.lock().await;
        let Some(known) = load(&self.rooms, id).await? else {
            return Ok(false);
        };
        let (mut record, now) = (known.record, self.now().0);
        if record.state != RequestState::Pending || record.facts.expires_at >= now {
            return Ok(false);
        }
        record.state = RequestState::Expired;
        record.ended_at = Some(now);
        let target = Target::namespace(&record.facts.namespace);
        let allowed = self.authorize_target_as_system::<Expire>(target)?;
        let event = EventDraft::of(self, &allowed, Outcome::Success)?
            .detail(DetailKey::Approval, record.facts.id.as_str())
            .detail(DetailKey::ApprovalHash, hex(&record.facts.hash()))
            .detail(
                DetailKey::ApprovedAction,
                record.facts.target.action.as_str(),
            );
        let change = put(id, Some(known.revision), &record)?;
        let committed = (self.rooms.recorder)
            .commit(vec![change], &event.finish(), false)
            .await;
        let committed = match committed {
            Ok(committed) => committed,
            // Somebody used it in its last moment.
            Err(Error::Conflict) => return Ok(false),
            Err(error) => return Err(error),
        };
        approvals.pending.remove(id);
        drop(changing);
        self.rooms.recorder.settle(committed).await?;
        Ok(true)
    }
}
