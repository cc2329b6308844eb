//! Keys in memory: their metadata as an immutable snapshot, and for each
//! version the live state that revocation flips, the reserve of uses, and
//! the opened key with its schedules.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use skms_crypto::{Algorithm, KeyMaterial, OpenKey};
use skms_keys::{
    InFlight, Key, KeyState, Live, Operation, OperationClass, Taken, UnixSeconds, UseReserve,
    VersionNumber, VersionPermits,
};
use skms_policy::ResourceRef;
use skms_store::Kind;
use tokio::sync::{Mutex, OnceCell, OwnedMutexGuard};

use crate::act::Act;
use crate::caller::Authentication;
use crate::change::to_the_end;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::lineage::{Barred, Entered, Lineage, Node};
use crate::operate::KeyOperation;
use crate::records::key::material_name;

/// A key's metadata at one revision.
pub struct KeySnapshot {
    key: Key,
    revision: u64,
    namespace: Arc<str>,
    keyring: Arc<str>,
    /// Its full name and its identifier, as events have them.
    path: Box<str>,
    id_text: Box<str>,
    versions: Vec<Arc<OpenVersion>>,
}

/// One version while it is in memory. It outlives snapshots, so that every
/// use of it, however old its snapshot, sees a revocation.
pub(crate) struct OpenVersion {
    number: VersionNumber,
    live: Arc<Live>,
    uses: Metered,
    bytes: Metered,
    opened: OnceCell<Arc<OpenKey>>,
    /// Its place among the versions it depends on, if there are any.
    depends: ArcSwapOption<Node>,
}

/// Something that is counted, as much of it as is reserved.
struct Metered {
    reserve: UseReserve,
    /// How much to reserve next: little at first, so that little is lost with
    /// a key that is seldom used and leaves memory between.
    block: AtomicU64,
}

/// What is counted.
#[derive(Clone, Copy)]
enum Meter {
    Uses,
    Bytes,
}

/// What a use takes of what is counted.
#[derive(Clone, Copy)]
pub(crate) struct Spend {
    pub(crate) uses: u64,
    pub(crate) bytes: u64,
}

impl Spend {
    /// One use, in which nothing is encrypted that anybody handed in.
    pub(crate) const ONE_USE: Self = Self::uses(1);

    /// So many uses of that sort.
    pub(crate) const fn uses(uses: u64) -> Self {
        Self { uses, bytes: 0 }
    }
}

/// The first block of uses that a version reserves after it came into memory.
const FIRST_BLOCK: u64 = 256;
/// The first block of bytes.
const FIRST_BYTES: u64 = 1 << 20;
/// How much larger the next one is, until it is the key's largest.
const BLOCK_GROWS: u64 = 4;

impl OpenVersion {
    fn metered(&self, meter: Meter) -> &Metered {
        match meter {
            Meter::Uses => &self.uses,
            Meter::Bytes => &self.bytes,
        }
    }

    /// A version that comes into memory, or goes on under new rules: uses in
    /// flight stay registered, and what was opened stays open unless it is
    /// `gone`.
    fn new(key: &Key, number: VersionNumber, known: Option<&Arc<Self>>, gone: bool) -> Self {
        let permits = key.version_permits(number).unwrap_or(VersionPermits::NONE);
        Self {
            number,
            live: known.map_or_else(
                || Arc::new(Live::new(&permits)),
                |known| Arc::clone(&known.live),
            ),
            uses: Metered {
                reserve: UseReserve::for_uses(key, number),
                block: AtomicU64::new(FIRST_BLOCK),
            },
            bytes: Metered {
                reserve: UseReserve::for_bytes(key, number),
                block: AtomicU64::new(FIRST_BYTES),
            },
            opened: match known {
                Some(known) if !gone => known.opened.clone(),
                _ => OnceCell::new(),
            },
            depends: ArcSwapOption::new(known.and_then(|known| known.depends.load_full())),
        }
    }
}

