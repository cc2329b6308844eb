//! The engine itself: the rooms it opens when it is unsealed and closes when
//! it is sealed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use skms_keys::{Key, KeyringId, NamespaceId, UnixSeconds};
use skms_policy::{DecisionCache, PolicySet};
use skms_store::priority::{IDLE_WORK, SLOW_WORK};
use skms_store::{Disk, Journal, Kind, SealedStore, SqliteStore, file_journal, sqlite};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, Semaphore};

use crate::acts::acme::{Nonces, Traffic, Validations};
use crate::acts::compromise::{self, Incidents};
use crate::acts::exchange::Identities;
use crate::acts::follow::Followers;
use crate::acts::publish::Pace;
use crate::approvals::Approvals;
use crate::authority::{self, Authorities};
use crate::clock::Clock;
use crate::courier::{Courier, NoCourier};
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::groups::{self, Groups};
use crate::idempotency::Running;
use crate::in_memory::Keys;
use crate::jobs::agenda::Agenda;
use crate::jobs::{self, housekeeping, judging, notifying, publishing};
use crate::keychange::put_key;
use crate::limits::{Limiter, Limits, Rate};
use crate::lineage::Lineage;
use crate::lineage::handed::Handed;
use crate::notify::{self, Channels, Counts};
use crate::places::Places;
use crate::probe::{NoProber, Prober};
use crate::quotas::Quotas;
use crate::recorder::Recorder;
use crate::records;
use crate::records::key::KeyRecord;
use crate::refusals::Refusals;
use crate::rules::judge::Judge;
use crate::rules::{self, AutoRules};
use crate::sessions::Sessions;
use crate::slow::{Load, Setup, SlowPool};
use crate::ssh::{self, SshAuthorities};
use crate::stock::Stock;
use crate::suspended::Suspended;
use crate::tail::Tail;
use crate::trusts::{self, Trusts};
use crate::tsa::{self, Tsas};
use crate::unsealing::Unsealing;
use crate::weak::{self, Weak};
use crate::withdrawn::Withdrawn;

/// How the engine is set up.
#[derive(Clone)]
pub struct Config {
    /// Where its files are: the database and the journal's segments.
    pub data_dir: PathBuf,
    /// The PostgreSQL database that holds the records, where it is not a file
    /// in `data_dir`. The journal is in `data_dir` either way.
    pub postgres: Option<skms_store::postgres::Options>,
    /// Where it takes the time from.
    pub clock: Clock,
    /// Threads for slow uses of keys (RSA, formats with passphrases), and as
    /// many for making keys.
    pub slow_threads: usize,
    /// Decisions remembered.
    pub decisions: usize,
    /// RSA-2048 keys made ahead at most; a quarter as many RSA-3072 and a
    /// sixteenth RSA-4096.
    pub rsa_stock: usize,
    /// Keys in memory at most, beyond those that are in use.
    pub keys_in_memory: usize,
    /// The rate of principals for whom none is set; `None` for no limit.
    pub rate: Option<Rate>,
    /// Slow work is refused when it would wait longer than this for a thread.
    pub slow_wait: Duration,
    /// How its files are kept.
    pub files: Files,
    /// Who looks for the answers to ACME's challenges.
    pub prober: Arc<dyn Prober>,
    /// Who delivers notifications.
    pub courier: Arc<dyn Courier>,
    /// How long a notification is tried before it is given up.
    pub gives_up: Duration,
}

/// How the engine's files are kept.
#[derive(Clone)]
pub struct Files {
    /// The file system they are on.
    pub disk: Disk,
    /// Bytes of a segment of the journal.
    pub segment_bytes: u64,
    /// Bytes kept back beside the database for urgent commits on a full disk.
    pub reserve_bytes: u64,
    /// Bytes that the database's file may grow to, if that is limited; urgent
    /// commits may exceed it by the reserve.
    pub limit_bytes: Option<u64>,
}

impl Default for Files {
    /// The machine's own, in the usual sizes.
    fn default() -> Self {
        Self {
            disk: Disk::real(),
            segment_bytes: file_journal::Options::default().segment_bytes,
            reserve_bytes: sqlite::Options::default().reserve_bytes,
            limit_bytes: None,
        }
    }
}

