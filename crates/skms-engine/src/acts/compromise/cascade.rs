//! The cascade: what an incident is followed by, in the order that hurts an
//! attacker most, and so that it can begin again anywhere.
//!
//! It begins when nobody who used the key or a dependent before is left in
//! flight: whoever was making another dependent is through, and it is found.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use skms_evidence::{DetailKey, DetailValue};
use skms_keys::{Key, VersionNumber, VersionRef};
use skms_store::RecordId;
use skms_store::priority::{SLOW_WORK, give_way};

use super::incidents::Stage;
use super::ledger::{Ledger, count};
use super::walk::{self, Fate, Found, Rings, Walk};
use super::{PART, attend, bulk, one, report};
use crate::acts::ssh::Issued;
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Entry, KeyRef};
use crate::records::incident::{Counts, Reach, Touched};

/// Dependents that are marked in one batch.
const BATCH: usize = 256;
/// After each batch it rests for this part of the time that the batch took, so
/// that other work goes on beside: on a busy machine, where that is longer, too.
const REST: f64 = 0.5;
/// Between two looks for what could not be finished.
const TICK: Duration = Duration::from_millis(500);

/// Starts the thread that cascades run on. It is one of its own, so that none
/// of those that answer callers is held up.
pub(crate) fn start(engine: Weak<Engine>) -> Result<()> {
    let run = move || {
        give_way(SLOW_WORK);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        if let Ok(runtime) = runtime {
            runtime.block_on(work(engine));
        }
    };
    let thread = std::thread::Builder::new().name("cascade".to_owned());
    thread
        .spawn(run)
        .map(drop)
        .map_err(|_| Error::Internal("no thread for the cascade"))
}

/// Reports are made beside, since each reads the journal for long.
async fn work(engine: Weak<Engine>) {
    tokio::join!(
        work_at(Stage::Mark, engine.clone()),
        work_at(Stage::Tell, engine),
    );
}

async fn work_at(stage: Stage, engine: Weak<Engine>) {
    loop {
        let bell = {
            let Some(engine) = engine.upgrade() else {
                return;
            };
            match engine.take_on(stage, Some(Instant::now())).await {
                Ok(_) | Err(Error::Sealed) => {}
                Err(error) => engine.note_trouble(&error),
            }
            let rooms = engine.rooms();
            rooms
                .ok()
                .map(|rooms| Arc::clone(&rooms.incidents.work(stage).bell))
        };
        match bell {
            Some(bell) => {
                let _ = tokio::time::timeout(TICK, bell.notified()).await;
            }
            None => tokio::time::sleep(TICK).await,
        }
    }
}

impl Engine {
    /// Does what is left to do of every incident, and then their reports. Returns
    /// how many it finished. One that cannot be finished keeps no other from it.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what kept the first that it kept from being finished,
    /// which is tried again with the next call.
    pub async fn finish_incidents(&self) -> Result<usize> {
        let marked = self.take_on(Stage::Mark, None).await;
        let told = self.take_on(Stage::Tell, None).await;
        marked.and(told)
    }

    /// Does a stage of all that are at it; with a time, of those that are due
    /// then. Returns how many it did something of.
    async fn take_on(&self, stage: Stage, due: Option<Instant>) -> Result<usize> {
        let entry = self.enter(&Caller::system(PART)?)?;
        let rooms = Arc::clone(&entry.rooms);
        let incidents = &rooms.incidents;
        let _one_at_a_time = incidents.work(stage).lock.lock().await;
        let (mut did, mut kept) = (0, None);
        let mut tried = HashSet::new();
        while let Some((id, scope)) = incidents.next(stage, &tried, due) {
            tried.insert(id);
            match self.take_on_one(&entry, stage, (id, scope)).await {
                Ok(true) => did += 1,
                Ok(false) => incidents.done(id),
                Err(Error::Sealed) => return Err(Error::Sealed),
                Err(error) => {
                    incidents.failed(id, error.to_string());
                    kept = kept.or(Some(error));
                }
            }
        }
        kept.map_or(Ok(did), Err)
    }

    /// Whether there was anything to do.
    async fn take_on_one(
        &self,
        entry: &Entry,
        stage: Stage,
        (id, scope): (RecordId, [u8; 16]),
    ) -> Result<bool> {
        let ledger = Ledger::open(&entry.rooms, scope, id).await?;
        let Some(ledger) = ledger.filter(|ledger| ledger.record.finished_at.is_none()) else {
            return Ok(false);
        };
        let entry = self.enter(&entry.caller)?;
        let rooms = Arc::clone(&entry.rooms);
        let mut work = Work::new(self, entry, ledger)?;
        match stage {
            Stage::Mark => {
                work.drain().await?;
                work.run().await?;
                rooms.incidents.marked(id);
            }
            Stage::Tell => {
                report::finish(&mut work).await?;
                rooms.incidents.done(id);
            }
        }
        Ok(true)
    }
}

