//! Looking at segments from outside: for backups, and for a journal that
//! nobody has open and nothing is to be written to.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::frame::{FrameCipher, FrameHeader, HEADER_LEN, Sort};
use super::prepare;
use super::segment::{self, End, Link, SEGMENT_HEADER_LEN, SegmentHeader};
use super::writer::digest;
use super::{SegmentKeys, Shared, lock, read};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::journal::Stored;

/// Where a segment's file is.
pub(crate) fn path_of(directory: &Path, number: u64) -> PathBuf {
    prepare::path_of(directory, number)
}

fn corrupt(segment: u64, offset: usize, what: &'static str) -> Error {
    Error::JournalCorrupt {
        segment,
        offset: offset as u64,
        what,
    }
}

/// Frames from the start of a segment's bytes, by their headers alone: where
/// the one ends that holds the entry before `entries`, and the sequence there.
fn cut(bytes: &[u8], first_sequence: u64, entries: u64) -> (usize, u64) {
    let (mut offset, mut sequence) = (SEGMENT_HEADER_LEN, first_sequence);
    let (mut end, mut reached) = (offset, sequence);
    while sequence < entries {
        let rest = bytes.get(offset..).unwrap_or_default();
        let Some(header) = FrameHeader::parse(rest) else {
            break;
        };
        if rest.len() < HEADER_LEN + header.len {
            break;
        }
        offset += HEADER_LEN + header.len;
        if header.sort == Sort::Entry {
            sequence += 1;
            (end, reached) = (offset, sequence);
        }
    }
    (end, reached)
}

/// The bytes of one segment up to the entry before `entries`; `None` where
/// there is none of them in it.
pub(super) fn piece(shared: &Shared, number: u64, entries: u64) -> Result<Option<Vec<u8>>> {
    let info = lock(&shared.segments)
        .iter()
        .copied()
        .find(|info| info.header.number == number);
    let Some(info) = info.filter(|info| info.header.first_sequence < entries) else {
        return Ok(None);
    };
    let path = path_of(&shared.directory, number);
    let mut bytes = vec![0; info.end];
    File::open(&path)
        .and_then(|file| file.read_exact_at(&mut bytes, 0))
        .map_err(|error| Error::io(format!("journal {}", path.display()), error))?;
    let (end, _) = cut(&bytes, info.header.first_sequence, entries);
    bytes.truncate(end);
    Ok(Some(bytes))
}

/// Segments one after the other, each checked and linked to the one before.
pub(crate) struct Chain<'a> {
    keys: &'a dyn SegmentKeys,
    before: Option<Before>,
}

struct Before {
    number: u64,
    sequence: u64,
    digest: [u8; 32],
}

impl<'a> Chain<'a> {
    pub(crate) fn new(keys: &'a dyn SegmentKeys) -> Self {
        Self { keys, before: None }
    }

    /// Opens a whole segment that follows the one before.
    pub(crate) fn segment(
        &mut self,
        number: u64,
        bytes: &[u8],
        each: impl FnMut(Stored),
    ) -> Result<()> {
        let header = SegmentHeader::parse(bytes)?;
        if header.install != self.keys.install() {
            return Err(Error::OtherInstall {
                what: "the journal",
                expected: crate::hex::encode(&self.keys.install()),
                found: crate::hex::encode(&header.install),
            });
        }
        let key = self
            .keys
            .segment_key(header.term, header.number, &header.salt)?;
        let link =
            header
                .link(&key, bytes)
                .ok_or(corrupt(number, 0, "its header does not open"))?;
        let follows = match &self.before {
            None => number == 1 && header.first_sequence == 0 && link.previous == [0; 32],
            Some(before) => {
                number == before.number + 1
                    && header.first_sequence == before.sequence
                    && link.previous == before.digest
            }
        };
        if header.number != number || !follows {
            return Err(corrupt(number, 0, "it does not follow the segment before"));
        }
        let cipher = FrameCipher {
            key,
            segment: number,
        };
        let (end, how, hasher) = segment::scan(bytes, &cipher, header.first_sequence, each);
        if how != End::Clean {
            return Err(corrupt(number, end.offset, "it does not open"));
        }
        self.before = Some(Before {
            number,
            sequence: end.sequence,
            digest: digest(hasher),
        });
        Ok(())
    }
}

/// What a look at a journal that nobody has open came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// Entries in it, by their frames.
    pub entries: u64,
    /// Entries that were opened.
    pub opened: u64,
    /// The highest commit number among those that were opened.
    pub highest_commit: u64,
    /// Segments that these keys do not open.
    pub unopened_segments: Vec<u64>,
    /// Segments that are missing between others, or whose beginning is
    /// damaged: what was in them is not known.
    pub unreadable_segments: Vec<u64>,
    /// The install it belongs to, as its first segment says.
    pub install: Option<[u8; 16]>,
}

/// The highest number of a segment in a folder; 0 without any.
fn last_number(directory: &Path) -> Result<u64> {
    let failed = |error| Error::io(format!("journal {}", directory.display()), error);
    let files = match std::fs::read_dir(directory) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let mut last = 0;
    for file in files {
        let name = file.map_err(failed)?.file_name();
        last = name
            .to_str()
            .and_then(prepare::number_of)
            .unwrap_or(0)
            .max(last);
    }
    Ok(last)
}

/// Reads the journal in a folder without changing anything, and hands every
/// entry from `from` on that `keys` open to `each`. Without keys it counts.
///
/// # Errors
/// [`Error::Io`], [`Error::Newer`]. What does not open is in the answer.
pub fn survey(
    directory: &Path,
    keys: Option<&dyn SegmentKeys>,
    from: u64,
    mut each: impl FnMut(Stored),
) -> Result<Surveyed> {
    let mut found = Surveyed::default();
    let last = last_number(directory)?;
    for number in 1..=last {
        if !path_of(directory, number).exists() {
            found.unreadable_segments.push(number);
            continue;
        }
        let bytes = read::contents(&Disk::real(), directory, number)?;
        let header = match SegmentHeader::parse(&bytes) {
            Ok(header) => header,
            Err(newer @ Error::Newer { .. }) => return Err(newer),
            // Made ahead of need: nothing to read.
            Err(_) if bytes.iter().all(|byte| *byte == 0) => continue,
            Err(_) => {
                found.unreadable_segments.push(number);
                continue;
            }
        };
        found.install.get_or_insert(header.install);
        let (_, end) = cut(&bytes, header.first_sequence, u64::MAX);
        found.entries = found.entries.max(end);
        let Some(keys) = keys else { continue };
        let opened = keys
            .segment_key(header.term, number, &header.salt)
            .ok()
            .and_then(|key| header.link(&key, &bytes).map(|link| (key, link)));
        let Some((key, Link { highest_commit, .. })) = opened else {
            found.unopened_segments.push(number);
            continue;
        };
        found.highest_commit = found.highest_commit.max(highest_commit);
        let cipher = FrameCipher {
            key,
            segment: number,
        };
        let (_, how, _) = segment::scan(&bytes, &cipher, header.first_sequence, |stored| {
            found.opened += 1;
            found.highest_commit = stored.entry.commit.unwrap_or(0).max(found.highest_commit);
            if stored.sequence >= from {
                each(stored);
            }
        });
        if how == End::Corrupt {
            found.unopened_segments.push(number);
        }
    }
    Ok(found)
}