impl Config {
    /// The usual set-up, with the files in `data_dir`.
    pub fn new(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            postgres: None,
            clock: Clock::system(),
            slow_threads: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            decisions: 16_384,
            rsa_stock: 256,
            keys_in_memory: 100_000,
            rate: None,
            slow_wait: Duration::from_secs(15),
            files: Files::default(),
            prober: Arc::new(NoProber),
            courier: Arc::new(NoCourier),
            gives_up: Duration::from_secs(3 * 86_400),
        }
    }

    /// The database's file.
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("skms.db")
    }

    /// The journal's folder.
    pub fn journal(&self) -> PathBuf {
        self.data_dir.join("journal")
    }

    /// Opens the database.
    pub(crate) fn open_database(&self) -> Result<SqliteStore> {
        let options = sqlite::Options {
            reserve_bytes: self.files.reserve_bytes,
            limit_bytes: self.files.limit_bytes,
            disk: self.files.disk.clone(),
            ..sqlite::Options::default()
        };
        Ok(SqliteStore::open_with(self.database(), &options)?)
    }
}

/// Jobs that may wait for a slow thread before callers are told to come back.
const SLOW_QUEUE: usize = 256;

/// Certificates of external authorities that are judged at once.
const JUDGING: usize = 4;

/// What is open while the server is unsealed. Every call holds it for as long
/// as it runs; sealing lets go of it.
pub(crate) struct Rooms {
    pub(crate) clock: Clock,
    pub(crate) slow: SlowPool,
    /// For making keys, which takes longest of all.
    pub(crate) making: SlowPool,
    pub(crate) stock: Arc<Stock>,
    pub(crate) store: Arc<SealedStore>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) recorder: Recorder,
    pub(crate) keys: Keys,
    pub(crate) lineage: Lineage,
    pub(crate) handed: Handed,
    pub(crate) incidents: Incidents,
    pub(crate) places: Places,
    pub(crate) authorities: Authorities,
    pub(crate) ssh: SshAuthorities,
    pub(crate) tsas: Tsas,
    pub(crate) trusts: Trusts,
    pub(crate) groups: Groups,
    pub(crate) weak: Arc<Weak>,
    pub(crate) rules: AutoRules,
    pub(crate) judge: Arc<Judge>,
    pub(crate) credentials: Credentials,
    pub(crate) suspended: Suspended,
    pub(crate) withdrawn: Withdrawn,
    pub(crate) channels: Channels,
    pub(crate) approvals: Approvals,
    pub(crate) policies: ArcSwap<PolicySet>,
    pub(crate) decisions: DecisionCache,
    pub(crate) sessions: Sessions,
    pub(crate) agenda: Agenda,
    pub(crate) refusals: Refusals,
    pub(crate) identities: Identities,
    pub(crate) idempotency: Arc<Running>,
    pub(crate) followers: Arc<Followers>,
    pub(crate) tail: Tail,
    pub(crate) limiter: Limiter,
    pub(crate) quotas: Quotas,
    limits: ArcSwap<HashMap<String, Arc<Limits>>>,
    /// One backup at a time.
    pub(crate) backups: Arc<Semaphore>,
    /// Strangers' certificates that are judged at once: never all that may
    /// wait for the slow pool.
    pub(crate) judging: Arc<Semaphore>,
    changes: Arc<RwLock<()>>,
    revocations: Arc<tokio::sync::Mutex<()>>,
    /// Held by whoever writes with which key another one rotates.
    pub(crate) leaders: Arc<tokio::sync::Mutex<()>>,
    /// Memory may differ from the store and has to be read again.
    behind: AtomicBool,
}