/// One incident that is worked on.
pub(super) struct Work<'a> {
    pub(super) engine: &'a Engine,
    pub(super) entry: Entry,
    pub(super) ledger: Ledger,
    pub(super) rings: Rings,
    pub(super) roots: Vec<VersionRef>,
    /// What would be touched, where nothing is to be changed.
    pub(super) dry: Option<Vec<Touched>>,
    /// The SSH certificates of the namespace, once they are asked for.
    pub(super) ssh: Option<Vec<Issued>>,
    /// Whether something is left for when the disk has room again.
    pub(super) no_room: bool,
}

impl<'a> Work<'a> {
    pub(super) fn new(engine: &'a Engine, entry: Entry, ledger: Ledger) -> Result<Self> {
        Ok(Self {
            engine,
            rings: Rings::of(&entry.rooms, &ledger.record.namespace),
            roots: walk::roots(&ledger.record)?,
            entry,
            ledger,
            dry: None,
            ssh: None,
            no_room: false,
        })
    }

    pub(super) fn id(&self) -> RecordId {
        self.ledger.id
    }

    /// What its events say: the incident, and the rule whose act it is, so that
    /// no rule takes them for somebody's who did not answer it.
    pub(super) fn said(&self) -> Vec<(DetailKey, DetailValue)> {
        let mut said = vec![(DetailKey::Incident, self.id().to_string().into())];
        if let Some(by) = &self.ledger.record.by_rule {
            said.push((DetailKey::Rule, by.rule.as_str().into()));
            said.push((DetailKey::Chain, by.chain.into()));
        }
        said
    }

    /// Everything that is to be done, or shown.
    pub(super) async fn run(&mut self) -> Result<()> {
        self.enter_roots().await?;
        for root in self.roots.clone() {
            attend::key(self, root).await?;
        }
        self.go_down().await?;
        // Only now: what is still good has been taken away as far as it goes.
        if self.no_room {
            return Err(Error::Store(skms_store::Error::Full));
        }
        self.rotate().await
    }

    /// Waits until whoever used the key or a dependent before has left.
    async fn drain(&self) -> Result<()> {
        let rooms = &self.entry.rooms;
        let record = &self.ledger.record;
        let at = KeyRef {
            namespace: &record.namespace,
            keyring: &record.keyring,
            name: &record.key,
        };
        if let Some(cell) = rooms.keys.here(at) {
            cell.drain().await;
        }
        if record.reach != Reach::None {
            for root in &self.roots {
                let node = rooms.lineage.node(rooms, self.ledger.scope, *root).await?;
                node.drain().await;
            }
        }
        Ok(())
    }

    /// The first entries: the versions that the act itself marked.
    async fn enter_roots(&mut self) -> Result<()> {
        let mut new = Vec::new();
        for root in &self.roots {
            let key = walk::read(&self.entry.rooms, self.ledger.scope, root.key).await?;
            if let (Some((key, _)), false) = (key, self.ledger.has(*root)) {
                new.push(Touched {
                    kind: "key".to_owned(),
                    id: root.key.to_string(),
                    name: walk::path(self.rings.at(&key)),
                    version: Some(root.version.0),
                    how: None,
                    under: None,
                    outcome: Fate::Compromised.word().to_owned(),
                    owner: Some(key.owner.clone()),
                    rotates: self.rotates(&key),
                    detail: None,
                });
            }
        }
        self.note(new).await
    }

    /// Enters what was taken away with another batch, in a batch of its own.
    pub(super) async fn note(&mut self, touched: Vec<Touched>) -> Result<()> {
        self.enter(touched, true).await
    }

    /// Enters what is only told, which waits for room.
    pub(super) async fn tell(&mut self, touched: Vec<Touched>) -> Result<()> {
        self.enter(touched, false).await
    }

    async fn enter(&mut self, touched: Vec<Touched>, takes_away: bool) -> Result<()> {
        if touched.is_empty() {
            return Ok(());
        }
        let counted = count(&touched);
        if let Some(shown) = &mut self.dry {
            shown.extend(touched.iter().cloned());
            let (_, record, done) = self.ledger.enter(touched, counted)?.split();
            self.ledger.committed(record, done);
            return Ok(());
        }
        let event = self.event(&touched)?;
        let (changes, record, done) = self.ledger.enter(touched, counted)?.split();
        self.commit(changes, event, takes_away).await?;
        self.ledger.committed(record, done);
        Ok(())
    }

    /// Whether a key is given a new version in the end.
    pub(super) fn rotates(&self, key: &Key) -> bool {
        walk::rotates(key, self.ledger.record.rotation)
    }

