//! The list, a step at a time: so many lines as go into one batch. The same list
//! has the same steps whenever it is read, which is what a resume goes by.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use skms_client::file::{ARMOR_BEGIN, MAGIC};
use skms_crypto::hash::sha256;
use skms_crypto::{Hash, Hasher};

use super::age::HEADER_MAX;
use super::seen::Seen;
use crate::cli::error::{CliError, Result};
use crate::cli::input;

/// The most lines of a step.
const STEP_LINES: usize = 500;
/// The most bytes of a step, but for one line that is longer.
const STEP_BYTES: usize = 512 << 10;
/// The longest line that can be a ciphertext: it must fit in a request.
const LINE_MAX: usize = 960 << 10;

/// What a list is made of.
#[derive(Debug)]
pub enum Piece {
    /// A line, with its end, and what it is called.
    Line { raw: Vec<u8>, called: String },
    /// A file of the folder ended.
    End { name: String, seen: Seen },
}

/// What is handled at once.
#[derive(Debug)]
pub enum Step {
    /// Some lines.
    Pieces(Vec<Piece>),
    /// Something too long to be held, which [`Source::rest`] gives bit by bit.
    Long { called: String, why: &'static str },
    /// A file in the age format: what stands before its payload, as far as it
    /// is not too long. The rest is for [`Source::rest`] as well.
    Age { called: String, head: Vec<u8> },
}

/// The list.
pub struct Source {
    files: std::vec::IntoIter<Named>,
    open: Option<Open>,
    /// Read already, for the next step.
    ahead: Option<Ahead>,
    hash: Hasher,
    chain: [u8; 32],
    /// Bytes that go into a request with each line.
    with_each: usize,
}

struct Named {
    path: PathBuf,
    /// Within the folder, if the list is one.
    name: Option<String>,
}

struct Open {
    reader: Box<dyn BufRead + Send>,
    name: Option<String>,
    /// As it was when it was opened; nothing of standard input.
    seen: Option<Seen>,
    line: u64,
    /// How what is too long ends: with its line, or with the file.
    to_the_end: bool,
}

enum Ahead {
    Piece(Piece),
    Long { called: String, why: &'static str },
    Age { called: String, head: Vec<u8> },
}

impl Source {
    /// A file, standard input for `-`, or every file in a folder. So many bytes
    /// go into a request with each line.
    pub fn open(path: &Path, with_each: usize) -> Result<Self> {
        let files = match path != Path::new("-") && path.is_dir() {
            true => folder(path)?,
            false => vec![Named {
                path: path.to_owned(),
                name: None,
            }],
        };
        let mut source = Self {
            files: files.into_iter(),
            open: None,
            ahead: None,
            hash: Hasher::new(Hash::Sha256),
            chain: [0; 32],
            with_each,
        };
        // What cannot be read is known before a job is made.
        source.next_file()?;
        Ok(source)
    }

    /// The file that is being read, as it was when it was opened.
    pub fn seen(&self) -> Option<Seen> {
        self.open.as_ref().and_then(|open| open.seen)
    }

    /// What the steps up to here were.
    pub const fn chain(&self) -> [u8; 32] {
        self.chain
    }

    fn next_file(&mut self) -> Result<bool> {
        let Some(next) = self.files.next() else {
            return Ok(false);
        };
        let (reader, seen): (Box<dyn Read + Send>, _) = match next.path == Path::new("-") {
            true => (Box::new(std::io::stdin()), None),
            false => {
                let opened = File::open(&next.path)
                    .and_then(|file| file.metadata().map(|about| (file, about)));
                let (file, about) = opened.map_err(|error| cannot(&next.path, &error))?;
                (Box::new(file), Some(Seen::of(&about)))
            }
        };
        self.open = Some(Open {
            reader: Box::new(BufReader::with_capacity(1 << 16, reader)),
            name: next.name,
            seen,
            line: 0,
            to_the_end: false,
        });
        Ok(true)
    }

    /// The next step. What is too long must be read by [`Source::rest`] first.
    pub fn step(&mut self) -> Result<Option<Step>> {
        let (mut pieces, mut lines, mut bytes) = (Vec::new(), 0, 0);
        while lines < STEP_LINES && bytes < STEP_BYTES {
            let next = match self.ahead.take() {
                Some(next) => Some(next),
                None => self.piece()?,
            };
            match next {
                None => break,
                Some(Ahead::Long { called, why }) if pieces.is_empty() => {
                    return Ok(Some(Step::Long { called, why }));
                }
                // Too much together: it is the first of the next step.
                Some(Ahead::Piece(Piece::Line { raw, called }))
                    if !pieces.is_empty() && bytes + raw.len() + self.with_each > STEP_BYTES =>
                {
                    self.ahead = Some(Ahead::Piece(Piece::Line { raw, called }));
                    break;
                }
                Some(Ahead::Age { called, head }) if pieces.is_empty() => {
                    self.hash.update(&head);
                    return Ok(Some(Step::Age { called, head }));
                }
                Some(Ahead::Piece(piece)) => {
                    match &piece {
                        Piece::Line { raw, .. } => {
                            lines += 1;
                            bytes += raw.len() + self.with_each;
                            self.hash.update(raw);
                        }
                        Piece::End { name, .. } => {
                            lines += 1;
                            self.hash.update(name.as_bytes());
                        }
                    }
                    pieces.push(piece);
                }
                Some(long) => {
                    self.ahead = Some(long);
                    break;
                }
            }
        }
        if pieces.is_empty() {
            return Ok(None);
        }
        self.stepped();
        Ok(Some(Step::Pieces(pieces)))
    }