/// A key in memory; there is exactly one for each key.
pub struct KeyCell {
    snapshot: ArcSwap<KeySnapshot>,
    /// Held from reading the snapshot to replacing it: one change at a time.
    changing: Arc<Mutex<()>>,
    /// Set when the cell is no longer the one in memory. Nothing is changed
    /// or used through it any more.
    retired: AtomicBool,
    /// Whether it was looked up since the keys in memory were last gone
    /// through for what can go.
    wanted: AtomicBool,
}

impl KeySnapshot {
    pub(crate) fn new(
        key: Key,
        revision: u64,
        namespace: Arc<str>,
        keyring: Arc<str>,
        before: Option<&KeySnapshot>,
    ) -> Self {
        let counts = |key: &Key, number| (key.counts_uses(number), key.counts_bytes(number));
        let versions = key
            .versions
            .iter()
            .map(|version| {
                let number = version.number;
                let known = before.and_then(|before| before.version(number));
                let same_count = before
                    .is_some_and(|before| counts(&before.key, number) == counts(&key, number));
                let gone = version.state == KeyState::Destroyed;
                match known {
                    Some(known) if same_count && !gone => Arc::clone(known),
                    known => Arc::new(OpenVersion::new(&key, number, known, gone)),
                }
            })
            .collect();
        let path = format!("{namespace}/{keyring}/{}", key.name.as_str()).into();
        let id_text = key.id.to_string().into();
        Self {
            key,
            revision,
            namespace,
            keyring,
            path,
            id_text,
            versions,
        }
    }

    /// The key's metadata.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The revision of its record.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Its full name, as people write it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its identifier, as people write it.
    pub(crate) fn id_text(&self) -> &str {
        &self.id_text
    }

    /// Where it is.
    pub fn at(&self) -> KeyRef<'_> {
        KeyRef {
            namespace: &self.namespace,
            keyring: &self.keyring,
            name: self.key.name.as_str(),
        }
    }

    /// As policy sees it.
    pub(crate) fn resource(&self) -> ResourceRef<'_> {
        self.resource_of(self.key.algorithm)
            .stored(self.key.id.0, self.revision)
    }

    /// As policy would see it with another algorithm. Not as it is stored: what
    /// was decided about that says nothing about this.
    pub(crate) fn resource_of(&self, algorithm: Algorithm) -> ResourceRef<'_> {
        ResourceRef::key(&self.namespace, &self.keyring, self.key.name.as_str())
            .with_algorithm(algorithm.name())
            .with_owner(&self.key.owner)
            .with_exportable(self.key.exportable)
            .with_tags(&self.key.tags)
    }

    fn depends_if_above(&self, node: &Arc<Node>) {
        if node.depends() {
            self.depends(node.of().version, Arc::clone(node));
        }
    }

    /// Brings a version together with what it depends on.
    pub(crate) fn depends(&self, number: VersionNumber, node: Arc<Node>) {
        if let Some(version) = self.version(number) {
            version.depends.store(Some(node));
        }
    }

    fn open(&self, number: VersionNumber) -> Result<&Arc<OpenVersion>> {
        self.version(number)
            .ok_or(Error::Internal("a permitted version is not in memory"))
    }

    fn version(&self, number: VersionNumber) -> Option<&Arc<OpenVersion>> {
        let index = usize::try_from(number.0.checked_sub(1)?).ok()?;
        self.versions.get(index)
    }
}

