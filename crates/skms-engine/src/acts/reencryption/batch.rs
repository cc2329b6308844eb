//! A batch of a job.

use std::collections::BTreeMap;
use std::sync::Arc;

use skms_crypto::hash::sha256;
use skms_evidence::{DetailKey, Outcome};
use skms_keys::Operation;
use skms_store::{Change, Kind, RecordId};

use super::item::{self, Item};
use super::{ItemResult, Stored, View};
use crate::acts::reencrypt::Reencrypt;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::opened::InUse;
use crate::operate::MAX_BATCH;
use crate::records;
use crate::records::reencryption::{AnswerRecord, Became, Digest, FailedItem, JobRecord, JobState};

/// The most bytes of ciphertext in one batch: its answer is one record.
pub const BATCH_BYTES: usize = 2 << 20;
/// How many of the failures a job names.
const FAILURES: usize = 200;
/// The longest name of an item and the longest reason, in bytes.
const WORDS_MAX: usize = 256;
/// Times that a batch begins again because somebody else changed the job.
const ATTEMPTS: usize = 3;

/// What a batch came to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The job, with this batch.
    pub job: View,
    /// One for each item, in order.
    pub results: Vec<ItemResult>,
}

impl Engine {
    /// Re-encrypts the next batch of a job. Sent again with the same number and
    /// items, the last batch gives the answer that it gave.
    ///
    /// Nothing is counted and nothing done where the key cannot do its part for
    /// now, for want of a recovery grant, say.
    ///
    /// # Errors
    /// [`Error::JobRefuses`] for a number that is not the next, and for a job
    /// that has ended or is paused; [`Error::NeedsGrant`]; otherwise as for
    /// every operation on a key.
    pub async fn run_batch(
        &self,
        caller: &Arc<Caller>,
        (namespace, id): (&str, RecordId),
        number: u64,
        items: Vec<Item>,
    ) -> Result<Answer> {
        let entry = self.enter(caller)?;
        let (allowed, mut job) = entry.authorize_job::<Reencrypt>(namespace, id).await?;
        let items: Arc<[Item]> = items.into();
        let checked = check(&items);
        entry.failed_key(&allowed, checked).await?;
        let asked = asked(&items);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let done = next(&entry, &allowed, &job, (number, asked), &items).await;
            match done {
                Err(Error::Conflict) if attempt < ATTEMPTS => {
                    let found = Stored::find(&entry, namespace, id).await?;
                    job = found.ok_or(Error::NotFound { what: "job" })?;
                }
                // Its event is left with what it changed.
                Ok(answer) => return Ok(answer),
                Err(error) => return entry.failed_key(&allowed, Err(error)).await,
            }
        }
    }
}

fn check(items: &[Item]) -> Result<()> {
    let bytes: usize = items.iter().map(Item::len).sum();
    if items.is_empty() {
        return Err(Error::Invalid("the batch is empty".into()));
    }
    if items.len() > MAX_BATCH {
        return Err(Error::TooLarge {
            what: "the batch",
            limit: MAX_BATCH as u64,
        });
    }
    if bytes > BATCH_BYTES {
        return Err(Error::TooLarge {
            what: "the batch's ciphertext, in bytes,",
            limit: BATCH_BYTES as u64,
        });
    }
    let long = |text: &str| text.len() > WORDS_MAX || text.chars().any(char::is_control);
    let wrong = items.iter().any(|item| {
        let why = match &item.content {
            super::Content::Unreadable { why, .. } => long(why) || why.is_empty(),
            super::Content::Ciphertext { .. } => false,
        };
        why || item.id.as_deref().is_some_and(long)
    });
    if wrong {
        return Err(Error::Invalid(format!(
            "what an item is called and what is wrong with it are at most {WORDS_MAX} bytes, \
             without control characters"
        )));
    }
    Ok(())
}

fn asked(items: &[Item]) -> Digest {
    let mut all = Vec::new();
    items.iter().for_each(|item| item.asked(&mut all));
    Digest(sha256(&[&all]))
}