impl Rooms {
    /// Opens the rooms on an unsealed store.
    pub(crate) async fn open(
        config: &Config,
        (slow, making, stock): (&SlowPool, &SlowPool, &Arc<Stock>),
        store: Arc<SealedStore>,
        journal: Arc<dyn Journal>,
    ) -> Result<Self> {
        let recorder = Recorder::new(Arc::clone(&store), Arc::clone(&journal));
        let places = Places::load(&store).await?;
        let documents = crate::acts::policies::load(&store, &places).await?;
        let authorities = authority::load::all(&store, &places).await?;
        let ssh = ssh::load(&store, &places).await?;
        let tsas = tsa::load(&store, &places).await?;
        let trusts = trusts::load(&store, &places).await?;
        let groups = groups::load(&store, &places).await?;
        let incidents = Incidents::load(&store, &places).await?;
        let weak = Arc::new(weak::load(&store).await?);
        let rules = rules::load(&store, &places).await?;
        let suspended = Suspended::load(&store, &places).await?;
        let withdrawn = Withdrawn::load(&store).await?;
        let agenda = Agenda::default();
        agenda.withdrawn(withdrawn.successions(), config.clock.now());
        let channels = notify::load(&store, &places).await?;
        let policies = slow.run(move || PolicySet::compile(documents)).await??;
        let limits = crate::acts::limits::load(&store, &places).await?;
        Ok(Self {
            clock: config.clock.clone(),
            slow: slow.clone(),
            making: making.clone(),
            stock: Arc::clone(stock),
            store,
            journal,
            recorder,
            keys: Keys::new(config.keys_in_memory),
            lineage: Lineage::default(),
            handed: Handed::default(),
            incidents,
            places,
            authorities,
            ssh,
            tsas,
            trusts,
            groups,
            weak,
            rules,
            judge: Arc::default(),
            suspended,
            credentials: Credentials::default(),
            withdrawn,
            channels,
            approvals: Approvals::default(),
            policies: ArcSwap::from_pointee(policies),
            decisions: DecisionCache::new(config.decisions),
            sessions: Sessions::default(),
            agenda,
            refusals: Refusals::default(),
            identities: Identities::default(),
            idempotency: Arc::default(),
            followers: Arc::default(),
            tail: Tail::default(),
            limiter: Limiter::new(config.rate),
            quotas: Quotas::default(),
            limits: ArcSwap::from_pointee(limits),
            backups: Arc::new(Semaphore::new(1)),
            judging: Arc::new(Semaphore::new(JUDGING)),
            changes: Arc::new(RwLock::new(())),
            revocations: Arc::default(),
            leaders: Arc::default(),
            behind: AtomicBool::new(false),
        })
    }

    /// After a commit whose outcome is not known: sessions are made anew from
    /// the store, and namespaces, keyrings and policies are read again. The
    /// caller holds no lock on changes.
    pub(crate) async fn reread(&self, error: &Error) {
        if !error.wrote_nothing() {
            self.behind.store(true, Ordering::Release);
            self.sessions.doubt_all();
            self.catch_up().await;
        }
    }

    /// Reads again what [`Rooms::reread`] asked for and could not be read yet.
    pub(crate) async fn catch_up(&self) {
        if self.behind.load(Ordering::Acquire) {
            drop(self.lock_changes().await);
        }
    }

    /// Reads memory anew. Only under the change lock, and then that of
    /// revocations: what was read before a change must not take the place of
    /// what the change put in force.
    async fn read_again(&self) {
        let _revocations = self.lock_revocations().await;
        self.sessions.doubt_all();
        let fresh = async {
            let places = Places::load(&self.store).await?;
            let documents = crate::acts::policies::load(&self.store, &places).await?;
            let policies = PolicySet::compile(documents)?;
            let limits = crate::acts::limits::load(&self.store, &places).await?;
            let authorities = authority::load::all(&self.store, &places).await?;
            let ssh = ssh::load(&self.store, &places).await?;
            let tsas = tsa::load(&self.store, &places).await?;
            let trusts = trusts::load(&self.store, &places).await?;
            let groups = groups::load(&self.store, &places).await?;
            let lists = weak::lists(&self.store).await?;
            let rules = rules::load(&self.store, &places).await?;
            let suspended = Suspended::load(&self.store, &places).await?;
            self.rules.replace(&rules);
            self.suspended.replace(suspended);
            self.withdrawn.replace(Withdrawn::load(&self.store).await?);
            self.agenda
                .withdrawn(self.withdrawn.successions(), self.clock.now());
            let channels = notify::load(&self.store, &places).await?;
            let others = (authorities, ssh, tsas, trusts, groups, channels);
            Ok::<_, Error>((places, policies, limits, lists, others))
        };
        match fresh.await {
            Ok((places, policies, limits, lists, others)) => {
                let (authorities, ssh, tsas, trusts, groups, channels) = others;
                self.weak.put_lists(lists);
                self.ssh.replace(&ssh);
                self.tsas.replace(&tsas);
                self.trusts.replace(&trusts);
                self.groups.replace(&groups);
                self.channels.replace(&channels);
                self.authorities.replace(authorities);
                self.places.replace(places);
                self.limits.store(Arc::new(limits));
                self.policies.store(Arc::new(policies));
                self.behind.store(false, Ordering::Release);
            }
            // Nobody gets in on what memory alone says, until it can be read.
            Err(_) => {
                self.policies.store(Arc::new(PolicySet::empty()));
                self.groups.clear();
            }
        }
        // A look-up that began meanwhile may have seen what was there before.
        self.sessions.doubt_all();
    }

