//! The simulated disk: names and files, what a crash leaves of them, faults,
//! and the work that goes on behind stores and journals.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::file::{Inode, SimulatedFile};
use super::nonces::Nonces;
use super::random::Random;
use super::vfs::Registered;
use crate::disk::{Background, Patience, Turn};

/// How often operations fail: once in so many, never at 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Reads.
    pub reads: u64,
    /// Writes, which may have been done in part.
    pub writes: u64,
    /// Syncs, after which what was written may never reach the disk.
    pub syncs: u64,
    /// Creations, removals, and syncs of directories.
    pub names: u64,
}

/// What happens to what was not synced when the machine starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Only the process ended: the system still has it.
    Process,
    /// Power was lost: an arbitrary part of it survives.
    Power,
}

/// A simulated disk, and the machine it is in.
pub struct SimulatedDisk {
    state: Mutex<State>,
    staff: Mutex<Staff>,
    vfs: Registered,
}

/// Everything that a crash does not take.
struct State {
    random: Random,
    inodes: HashMap<u64, Inode>,
    next_inode: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    faults: Faults,
    /// Bytes there is room for, if limited.
    capacity: Option<u64>,
    /// Syncs do nothing and say they did.
    lies: bool,
    nonces: Nonces,
    life: u64,
    operations: u64,
    crash_at: Option<u64>,
    dead: bool,
    failed: u64,
    trace: DefaultHasher,
    lines: Option<Vec<String>>,
}

type Employed = Box<dyn Background>;

/// Who works in the background.
struct Staff {
    next: u64,
    /// `None` while at work.
    workers: BTreeMap<u64, Option<Employed>>,
}

/// Whether an operation is done at all, and how it ends.
enum Verdict {
    Done,
    /// It fails, done in part or not at all.
    Fails(io::Error),
}

fn broken() -> io::Error {
    io::Error::other("input/output error (simulated)")
}

fn full() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

impl State {
    /// Counts an operation, notes it, and decides whether it fails.
    fn begin(&mut self, what: &str, path: &str, place: (u64, u64), one_in: u64) -> Verdict {
        if self.dead {
            return Verdict::Fails(broken());
        }
        self.operations += 1;
        if self.crash_at == Some(self.operations) {
            self.dead = true;
        }
        let fails = one_in > 0 && self.random.one_in(one_in);
        let ends = match (self.dead, fails) {
            (true, _) => "crash",
            (false, true) => "error",
            (false, false) => "ok",
        };
        self.note(&format!(
            "{:5} {what:9} {path} {}+{} {ends}",
            self.operations, place.0, place.1
        ));
        if self.dead || fails {
            self.failed += u64::from(fails);
            return Verdict::Fails(broken());
        }
        Verdict::Done
    }

    fn note(&mut self, line: &str) {
        line.hash(&mut self.trace);
        if let Some(lines) = &mut self.lines {
            lines.push(line.to_owned());
        }
    }

    fn name_of(&self, inode: u64) -> String {
        self.names
            .iter()
            .find(|(_, known)| **known == inode)
            .and_then(|(path, _)| path.file_name())
            .map_or_else(
                || "(removed)".to_owned(),
                |name| name.to_string_lossy().into_owned(),
            )
    }

    fn inode_at(&self, path: &Path) -> io::Result<u64> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used(&self) -> u64 {
        self.names
            .values()
            .filter_map(|inode| self.inodes.get(inode))
            .map(|inode| inode.now.len() as u64)
            .sum()
    }

    /// Bytes by which a file may still grow.
    fn room(&self) -> u64 {
        self.capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()))
    }
}

