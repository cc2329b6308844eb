//! What shows that nothing is left which a version below a key's new minimum
//! encrypted.
//!
//! The server cannot know what lies about elsewhere. A job knows what it was
//! shown, and its client says whether that was all; both are needed.

use skms_evidence::{DetailKey, DetailValue};
use skms_keys::{Key, VersionNumber};
use skms_store::RecordId;

use super::Stored;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records::reencryption::{JobRecord, JobState};

/// Why a key's oldest version that processes may be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// What a job saw.
    Job(RecordId),
    /// The caller insists.
    Insisted,
}

/// Whether `minimum` may be the oldest version of `key` that processes, and what
/// the event says of the reason. What is no raise needs none.
///
/// # Errors
/// [`Error::NoEvidence`], with what speaks against it.
pub(crate) async fn shows(
    entry: &Entry,
    (namespace, key): (&str, &Key),
    minimum: VersionNumber,
    evidence: Option<Evidence>,
) -> Result<Vec<(DetailKey, DetailValue)>> {
    if minimum <= key.minimum_decrypt_version {
        return Ok(Vec::new());
    }
    match evidence {
        None => Err(Error::NoEvidence(format!(
            "nothing shows that no ciphertext of a version below {minimum} is left: name the \
             re-encryption job that moved them (from_job, --from-job), or insist (force, --force)"
        ))),
        Some(Evidence::Insisted) => Ok(vec![(DetailKey::Insisted, true.into())]),
        Some(Evidence::Job(id)) => {
            let found = Stored::find(entry, namespace, id).await?;
            let own = found.filter(|found| found.record.key_id == key.id.to_string());
            let job = own.ok_or(Error::NotFound { what: "job" })?.record;
            let against = against(&job, key, minimum)?;
            if against.is_empty() {
                return Ok(vec![
                    (DetailKey::Job, id.to_string().into()),
                    (DetailKey::Count, job.progress.items.into()),
                ]);
            }
            Err(Error::NoEvidence(format!(
                "job {id} does not show that no ciphertext of a version below {minimum} is left: \
                 {}",
                against.join("; ")
            )))
        }
    }
}

/// Everything that speaks against it.
fn against(job: &JobRecord, key: &Key, minimum: VersionNumber) -> Result<Vec<String>> {
    let progress = &job.progress;
    let mut against = Vec::new();
    if !matches!(job.state, JobState::Finished | JobState::Failed) {
        against.push(format!("it is {}", job.state.name()));
    }
    if !job.complete {
        against.push("its client did not say that these were all".to_owned());
    }
    if progress.items == 0 {
        against.push("it saw no ciphertext".to_owned());
    }
    if progress.failed > 0 {
        let (failed, items) = (progress.failed, progress.items);
        against.push(format!("{failed} of {items} could not be moved"));
    }
    let below: u64 = (progress.to.range(..minimum.0))
        .map(|(_, count)| *count)
        .sum();
    if below > 0 {
        against.push(format!(
            "{below} of {} were moved to a version below it",
            progress.items
        ));
    }
    // What was encrypted after its list was made and before that version was in
    // use is in no list.
    let began = key.version(minimum)?.activated_at.map(|at| at.0);
    if let Some(started) = job.started_at
        && began.is_none_or(|began| began > started)
    {
        against.push(format!("it began before version {minimum} was in use"));
    }
    Ok(against)
}
