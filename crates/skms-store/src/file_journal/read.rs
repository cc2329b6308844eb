//! Reading segments back: a part for the log's tail, or everything to verify.

use std::collections::VecDeque;
use std::path::Path;

use super::frame::{FrameCipher, HEADER_LEN, Sort};
use super::prepare::path_of;
use super::segment::{self, End, Link, Position, SEGMENT_HEADER_LEN, SegmentHeader};
use super::window::Window;
use super::writer::digest;
use super::{SegmentInfo, SegmentKeys, Shared, lock};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::journal::{JournalReport, Stored};

/// Readers that are remembered.
const RESUMES: usize = 16;

/// Where the last reads stopped, newest last, so that following the log does
/// not start over each time, whoever else reads elsewhere.
#[derive(Default)]
pub(super) struct Resumes(VecDeque<(u64, Position)>);

impl Resumes {
    /// The nearest place at or before an entry of a segment, which is given up:
    /// whoever reads from there comes back with a later one.
    fn take(&mut self, number: u64, from: u64) -> Option<Position> {
        let before = |one: &(u64, Position)| one.0 == number && one.1.sequence <= from;
        let all = self.0.iter().enumerate().filter(|(_, one)| before(one));
        let (at, _) = all.max_by_key(|(_, (_, position))| position.sequence)?;
        self.0.remove(at).map(|(_, position)| position)
    }

    fn keep(&mut self, number: u64, position: Position) {
        if self.0.len() >= RESUMES {
            self.0.pop_front();
        }
        self.0.push_back((number, position));
    }
}

/// A segment with a checked header.
pub(super) struct Loaded {
    pub(super) header: SegmentHeader,
    pub(super) link: Link,
    /// Bytes the file has.
    pub(super) len: usize,
}

fn corrupt(segment: u64, offset: usize, what: &'static str) -> Error {
    Error::JournalCorrupt {
        segment,
        offset: offset as u64,
        what,
    }
}

/// All bytes of a segment's file.
pub(super) fn contents(disk: &Disk, directory: &Path, number: u64) -> Result<Vec<u8>> {
    let path = path_of(directory, number);
    disk.read(&path)
        .map_err(|error| Error::io(format!("journal {}", path.display()), error))
}

/// Reads and checks a segment's header; `None` when it has none yet.
pub(super) fn load_header(
    disk: &Disk,
    directory: &Path,
    number: u64,
    keys: &dyn SegmentKeys,
) -> Result<Option<Loaded>> {
    let path = path_of(directory, number);
    let failed = |error| Error::io(format!("journal {}", path.display()), error);
    let file = disk.open(&path).map_err(failed)?;
    let len = usize::try_from(file.len().map_err(failed)?)
        .map_err(|_| Error::Invalid("a segment is longer than memory"))?;
    let mut bytes = [0; SEGMENT_HEADER_LEN];
    if len < SEGMENT_HEADER_LEN {
        return Err(corrupt(number, len, "the file was cut short"));
    }
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let header = SegmentHeader::parse(&bytes)?;
    if header.install != keys.install() {
        return Err(Error::OtherInstall {
            what: "the journal",
            expected: crate::hex::encode(&keys.install()),
            found: crate::hex::encode(&header.install),
        });
    }
    let link = match keys.segment_key(header.term, header.number, &header.salt) {
        Ok(key) => header.link(&key, &bytes),
        Err(Error::StaleKeys) => None,
        Err(error) => return Err(error),
    };
    let link = link.ok_or(corrupt(number, 0, "its header does not open"))?;
    if header.number != number {
        return Err(corrupt(number, 0, "it is another segment's file"));
    }
    Ok(Some(Loaded { header, link, len }))
}

/// Whether a segment may follow the one before, by headers alone.
pub(super) fn check_link_order(before: Option<&Loaded>, next: &Loaded) -> Result<()> {
    let number = next.header.number;
    let first = match before {
        None => next.header.first_sequence == 0 && next.link.previous == [0; 32],
        Some(before) => {
            before.header.first_sequence <= next.header.first_sequence
                && before.link.highest_commit <= next.link.highest_commit
        }
    };
    if first {
        Ok(())
    } else {
        Err(corrupt(number, 0, "it does not follow the segment before"))
    }
}

