//! From an empty folder to an unsealed server, and back: initialise, unseal,
//! seal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skms_crypto::{SecretBytes, rand};
use skms_evidence::{DetailKey, Details, Event, EventId, Outcome, Target as EventTarget, Text};
use skms_keys::{Defaults, Keyring, KeyringId, Name, NamespaceId};
use skms_policy::{ROOT_NAMESPACE, builtin};
use skms_store::file_journal::{FileJournal, Options};
use skms_store::sealed::{
    InitialShares, NewSeal, Progress, SealInfo, SealInput, Sealed, SealedStore,
};
use skms_store::{Change, Journal, Kind, PostgresStore, RecordId, Store};

use crate::act::act;
use crate::acts::keyrings::DEFAULT;
use crate::acts::tokens::{self, NewToken};
use crate::caller::Caller;
use crate::change::to_the_end;
use crate::draft::{EventDraft, Final};
use crate::engine::{Config, Engine, Rooms};
use crate::error::{Error, Result};
use crate::jobs::notifying::save_all;
use crate::places::SYSTEM_SCOPE;
use crate::recorder::Recorder;
use crate::records;
use crate::records::keyring::KeyringRecord;
use crate::records::namespace::NamespaceRecord;
use crate::records::policy::PolicyRecord;
use crate::restored;
use crate::target::Target;

act!(Seal, SystemSeal, "Seals the server.");

/// Most secrets that are tried or wait to be.
const MOST_TRYING: usize = 5;

/// How long running calls may take to finish when the server is sealed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long keys are rotated after a restore before anybody is let in; the rest
/// comes after that.
const AT_FIRST: Duration = Duration::from_secs(60);

/// What a new installation hands to its operator, once.
pub struct Initialised {
    /// The first token: a member of the group `root`.
    pub root_token: SecretBytes,
    /// The shares of every Shamir seal.
    pub shares: Vec<InitialShares>,
}

/// What a secret led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsealProgress {
    /// More shares are needed.
    Waiting {
        /// Given so far.
        have: u8,
        /// Needed.
        need: u8,
    },
    /// The server is unsealed.
    Unsealed,
}

/// What is known of the seals, sealed or not.
#[derive(Clone, Debug)]
pub struct SealStatus {
    /// Whether nothing can be read.
    pub sealed: bool,
    /// Shares given so far and needed, while a ceremony runs.
    pub shares: Option<(u8, u8)>,
    /// The seals.
    pub seals: Vec<SealInfo>,
}

/// The sealed store, waiting for secrets.
pub(crate) struct Unsealing {
    pub(crate) sealed: Sealed,
    /// One secret is tried at a time.
    trying: tokio::sync::Mutex<()>,
    /// Places to wait for that; strangers who send wrong ones fill them and
    /// nothing else.
    places: tokio::sync::Semaphore,
}

impl Unsealing {
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        if config.postgres.is_none() && !config.files.disk.exists(&config.database()) {
            return Err(Error::NotInitialised);
        }
        Self::of(open_store(config).await?).await
    }

    async fn of(store: Arc<dyn Store>) -> Result<Self> {
        match Sealed::open(store).await {
            Ok(sealed) => Ok(Self {
                sealed,
                trying: tokio::sync::Mutex::new(()),
                places: tokio::sync::Semaphore::new(MOST_TRYING),
            }),
            Err(skms_store::Error::NotInitialised) => Err(Error::NotInitialised),
            Err(other) => Err(other.into()),
        }
    }
}

impl Engine {
    /// Makes a new installation in an empty data directory: seals, the root
    /// namespace with its default keyring, the built-in policies, and a first
    /// token.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialised`], then nothing was touched;
    /// [`Error::Store`] for seals that cannot be and for the disk's troubles.
    pub async fn init(config: &Config, seals: Vec<NewSeal>) -> Result<Initialised> {
        let fresh = fresh(config, seals).await?;
        let recorder = Recorder::new(Arc::new(fresh.store), fresh.journal);
        fresh_records(config, &recorder, fresh.changes).await?;
        recorder.close().await?;
        Ok(fresh.made)
    }

    /// As [`Engine::init`], and leaves the installation open to its operator,
    /// who may set more up before it is sealed by [`Engine::shut`].
    ///
    /// # Errors
    /// As there.
    pub async fn begin(config: &Config, seals: Vec<NewSeal>) -> Result<(Arc<Self>, Initialised)> {
        let fresh = fresh(config, seals).await?;
        let engine = Self::over(config.clone(), Unsealing::of(fresh.raw).await?)?;
        let (store, journal) = (Arc::new(fresh.store), fresh.journal);
        let recorder = Recorder::new(Arc::clone(&store), Arc::clone(&journal));
        fresh_records(config, &recorder, fresh.changes).await?;
        let rooms = Rooms::open(config, engine.shared(), store, journal).await?;
        engine.put_rooms(rooms);
        Ok((engine, fresh.made))
    }

