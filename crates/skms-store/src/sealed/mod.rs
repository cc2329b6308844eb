//! The sealed layer: records in, sealed rows out, over any [`Store`].
//!
//! ```text
//! seals ─ each protects the private half of its own X-Wing key pair
//!   └ root key, wrapped to every seal's public half
//!       └ keyring of storage keys (terms), index key, head key
//!           └ HKDF per record → AES-256-GCM-SIV
//! ```
//!
//! [`SealedStore::init`] makes a store, [`Sealed`] opens one, and
//! [`SealedStore`] is what the engine works with.

pub(crate) mod check;
pub(crate) mod codec;
mod commit;
mod finish;
mod gate;
mod group;
pub(crate) mod header;
pub(crate) mod heads;
mod init;
pub mod key_file;
pub(crate) mod keyring;
mod known;
mod outbox;
pub(crate) mod place;
mod rotate;
mod seals;
pub(crate) mod slot;
pub(crate) mod status;
mod truth;
pub(crate) mod unseal;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use skms_crypto::rest::RecordKey;
use tokio::sync::oneshot;

pub use check::Report;
pub use commit::{Change, Committed};
pub use init::Initialised;
pub use keyring::TermNumber;
pub use outbox::{JournalPosition, OutboxEvent, Pending, Recovered};
pub use place::{NAME_MAX, RECORD_MAX, Record, SYSTEM};
pub use rotate::{KeysEvent, Resealed, SealId};
pub use seals::{InitialShares, NewSeal, PASSPHRASE_MIN, SecretShare};
pub use status::{SealInfo, SealKind, Status, TermStatus};
pub use unseal::{Progress, SealInput, Sealed};

use crate::error::{Error, Result};
use crate::file_journal::SegmentKeys;
use crate::store::{Forgotten, Kind, RecordId, Row, Snapshot, Store};
use check::Checked;
use header::Public;
use keyring::Keyring;
use place::Place;
use slot::Slot;

/// An open store. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct SealedStore(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    install: [u8; 16],
    /// `None` once sealed.
    keys: RwLock<Option<Arc<Keyring>>>,
    /// Root keys that may open the header, the newest last. More than one
    /// only while a rotation's outcome is not known.
    roots: Mutex<Vec<Arc<Slot>>>,
    /// The header's public part as last read or written.
    public: RwLock<Arc<Public>>,
    /// One change of the header at a time.
    changing: tokio::sync::Mutex<()>,
    seen: Mutex<HeadsSeen>,
    /// Ids given out in order, at least.
    ids: AtomicU64,
    /// How often credentials were, or may have been, written.
    credentials: AtomicU64,
    outbox: Mutex<outbox::Waiting>,
    reseal: tokio::sync::Mutex<rotate::Cursor>,
    deriving: gate::Gate,
    /// What the rows must be; `None` when other processes write to the store
    /// too, and only unsealing and verifying find what was replayed.
    known: Option<known::Known>,
}

/// The keys and the rows as they were at one moment.
pub(crate) struct View {
    pub(crate) keyring: Arc<Keyring>,
    /// Root keys that may open the header, the newest last.
    pub(crate) roots: Vec<Arc<Slot>>,
    pub(crate) snapshot: Box<dyn Snapshot>,
}

/// The newest heads this process has seen; older ones are refused.
struct HeadsSeen {
    commits: u64,
    revisions: Vec<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics half-way through a change of what these guard.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs slow work on a thread of its own, so that no runtime waits for it. The
/// thread gives way to all others and so must hold no lock.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, answer) = oneshot::channel();
    std::thread::Builder::new()
        .name("skms-store-work".to_owned())
        .spawn(move || {
            crate::priority::give_way(crate::priority::IDLE_WORK);
            // The asker may be gone.
            let _ = sender.send(work());
        })
        .map_err(|error| Error::io("thread", error))?;
    answer.await.map_err(|_| Error::Closed)?
}