fn short(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl SimulatedDisk {
    /// An empty disk of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        Self::with(State {
            random: Random::new(seed),
            inodes: HashMap::new(),
            next_inode: 1,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            faults: Faults::default(),
            capacity: None,
            lies: false,
            nonces: Nonces::default(),
            life: 0,
            operations: 0,
            crash_at: None,
            dead: false,
            failed: 0,
            trace: DefaultHasher::new(),
            lines: None,
        })
    }

    fn with(state: State) -> Arc<Self> {
        let staff = Staff {
            next: 0,
            workers: BTreeMap::new(),
        };
        Arc::new_cyclic(|disk: &Weak<Self>| Self {
            state: Mutex::new(state),
            staff: Mutex::new(staff),
            vfs: Registered::take(disk.clone()),
        })
    }

    /// Another disk with the same files, all of them durable, and chance of
    /// its own.
    #[must_use]
    pub fn copy(&self, seed: u64) -> Arc<Self> {
        let state = self.lock();
        let mut inodes = state.inodes.clone();
        inodes.values_mut().for_each(Inode::sync);
        Self::with(State {
            random: Random::new(seed),
            inodes,
            next_inode: state.next_inode,
            names: state.names.clone(),
            durable_names: state.names.clone(),
            faults: Faults::default(),
            capacity: state.capacity,
            lies: false,
            nonces: state.nonces.clone(),
            life: 0,
            operations: 0,
            crash_at: None,
            dead: false,
            failed: 0,
            trace: DefaultHasher::new(),
            lines: None,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn staff(&self) -> MutexGuard<'_, Staff> {
        self.staff.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn vfs(&self) -> &str {
        self.vfs.name()
    }

    /// From here on operations fail as often as this.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// From here on there is room for so many bytes beyond those used; `None`
    /// for no end.
    pub fn set_room(&self, bytes: Option<u64>) {
        let mut state = self.lock();
        state.capacity = bytes.map(|bytes| state.used().saturating_add(bytes));
    }

    /// From here on syncs do nothing, and say they did: what no program can
    /// survive. For tests of the tests.
    pub fn lie(&self) {
        self.lock().lies = true;
    }

    /// The machine dies at the operation after so many more; `None` for
    /// never.
    pub fn crash_after(&self, operations: Option<u64>) {
        let mut state = self.lock();
        state.crash_at = operations.map(|more| state.operations + more + 1);
    }

    /// Puts these bytes at the start of a file, durably and behind everyone's
    /// back.
    pub fn overwrite(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.lock();
        if let Ok(inode) = state.inode_at(path)
            && let Some(inode) = state.inodes.get_mut(&inode)
        {
            inode.write(bytes, 0);
            inode.sync();
        }
    }

    /// The machine dies at once.
    pub fn kill(&self) {
        self.lock().dead = true;
    }

    /// Whether the machine is dead.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.lock().dead
    }

    /// Operations done so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Operations that failed by chance so far.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.lock().failed
    }

    /// Keeps the lines of the trace from here on, for people to read.
    pub fn keep_trace(&self) {
        self.lock().lines.get_or_insert_default();
    }

    /// Puts a line of the driver's own into the trace.
    pub fn note(&self, line: &str) {
        self.lock().note(line);
    }

    /// The lines of the trace, if they are kept.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock().lines.clone().unwrap_or_default()
    }

    /// A digest of everything that was done, in order.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.lock().trace.finish()
    }

    /// Nonces that reached the disk over two different plaintexts.
    #[must_use]
    pub fn reused_nonces(&self) -> Vec<String> {
        self.lock().nonces.reused().to_vec()
    }

    /// The machine, or the process alone, starts anew. Files that are still
    /// open from before are of no use any more.
    pub fn restart(&self, loss: Loss) {
        self.staff().workers.clear();
        let mut state = self.lock();
        let state = &mut *state;
        state.life += 1;
        state.dead = false;
        state.crash_at = None;
        if loss == Loss::Power {
            lose_names(state);
        }
        let mut inodes: Vec<_> = state.inodes.iter_mut().collect();
        inodes.sort_unstable_by_key(|(number, _)| **number);
        for (number, inode) in inodes {
            match loss {
                Loss::Process => inode.evict(&mut state.random),
                Loss::Power => {
                    let mut reached = Vec::new();
                    inode.lose_power(&mut state.random, |sector| reached.push(sector));
                    state.nonces.reached(*number, &reached);
                }
            }
        }
        if loss == Loss::Power {
            state.nonces.forget_pending();
        }
        let kept: Vec<u64> = state
            .names
            .values()
            .chain(state.durable_names.values())
            .copied()
            .collect();
        state.inodes.retain(|number, _| kept.contains(number));
        state.note(&format!("restart after loss of {loss:?}"));
    }

    /// Takes work in; it is done when [`SimulatedDisk::step`] says so.
    pub(crate) fn employ(&self, work: Employed) -> u64 {
        let mut staff = self.staff();
        staff.next += 1;
        let number = staff.next;
        staff.workers.insert(number, Some(work));
        number
    }

    /// Has it do what it still has to do, and lets it go.
    pub(crate) fn finish(&self, number: u64) {
        let work = self.staff().workers.remove(&number).flatten();
        if let Some(mut work) = work {
            while work.turn(Patience::Now) == Turn::Done {}
        }
    }

    /// Does a piece of work that waits, one of those of all stores and
    /// journals; false when there is none.
    pub fn step(&self) -> bool {
        let mut numbers: Vec<u64> = self.staff().workers.keys().copied().collect();
        // Whose turn it is follows from what was done so far, not from how
        // often somebody looked.
        let mut random = Random::new(self.digest());
        while !numbers.is_empty() {
            let place = random.below(numbers.len() as u64);
            let chosen = numbers.swap_remove(usize::try_from(place).unwrap_or_default());
            if self.turn(chosen, Patience::Now) {
                return true;
            }
        }
        false
    }

    /// Lets everyone try again what had failed for want of room.
    pub fn retry(&self) {
        let numbers: Vec<u64> = self.staff().workers.keys().copied().collect();
        for number in numbers {
            self.turn(number, Patience::Retry);
        }
    }

    fn turn(&self, number: u64, patience: Patience) -> bool {
        let taken = self.staff().workers.get_mut(&number).and_then(Option::take);
        let Some(mut work) = taken else {
            return false;
        };
        let turn = work.turn(patience);
        let mut staff = self.staff();
        if turn == Turn::Ended {
            staff.workers.remove(&number);
            drop(staff);
            // What it holds may use the disk when it goes.
            drop(work);
        } else if let Some(place) = staff.workers.get_mut(&number) {
            *place = Some(work);
        }
        turn == Turn::Done
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.lock().names.contains_key(path)
    }

    pub(crate) fn names(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut state = self.lock();
        let one_in = state.faults.reads;
        match state.begin("list", &short(directory), (0, 0), one_in) {
            Verdict::Done => Ok(state
                .names
                .keys()
                .filter(|path| path.parent() == Some(directory))
                .map(|path| short(path))
                .collect()),
            Verdict::Fails(error) => Err(error),
        }
    }

    pub(crate) fn create_new(self: &Arc<Self>, path: &Path) -> io::Result<SimulatedFile> {
        let mut state = self.lock();
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let one_in = state.faults.names;
        if state.room() == 0 && !state.dead {
            return Err(full());
        }
        let was_dead = state.dead;
        let verdict = state.begin("create", &short(path), (0, 0), one_in);
        let inode = state.next_inode;
        // At a crash it is on its way.
        if matches!(verdict, Verdict::Done) || state.dead && !was_dead {
            state.next_inode += 1;
            state.inodes.insert(inode, Inode::default());
            state.names.insert(path.to_owned(), inode);
        }
        match verdict {
            Verdict::Done => Ok(self.opened(inode, state.life)),
            Verdict::Fails(error) => Err(error),
        }
    }

    fn opened(self: &Arc<Self>, inode: u64, life: u64) -> SimulatedFile {
        SimulatedFile {
            disk: Arc::clone(self),
            inode,
            life,
        }
    }

    pub(crate) fn open(self: &Arc<Self>, path: &Path) -> io::Result<SimulatedFile> {
        let mut state = self.lock();
        let inode = state.inode_at(path)?;
        let one_in = state.faults.reads;
        match state.begin("open", &short(path), (0, 0), one_in) {
            Verdict::Done => Ok(self.opened(inode, state.life)),
            Verdict::Fails(error) => Err(error),
        }
    }

    pub(crate) fn read(self: &Arc<Self>, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let mut bytes = vec![0; place(file.len()?)];
        self.file_read(&file, &mut bytes, 0)?;
        Ok(bytes)
    }

    pub(crate) fn len(&self, path: &Path) -> io::Result<u64> {
        let state = self.lock();
        let inode = state.inode_at(path)?;
        Ok(state
            .inodes
            .get(&inode)
            .map_or(0, |inode| inode.now.len() as u64))
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.inode_at(path)?;
        let (one_in, was_dead) = (state.faults.names, state.dead);
        let verdict = state.begin("remove", &short(path), (0, 0), one_in);
        if matches!(verdict, Verdict::Done) || state.dead && !was_dead {
            state.names.remove(path);
        }
        match verdict {
            Verdict::Done => Ok(()),
            Verdict::Fails(error) => Err(error),
        }
    }

    pub(crate) fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let one_in = state.faults.names;
        match state.begin("sync-dir", &short(directory), (0, 0), one_in) {
            Verdict::Done => {
                if !state.lies {
                    let inside = |path: &Path| path.parent() == Some(directory);
                    state.durable_names.retain(|path, _| !inside(path));
                    let now: Vec<_> = state
                        .names
                        .iter()
                        .filter(|(path, _)| inside(path))
                        .map(|(path, inode)| (path.clone(), *inode))
                        .collect();
                    state.durable_names.extend(now);
                }
                Ok(())
            }
            Verdict::Fails(error) => Err(error),
        }
    }

    pub(super) fn file_len(&self, file: &SimulatedFile) -> io::Result<u64> {
        let state = self.lock();
        if state.dead || state.life != file.life {
            return Err(broken());
        }
        Ok(state
            .inodes
            .get(&file.inode)
            .map_or(0, |inode| inode.now.len() as u64))
    }

    /// Reads what there is, and zeros from there on; how much there was.
    pub(super) fn file_read(
        &self,
        file: &SimulatedFile,
        bytes: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        let mut state = self.lock();
        if state.life != file.life {
            return Err(broken());
        }
        let (name, one_in) = (state.name_of(file.inode), state.faults.reads);
        match state.begin("read", &name, (offset, bytes.len() as u64), one_in) {
            Verdict::Done => {
                let now = state
                    .inodes
                    .get(&file.inode)
                    .map_or(&[][..], |inode| &inode.now);
                let there = now.get(place(offset)..).unwrap_or_default();
                let some = there.len().min(bytes.len());
                bytes[..some].copy_from_slice(&there[..some]);
                bytes[some..].fill(0);
                Ok(some)
            }
            Verdict::Fails(error) => Err(error),
        }
    }

    pub(super) fn file_write(
        &self,
        file: &SimulatedFile,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<()> {
        let mut state = self.lock();
        let state = &mut *state;
        if state.life != file.life || state.dead {
            return Err(broken());
        }
        let (name, one_in) = (state.name_of(file.inode), state.faults.writes);
        let verdict = state.begin("write", &name, (offset, bytes.len() as u64), one_in);
        let room = state.room();
        let Some(inode) = state.inodes.get_mut(&file.inode) else {
            return Err(broken());
        };
        let end = offset + bytes.len() as u64;
        let most = (inode.now.len() as u64).saturating_add(room);
        let (mut part, mut outcome) = (bytes, Ok(()));
        if let Verdict::Fails(error) = verdict {
            // At a crash the whole of it is on its way.
            if !state.dead {
                let some = state.random.below(bytes.len() as u64 + 1);
                part = &bytes[..place(some)];
            }
            outcome = Err(error);
        }
        if end > most {
            let some = most.saturating_sub(offset).min(part.len() as u64);
            part = &part[..place(some)];
            outcome = outcome.and(Err(full()));
        }
        inode.write(part, place(offset));
        if name.ends_with(".segment") {
            state.nonces.wrote(file.inode, part, place(offset));
        }
        outcome
    }

    pub(super) fn file_truncate(&self, file: &SimulatedFile, len: u64) -> io::Result<()> {
        let mut state = self.lock();
        if state.life != file.life {
            return Err(broken());
        }
        let (name, one_in) = (state.name_of(file.inode), state.faults.writes);
        match state.begin("truncate", &name, (len, 0), one_in) {
            Verdict::Done => {
                if let Some(inode) = state.inodes.get_mut(&file.inode) {
                    inode.truncate(place(len));
                }
                Ok(())
            }
            Verdict::Fails(error) => Err(error),
        }
    }

    pub(super) fn file_sync(&self, file: &SimulatedFile) -> io::Result<()> {
        let mut state = self.lock();
        let state = &mut *state;
        if state.life != file.life || state.dead {
            return Err(broken());
        }
        let (name, one_in) = (state.name_of(file.inode), state.faults.syncs);
        let verdict = state.begin("sync", &name, (0, 0), one_in);
        let Some(inode) = state.inodes.get_mut(&file.inode) else {
            return Err(broken());
        };
        match verdict {
            Verdict::Done => {
                if !state.lies {
                    inode.sync();
                    state.nonces.synced(file.inode, &inode.now);
                }
                Ok(())
            }
            // What of it survives is decided when power is lost.
            Verdict::Fails(error) if state.dead => Err(error),
            Verdict::Fails(error) => {
                let mut reached = Vec::new();
                inode.fail_sync(&mut state.random, |sector| reached.push(sector));
                state.nonces.reached(file.inode, &reached);
                Err(error)
            }
        }
    }
}

/// Every change of a directory that was not synced survives or not.
fn lose_names(state: &mut State) {
    let mut paths: Vec<PathBuf> = state
        .names
        .keys()
        .chain(state.durable_names.keys())
        .cloned()
        .collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let (now, durable) = (state.names.get(&path), state.durable_names.get(&path));
        if now != durable && state.random.one_in(2) {
            match now.copied() {
                Some(inode) => state.durable_names.insert(path, inode),
                None => state.durable_names.remove(&path),
            };
        }
    }
    state.names = state.durable_names.clone();
}
