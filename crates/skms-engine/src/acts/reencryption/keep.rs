//! Jobs that ended go after a while, and so does what they count: who needs it
//! longer keeps the signed report. One that nobody goes on with for as long ends.

use skms_evidence::{DetailKey, Outcome};
use skms_keys::KeyId;
use skms_store::sealed::Record;
use skms_store::{Change, Kind, RecordId};

use super::update::{self, Step};
use super::{Stored, Update};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::page::Steps;
use crate::places::Namespace;
use crate::records;
use crate::records::reencryption::{JobRecord, STEP};
use crate::target::Target;

/// How long a job is kept after its end, and waits for somebody to go on with it:
/// 90 days.
pub const KEPT_SECONDS: i64 = 90 * 24 * 60 * 60;

impl Engine {
    /// Deletes the jobs that ended long enough ago, and says how many; cancels
    /// those that nobody went on with for as long, which leaves an event. One
    /// that cannot be read or changed keeps no other from it.
    ///
    /// # Errors
    /// [`Error::Sealed`], and that the database is away.
    pub async fn forget_ended_jobs(&self) -> Result<usize> {
        let entry = self.enter(&Caller::system("jobs")?)?;
        let mut forgotten = 0;
        for namespace in entry.rooms.places.list() {
            let gone = self.forget_in(&entry, &namespace, &mut forgotten).await;
            self.note_unless_stopped(gone)?;
        }
        Ok(forgotten)
    }

    async fn forget_in(
        &self,
        entry: &Entry,
        namespace: &Namespace,
        forgotten: &mut usize,
    ) -> Result<()> {
        let mut steps = Steps::new(namespace.id.0, Kind::Reencryption, STEP);
        while let Some(step) = steps.next(&entry.rooms.store).await? {
            for stored in step {
                match keep(entry, namespace, stored).await {
                    Ok(gone) => *forgotten += usize::from(gone),
                    // Somebody told it something just now.
                    Err(Error::Conflict) => {}
                    Err(error) => self.note_unless_stopped(Err(error))?,
                }
            }
        }
        Ok(())
    }

