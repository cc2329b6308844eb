//! The report of a job: what it counted, signed as incident reports are.

use std::sync::Arc;

use serde::Serialize;
use skms_evidence::{DetailKey, Outcome};
use skms_store::RecordId;

use super::{FailedItem, Progress, Read, Stored};
use crate::acts::compromise::instant;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::signing::{self, Said, SigningKey};

/// A report and what it is checked by.
#[derive(Clone, Debug)]
pub struct SignedReport {
    /// A JWS.
    pub report: String,
    /// The server's key for reports.
    pub key: SigningKey,
}

#[derive(Serialize)]
struct Of<'a> {
    namespace: &'a str,
    keyring: &'a str,
    name: &'a str,
    id: &'a str,
}

#[derive(Serialize)]
struct Report<'a> {
    kind: &'static str,
    version: u32,
    job: String,
    install: String,
    key: Of<'a>,
    state: &'static str,
    created_at: String,
    created_by: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<&'a str>,
    reported_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<&'a str>,
    /// Whether the client said that these were all.
    complete: bool,
    batches: u64,
    counts: &'a Progress,
    failures: &'a [FailedItem],
    /// Failures beyond those.
    failures_more: u64,
    /// Over every item and what became of it: docs/reencryption.md.
    sha256: String,
}

impl Engine {
    /// A job as it stands, signed by the server.
    ///
    /// # Errors
    /// As [`Engine::read_job`].
    pub async fn job_report(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        id: RecordId,
    ) -> Result<SignedReport> {
        let entry = self.enter(caller)?;
        let (allowed, job) = entry.authorize_job::<Read>(namespace, id).await?;
        let signed = sign(&entry, namespace, &job).await;
        let signed = entry.failed_key(&allowed, signed).await?;
        let event = EventDraft::of_key(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Job, id.to_string());
        entry.record(event).await?;
        Ok(signed)
    }
}

async fn sign(entry: &Entry, namespace: &str, job: &Stored) -> Result<SignedReport> {
    let record = &job.record;
    let named = record.failures.len() as u64;
    let report = Report {
        kind: Said::Job.name(),
        version: 1,
        job: job.id.to_string(),
        install: crate::sessions::hex(&entry.rooms.store.install()),
        key: Of {
            namespace,
            keyring: &record.keyring,
            name: &record.key,
            id: &record.key_id,
        },
        state: record.state.name(),
        created_at: instant(record.created_at),
        created_by: &record.created_by,
        started_at: record.started_at.map(instant),
        ended_at: record.ended_at.map(instant),
        ended_by: record.ended_by.as_deref(),
        reported_at: instant(entry.now().0),
        input: record.input.as_deref(),
        output: record.output.as_deref(),
        incident: record.incident.as_deref(),
        complete: record.complete,
        batches: record.next.saturating_sub(1),
        counts: &record.progress,
        failures: &record.failures,
        failures_more: record.progress.failed.saturating_sub(named),
        sha256: crate::sessions::hex(&record.digest.0),
    };
    let bytes =
        serde_json::to_vec(&report).map_err(|_| Error::Internal("a report does not encode"))?;
    Ok(SignedReport {
        report: signing::sign(&entry.rooms, Said::Job, &bytes).await?,
        key: signing::public_key(&entry.rooms).await?,
    })
}