/// Whether a segment that was read ends where the next one begins.
pub(super) fn check_link(
    read: &Loaded,
    end: &Position,
    digest: &[u8; 32],
    next: &Loaded,
) -> Result<()> {
    if end.sequence == next.header.first_sequence && *digest == next.link.previous {
        Ok(())
    } else {
        Err(corrupt(
            read.header.number,
            end.offset,
            "its end is not the one the next segment was linked to",
        ))
    }
}

fn cipher(keys: &dyn SegmentKeys, header: &SegmentHeader) -> Result<FrameCipher> {
    Ok(FrameCipher {
        key: keys.segment_key(header.term, header.number, &header.salt)?,
        segment: header.number,
    })
}

/// Durable entries from `from`, at most `limit`.
pub(super) fn read(
    shared: &Shared,
    keys: &dyn SegmentKeys,
    from: u64,
    limit: usize,
) -> Result<Vec<Stored>> {
    let durable = shared.durability.durable();
    let segments = lock(&shared.segments).clone();
    let mut entries = Vec::new();
    if from >= durable || limit == 0 {
        return Ok(entries);
    }
    let start = segments
        .iter()
        .rposition(|segment| segment.header.first_sequence <= from)
        .unwrap_or(0);
    for segment in segments.iter().skip(start) {
        read_segment(shared, keys, segment, from, limit, &mut entries)?;
        if entries.len() >= limit {
            break;
        }
    }
    entries.retain(|stored| stored.sequence < durable);
    Ok(entries)
}

fn read_segment(
    shared: &Shared,
    keys: &dyn SegmentKeys,
    segment: &SegmentInfo,
    from: u64,
    limit: usize,
    entries: &mut Vec<Stored>,
) -> Result<()> {
    let number = segment.header.number;
    let resumed = lock(&shared.resumes).take(number, from);
    let mut position = resumed.unwrap_or(Position {
        offset: SEGMENT_HEADER_LEN,
        index: 0,
        sequence: segment.header.first_sequence,
    });
    let path = path_of(&shared.directory, number);
    let failed = |error| Error::io(format!("journal {}", path.display()), error);
    let file = shared.disk.open(&path).map_err(failed)?;
    let mut window = Window::new(file, segment.end);
    let cipher = cipher(keys, &segment.header)?;
    while entries.len() < limit {
        let Some((header, bytes)) = window.frame(position.offset).map_err(failed)? else {
            // Zeros end a segment; anything else does not belong here.
            if window.is_zero_from(position.offset).map_err(failed)? {
                break;
            }
            return Err(corrupt(number, position.offset, "it is no entry"));
        };
        if header.sort == Sort::Entry && position.sequence >= from {
            let entry = cipher
                .open(bytes)
                .filter(|(header, _)| header.index == position.index)
                .and_then(|(_, entry)| entry)
                .ok_or(corrupt(number, position.offset, "it does not open"))?;
            entries.push(Stored {
                sequence: position.sequence,
                entry,
            });
        }
        position.offset += HEADER_LEN + header.len;
        position.index += 1;
        position.sequence += u64::from(header.sort == Sort::Entry);
    }
    lock(&shared.resumes).keep(number, position);
    Ok(())
}

/// Reads every segment and checks every frame and link.
pub(super) fn verify(shared: &Shared, keys: &dyn SegmentKeys) -> Result<JournalReport> {
    let segments = lock(&shared.segments).clone();
    let mut report = JournalReport::default();
    let mut before: Option<(Loaded, Position, [u8; 32])> = None;
    for (place, info) in segments.iter().enumerate() {
        let number = info.header.number;
        let loaded = load_header(&shared.disk, &shared.directory, number, keys)?.ok_or(corrupt(
            number,
            0,
            "its header is gone",
        ))?;
        check_link_order(before.as_ref().map(|(loaded, ..)| loaded), &loaded)?;
        if let Some((read, end, digest)) = &before {
            check_link(read, end, digest, &loaded)?;
        }
        let mut bytes = contents(&shared.disk, &shared.directory, number)?;
        // The writer may be past what was durable a moment ago, and a torn
        // end may still be there.
        bytes.truncate(info.end);
        let cipher = cipher(keys, &loaded.header)?;
        let (end, how, hasher) =
            segment::scan(&bytes, &cipher, loaded.header.first_sequence, |_| {});
        if how != End::Clean || (place + 1 == segments.len() && end.offset != info.end) {
            return Err(corrupt(number, end.offset, "it does not open"));
        }
        report.entries = end.sequence;
        report.segments += 1;
        before = Some((loaded, end, digest(hasher)));
    }
    Ok(report)
}
