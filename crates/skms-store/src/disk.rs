//! Where the files of a store and its journal are, and who works on them.
//!
//! Every file operation of the journal, and those of the store that SQLite
//! does not do by itself, go through a [`Disk`]. It is the machine's own file
//! system; tests may put a simulated disk in its place (feature `simulation`),
//! that loses what was not synced, tears, fails and fills up. In a build
//! without that feature nothing but the file system is left of it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
#[cfg(feature = "simulation")]
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::error::{Error, Result};
#[cfg(feature = "simulation")]
use crate::simulation::{SimulatedDisk, SimulatedFile};

/// A file system. Cheap to clone; all clones are one disk.
#[derive(Clone, Default)]
pub struct Disk(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Real,
    #[cfg(feature = "simulation")]
    Simulated(Arc<SimulatedDisk>),
}

/// An open file.
pub(crate) struct DiskFile(Opened);

enum Opened {
    Real(File),
    #[cfg(feature = "simulation")]
    Simulated(SimulatedFile),
}

/// A lock on a file; it ends with this.
pub(crate) enum Held {
    Real {
        _file: File,
    },
    #[cfg(feature = "simulation")]
    Simulated,
}

/// Work that goes on behind a store or a journal.
pub(crate) trait Background: Send + 'static {
    /// Does what there is to do.
    fn turn(&mut self, patience: Patience) -> Turn;
}

/// What a turn does when there is nothing to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It waits.
    Wait,
    /// It says so.
    #[cfg(feature = "simulation")]
    Now,
    /// It says so, but first tries again what had failed for want of room.
    #[cfg(feature = "simulation")]
    Retry,
}

/// What a turn came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Something was done.
    Done,
    /// There was nothing to do.
    #[cfg(feature = "simulation")]
    Idle,
    /// There will be nothing to do any more.
    Ended,
}

/// A [`Background`] at work.
pub(crate) enum Worker {
    Thread(JoinHandle<()>),
    #[cfg(feature = "simulation")]
    Simulated(Arc<SimulatedDisk>, u64),
}

impl Worker {
    /// Waits until it has ended, which it does once its user closed what it
    /// waits for.
    pub(crate) fn join(self) {
        match self {
            Self::Thread(thread) => join(thread),
            #[cfg(feature = "simulation")]
            Self::Simulated(disk, number) => disk.finish(number),
        }
    }
}

/// Waits for the thread's end, unless it is this one: a batch may hold the
/// last that anybody holds of its own store, and its writer then ends of
/// itself as soon as it has let go of it.
pub(crate) fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != std::thread::current().id() {
        // A panic there was reported there.
        let _ = thread.join();
    }
}

impl Disk {
    /// The machine's file system.
    #[must_use]
    pub const fn real() -> Self {
        Self(Kind::Real)
    }

    /// A simulated one.
    #[cfg(feature = "simulation")]
    #[must_use]
    pub const fn simulated(disk: Arc<SimulatedDisk>) -> Self {
        Self(Kind::Simulated(disk))
    }

    /// The name under which SQLite knows it, unless it is SQLite's own. On
    /// such a disk one connection does everything, and no thread of ours does
    /// anything.
    pub(crate) fn vfs(&self) -> Option<&str> {
        match &self.0 {
            Kind::Real => None,
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => Some(disk.vfs()),
        }
    }

    /// Whether a file or directory of that name exists.
    pub fn exists(&self, path: &Path) -> bool {
        match &self.0 {
            Kind::Real => path.exists(),
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => disk.exists(path),
        }
    }

    /// Bytes that may still be written into a directory's file system, where
    /// that is known.
    pub(crate) fn available(&self, directory: &Path) -> Option<u64> {
        match &self.0 {
            Kind::Real => {
                let found = rustix::fs::statvfs(directory).ok()?;
                Some(found.f_bavail.saturating_mul(found.f_frsize))
            }
            #[cfg(feature = "simulation")]
            Kind::Simulated(_) => None,
        }
    }

