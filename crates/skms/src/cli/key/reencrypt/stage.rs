//! Where the new list grows until it is whole: a folder beside where it will
//! be, with a journal that says how far both it and the job have come.
//!
//! The journal is written after what it speaks of is on the disk, and replaced
//! as a whole. What lies behind its marks is cut off and done again: the server
//! gives the answer to the last batch a second time.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::own;
use super::seen::Seen;
use crate::cli::error::{CliError, Result};
use crate::cli::output::NewFile;

/// How journals are written.
pub const VERSION: u32 = 2;

/// How far it has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Journal {
    pub version: u32,
    pub job: String,
    pub keyring: String,
    pub key: String,
    pub from: PathBuf,
    pub to: PathBuf,
    /// SHA-256 of what is bound to every line, and of the options.
    pub terms: String,
    /// Steps of the list that are done.
    pub steps: u64,
    /// The number of the next batch.
    pub number: u64,
    /// What those steps were.
    pub chain: String,
    /// Bytes of the new list, and of the index of its files.
    pub data: u64,
    pub index: u64,
    /// The list as it was when it was opened last, where it is a file.
    #[serde(default)]
    pub read: Option<Seen>,
    /// The whole list is there: it is put in its place.
    pub whole: bool,
    pub complete: bool,
    pub more: bool,
    /// What is in that place already is replaced.
    #[serde(default)]
    pub force: bool,
}

/// One file of a folder, by where it ends in the new list, and as it was when it
/// was read.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) end: u64,
    pub(super) seen: Seen,
}

/// The folder.
pub struct Stage {
    pub(super) folder: PathBuf,
    pub(super) data: File,
    pub(super) index: File,
    pub journal: Journal,
    /// Held as long as somebody works here.
    _lock: File,
}

/// Where the folder is, for a list that is to be at a place.
pub fn beside(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".skms-job");
    PathBuf::from(name)
}

/// The journal of a list that is to be at a place, if there is one.
///
/// # Errors
/// Where somebody else can have written it, or it is about another place: who
/// asks may have the place from a job that anybody made.
pub fn found(to: &Path) -> Result<Option<Journal>> {
    let folder = beside(to);
    let path = folder.join("journal.json");
    let Some(text) = own::read(&folder, "journal.json")? else {
        return Ok(None);
    };
    let journal: Journal = serde_json::from_slice(&text).map_err(|error| {
        CliError::usage(format!(
            "{} is no journal of a job: {error}",
            path.display()
        ))
    })?;
    if journal.version != VERSION {
        return Err(CliError::usage(format!(
            "{} was written by another version of this program",
            path.display()
        )));
    }
    if journal.to != to {
        return Err(CliError::usage(format!(
            "{} is about {} and not about {}",
            path.display(),
            journal.to.display(),
            to.display()
        )));
    }
    Ok(Some(journal))
}

impl Stage {
    /// Begins, or goes on where the journal says; `journal` is what it says.
    pub fn open(journal: Journal) -> Result<Self> {
        let folder = beside(&journal.to);
        own::make(&folder)?;
        let lock = part(&folder.join("lock"))?;
        if lock.try_lock().is_err() {
            return Err(CliError::usage(format!(
                "{} is being worked in by another process",
                folder.display()
            )));
        }
        let (mut data, mut index) = (part(&folder.join("data"))?, part(&folder.join("index"))?);
        if !journal.whole {
            cut(&mut data, journal.data).map_err(|error| cannot(&folder, &error))?;
            cut(&mut index, journal.index).map_err(|error| cannot(&folder, &error))?;
        }
        let stage = Self {
            folder,
            data,
            index,
            journal,
            _lock: lock,
        };
        stage.note()?;
        Ok(stage)
    }

    /// More of the new list.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.data.write_all(bytes);
        written.map_err(|error| cannot(&self.folder, &error))?;
        self.journal.data += bytes.len() as u64;
        Ok(())
    }

    /// A file of the folder ends here.
    pub fn end(&mut self, name: &str, seen: &Seen) -> Result<()> {
        let entry = Entry {
            name: name.to_owned(),
            end: self.journal.data,
            seen: *seen,
        };
        let mut line = serde_json::to_vec(&entry)
            .map_err(|error| CliError::failure(format!("cannot write the index: {error}")))?;
        line.push(b'\n');
        let written = self.index.write_all(&line);
        written.map_err(|error| cannot(&self.folder, &error))?;
        self.journal.index += line.len() as u64;
        Ok(())
    }

    /// A step is done.
    pub fn step(&mut self, number: u64, chain: &[u8; 32]) -> Result<()> {
        self.journal.steps += 1;
        self.journal.number = number;
        self.journal.chain = crate::cli::output::hex(chain);
        self.keep()
    }

    pub(super) fn keep(&self) -> Result<()> {
        let synced = self.data.sync_data().and_then(|()| self.index.sync_data());
        synced.map_err(|error| cannot(&self.folder, &error))?;
        self.note()
    }

    fn note(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.journal)
            .map_err(|error| CliError::failure(format!("cannot write the journal: {error}")))?;
        let mut file = NewFile::create(&self.folder.join("journal.json"))?;
        let written = file.write_all(&text);
        written.map_err(|error| cannot(&self.folder, &error))?;
        file.finish()?;
        sync(&self.folder)
    }

    /// Takes the folder away: everything is where it belongs.
    pub fn remove(self) -> Result<()> {
        std::fs::remove_dir_all(&self.folder).map_err(|error| cannot(&self.folder, &error))
    }
}

fn part(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let opened = options.mode(0o600).open(path);
    opened.map_err(|error| cannot(path, &error))
}

fn cut(file: &mut File, length: u64) -> std::io::Result<()> {
    let there = file.metadata()?.len();
    if there < length {
        let why = "it is shorter than its journal says";
        return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, why));
    }
    file.set_len(length)?;
    file.seek(SeekFrom::End(0))?;
    Ok(())
}

pub(super) fn sync(folder: &Path) -> Result<()> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| cannot(folder, &error))
}

pub(super) fn cannot(path: &Path, error: &std::io::Error) -> CliError {
    CliError::usage(format!("cannot write {}: {error}", path.display()))
}