impl KeyCell {
    pub(crate) fn new(snapshot: KeySnapshot) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            changing: Arc::new(Mutex::new(())),
            retired: AtomicBool::new(false),
            wanted: AtomicBool::new(true),
        }
    }

    /// Notes that somebody wants it.
    pub(crate) fn want(&self) {
        if !self.wanted.load(Ordering::Relaxed) {
            self.wanted.store(true, Ordering::Relaxed);
        }
    }

    /// Whether somebody wanted it since this was last asked.
    pub(crate) fn was_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::Relaxed)
    }

    fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    /// The metadata as it is now.
    pub fn snapshot(&self) -> Arc<KeySnapshot> {
        self.snapshot.load_full()
    }

    /// Puts a committed change into force: replaces the snapshot and flips
    /// what each version may do. Uses in flight of what was taken away find
    /// out before they answer; [`KeyCell::drain`] waits for them. What depends
    /// on versions that are compromised is refused from here on; gives these.
    pub(crate) fn put_in_force(
        &self,
        lineage: &Lineage,
        key: Key,
        revision: u64,
    ) -> Vec<Arc<Node>> {
        let before = self.snapshot();
        let after = KeySnapshot::new(
            key,
            revision,
            Arc::clone(&before.namespace),
            Arc::clone(&before.keyring),
            Some(&before),
        );
        for version in &after.versions {
            let permits = after
                .key
                .version_permits(version.number)
                .unwrap_or(VersionPermits::NONE);
            match after.key.is_superseded(version.number) {
                true => version.live.supersede(&permits),
                false => version.live.flip(&permits),
            }
        }
        let mut closed = Vec::new();
        for (node, closes) in lineage.note(after.key(), revision) {
            after.depends_if_above(&node);
            closed.extend(closes.then_some(node));
        }
        let after = Arc::new(after);
        self.snapshot.store(Arc::clone(&after));
        // Retired meanwhile, by sealing say: nothing comes back to life.
        if self.is_retired() {
            for version in &after.versions {
                version.live.flip(&VersionPermits::NONE);
            }
        }
        closed
    }

    /// Waits until no use is in flight of anything that is not allowed.
    pub(crate) async fn drain(&self) {
        let snapshot = self.snapshot();
        for version in &snapshot.versions {
            version.live.drain().await;
        }
    }

    /// Whether no use is in flight of anything that is not allowed.
    pub(crate) fn is_drained(&self) -> bool {
        let snapshot = self.snapshot();
        snapshot
            .versions
            .iter()
            .all(|version| version.live.drained())
    }

    /// Takes everything away from a key whose record is gone.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        for version in &self.snapshot().versions {
            version.live.flip(&VersionPermits::NONE);
        }
    }
}

/// A use of one version: permitted, counted, registered and open. While it
/// lives a revocation of the version waits for it.
pub(crate) struct InUse {
    number: VersionNumber,
    state: KeyState,
    opened: Arc<OpenKey>,
    flight: InFlight<Arc<Live>>,
    open: Arc<OpenVersion>,
    class: OperationClass,
    now: UnixSeconds,
    /// With what the version depends on, if it does: since it began, or since
    /// it was found that it does now.
    above: OnceLock<Entered>,
}

impl InUse {
    pub(crate) fn version(&self) -> VersionNumber {
        self.number
    }

    pub(crate) fn key(&self) -> &Arc<OpenKey> {
        &self.opened
    }

    /// Whether the version may still do what this use began with.
    pub(crate) fn still_live(&self) -> bool {
        self.flight.still_live() && self.barred().is_none()
    }

    /// Why not, for what the version depends on. What it came to depend on
    /// since this use began, by leaving under it, counts as well, and waits for
    /// this use from here on.
    fn barred(&self) -> Option<Barred> {
        if let Some(above) = self.above.get() {
            return above.barred();
        }
        let node = (self.state != KeyState::Compromised).then(|| self.open.depends.load_full());
        match node.flatten()?.enter(self.class, self.now) {
            Ok(entered) => self.above.get_or_init(|| entered).barred(),
            Err(barred) => Some(barred),
        }
    }

    /// What to answer when it may not.
    pub(crate) fn refusal(&self, operation: Operation) -> Error {
        if let Some(barred) = self.barred()
            && self.flight.still_live()
        {
            return barred.into();
        }
        Error::StateForbids {
            version: self.number.0,
            state: self.state,
            operation: operation.name(),
        }
    }

    /// Whether the algorithm takes so long that it must not hold a worker.
    pub(crate) fn is_slow(&self, operation: Operation) -> bool {
        let private = !matches!(
            operation,
            Operation::Verify | Operation::Encapsulate | Operation::Encrypt | Operation::Wrap
        );
        private && self.opened.algorithm().row().slow_to_use
    }
}

impl<O: KeyOperation> Authorized<O, KeyTarget> {
    /// Takes the key into use: the version that was asked for or the newest
    /// that may do it, its state, what it `spends` of what is counted, its
    /// schedules.
    pub(crate) async fn take(
        &self,
        entry: &Entry,
        version: Option<VersionNumber>,
        spends: Spend,
    ) -> Result<InUse> {
        take(entry, self.target(), O::OPERATION, version, spends).await
    }
}