    /// Tries a secret. A wrong one changes nothing.
    ///
    /// # Errors
    /// [`Error::Store`] with what is wrong with the secret, or with what the
    /// check of the whole store found; then the server stays sealed.
    /// [`Error::Busy`] when others are trying already.
    pub async fn unseal(&self, input: SealInput) -> Result<UnsealProgress> {
        let _place = self
            .unsealing
            .places
            .try_acquire()
            .map_err(|_| Error::Busy)?;
        let _one_at_a_time = self.unsealing.trying.lock().await;
        if !self.is_sealed() {
            return Ok(UnsealProgress::Unsealed);
        }
        match self.unsealing.sealed.submit(input).await? {
            Progress::Waiting { have, need } => Ok(UnsealProgress::Waiting { have, need }),
            Progress::Unsealed(store) => {
                self.open_rooms(store).await?;
                Ok(UnsealProgress::Unsealed)
            }
        }
    }

    async fn open_rooms(&self, store: SealedStore) -> Result<()> {
        let store = Arc::new(store);
        let (journal, truncated) = {
            let (config, store) = (self.config.clone(), Arc::clone(&store));
            // Reads and checks files: not on a worker's thread.
            self.slow()
                .run(move || open_journal(&config, &store))
                .await??
        };
        let rooms = Rooms::open(&self.config, self.shared(), store, journal).await?;
        rooms.recorder.recover().await?;
        let restored = restored::attend(&self.config, &rooms).await?;
        let mut event = server_event(&self.config, "system.unseal")?;
        if truncated > 0 {
            event.details.set(
                DetailKey::Reason,
                format!("the journal's torn tail was cut off: {truncated} bytes"),
            );
        }
        // On a full disk as well: to revoke, it must be open.
        rooms.recorder.append_urgent(&Final::plain(event)).await?;
        self.put_rooms(rooms);
        if restored {
            // Keys whose uses were burnt are rotated before anybody waits
            // for the next look at what is due.
            self.sweep_agenda().await?;
            let begun = Instant::now();
            while begun.elapsed() < AT_FIRST && self.do_what_is_due().await? > 0 {}
        }
        Ok(())
    }

    /// Seals the server: keys leave memory, and every call is refused until
    /// it is unsealed again.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no policy lets the caller.
    pub async fn seal(&self, caller: &Arc<Caller>) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Seal>(Target::system()).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?.finish();
        // Sealing must get through: an event that cannot be kept does not
        // stop it.
        let recorded = entry.rooms.recorder.append_urgent(&event).await;
        drop(entry);
        self.shut().await?;
        recorded
    }

    /// Closes the rooms and the journal's files: on sealing and at the end of
    /// the process.
    ///
    /// # Errors
    /// [`Error::Store`] when what was queued could not be made durable.
    pub async fn shut(&self) -> Result<()> {
        // Closed to callers before anything is waited for: a caller who hangs
        // up from here on cannot keep it open.
        let Some(rooms) = self.take_rooms() else {
            return Ok(());
        };
        to_the_end(close(rooms)).await
    }

    /// What is known of the seals.
    ///
    /// # Errors
    /// [`Error::Store`] when the header cannot be read.
    pub async fn seal_status(&self) -> Result<SealStatus> {
        Ok(SealStatus {
            sealed: self.is_sealed(),
            shares: self.unsealing.sealed.shares(),
            seals: self.unsealing.sealed.seals().await?,
        })
    }
}