    fn note_unless_stopped(&self, done: Result<()>) -> Result<()> {
        match done {
            Err(error) if matches!(error, Error::Sealed) || error.is_away() => Err(error),
            Err(error) => {
                self.note_trouble(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

/// Does with a job what its age calls for; whether it is gone.
async fn keep(entry: &Entry, namespace: &Namespace, stored: Record) -> Result<bool> {
    let record: JobRecord = records::decode(stored.plaintext.expose())?;
    let job = Stored {
        scope: namespace.id.0,
        id: stored.id,
        revision: stored.revision,
        record,
    };
    let before = entry.now().0.saturating_sub(KEPT_SECONDS);
    match job.record.ended_at {
        Some(ended) if ended <= before => {
            let mut changes = vec![Change::Delete {
                namespace: job.scope,
                kind: Kind::Reencryption,
                id: job.id,
                expected: job.revision,
            }];
            changes.extend(update::forget_answer(&entry.rooms, &job).await?);
            entry.rooms.store.commit(changes, None).await?;
            Ok(true)
        }
        None if job.record.updated_at <= before => {
            abandon(entry, namespace, &job).await?;
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// Cancels a job that nobody goes on with, whether its key is there or not.
async fn abandon(entry: &Entry, namespace: &Namespace, job: &Stored) -> Result<()> {
    let by = entry.caller.session.principal.id().to_owned();
    let Some(record) = update::stepped(&job.record, Step::Cancel, (by, entry.now().0))? else {
        return Ok(());
    };
    let mut changes = vec![job.put(&record)?];
    changes.extend(update::forget_answer(&entry.rooms, job).await?);
    let target = Target::absent_key(job.at(&namespace.name));
    let allowed = entry.authorize_target_as_system::<Update>(target)?;
    let mut event = EventDraft::of(entry, &allowed, Outcome::Success)?
        .detail(DetailKey::Job, job.id.to_string())
        .detail(DetailKey::FromState, job.record.state.name())
        .detail(DetailKey::ToState, record.state.name())
        .detail(DetailKey::Reason, "nobody went on with it for 90 days");
    if let Ok(KeyId(key)) = job.record.key_id.parse() {
        event = event.target_id(RecordId(key));
    }
    let (of, id) = (namespace.id, job.id);
    entry
        .change((), changes, event, move |rooms, _| {
            rooms.quotas.gone(of, id);
            Ok(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use skms_crypto::{Algorithm, SecretArray, SecretBytes};
    use skms_keys::UnixSeconds;
    use skms_store::{NewSeal, SealInput};

    use super::super::{fresh, put};
    use super::*;
    use crate::acts::create_key::NewKeySpec;
    use crate::acts::reencryption::NewJob;
    use crate::clock::Clock;
    use crate::engine::Config;
    use crate::gate::KeyRef;
    use crate::records::reencryption::JobState;

    struct House {
        _dir: tempfile::TempDir,
        clock: Clock,
        engine: Arc<Engine>,
        root: Arc<Caller>,
    }

    async fn house() -> House {
        let dir = tempfile::TempDir::new().unwrap();
        let mut config = Config::new(dir.path());
        config.clock = Clock::fixed(1_767_225_600_000);
        let key = || SecretArray::from_slice(&[7; 32]).unwrap();
        let seal = NewSeal::KeyFile {
            name: "test".into(),
            key: key(),
        };
        let clock = config.clock.clone();
        let made = Engine::init(&config, vec![seal]).await.unwrap();
        let engine = Engine::open(config).await.unwrap();
        engine.unseal(SealInput::KeyFile(key())).await.unwrap();
        let token = String::from_utf8(made.root_token.into_public()).unwrap();
        let root = Arc::new(Caller {
            session: engine.authenticate_token(&token).await.unwrap(),
            source: None,
            request_id: "test".into(),
            tls: true,
            idempotency: None,
            calling: crate::approvals::Calling::default(),
        });
        House {
            _dir: dir,
            clock,
            engine,
            root,
        }
    }

    impl House {
        async fn namespace(&self, name: &str) -> [u8; 16] {
            let made = self.engine.create_namespace(&self.root, name);
            made.await.unwrap();
            let rooms = self.engine.rooms().unwrap();
            rooms.places.namespace(name).unwrap().id.0
        }

        async fn store(&self, change: Change) {
            let rooms = self.engine.rooms().unwrap();
            rooms.store.commit(vec![change], None).await.unwrap();
        }

        /// A job of a key that is long gone, ended now.
        async fn ended(&self, scope: [u8; 16], id: RecordId) {
            let UnixSeconds(now) = self.clock.now();
            let mut record = fresh(id, ("ring", "key", "gone"), "root", now);
            record.state = JobState::Finished;
            record.ended_at = Some(now);
            self.store(put(scope, id, &record, None).unwrap()).await;
        }

        /// One that does not decode.
        async fn unreadable(&self, scope: [u8; 16], id: RecordId) {
            let change = Change::Put {
                namespace: scope,
                kind: Kind::Reencryption,
                id,
                name: None,
                expected: None,
                plaintext: SecretBytes::new(b"{}".to_vec()),
            };
            self.store(change).await;
        }
    }

    fn id(number: u8) -> RecordId {
        RecordId([number; 16])
    }

    #[tokio::test]
    async fn a_record_that_does_not_decode_holds_up_no_other() {
        let house = house().await;
        // Namespaces are gone through by name.
        let (first, last) = (house.namespace("a").await, house.namespace("z").await);
        house.ended(first, id(1)).await;
        house.unreadable(first, id(2)).await;
        house.ended(first, id(3)).await;
        house.ended(last, id(4)).await;
        house.clock.advance_seconds(KEPT_SECONDS);
        assert!(house.engine.trouble().is_none());
        assert_eq!(house.engine.forget_ended_jobs().await.unwrap(), 3);
        let trouble = house.engine.trouble().unwrap();
        assert!(trouble.contains("does not decode"), "{trouble}");
        assert_eq!(house.engine.forget_ended_jobs().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn no_job_is_passed_over_where_there_are_many() {
        let house = house().await;
        let scope = house.namespace("many").await;
        let many = u8::try_from(3 * STEP).unwrap();
        for number in 1..=many {
            match number % 10 {
                0 => house.unreadable(scope, id(number)).await,
                _ => house.ended(scope, id(number)).await,
            }
        }
        house.clock.advance_seconds(KEPT_SECONDS);
        let gone = house.engine.forget_ended_jobs().await.unwrap();
        assert_eq!(gone, usize::from(many - many / 10));
    }

    #[tokio::test]
    async fn a_job_of_a_key_that_is_gone_ends_and_goes() {
        let house = house().await;
        let scope = house.namespace("tenant").await;
        let UnixSeconds(now) = house.clock.now();
        let record = fresh(id(1), ("ring", "key", "gone"), "root", now);
        house.store(put(scope, id(1), &record, None).unwrap()).await;
        house.clock.advance_seconds(KEPT_SECONDS);
        assert_eq!(house.engine.forget_ended_jobs().await.unwrap(), 0);
        house.clock.advance_seconds(KEPT_SECONDS);
        assert_eq!(house.engine.forget_ended_jobs().await.unwrap(), 1);
        assert!(house.engine.trouble().is_none());
    }

    #[tokio::test]
    async fn a_record_that_does_not_decode_stops_no_new_job() {
        let house = house().await;
        let rooms = house.engine.rooms().unwrap();
        let scope = rooms.places.namespace("root").unwrap().id.0;
        house.unreadable(scope, id(1)).await;
        let at = KeyRef {
            namespace: "root",
            keyring: "default",
            name: "orders",
        };
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::Aes256Gcm),
            ..NewKeySpec::default()
        };
        let (engine, root) = (&house.engine, &house.root);
        engine.create_key(root, at, spec).await.unwrap();
        let made = engine.create_job(root, at, NewJob::default()).await;
        assert_eq!(made.unwrap().state, JobState::Ready);
    }
}
