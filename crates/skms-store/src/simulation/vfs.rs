//! A simulated disk as SQLite sees it.
//!
//! SQLite knows file systems by name and keeps them for ever, so a few are
//! registered, and each serves one disk after the other.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sqlite_vfs::{
    DatabaseHandle, LockKind, OpenAccess, OpenKind, OpenOptions, Vfs, WalDisabled, register,
};

use super::disk::SimulatedDisk;
use super::file::SimulatedFile;

/// A file system that SQLite knows, and the disk it serves now.
#[derive(Clone)]
struct Slot {
    name: String,
    disk: Arc<Mutex<Weak<SimulatedDisk>>>,
}

static FREE: Mutex<Vec<Slot>> = Mutex::new(Vec::new());
static REGISTERED: Mutex<u32> = Mutex::new(0);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file system that serves one disk until it is dropped.
pub(super) struct Registered(Slot);

impl Registered {
    pub(super) fn take(disk: Weak<SimulatedDisk>) -> Self {
        let slot = lock(&FREE).pop().unwrap_or_else(Slot::register);
        *lock(&slot.disk) = disk;
        Self(slot)
    }

    pub(super) fn name(&self) -> &str {
        &self.0.name
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        *lock(&self.0.disk) = Weak::new();
        lock(&FREE).push(self.0.clone());
    }
}

impl Slot {
    fn register() -> Self {
        let mut registered = lock(&REGISTERED);
        *registered += 1;
        let slot = Self {
            name: format!("skms-simulated-{registered}"),
            disk: Arc::default(),
        };
        // It is refused only for want of memory; opening a database says so.
        let _ = register(&slot.name, slot.clone(), false);
        slot
    }

    fn disk(&self) -> io::Result<Arc<SimulatedDisk>> {
        lock(&self.disk)
            .upgrade()
            .ok_or_else(|| io::Error::other("the disk is gone"))
    }
}

/// A file that SQLite has open.
pub(super) struct Handle {
    file: SimulatedFile,
    path: String,
    lock: LockKind,
    /// A new log or journal: its name becomes durable with its contents, as
    /// SQLite's own file system does it.
    new: bool,
}

/// What SQLite takes for a full disk.
fn told(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::StorageFull => io::ErrorKind::WriteZero.into(),
        _ => error,
    }
}

impl Vfs for Slot {
    type Handle = Handle;

    fn open(&self, path: &str, options: OpenOptions) -> io::Result<Handle> {
        let disk = self.disk()?;
        let known = disk.exists(Path::new(path));
        let creates = matches!(options.access, OpenAccess::Create | OpenAccess::CreateNew);
        let file = if known || !creates {
            disk.open(Path::new(path))?
        } else {
            disk.create_new(Path::new(path))?
        };
        Ok(Handle {
            file,
            path: path.to_owned(),
            lock: LockKind::None,
            new: !known && matches!(options.kind, OpenKind::Wal | OpenKind::MainJournal),
        })
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        self.disk()?.remove(Path::new(path))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        Ok(self.disk()?.exists(Path::new(path)))
    }

    fn temporary_name(&self) -> String {
        "/temporary".to_owned()
    }

    fn random(&self, buffer: &mut [i8]) {
        buffer.fill(0);
    }

    fn sleep(&self, duration: Duration) -> Duration {
        duration
    }
}

impl DatabaseHandle for Handle {
    type WalIndex = WalDisabled;

    fn size(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_exact_at(&mut self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset).map_err(told)
    }

    fn sync(&mut self, _: bool) -> io::Result<()> {
        self.file.sync()?;
        if self.new {
            if let Some(directory) = Path::new(&self.path).parent() {
                self.file.disk.sync_directory(directory)?;
            }
            self.new = false;
        }
        Ok(())
    }

    fn set_len(&mut self, size: u64) -> io::Result<()> {
        // To grow is a hint only, as with SQLite's own file system.
        if size < self.file.len()? {
            self.file.truncate(size)?;
        }
        Ok(())
    }

    fn lock(&mut self, lock: LockKind) -> io::Result<bool> {
        self.lock = lock;
        Ok(true)
    }

    fn reserved(&mut self) -> io::Result<bool> {
        Ok(self.lock > LockKind::Shared)
    }

    fn current_lock(&self) -> io::Result<LockKind> {
        Ok(self.lock)
    }

    fn wal_index(&self, _: bool) -> io::Result<WalDisabled> {
        Ok(WalDisabled)
    }
}
