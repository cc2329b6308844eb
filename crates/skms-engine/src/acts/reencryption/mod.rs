//! Re-encryption jobs: a list of ciphertexts moves to the newest version of its
//! key, batch by batch, and what was done is counted where nobody can say
//! otherwise.
//!
//! A batch is numbered. Its results and the job's new count are one batch of the
//! store, so that it counts once: who sends the last one again, because its
//! answer was lost, gets that answer again, and any other number is refused.

mod batch;
mod evidence;
mod item;
mod keep;
mod read;
mod report;
mod update;

use std::sync::Arc;

use skms_crypto::Use;
use skms_crypto::hash::sha256;
use skms_evidence::{DetailKey, Outcome};
use skms_keys::UnixSeconds;
use skms_store::{Change, Kind, RecordId};

use crate::act::{Act, act};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::quotas;
use crate::records;
use crate::records::reencryption::{Digest, JobRecord};

pub use crate::quotas::{JOBS_PER_KEY, JOBS_PER_NAMESPACE};
pub use crate::records::reencryption::{FailedItem, JobState, Progress};
pub use batch::{Answer, BATCH_BYTES};
pub use evidence::Evidence;
pub(crate) use evidence::shows;
pub use item::{Content, Item, Result as ItemResult};
pub use keep::KEPT_SECONDS;
pub use report::SignedReport;
pub use update::Step;

act!(Create, JobCreate, "Makes a re-encryption job for a key.");
act!(
    Update,
    JobUpdate,
    "Pauses, resumes, finishes or cancels a re-encryption job."
);
act!(Read, JobRead, "Reads a re-encryption job.");
act!(List, JobList, "Lists a namespace's re-encryption jobs.");

/// The longest text that a job takes along, in bytes.
const TEXT_MAX: usize = 1024;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct NewJob {
    /// Where the items come from, in the client's words.
    pub input: Option<String>,
    /// Where they go to.
    pub output: Option<String>,
}

/// What is told about a job.
#[derive(Clone, Debug)]
pub struct View {
    /// Its identifier.
    pub id: RecordId,
    /// The key's keyring.
    pub keyring: String,
    /// The key.
    pub key: String,
    /// The key's identifier.
    pub key_id: String,
    /// Where it stands.
    pub state: JobState,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// By whom.
    pub created_by: String,
    /// When it last changed.
    pub updated_at: UnixSeconds,
    /// When its first batch came.
    pub started_at: Option<UnixSeconds>,
    /// When it ended.
    pub ended_at: Option<UnixSeconds>,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// Where the items come from, in the client's words.
    pub input: Option<String>,
    /// Where they go to.
    pub output: Option<String>,
    /// The incident that made it.
    pub incident: Option<String>,
    /// The number of the next batch.
    pub next: u64,
    /// What it saw.
    pub progress: Progress,
    /// The first of those that could not be moved.
    pub failures: Vec<FailedItem>,
    /// Over every item and what became of it, in hexadecimal.
    pub digest: String,
    /// Whether the client said that these were all.
    pub complete: bool,
}

impl View {
    fn of(id: RecordId, record: JobRecord) -> Self {
        Self {
            id,
            keyring: record.keyring,
            key: record.key,
            key_id: record.key_id,
            state: record.state,
            created_at: UnixSeconds(record.created_at),
            created_by: record.created_by,
            updated_at: UnixSeconds(record.updated_at),
            started_at: record.started_at.map(UnixSeconds),
            ended_at: record.ended_at.map(UnixSeconds),
            ended_by: record.ended_by,
            input: record.input,
            output: record.output,
            incident: record.incident,
            next: record.next,
            progress: record.progress,
            failures: record.failures,
            digest: crate::sessions::hex(&record.digest.0),
            complete: record.complete,
        }
    }
}

/// A job as the store has it.
#[derive(Clone)]
struct Stored {
    scope: [u8; 16],
    id: RecordId,
    revision: u64,
    record: JobRecord,
}

impl Stored {
    async fn find(entry: &Entry, namespace: &str, id: RecordId) -> Result<Option<Self>> {
        let Some(place) = entry.rooms.places.namespace(namespace) else {
            return Ok(None);
        };
        let scope = place.id.0;
        let store = &entry.rooms.store;
        let Some(found) = store.get(scope, Kind::Reencryption, id).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            scope,
            id,
            revision: found.revision,
            record: records::decode(found.plaintext.expose())?,
        }))
    }

    fn at<'a>(&'a self, namespace: &'a str) -> KeyRef<'a> {
        KeyRef {
            namespace,
            keyring: &self.record.keyring,
            name: &self.record.key,
        }
    }

    /// The change that stores it anew.
    fn put(&self, record: &JobRecord) -> Result<Change> {
        put(self.scope, self.id, record, Some(self.revision))
    }
}