/// Lets running calls finish, then closes the journal and forgets the keys.
async fn close(rooms: Arc<Rooms>) -> Result<()> {
    let ended = tokio::time::Instant::now() + PATIENCE;
    while Arc::strong_count(&rooms) > 1 && tokio::time::Instant::now() < ended {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    save_all(&rooms).await;
    let swept = rooms.recorder.sweep().await;
    let noted = rooms.recorder.note_length().await;
    let closed = rooms.journal.close().await;
    rooms.store.seal();
    closed?;
    swept.or_else(unless_full)?;
    noted.or_else(unless_full)
}

/// A full disk keeps nobody from sealing: what is left to tidy up is found at
/// the next unseal.
fn unless_full(error: Error) -> Result<()> {
    match error {
        Error::Store(skms_store::Error::Full) => Ok(()),
        other => Err(other),
    }
}

/// A new store, with nothing of ours in it yet.
struct Fresh {
    raw: Arc<dyn Store>,
    store: SealedStore,
    journal: Arc<dyn Journal>,
    changes: Vec<Change>,
    made: Initialised,
}

async fn fresh(config: &Config, seals: Vec<NewSeal>) -> Result<Fresh> {
    skms_crypto::selftest::run_fast()?;
    if config.postgres.is_some() && has_journal(config) {
        // It would be refused later, with the database begun.
        return Err(Error::AlreadyInitialised);
    }
    let raw = open_store(config).await?;
    let made = match SealedStore::init(Arc::clone(&raw), seals).await {
        Ok(made) => made,
        Err(skms_store::Error::AlreadyInitialised) => return Err(Error::AlreadyInitialised),
        Err(other) => return Err(other.into()),
    };
    let (store, shares) = (made.store, made.shares);
    let (journal, _) = open_journal(config, &store)?;
    let (changes, root_token) = first_records(config)?;
    Ok(Fresh {
        raw,
        store,
        journal,
        changes,
        made: Initialised { root_token, shares },
    })
}

/// Commits what a new installation begins with.
async fn fresh_records(config: &Config, recorder: &Recorder, changes: Vec<Change>) -> Result<()> {
    let event = server_event(config, "system.init")?;
    let committed = recorder
        .commit(changes, &Final::plain(event), false)
        .await?;
    recorder.settle(committed).await?;
    recorder.sweep().await?;
    recorder.note_length().await
}

/// Opens the database, wherever it is.
async fn open_store(config: &Config) -> Result<Arc<dyn Store>> {
    Ok(match &config.postgres {
        Some(options) => Arc::new(PostgresStore::open(options.clone()).await?),
        None => Arc::new(config.open_database()?),
    })
}

/// Whether an earlier installation left its journal.
fn has_journal(config: &Config) -> bool {
    std::fs::read_dir(config.journal()).is_ok_and(|mut files| files.next().is_some())
}

/// Opens the journal; gives too how many bytes of a torn tail were cut off.
fn open_journal(config: &Config, store: &SealedStore) -> Result<(Arc<dyn Journal>, u64)> {
    let options = Options {
        ids_from: store.journal_position().floor,
        segment_bytes: config.files.segment_bytes,
        disk: config.files.disk.clone(),
        ..Options::default()
    };
    let (journal, report) = FileJournal::open(config.journal(), store.journal_keys(), &options)?;
    Ok((Arc::new(journal), report.truncated_bytes))
}

/// The records a new installation begins with, and its first token.
fn first_records(config: &Config) -> Result<(Vec<Change>, SecretBytes)> {
    let now = config.clock.now();
    let root = RecordId::random()?;
    let mut changes = vec![Change::Put {
        namespace: SYSTEM_SCOPE,
        kind: Kind::Namespace,
        id: root,
        name: Some(ROOT_NAMESPACE.to_owned()),
        expected: None,
        plaintext: records::encode(&NamespaceRecord {
            name: ROOT_NAMESPACE.to_owned(),
            created_at: now.0,
        })?,
    }];
    let ring_id = RecordId::random()?;
    let ring = Keyring::create(
        KeyringId(ring_id.0),
        NamespaceId(root.0),
        Name::new(DEFAULT)?,
        Defaults::default(),
        now,
    )?;
    changes.push(Change::Put {
        namespace: root.0,
        kind: Kind::Keyring,
        id: ring_id,
        name: Some(DEFAULT.to_owned()),
        expected: None,
        plaintext: records::encode(&KeyringRecord::from(&ring))?,
    });
    for (name, text) in builtin::initial()? {
        changes.push(Change::Put {
            namespace: root.0,
            kind: Kind::Policy,
            id: RecordId::random()?,
            name: Some(name.name().to_owned()),
            expected: None,
            plaintext: records::encode(&PolicyRecord {
                name: name.name().to_owned(),
                text,
                created_at: now.0,
                updated_at: now.0,
            })?,
        });
    }
    let new = NewToken {
        principal: "root".to_owned(),
        groups: BTreeSet::from(["root".to_owned()]),
        ttl_seconds: None,
        description: "made by init".to_owned(),
    };
    let (token, record) = tokens::mint(ROOT_NAMESPACE, new, tokens::Maker::init(), now)?;
    changes.push(tokens::put(RecordId::random()?, &record)?);
    Ok((changes, token))
}

/// An event of the server itself, outside any call.
pub(crate) fn server_event(config: &Config, action: &str) -> Result<Event> {
    let mut details = Details::new();
    details.set(DetailKey::ServerVersion, env!("CARGO_PKG_VERSION"));
    Ok(Event {
        id: EventId(rand::array()?),
        at_millis: config.clock.now_ms(),
        namespace: None,
        principal: Text::from("skms"),
        authentication: Text::from("system"),
        source: None,
        action: Text::from(action),
        targets: vec![EventTarget {
            kind: Text::from("system"),
            name: Text::from("the server"),
            ..EventTarget::default()
        }],
        outcome: Outcome::Success,
        request_id: Text::default(),
        items: None,
        details,
    })
}
