//! Re-encryption jobs.

use std::collections::BTreeMap;

use skms_engine::acts::reencryption::{
    self as engine, Content, Item, ItemResult, NewJob, Step, View,
};
use skms_keys::VersionNumber;
use skms_store::RecordId;
use skms_wire::Ciphertext;
use skms_wire::native::ProblemKind;
use skms_wire::native::jobs::{
    CreateJobRequest, JobBatchRequest, JobBatchResponse, JobFailedItem, JobItem, JobItemResult,
    JobReport, JobVersionCount, JobView, UpdateJobRequest,
};
use skms_wire::native::terms::{JobOutcome, JobState, JobStep};

use super::{
    answer::Reply,
    call::Call,
    convert::{self, moment, optional},
    error::Failure,
    paging,
};

fn view(job: View) -> JobView {
    let counts = |counts: BTreeMap<u32, u64>| {
        let counts = counts.into_iter();
        counts
            .map(|(version, count)| JobVersionCount { version, count })
            .collect()
    };
    let progress = job.progress;
    JobView {
        id: job.id.to_string(),
        keyring: job.keyring,
        key: job.key,
        key_id: job.key_id,
        state: match job.state {
            engine::JobState::Ready => JobState::Ready,
            engine::JobState::Running => JobState::Running,
            engine::JobState::Paused => JobState::Paused,
            engine::JobState::Finished => JobState::Finished,
            engine::JobState::Failed => JobState::Failed,
            engine::JobState::Cancelled => JobState::Cancelled,
        },
        created_at: moment(job.created_at),
        created_by: job.created_by,
        updated_at: moment(job.updated_at),
        started_at: job.started_at.map(moment),
        ended_at: job.ended_at.map(moment),
        ended_by: job.ended_by,
        input: job.input,
        output: job.output,
        incident: job.incident,
        next_batch: job.next,
        items: progress.items,
        moved: progress.moved,
        newest: progress.newest,
        failed: progress.failed,
        bytes: progress.bytes,
        from: counts(progress.from),
        to: counts(progress.to),
        failures: job
            .failures
            .into_iter()
            .map(|one| JobFailedItem {
                item: one.item,
                id: one.id,
                why: one.why,
            })
            .collect(),
        sha256: job.digest,
        complete: job.complete,
    }
}

/// What is no identifier is nobody's; the engine says so like of any other.
fn id(call: &Call) -> RecordId {
    let id = call.param("job").parse();
    id.unwrap_or(RecordId([0; 16]))
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let asked: CreateJobRequest = call.optional_json()?;
    let new = NewJob {
        input: asked.input,
        output: asked.output,
    };
    let made = call
        .engine()
        .create_job(call.caller()?, call.key(), new)
        .await?;
    Reply::json(&view(made))
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let wanted = paging::records(&call.page()?)?;
    let (found, next) = call
        .engine()
        .list_jobs(call.caller()?, &call.namespace, &wanted)
        .await?;
    Reply::json(&paging::page(found.into_iter().map(view).collect(), next))
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call
        .engine()
        .read_job(call.caller()?, &call.namespace, id(&call))
        .await?;
    Reply::json(&view(found))
}

pub async fn update(call: Call) -> Result<Reply, Failure> {
    let asked: UpdateJobRequest = call.json()?;
    let step = match (asked.step, asked.complete) {
        (JobStep::Finish, complete) => Step::Finish {
            complete: complete.unwrap_or(false),
        },
        (_, Some(_)) => return Err(Failure::invalid("complete goes with finish alone")),
        (JobStep::Pause, None) => Step::Pause,
        (JobStep::Resume, None) => Step::Resume,
        (JobStep::Cancel, None) => Step::Cancel,
    };
    let at = (&*call.namespace, id(&call));
    let changed = call.engine().update_job(call.caller()?, at, step).await?;
    Reply::json(&view(changed))
}

fn item(item: JobItem) -> Result<Item, Failure> {
    let content = match (item.ciphertext, item.unreadable, item.sha256) {
        (Some(ciphertext), None, None) => Content::Ciphertext {
            version: VersionNumber(ciphertext.version),
            ciphertext: ciphertext.bytes.into_inner(),
            associated_data: optional(item.associated_data),
            options: convert::encrypt_options(
                item.oaep_hash.as_deref(),
                item.oaep_mgf_hash.as_deref(),
                None,
            )?,
        },
        (None, Some(why), Some(sha256)) => Content::Unreadable {
            sha256: <[u8; 32]>::try_from(&*sha256)
                .map_err(|_| Failure::invalid("sha256 is 32 bytes"))?,
            why,
        },
        _ => {
            return Err(Failure::invalid(
                "an item has a ciphertext, or unreadable and sha256",
            ));
        }
    };
    Ok(Item {
        id: item.id,
        content,
    })
}

fn result(result: ItemResult) -> JobItemResult {
    let at = |outcome, version: VersionNumber| JobItemResult {
        outcome,
        ciphertext: None,
        version: Some(version.0),
        why: None,
    };
    match result {
        ItemResult::Moved {
            ciphertext,
            version,
        } => JobItemResult {
            ciphertext: Some(Ciphertext::new(version.0, ciphertext)),
            ..at(JobOutcome::Moved, version)
        },
        ItemResult::Newest { version } => at(JobOutcome::Newest, version),
        ItemResult::Failed { why } => JobItemResult {
            outcome: JobOutcome::Failed,
            ciphertext: None,
            version: None,
            why: Some(why),
        },
    }
}

pub async fn batch(call: Call) -> Result<Reply, Failure> {
    let asked: JobBatchRequest = call.json()?;
    let items = asked.items.into_iter().map(item);
    let items = items.collect::<Result<Vec<_>, _>>()?;
    let at = (&*call.namespace, id(&call));
    let done = call
        .engine()
        .run_batch(call.caller()?, at, asked.number, items)
        .await?;
    Reply::json(&JobBatchResponse {
        results: done.results.into_iter().map(result).collect(),
        next_batch: done.job.next,
    })
}

pub async fn report(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let made = call
        .engine()
        .job_report(call.caller()?, &call.namespace, id(&call))
        .await?;
    let public_key =
        String::from_utf8(made.key.pem).map_err(|_| Failure::new(ProblemKind::Internal))?;
    Reply::json(&JobReport {
        report: made.report,
        public_key,
        fingerprint: made.key.fingerprint,
    })
}
