//! Pausing, resuming, finishing and cancelling a job.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_store::{Change, Kind, RecordId};

use super::{Stored, Update, View};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::records::reencryption::{AnswerRecord, JobRecord, JobState};

/// What a job is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To take no batches for now.
    Pause,
    /// To take them again.
    Resume,
    /// That there are no more.
    Finish {
        /// Whether those were all that the key encrypted.
        complete: bool,
    },
    /// That nobody goes on with it.
    Cancel,
}

impl Engine {
    /// Tells a job what comes next. Told again what it was told last, it does
    /// nothing.
    ///
    /// # Errors
    /// [`Error::JobRefuses`] for one that has ended.
    pub async fn update_job(
        &self,
        caller: &Arc<Caller>,
        (namespace, id): (&str, RecordId),
        step: Step,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let (allowed, job) = entry.authorize_job::<Update>(namespace, id).await?;
        let by = entry.caller.session.principal.id().to_owned();
        let changed = stepped(&job.record, step, (by, entry.now().0));
        let changed = entry.failed_key(&allowed, changed).await?;
        let event = EventDraft::of_key(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Job, id.to_string());
        let Some(record) = changed else {
            let event = event.detail(DetailKey::Repeated, true);
            entry.record(event).await?;
            return Ok(View::of(id, job.record));
        };
        let mut changes = vec![job.put(&record)?];
        if record.state.is_end() {
            changes.extend(forget_answer(&entry.rooms, &job).await?);
        }
        let event = event
            .detail(DetailKey::FromState, job.record.state.name())
            .detail(DetailKey::ToState, record.state.name());
        let of = allowed.target().snapshot().key().namespace;
        entry
            .change((), changes, event, move |rooms, _| {
                if record.state.is_end() {
                    rooms.quotas.gone(of, id);
                }
                Ok(View::of(id, record))
            })
            .await
    }
}

/// The job after a step; nothing where it stands there already.
pub(super) fn stepped(
    before: &JobRecord,
    step: Step,
    (by, now): (String, i64),
) -> Result<Option<JobRecord>> {
    let mut record = before.clone();
    record.state = match step {
        Step::Pause => JobState::Paused,
        Step::Resume if before.progress.items == 0 => JobState::Ready,
        Step::Resume => JobState::Running,
        Step::Finish { .. } if before.progress.failed > 0 => JobState::Failed,
        Step::Finish { .. } => JobState::Finished,
        Step::Cancel => JobState::Cancelled,
    };
    if let Step::Finish { complete } = step {
        record.complete = complete;
    }
    if (record.state, record.complete) == (before.state, before.complete) {
        return Ok(None);
    }
    // That these were all can be said afterwards, and not be taken back.
    let said_late = matches!(step, Step::Finish { complete: true });
    if before.state.is_end() && !(said_late && record.state == before.state) {
        return Err(Error::JobRefuses(format!(
            "the job is {}: it has ended",
            before.state.name()
        )));
    }
    record.updated_at = now;
    if record.state.is_end() && !before.state.is_end() {
        record.ended_at = Some(now);
        record.ended_by = Some(by);
    }
    Ok(Some(record))
}

/// The change that forgets the answer to a job's last batch, which nobody asks
/// for again.
pub(super) async fn forget_answer(rooms: &Rooms, job: &Stored) -> Result<Option<Change>> {
    let name = AnswerRecord::name(&job.id.to_string());
    let found = rooms.store.find(job.scope, Kind::Job, &name).await?;
    Ok(found.map(|stored| Change::Delete {
        namespace: job.scope,
        kind: Kind::Job,
        id: stored.id,
        expected: stored.revision,
    }))
}