/// As [`Authorized::take`], for the acts that use a key in two ways and hold
/// an authorisation for the pair, and for other uses at once.
pub(crate) async fn take_for<A: Act>(
    entry: &Entry,
    authorized: &Authorized<A, KeyTarget>,
    operation: Operation,
    version: Option<VersionNumber>,
    spends: Spend,
) -> Result<InUse> {
    take(entry, authorized.target(), operation, version, spends).await
}

async fn take(
    entry: &Entry,
    cell: &Arc<KeyCell>,
    operation: Operation,
    version: Option<VersionNumber>,
    spends: Spend,
) -> Result<InUse> {
    let now = entry.now();
    let mut changed = 0;
    let (snapshot, permit, flight) = loop {
        let snapshot = cell.snapshot();
        let permit = snapshot.key.permit(operation, version, now)?;
        let open = snapshot.open(permit.version)?;
        if permit.class == OperationClass::Protect {
            // Lists that say what is revoked are signed to the end.
            if entry.caller.session.authentication != Authentication::System {
                let algorithm = snapshot.key.algorithm_of(permit.version);
                entry.rooms.withdrawn.protects(algorithm, now)?;
            }
            count(entry, cell, open, Meter::Uses, spends.uses).await?;
            count(entry, cell, open, Meter::Bytes, spends.bytes).await?;
        }
        if cell.is_retired() {
            return Err(Error::Busy);
        }
        if let Some(flight) = open.live.enter_shared(permit.class, now) {
            break (snapshot, permit, flight);
        }
        // Changed since the snapshot was read: what the new one says counts. A
        // rotation takes nothing away from whoever wants the newest version.
        changed += 1;
        if changed == FOLLOW {
            return Err(Error::Busy);
        }
        // Whoever changes it has this until the new one is there.
        drop(cell.changing.lock().await);
    };
    let open = snapshot.open(permit.version)?;
    let state = snapshot.key.version(permit.version)?.state;
    // What is marked compromised itself goes by its own grant.
    let above = match &*open.depends.load() {
        Some(node) if state != KeyState::Compromised => node.enter(permit.class, now)?.into(),
        _ => OnceLock::new(),
    };
    let opened = open
        .opened
        .get_or_try_init(|| open_material(&entry.rooms, &snapshot.key, permit.version))
        .await?;
    Ok(InUse {
        number: permit.version,
        state,
        opened: Arc::clone(opened),
        flight,
        open: Arc::clone(open),
        class: permit.class,
        now,
        above,
    })
}

/// Takes from one of the version's reserves, and reserves the next block
/// durably when too little is left.
async fn count(
    entry: &Entry,
    cell: &Arc<KeyCell>,
    open: &Arc<OpenVersion>,
    meter: Meter,
    wanted: u64,
) -> Result<()> {
    loop {
        match open.metered(meter).reserve.take(wanted) {
            Taken::Taken { refill } => {
                if refill {
                    tokio::spawn(refill_ahead(
                        Arc::clone(&entry.rooms),
                        Arc::clone(cell),
                        Arc::clone(open),
                        meter,
                    ));
                }
                return Ok(());
            }
            Taken::NeedsBlock => {
                reserve_block(&entry.rooms, cell, open, meter, (wanted, wanted)).await?;
            }
        }
    }
}

/// Fetches the next block while half of this one is left, so that no caller
/// waits for it. Where it fails, the caller who needs the block finds out.
async fn refill_ahead(rooms: Arc<Rooms>, cell: Arc<KeyCell>, open: Arc<OpenVersion>, meter: Meter) {
    if let Some(_errand) = open.metered(meter).reserve.claim_refill() {
        let _ = reserve_block(&rooms, &cell, &open, meter, (1, u64::MAX)).await;
    }
}