    /// Makes a directory, and those above it, for their owner only.
    pub(crate) fn create_directory(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            Kind::Real => fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path),
            #[cfg(feature = "simulation")]
            Kind::Simulated(_) => Ok(()),
        }
    }

    /// Names of the files in a directory, in no order.
    pub(crate) fn names(&self, directory: &Path) -> io::Result<Vec<String>> {
        match &self.0 {
            Kind::Real => fs::read_dir(directory)?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect(),
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => disk.names(directory),
        }
    }

    /// Makes a new file for its owner only.
    pub(crate) fn create_new(&self, path: &Path) -> io::Result<DiskFile> {
        match &self.0 {
            Kind::Real => OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map(|file| DiskFile(Opened::Real(file))),
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => disk
                .create_new(path)
                .map(|file| DiskFile(Opened::Simulated(file))),
        }
    }

    /// Opens a file for reading and writing.
    pub(crate) fn open(&self, path: &Path) -> io::Result<DiskFile> {
        match &self.0 {
            Kind::Real => OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .map(|file| DiskFile(Opened::Real(file))),
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => disk
                .open(path)
                .map(|file| DiskFile(Opened::Simulated(file))),
        }
    }

    /// All bytes of a file.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match &self.0 {
            Kind::Real => fs::read(path),
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => disk.read(path),
        }
    }

    /// Length of a file, in bytes.
    pub(crate) fn len(&self, path: &Path) -> io::Result<u64> {
        match &self.0 {
            Kind::Real => fs::metadata(path).map(|file| file.len()),
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => disk.len(path),
        }
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            Kind::Real => fs::remove_file(path),
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => disk.remove(path),
        }
    }

    /// Creates the file for its owner only, or takes others' rights from it.
    pub(crate) fn private_file(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            Kind::Real => {
                let file = lockable(path)?;
                if file.metadata()?.permissions().mode() & 0o077 != 0 {
                    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
                }
                Ok(())
            }
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) if disk.exists(path) => Ok(()),
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => disk.create_new(path).map(drop),
        }
    }

    /// Makes names created beside `path`, and its own, survive power loss.
    pub(crate) fn sync_directory(&self, path: &Path) -> Result<()> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let synced = match &self.0 {
            Kind::Real => File::open(directory).and_then(|directory| directory.sync_all()),
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => disk.sync_directory(directory),
        };
        synced.map_err(|error| Error::io(format!("directory {}", directory.display()), error))
    }

    /// Opens a file, creating it for its owner only, and takes the lock on it.
    pub(crate) fn lock(&self, path: PathBuf) -> Result<Held> {
        match &self.0 {
            Kind::Real => {
                let failed = |error| Error::io(format!("lock {}", path.display()), error);
                let file = lockable(&path).map_err(failed)?;
                match file.try_lock() {
                    Ok(()) => Ok(Held::Real { _file: file }),
                    Err(TryLockError::WouldBlock) => Err(Error::InUse { path }),
                    Err(TryLockError::Error(error)) => Err(failed(error)),
                }
            }
            // There is one process in a simulation.
            #[cfg(feature = "simulation")]
            Kind::Simulated(_) => Ok(Held::Simulated),
        }
    }

    /// Sets work going, on a thread of its own.
    pub(crate) fn spawn(&self, name: &str, mut work: impl Background) -> Result<Worker> {
        match &self.0 {
            Kind::Real => std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || while work.turn(Patience::Wait) != Turn::Ended {})
                .map(Worker::Thread)
                .map_err(|error| Error::io(format!("thread {name}"), error)),
            #[cfg(feature = "simulation")]
            Kind::Simulated(disk) => Ok(Worker::Simulated(
                Arc::clone(disk),
                disk.employ(Box::new(work)),
            )),
        }
    }

    /// Runs file work on a thread of its own, so that no runtime waits for it.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        #[cfg(feature = "simulation")]
        if matches!(self.0, Kind::Simulated(_)) {
            return work();
        }
        let (sender, answer) = oneshot::channel();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                // The asker may be gone.
                let _ = sender.send(work());
            })
            .map_err(|error| Error::io(format!("thread {name}"), error))?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

/// Opens a file, creating it for its owner only.
fn lockable(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

impl DiskFile {
    /// Length, in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        match &self.0 {
            Opened::Real(file) => file.metadata().map(|file| file.len()),
            #[cfg(feature = "simulation")]
            Opened::Simulated(file) => file.len(),
        }
    }

    /// Fills `bytes` from this place on.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match &self.0 {
            Opened::Real(file) => file.read_exact_at(bytes, offset),
            #[cfg(feature = "simulation")]
            Opened::Simulated(file) => file.read_exact_at(bytes, offset),
        }
    }

    /// Writes all of `bytes` from this place on.
    pub(crate) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match &self.0 {
            Opened::Real(file) => file.write_all_at(bytes, offset),
            #[cfg(feature = "simulation")]
            Opened::Simulated(file) => file.write_all_at(bytes, offset),
        }
    }

    /// Makes its contents survive power loss.
    pub(crate) fn sync_data(&self) -> io::Result<()> {
        match &self.0 {
            Opened::Real(file) => file.sync_data(),
            #[cfg(feature = "simulation")]
            Opened::Simulated(file) => file.sync(),
        }
    }

    /// As [`DiskFile::sync_data`], with everything the file system notes
    /// about the file.
    pub(crate) fn sync_all(&self) -> io::Result<()> {
        match &self.0 {
            Opened::Real(file) => file.sync_all(),
            #[cfg(feature = "simulation")]
            Opened::Simulated(file) => file.sync(),
        }
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            Kind::Real => "Disk(real)",
            #[cfg(feature = "simulation")]
            Kind::Simulated(_) => "Disk(simulated)",
        })
    }
}