/// The batch after those that were counted, or the last one again.
async fn next(
    entry: &Entry,
    allowed: &Authorized<Reencrypt, KeyTarget>,
    job: &Stored,
    (number, asked): (u64, Digest),
    items: &Arc<[Item]>,
) -> Result<Answer> {
    let answer_name = AnswerRecord::name(&job.id.to_string());
    let store = &entry.rooms.store;
    let last = store.find(job.scope, Kind::Job, &answer_name).await?;
    if number.checked_add(1) == Some(job.record.next) {
        return again(entry, allowed, job, (number, asked), last).await;
    }
    let refuses = |why: String| Err(Error::JobRefuses(why));
    match job.record.state {
        JobState::Ready | JobState::Running => {}
        JobState::Paused => return refuses("the job is paused: resume it first".into()),
        state => return refuses(format!("the job is {}: it takes no more", state.name())),
    }
    if number != job.record.next {
        return refuses(format!(
            "batch {number} is out of turn: the next is {}",
            job.record.next
        ));
    }
    let mut held = Vec::new();
    let mut became = Vec::with_capacity(items.len());
    for at in 0..items.len() {
        became.push(item::one(entry, allowed, items, at, &mut held).await?);
    }
    if let Some(gone) = held.iter().find(|in_use| !in_use.still_live()) {
        return Err(gone.refusal(Operation::Decrypt));
    }
    let record = counted(&job.record, items, &became, entry.now().0);
    let results = became.iter().map(ItemResult::from).collect();
    let event = event(entry, allowed, job, items, &became, &held)?;
    let answer = AnswerRecord {
        number,
        asked,
        results: became,
    };
    let (answer_id, expected) = match last {
        Some(stored) => (stored.id, Some(stored.revision)),
        None => (RecordId::random()?, None),
    };
    let changes = vec![
        job.put(&record)?,
        Change::Put {
            namespace: job.scope,
            kind: Kind::Job,
            id: answer_id,
            name: Some(answer_name),
            expected,
            plaintext: records::encode(&answer)?,
        },
    ];
    let job = View::of(job.id, record);
    // The uses stay registered until the event is durable: a revocation that
    // waits for them returns only after this answer is settled.
    entry
        .change(held, changes, event, move |_, _| {
            Ok(Answer { job, results })
        })
        .await
}

/// The answer that was given before.
async fn again(
    entry: &Entry,
    allowed: &Authorized<Reencrypt, KeyTarget>,
    job: &Stored,
    (number, asked): (u64, Digest),
    last: Option<skms_store::sealed::Record>,
) -> Result<Answer> {
    let last: Option<AnswerRecord> = match last {
        Some(stored) => Some(records::decode(stored.plaintext.expose())?),
        None => None,
    };
    let last = last.filter(|last| last.number == number && last.asked == asked);
    let Some(last) = last else {
        return Err(Error::JobRefuses(format!(
            "batch {number} was counted already, with other items or long ago: the next is {}",
            job.record.next
        )));
    };
    let event = EventDraft::of_key(entry, allowed, Outcome::Success)?
        .detail(DetailKey::Job, job.id.to_string())
        .detail(DetailKey::Repeated, true);
    entry.record(event).await?;
    Ok(Answer {
        job: View::of(job.id, job.record.clone()),
        results: last.results.iter().map(ItemResult::from).collect(),
    })
}

/// The job with a batch.
fn counted(before: &JobRecord, items: &[Item], became: &[Became], now: i64) -> JobRecord {
    let mut record = before.clone();
    record.state = JobState::Running;
    record.next = record.next.saturating_add(1);
    record.updated_at = now;
    record.started_at = record.started_at.or(Some(now));
    let progress = &mut record.progress;
    for (item, became) in items.iter().zip(became) {
        progress.items += 1;
        progress.bytes += item.len() as u64;
        if let Some(from) = item.version() {
            *progress.from.entry(from.0).or_default() += 1;
        }
        let (count, to) = match became {
            Became::Moved { version, .. } => (&mut progress.moved, Some(*version)),
            Became::Newest { version } => (&mut progress.newest, Some(*version)),
            Became::Failed { .. } => (&mut progress.failed, None),
        };
        *count += 1;
        if let Some(to) = to {
            *progress.to.entry(to).or_default() += 1;
        }
        if let Became::Failed { why } = became
            && record.failures.len() < FAILURES
        {
            record.failures.push(FailedItem {
                item: progress.items,
                id: item.id.clone(),
                why: why.clone(),
            });
        }
        record.digest = Digest(item.chain(&record.digest.0, became));
    }
    record
}

fn event(
    entry: &Entry,
    allowed: &Authorized<Reencrypt, KeyTarget>,
    job: &Stored,
    items: &[Item],
    became: &[Became],
    held: &[InUse],
) -> Result<EventDraft> {
    let mut moved: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    let mut failed = 0;
    for (item, became) in items.iter().zip(became) {
        match (item.version(), became) {
            (Some(from), Became::Moved { version, .. }) => {
                *moved.entry((from.0, *version)).or_default() += 1;
            }
            (_, Became::Failed { .. }) => failed += 1,
            _ => {}
        }
    }
    let moved: Vec<String> = moved
        .iter()
        .map(|((from, to), count)| format!("{from}>{to}:{count}"))
        .collect();
    let mut event = EventDraft::of_key(entry, allowed, Outcome::Success)?
        .versions(held.iter().map(InUse::version))
        .items(items.len(), failed)
        .detail(DetailKey::Job, job.id.to_string());
    if !moved.is_empty() {
        event = event.detail(DetailKey::Moved, moved.join(" "));
    }
    Ok(event)
}