/// Reserves the next block durably, of `least` or more, unless `enough` is left
/// by the time that it is this call's turn.
async fn reserve_block(
    rooms: &Arc<Rooms>,
    cell: &Arc<KeyCell>,
    open: &Arc<OpenVersion>,
    meter: Meter,
    (least, enough): (u64, u64),
) -> Result<()> {
    let guard = Arc::clone(&cell.changing).lock_owned().await;
    if cell.is_retired() {
        return Err(Error::Busy);
    }
    if open.metered(meter).reserve.left() >= enough {
        return Ok(());
    }
    let (rooms, cell, open) = (Arc::clone(rooms), Arc::clone(cell), Arc::clone(open));
    to_the_end(async move {
        let _guard = guard;
        let snapshot = cell.snapshot();
        let metered = open.metered(meter);
        let block = metered.block.load(Ordering::Relaxed);
        let before = &snapshot.key;
        let (key, granted) = match meter {
            Meter::Uses => {
                let wanted = before.use_block(open.number).min(block).max(least);
                before.reserve_uses(open.number, wanted)?
            }
            Meter::Bytes => {
                let wanted = before.byte_block(open.number).min(block).max(least);
                before.reserve_bytes(open.number, wanted)?
            }
        };
        if granted < least {
            return Err(Error::UseLimit {
                version: open.number.0,
            });
        }
        let revision = match rooms.put_key(&key, Some(snapshot.revision)).await {
            Ok(revision) => revision,
            Err(error) => {
                if !error.is_away() {
                    rooms.keys.reload(&cell);
                }
                return Err(error);
            }
        };
        cell.put_in_force(&rooms.lineage, key, revision);
        metered.reserve.add(granted);
        metered
            .block
            .store(block.saturating_mul(BLOCK_GROWS), Ordering::Relaxed);
        rooms.agenda.note(cell.snapshot().key(), rooms.clock.now());
        Ok(())
    })
    .await
}

/// Reads a version's material and expands its schedules.
async fn open_material(rooms: &Rooms, key: &Key, version: VersionNumber) -> Result<Arc<OpenKey>> {
    let material = read_material(rooms, key, version).await?;
    let opened = if key.algorithm_of(version).row().slow_to_use {
        rooms.slow.run(move || OpenKey::open(&material)).await??
    } else {
        OpenKey::open(&material)?
    };
    Ok(Arc::new(opened))
}

/// Reads a version's material.
pub(crate) async fn read_material(
    rooms: &Rooms,
    key: &Key,
    version: VersionNumber,
) -> Result<KeyMaterial> {
    let name = material_name(key.id, version);
    let stored = rooms
        .store
        .find(key.namespace.0, Kind::Material, &name)
        .await?
        .ok_or(Error::Record {
            kind: "material",
            reason: "missing".into(),
        })?;
    Ok(KeyMaterial::from_record(
        key.algorithm_of(version),
        stored.plaintext.expose(),
    )?)
}

/// As [`lock_key`], of a key that is in memory and that nobody changes now.
pub(crate) fn try_lock_key(cell: &KeyTarget) -> Option<OwnedMutexGuard<()>> {
    let guard = Arc::clone(&cell.changing).try_lock_owned().ok()?;
    (!cell.is_retired()).then_some(guard)
}

/// How often a change follows a key to the cell that took its place, and a use
/// follows it to what it was changed to.
const FOLLOW: usize = 8;

/// Locks a key for a change: the cell that was resolved or, if a failed
/// commit or a deletion retired that one, the one in its place. A key of the
/// same name made anew is another key and is not followed to.
pub(crate) async fn lock_key(
    rooms: &Rooms,
    resolved: &KeyTarget,
) -> Result<(KeyTarget, OwnedMutexGuard<()>)> {
    let mut cell = Arc::clone(resolved);
    for _ in 0..FOLLOW {
        let guard = Arc::clone(&cell.changing).lock_owned().await;
        if !cell.is_retired() {
            return Ok((cell, guard));
        }
        drop(guard);
        let snapshot = cell.snapshot();
        let found = rooms.keys.resolve(rooms, snapshot.at()).await?;
        cell = found
            .filter(|other| other.snapshot().key.id == snapshot.key.id)
            .ok_or(Error::NotFound { what: "key" })?;
    }
    Err(Error::Busy)
}