/// The change that stores a job.
pub(crate) fn put(
    scope: [u8; 16],
    id: RecordId,
    record: &JobRecord,
    expected: Option<u64>,
) -> Result<Change> {
    Ok(Change::Put {
        namespace: scope,
        kind: Kind::Reencryption,
        id,
        name: None,
        expected,
        plaintext: records::encode(record)?,
    })
}

/// A job of a key on which nothing was done yet.
pub(crate) fn fresh(
    id: RecordId,
    (keyring, key, key_id): (&str, &str, &str),
    by: &str,
    now: i64,
) -> JobRecord {
    JobRecord {
        keyring: keyring.to_owned(),
        key: key.to_owned(),
        key_id: key_id.to_owned(),
        state: JobState::Ready,
        created_at: now,
        created_by: by.to_owned(),
        updated_at: now,
        started_at: None,
        ended_at: None,
        ended_by: None,
        input: None,
        output: None,
        incident: None,
        next: 1,
        progress: Progress::default(),
        failures: Vec::new(),
        digest: Digest(sha256(&[id.to_string().as_bytes()])),
        complete: false,
    }
}

impl Entry {
    /// A job, and leave to do `A` to its key: jobs are as visible as their keys.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent job and one not visible;
    /// [`Error::Forbidden`].
    async fn authorize_job<A: Act>(
        &self,
        namespace: &str,
        id: RecordId,
    ) -> Result<(Authorized<A, KeyTarget>, Stored)> {
        let found = Stored::find(self, namespace, id).await?;
        let text = id.to_string();
        // What is absent is refused as a key would be of which nobody knows.
        let nowhere = KeyRef {
            namespace,
            keyring: "-",
            name: &text,
        };
        let at = found.as_ref().map_or(nowhere, |found| found.at(namespace));
        let allowed = self.authorize_key::<A>(at).await.map_err(as_job)?;
        let same =
            found.filter(|found| allowed.target().snapshot().id_text() == found.record.key_id);
        let absent = same.ok_or(Error::NotFound { what: "job" });
        let job = self.failed_key(&allowed, absent).await?;
        Ok((allowed, job))
    }
}

fn as_job(error: Error) -> Error {
    match error {
        Error::NotFound { .. } => Error::NotFound { what: "job" },
        other => other,
    }
}

impl Engine {
    /// Makes a job for a key that encrypts data.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a key that does not, and for texts that are too
    /// long; [`Error::QuotaExceeded`] where too many have not ended.
    pub async fn create_job(
        &self,
        caller: &Arc<Caller>,
        at: KeyRef<'_>,
        new: NewJob,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let named = entry.named(at).await?;
        let at = named.as_ref().map_or(at, |named| named.at(at));
        let allowed = entry.authorize_key::<Create>(at).await?;
        let snapshot = allowed.target().snapshot();
        let checked = check(&new, snapshot.key());
        entry.failed_key(&allowed, checked).await?;
        let id = RecordId::at(entry.now_ms)?;
        let room = quotas::room_for_job(&entry.rooms, snapshot.at(), snapshot.key(), id).await;
        let room = entry.failed_key(&allowed, room).await?;
        let by = entry.caller.session.principal.id();
        let place = (at.keyring, at.name, snapshot.id_text());
        let mut record = fresh(id, place, by, entry.now().0);
        record.input = new.input;
        record.output = new.output;
        let change = put(snapshot.key().namespace.0, id, &record, None)?;
        let event = EventDraft::of_key(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Job, id.to_string());
        entry
            .change((), vec![change], event, move |_, _| {
                room.settle(&Ok(()));
                Ok(View::of(id, record))
            })
            .await
    }
}

fn check(new: &NewJob, key: &skms_keys::Key) -> Result<()> {
    for text in [&new.input, &new.output].into_iter().flatten() {
        if text.len() > TEXT_MAX || text.chars().any(char::is_control) {
            return Err(Error::Invalid(format!(
                "input and output are at most {TEXT_MAX} bytes, without control characters"
            )));
        }
    }
    if !(key.uses.contains(Use::Encrypt) && key.uses.contains(Use::Decrypt)) {
        return Err(Error::Invalid(
            "the key encrypts no data: there is nothing to re-encrypt".into(),
        ));
    }
    Ok(())
}