impl std::fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedStore")
            .field("install", &RecordId(self.0.install))
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn keyring(&self) -> Result<Arc<Keyring>> {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(Error::Sealed)
    }

    fn replace_keyring(&self, make: impl FnOnce(&Keyring) -> Keyring) -> Result<()> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let known = keys.as_ref().ok_or(Error::Sealed)?;
        *keys = Some(Arc::new(make(known)));
        Ok(())
    }

    fn public(&self) -> Arc<Public> {
        Arc::clone(&self.public.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether it lets somebody in.
fn is_credential(kind: Kind) -> bool {
    matches!(kind, Kind::Token | Kind::Principal)
}

impl SealedStore {
    /// Rises with every batch that writes tokens or principals, once it is over:
    /// what was read of them while this stays the same is what there is.
    #[must_use]
    pub fn credentials_written(&self) -> u64 {
        self.0.credentials.load(Ordering::SeqCst)
    }

    fn opened(store: Arc<dyn Store>, root: Slot, checked: Checked) -> Self {
        let Checked {
            public,
            keyring,
            top,
            revisions,
            outbox,
            known,
        } = checked;
        Self(Arc::new(Inner {
            store,
            install: keyring.install,
            keys: RwLock::new(Some(Arc::new(keyring))),
            roots: Mutex::new(vec![Arc::new(root)]),
            public: RwLock::new(Arc::new(public)),
            changing: tokio::sync::Mutex::default(),
            ids: AtomicU64::new(0),
            credentials: AtomicU64::new(0),
            seen: Mutex::new(HeadsSeen {
                commits: top.commits,
                revisions,
            }),
            outbox: Mutex::new(outbox::Waiting {
                floors: outbox
                    .into_iter()
                    .map(|id| (id, top.journal_floor))
                    .collect::<HashMap<_, _>>(),
                floor: top.journal_floor,
                durable: top.journal_durable,
            }),
            reseal: tokio::sync::Mutex::default(),
            deriving: gate::Gate::default(),
            known: known.map(known::Known::new),
        }))
    }

    /// The install's id: 128 random bits, not secret, part of every seal.
    #[must_use]
    pub fn install(&self) -> [u8; 16] {
        self.0.install
    }

    /// An id for a record of which there will be many: after all those
    /// before it, so that rows made one after the other lie side by side and
    /// share pages; its last 80 bits are random. Whoever reads the database
    /// learns nothing from it that the rows' commits do not say. It must not
    /// be shown to a caller: two of them tell their order, and about how much
    /// was written in the whole store between them.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the system gives no randomness.
    pub fn next_id(&self) -> Result<RecordId> {
        let number = self.next_number();
        let mut id: [u8; 16] = skms_crypto::rand::array()?;
        if let (Some(to), [_, _, from @ ..]) = (id.first_chunk_mut::<6>(), number.to_be_bytes()) {
            *to = from;
        }
        Ok(RecordId(id))
    }

    /// One that no record has been given in this run, and larger than those of
    /// earlier ones.
    fn next_number(&self) -> u64 {
        // Never behind the commits: an earlier run gave out no more than it
        // committed, but for those that came to nothing.
        let commits = lock(&self.0.seen).commits;
        self.0.ids.fetch_max(commits, Ordering::Relaxed);
        self.0.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// The id of the one record of a kind that `name` stands for: always the
    /// same, and to whoever has no keys like any random one.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn id_of(&self, namespace: [u8; 16], kind: Kind, name: &str) -> Result<RecordId> {
        let keyring = self.0.keyring()?;
        let entry = place::index(&keyring, namespace, kind, name);
        let mut id = [0; 16];
        id.copy_from_slice(&entry[..16]);
        Ok(RecordId(id))
    }

    /// The store beneath.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Erases the keys from memory. Commits under way may still finish;
    /// everything after returns [`Error::Sealed`].
    pub fn seal(&self) {
        self.0
            .keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        lock(&self.0.roots).clear();
    }

    /// Whether the keys are gone.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.0.keyring().is_err()
    }

    /// The record with this id in this namespace. One of another namespace
    /// looks absent.
    ///
    /// # Errors
    /// [`Error::Altered`] when it does not open, or is not what this process
    /// last wrote there, [`Error::Sealed`], and the backend's.
    pub async fn get(
        &self,
        namespace: [u8; 16],
        kind: Kind,
        id: RecordId,
    ) -> Result<Option<Record>> {
        let keyring = self.0.keyring()?;
        let scope = place::scope(&keyring, namespace, kind)?;
        match self.true_row(kind, known::prefix(Some(&scope)), id).await? {
            Some(row) => self.open_at(&keyring, (namespace, scope), &row).await,
            None => Ok(None),
        }
    }

    /// The records with these ids in this namespace, in the order of the ids.
    /// Those of other namespaces look absent.
    ///
    /// # Errors
    /// As [`SealedStore::get`].
    pub async fn get_each(
        &self,
        namespace: [u8; 16],
        kind: Kind,
        ids: &[RecordId],
    ) -> Result<Vec<Option<Record>>> {
        let keyring = self.0.keyring()?;
        let scope = place::scope(&keyring, namespace, kind)?;
        let rows = self.true_rows(kind, known::prefix(Some(&scope)), ids);
        let mut records = Vec::with_capacity(ids.len());
        for row in rows.await? {
            records.push(match row {
                Some(row) => self.open_at(&keyring, (namespace, scope), &row).await?,
                None => None,
            });
        }
        Ok(records)
    }

    /// The record with this name in this namespace.
    ///
    /// # Errors
    /// As [`SealedStore::get`].
    pub async fn find(
        &self,
        namespace: [u8; 16],
        kind: Kind,
        name: &str,
    ) -> Result<Option<Record>> {
        let keyring = self.0.keyring()?;
        let entry = place::index(&keyring, namespace, kind, name);
        let Some(row) = self.true_find(kind, entry).await? else {
            return Ok(None);
        };
        let record = self.open_in(keyring, namespace, &row).await?;
        match record {
            Some(record) if record.name.as_deref() == Some(name) => Ok(Some(record)),
            _ => Err(Error::Altered { kind, id: row.id }),
        }
    }

    /// Records of a kind in one namespace, in order of id, after `after`, at
    /// most `limit`.
    ///
    /// # Errors
    /// As [`SealedStore::get`].
    pub async fn scan(
        &self,
        namespace: [u8; 16],
        kind: Kind,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Record>> {
        let keyring = self.0.keyring()?;
        let scope = place::scope(&keyring, namespace, kind)?;
        let rows = self.true_scan(kind, Some(scope), after, limit).await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            let record = self.open_at(&keyring, (namespace, scope), &row).await?;
            records.push(record.ok_or(Error::Altered { kind, id: row.id })?);
        }
        Ok(records)
    }

    /// Records of a kind in all namespaces, each with its namespace, in order
    /// of id, after `after`, at most `limit`.
    ///
    /// # Errors
    /// As [`SealedStore::get`].
    pub async fn scan_all(
        &self,
        kind: Kind,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<([u8; 16], Record)>> {
        let keyring = self.0.keyring()?;
        let rows = self.true_scan(kind, None, after, limit).await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            records.push(self.open_any(&keyring, &row).await?);
        }
        Ok(records)
    }

    /// Opens every record and compares all of them with the heads, in one
    /// consistent view, while writing goes on.
    ///
    /// # Errors
    /// Only what kept it from looking; what it found is in the report.
    pub async fn verify(&self) -> Result<Report> {
        let mut view = self.unchanged_view().await?;
        check::verify(view.snapshot.as_mut(), &view.keyring).await
    }

    /// The keys, and a view of the rows that they open: no key comes or goes
    /// in between.
    pub(crate) async fn unchanged_view(&self) -> Result<View> {
        let _unchanged = self.0.changing.lock().await;
        let (keyring, roots) = (self.0.keyring()?, lock(&self.0.roots).clone());
        Ok(View {
            keyring,
            roots,
            snapshot: self.0.store.snapshot().await?,
        })
    }

    /// Overwrites what replaced and deleted records left behind, as far as
    /// the backend can.
    ///
    /// # Errors
    /// The backend's.
    pub async fn forget(&self) -> Result<Forgotten> {
        self.0.store.forget().await
    }

    /// Opens a row, if it belongs to the namespace of this scope. Where it says
    /// so itself, as it nearly always does, the scope need not be opened.
    async fn open_at(
        &self,
        keyring: &Arc<Keyring>,
        (namespace, scope): ([u8; 16], [u8; 32]),
        row: &Row,
    ) -> Result<Option<Record>> {
        let newer = place::term(row).is_some_and(|term| term > keyring.current);
        if newer || !place::belongs(Some(scope), row) {
            return self.open_in(Arc::clone(keyring), namespace, row).await;
        }
        let place = Place {
            namespace,
            kind: row.kind,
            id: row.id,
            revision: row.revision,
        };
        place.open(keyring, row).map(Some)
    }

    async fn open_in(
        &self,
        keyring: Arc<Keyring>,
        namespace: [u8; 16],
        row: &Row,
    ) -> Result<Option<Record>> {
        // Before opening, so that another tenant's record costs the same as
        // none at all.
        if place::namespace(&keyring, row)? != namespace {
            return Ok(None);
        }
        self.open_any(&keyring, row)
            .await
            .map(|(_, record)| Some(record))
    }

    async fn open_any(&self, keyring: &Keyring, row: &Row) -> Result<([u8; 16], Record)> {
        let newer = place::term(row).is_some_and(|term| term > keyring.current);
        if newer
            && !self
                .0
                .keyring()?
                .knows(place::term(row).unwrap_or_default())
        {
            // Another process may have rotated; if not, the row is not ours.
            self.refresh().await?;
        }
        if newer {
            return place::open_any(&*self.0.keyring()?, row);
        }
        place::open_any(keyring, row)
    }

    /// The keys of journal segments, for [`crate::file_journal`].
    #[must_use]
    pub fn journal_keys(&self) -> Arc<dyn SegmentKeys> {
        Arc::new(self.clone())
    }
}

impl SegmentKeys for SealedStore {
    fn install(&self) -> [u8; 16] {
        self.0.install
    }

    fn current_term(&self) -> Result<TermNumber> {
        Ok(self.0.keyring()?.current)
    }

    fn segment_key(&self, term: TermNumber, segment: u64, salt: &[u8; 32]) -> Result<RecordKey> {
        self.0
            .keyring()?
            .segment_key(term, &[b"skms segment", &segment.to_be_bytes(), salt])
            .ok_or(Error::StaleKeys)?
    }
}