    /// Puts in force what `change` makes of the policies in memory; the caller
    /// holds the change lock and has committed the change.
    pub(crate) fn change_policies(&self, change: impl FnOnce(&PolicySet) -> PolicySet) {
        // Memory that is behind is read anew, this change included. Until
        // then it is empty, and a set of this one policy would allow what
        // others forbid.
        if !self.behind.load(Ordering::Acquire) {
            let changed = change(&self.policies.load());
            self.policies.store(Arc::new(changed));
        }
        self.sessions.may_differ();
    }

    /// What is set for a namespace, if anything is.
    pub(crate) fn limits(&self, namespace: &str) -> Option<Arc<Limits>> {
        self.limits.load().get(namespace).cloned()
    }

    /// Takes over what was set for a namespace, or forgets it; the caller
    /// holds the change lock.
    pub(crate) fn set_limits(&self, namespace: &str, limits: Option<Arc<Limits>>) {
        let mut all = HashMap::clone(&self.limits.load());
        match limits {
            Some(limits) => all.insert(namespace.to_owned(), limits),
            None => all.remove(namespace),
        };
        self.limits.store(Arc::new(all));
    }

    /// For changes of what keys live in (namespaces, keyrings, policies): one
    /// at a time, and on memory that says what the store says.
    pub(crate) async fn lock_changes(&self) -> OwnedRwLockWriteGuard<()> {
        let guard = Arc::clone(&self.changes).write_owned().await;
        if self.behind.load(Ordering::Acquire) {
            self.read_again().await;
        }
        guard
    }

    /// For making keys: any number at a time, none during such a change.
    pub(crate) async fn share_changes(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.changes).read_owned().await
    }

    /// For revocations of certificates: one at a time. Never held by who waits
    /// for the change lock.
    pub(crate) async fn lock_revocations(&self) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.revocations).lock_owned().await
    }

    /// Stores a key's record by itself, without an event: reserving uses.
    pub(crate) async fn put_key(&self, key: &Key, expected: Option<u64>) -> Result<u64> {
        let change = put_key(key, expected)?;
        let done = self.store.commit(vec![change], None).await?;
        done.revisions
            .first()
            .copied()
            .ok_or(Error::Internal("a commit without revisions"))
    }

    /// Whether a keyring still holds any key.
    pub(crate) async fn ring_holds_keys(
        &self,
        namespace: NamespaceId,
        ring: KeyringId,
    ) -> Result<bool> {
        let mut after = None;
        loop {
            let page = self.store.scan(namespace.0, Kind::Key, after, 256).await?;
            let last = page.len() < 256;
            after = page.last().map(|record| record.id);
            for stored in page {
                let record: KeyRecord = records::decode(stored.plaintext.expose())?;
                if record.into_domain(stored.id, namespace)?.keyring == ring {
                    return Ok(true);
                }
            }
            if last {
                return Ok(false);
            }
        }
    }
}

/// The engine. One for each data directory; shared by every face.
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) unsealing: Unsealing,
    rooms: ArcSwapOption<Rooms>,
    slow: SlowPool,
    making: SlowPool,
    stock: Arc<Stock>,
    nonces: Nonces,
    validations: Validations,
    traffic: Traffic,
    trouble: Mutex<Option<String>>,
}

impl Engine {
    /// Opens the data directory, sealed. Runs the fast known-answer tests
    /// first and goes no further when one fails.
    ///
    /// # Errors
    /// [`Error::Crypto`] for a failed self-test; [`Error::NotInitialised`];
    /// [`Error::Store`] when another server has the directory, when its
    /// format is newer, or when it cannot be read.
    pub async fn open(config: Config) -> Result<Arc<Self>> {
        skms_crypto::selftest::run_fast()?;
        let unsealing = Unsealing::open(&config).await?;
        Self::over(config, unsealing)
    }