    /// What was touched so far.
    pub(super) async fn touched(&self, page: u32) -> Result<Option<Vec<Touched>>> {
        if let Some(shown) = &self.dry {
            return Ok((page == 0).then(|| shown.clone()));
        }
        if page >= self.ledger.record.pages {
            return Ok(None);
        }
        let rooms = &self.entry.rooms;
        let page = super::ledger::read_page(rooms, self.ledger.scope, self.id(), page);
        page.await.map(Some)
    }

    /// Marks everything below, in batches.
    async fn go_down(&mut self) -> Result<()> {
        let (scope, reach) = (self.ledger.scope, self.ledger.record.reach);
        let mut walk = Walk::new(scope, reach, &self.roots);
        loop {
            let begun = Instant::now();
            let found = walk.next(&self.entry.rooms, BATCH).await?;
            if found.is_empty() {
                return Ok(());
            }
            let (known, new): (Vec<Found>, Vec<Found>) =
                (found.into_iter()).partition(|found| self.ledger.has(found.child));
            // Done before a crash; what stands on it and is below may not be.
            let (on, pairs) = self.not_spared(&known).await?;
            for of in pairs {
                attend::key(self, of).await?;
            }
            walk.below(&self.entry.rooms, &on).await?;
            if new.is_empty() {
                continue;
            }
            // Entries are made out at the time of each batch.
            self.entry = self.engine.enter(&self.entry.caller)?;
            let marked = self.mark(new).await?.into_iter();
            let on = marked.filter(|(_, fate)| *fate != Fate::Spared);
            let on: Vec<_> = on.map(|(child, _)| child).collect();
            walk.below(&self.entry.rooms, &on).await?;
            if self.dry.is_some() {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::time::sleep(begun.elapsed().mul_f64(REST)).await;
        }
    }

    /// Those that were not spared when they were come to before, and which of
    /// them something but keys may stand on.
    async fn not_spared(&self, known: &[Found]) -> Result<(Vec<VersionRef>, Vec<VersionRef>)> {
        let keys = known.iter().map(|found| found.child.key);
        let read = walk::read_each(&self.entry.rooms, self.ledger.scope, keys).await?;
        let (mut on, mut pairs) = (Vec::new(), Vec::new());
        for (of, read) in known.iter().map(|found| found.child).zip(read) {
            let version = read
                .as_ref()
                .and_then(|(key, _)| key.version(of.version).ok());
            if version.is_some_and(|version| !version.is_compromised()) {
                continue;
            }
            on.push(of);
            pairs.extend(
                version
                    .and_then(|version| version.public_spki.as_ref())
                    .map(|_| of),
            );
        }
        Ok((on, pairs))
    }

    /// Marks dependents: those that are alike at once, the others each by
    /// itself.
    async fn mark(&mut self, found: Vec<Found>) -> Result<Vec<(VersionRef, Fate)>> {
        let mut done = Vec::with_capacity(found.len());
        if self.dry.is_some() {
            for found in found {
                let fate = one::show(self, &found).await?;
                done.push((found.child, fate));
            }
            return Ok(done);
        }
        let single = bulk::mark(self, found, &mut done).await?;
        for found in single {
            match one::mark(self, &found).await {
                Ok(fate) => done.push((found.child, fate)),
                // It stays as it is, and so does what is below it; the others
                // get their turn.
                Err(Error::Store(skms_store::Error::Full)) => self.no_room = true,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Gives keys new versions. What was done before a crash is not done again:
    /// the newest version of such a key is not compromised.
    async fn rotate(&mut self) -> Result<()> {
        let mut keys = Vec::new();
        let mut number = 0;
        while let Some(page) = self.touched(number).await? {
            number += 1;
            for touched in page {
                if touched.rotates && touched.outcome == Fate::Compromised.word() {
                    let key = touched.id.parse().ok();
                    let version = touched.version.map(VersionNumber);
                    keys.extend(
                        key.zip(version)
                            .map(|(key, version)| VersionRef { key, version }),
                    );
                }
            }
        }
        // Of each key the newest version that was marked.
        keys.sort_unstable_by(|one, other| other.cmp(one));
        keys.dedup_by_key(|of| of.key);
        for of in keys {
            let rooms = &self.entry.rooms;
            let Some((key, _)) = walk::read(rooms, self.ledger.scope, of.key).await? else {
                continue;
            };
            let newest = key.newest()?;
            let marked = match self.dry {
                Some(_) => newest.number == of.version,
                None => newest.is_compromised(),
            };
            if !marked {
                continue;
            }
            if one::rotate(self, &key).await? {
                let counted = Counts {
                    rotated: 1,
                    ..Counts::default()
                };
                let (changes, record, done) = self.ledger.enter(Vec::new(), counted)?.split();
                if self.dry.is_some() {
                    self.ledger.committed(record, done);
                    continue;
                }
                self.entry.rooms.store.commit(changes, None).await?;
                self.ledger.committed(record, done);
            }
        }
        Ok(())
    }
}