    fn stepped(&mut self) {
        let hash = std::mem::replace(&mut self.hash, Hasher::new(Hash::Sha256));
        self.chain = sha256(&[&self.chain, &hash.finish()]);
    }

    /// The next line, or that a file of a folder ended; nothing at the end.
    fn piece(&mut self) -> Result<Option<Ahead>> {
        loop {
            let Some(open) = &mut self.open else {
                if !self.next_file()? {
                    return Ok(None);
                }
                continue;
            };
            let read = open
                .next()
                .map_err(|error| CliError::usage(format!("the list cannot be read: {error}")))?;
            match read {
                Some(next) => return Ok(Some(next)),
                None => {
                    let ended = open.name.take().zip(open.seen);
                    self.open = None;
                    if let Some((name, seen)) = ended {
                        return Ok(Some(Ahead::Piece(Piece::End { name, seen })));
                    }
                }
            }
        }
    }

    /// Gives what is too long, bit by bit, and ends its step.
    pub fn rest(&mut self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Err(CliError::failure("nothing is left of the line"));
        };
        loop {
            let bytes = (open.reader.fill_buf())
                .map_err(|error| CliError::usage(format!("the list cannot be read: {error}")))?;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (taken, last) = match end {
                Some(at) if !open.to_the_end => (at + 1, true),
                _ => (bytes.len(), bytes.is_empty()),
            };
            let bit = bytes.get(..taken).unwrap_or_default();
            self.hash.update(bit);
            each(bit)?;
            open.reader.consume(taken);
            if last {
                open.to_the_end = false;
                self.stepped();
                return Ok(());
            }
        }
    }
}

impl Open {
    fn next(&mut self) -> std::io::Result<Option<Ahead>> {
        let start = self.reader.fill_buf()?;
        if start.is_empty() {
            return Ok(None);
        }
        let age = start.starts_with(MAGIC) || start.starts_with(ARMOR_BEGIN.as_bytes());
        if self.line == 0 && age {
            self.line = 1;
            self.to_the_end = true;
            return Ok(Some(Ahead::Age {
                called: self.name.clone().unwrap_or_else(|| "the file".to_owned()),
                head: self.age_head()?,
            }));
        }
        self.line += 1;
        let called = self.called();
        // A line that is in the buffer whole, mostly; else it is put together.
        let mut raw = Vec::new();
        loop {
            let bytes = self.reader.fill_buf()?;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(bytes.len(), |at| at + 1);
            if taken == 0 {
                break;
            }
            if raw.len() + taken > LINE_MAX {
                return Ok(Some(self.too_long(raw, called)));
            }
            raw.extend_from_slice(bytes.get(..taken).unwrap_or_default());
            self.reader.consume(taken);
            if end.is_some() {
                break;
            }
        }
        Ok(Some(Ahead::Piece(Piece::Line { raw, called })))
    }

    /// The lines up to the one that ends an age file's header.
    fn age_head(&mut self) -> std::io::Result<Vec<u8>> {
        let mut head = Vec::new();
        while head.len() < HEADER_MAX {
            let from = head.len();
            let limit = (HEADER_MAX - from) as u64;
            let mut limited = (&mut self.reader).take(limit);
            if limited.read_until(b'\n', &mut head)? == 0 {
                break;
            }
            let line = head.get(from..).unwrap_or_default();
            if line.starts_with(b"---") {
                break;
            }
        }
        Ok(head)
    }

    /// Puts back what was read of a line that is too long.
    fn too_long(&mut self, raw: Vec<u8>, called: String) -> Ahead {
        let rest = std::mem::replace(&mut self.reader, Box::new(std::io::empty()));
        self.reader = Box::new(BufReader::new(std::io::Cursor::new(raw).chain(rest)));
        Ahead::Long {
            called,
            why: "it is too long for a ciphertext",
        }
    }

    fn called(&self) -> String {
        match &self.name {
            Some(name) => format!("{name}:{}", self.line),
            None => format!("line {}", self.line),
        }
    }
}

/// The files of a folder and those below it, in one order always.
fn folder(path: &Path) -> Result<Vec<Named>> {
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let listed = std::fs::read_dir(&folder).map_err(|error| cannot(&folder, &error))?;
        for entry in listed {
            let entry = entry.map_err(|error| cannot(&folder, &error))?;
            let kind = entry
                .file_type()
                .map_err(|error| cannot(&entry.path(), &error))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let within = entry.path();
                let within = within.strip_prefix(path).unwrap_or(&within);
                let name = within.to_str().ok_or_else(|| {
                    CliError::usage(format!("{}: its name is not text", within.display()))
                })?;
                found.push(Named {
                    path: entry.path(),
                    name: Some(name.to_owned()),
                });
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn cannot(path: &Path, error: &std::io::Error) -> CliError {
    CliError::usage(format!("cannot read {}: {error}", input::name(path)))
}