    /// The engine over a sealed store.
    pub(crate) fn over(config: Config, unsealing: Unsealing) -> Result<Arc<Self>> {
        let pool = |name, nice| {
            SlowPool::start(Setup {
                name,
                nice,
                threads: config.slow_threads,
                queued: SLOW_QUEUE,
                longest_wait: config.slow_wait,
            })
        };
        let slow = pool("slow", SLOW_WORK)?;
        let making = pool("making", IDLE_WORK)?;
        let stock = Stock::start(config.rsa_stock)?;
        Ok(Arc::new(Self {
            config,
            unsealing,
            rooms: ArcSwapOption::empty(),
            slow,
            making,
            stock,
            nonces: Nonces::new()?,
            validations: Validations::default(),
            traffic: Traffic::default(),
            trouble: Mutex::new(None),
        }))
    }

    /// The time that acts see.
    pub fn now(&self) -> UnixSeconds {
        self.config.clock.now()
    }

    /// Starts the work that goes on behind the acts, on the current runtime.
    pub fn start_jobs(self: &Arc<Self>) {
        tokio::spawn(housekeeping::run(Arc::downgrade(self)));
        for pace in [Pace::Quick, Pace::Slow] {
            tokio::spawn(publishing::run(Arc::downgrade(self), pace));
        }
        tokio::spawn(publishing::presign(Arc::downgrade(self)));
        if let Err(error) = compromise::start(Arc::downgrade(self)) {
            self.note_trouble(&error);
        }
        tokio::spawn(jobs::weak::note(Arc::downgrade(self)));
        tokio::spawn(jobs::weak::sweep(Arc::downgrade(self)));
        if let Err(error) = judging::start(Arc::downgrade(self)) {
            self.note_trouble(&error);
        }
        tokio::spawn(notifying::run(Arc::downgrade(self)));
    }

    /// Whether nothing can be read.
    pub fn is_sealed(&self) -> bool {
        self.rooms.load().is_none()
    }

    /// The rooms, if they are open.
    pub(crate) fn rooms(&self) -> Result<Arc<Rooms>> {
        self.rooms.load_full().ok_or(Error::Sealed)
    }

    /// What waits and what was turned away, for the metrics.
    pub fn load(&self) -> Load {
        self.slow.load().and(self.making.load())
    }

    pub(crate) fn slow(&self) -> &SlowPool {
        &self.slow
    }

    /// What the rooms share with the engine.
    pub(crate) fn shared(&self) -> (&SlowPool, &SlowPool, &Arc<Stock>) {
        (&self.slow, &self.making, &self.stock)
    }

    /// RSA keys that are ready to be handed out, by length.
    pub fn stock_ready(&self) -> Vec<(skms_crypto::Algorithm, usize)> {
        self.stock.ready()
    }

    pub(crate) fn acme_nonces(&self) -> &Nonces {
        &self.nonces
    }

    pub(crate) fn acme_traffic(&self) -> &Traffic {
        &self.traffic
    }

    pub(crate) fn acme_validations(&self) -> &Validations {
        &self.validations
    }

    /// How many keys are in memory, opened or not.
    pub fn keys_in_memory(&self) -> usize {
        self.rooms
            .load()
            .as_ref()
            .map_or(0, |rooms| rooms.keys.len())
    }

    /// What there is of notifications, for the metrics.
    pub fn notification_counts(&self) -> Counts {
        self.rooms()
            .map_or_else(|_| Counts::default(), |rooms| rooms.channels.counts())
    }

    /// When the first of the authorities' newest certificates ends, if any is
    /// there to be seen.
    pub fn first_authority_ends(&self) -> Option<UnixSeconds> {
        let rooms = self.rooms.load();
        rooms.as_ref()?.authorities.first_end()
    }

    /// Opens the rooms to callers.
    pub(crate) fn put_rooms(&self, rooms: Rooms) {
        self.rooms.store(Some(Arc::new(rooms)));
    }

    /// Closes the rooms to callers: no new use begins and sessions end.
    pub(crate) fn take_rooms(&self) -> Option<Arc<Rooms>> {
        let rooms = self.rooms.swap(None)?;
        rooms.sessions.end_all();
        rooms.keys.retire_all();
        self.stock.discard();
        Some(rooms)
    }

    /// Remembers why the work behind the acts could not go on, for `health`.
    pub(crate) fn note_trouble(&self, error: &Error) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    /// Why the work behind the acts last could not go on, if it ever could
    /// not.
    pub fn trouble(&self) -> Option<String> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
