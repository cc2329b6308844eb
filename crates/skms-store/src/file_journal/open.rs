//! Opening a journal: what a crash left is tidied, what someone changed is
//! refused.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex};

use super::frame::FrameCipher;
use super::prepare::{Prepared, Preparer, number_of, path_of};
use super::read::{self, Loaded};
use super::segment::{End, SEGMENT_HEADER_LEN, find_magic};
use super::waiting::Waiting;
use super::writer::{Active, Torn, Writer, digest};
use super::{FileJournal, Ids, Options, Queue, SegmentInfo, SegmentKeys, Shared, Threads};
use crate::disk::{Disk, DiskFile};
use crate::durability::Durability;
use crate::error::{Error, Result};

/// What opening found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// Entries in the journal.
    pub entries: u64,
    /// Segments in use.
    pub segments: u64,
    /// Bytes of an unfinished write that were cut off: none of it was ever
    /// acknowledged. Worth an event of its own.
    pub truncated_bytes: u64,
}

/// What the last segment in use leaves behind.
struct Tail {
    active: Option<Active>,
    torn: Option<Torn>,
    /// Where its frames end.
    end: usize,
    previous: [u8; 32],
    sequence: u64,
}

pub(super) fn open(
    directory: &Path,
    keys: Arc<dyn SegmentKeys>,
    options: &Options,
) -> Result<(FileJournal, OpenReport)> {
    if options.segment_bytes < Options::SEGMENT_MIN {
        return Err(Error::Invalid("a journal segment has at least 4096 bytes"));
    }
    let failed = |error| Error::io(format!("journal {}", directory.display()), error);
    let disk = &options.disk;
    disk.create_directory(directory).map_err(failed)?;
    disk.sync_directory(directory)?;
    let held = disk.lock(directory.join("lock"))?;

    let mut numbers = list(disk, directory)?;
    discard_unfinished(disk, directory, options.segment_bytes, &mut numbers)?;
    let mut used: Vec<Loaded> = Vec::new();
    let mut ready = VecDeque::new();
    let mut report = OpenReport::default();
    for number in &numbers {
        match load(disk, directory, *number, keys.as_ref(), &mut report)? {
            Some(loaded) if ready.is_empty() => {
                read::check_link_order(used.last(), &loaded)?;
                used.push(loaded);
            }
            Some(_) => {
                return Err(Error::JournalCorrupt {
                    segment: number.saturating_sub(1),
                    offset: 0,
                    what: "a segment before the last has no header",
                });
            }
            None => ready.push_back((*number, file(disk, directory, *number)?)),
        }
    }

    let mut ids = Ids {
        known: HashSet::default(),
        order: VecDeque::new(),
        kept: usize::MAX,
    };
    let mut highest_commit = used.last().map_or(0, |loaded| loaded.link.highest_commit);
    let tail = scan_tail(
        directory,
        keys.as_ref(),
        &used,
        options,
        &mut ids,
        &mut highest_commit,
        &mut report,
    )?;
    ids.kept = options.ids_kept.max(ids.order.len());
    report.entries = tail.sequence;
    report.segments = used.len() as u64;

    let room = tail.active.as_ref().map_or(0, |active| {
        active
            .capacity
            .saturating_sub(active.offset)
            .saturating_sub(super::frame::MARK_LEN)
    });
    let shared = Arc::new(Shared {
        disk: disk.clone(),
        directory: directory.to_owned(),
        durability: Durability::new(tail.sequence),
        prepared: Prepared::new(
            disk.clone(),
            directory.to_owned(),
            options.segment_bytes,
            options.segments_max,
            numbers.last().map_or(1, |last| last + 1),
            ready,
        ),
        queue: Mutex::new(Queue {
            next: tail.sequence,
            room,
            ..Queue::default()
        }),
        wake: Condvar::new(),
        ids: Mutex::new(ids),
        highest_commit: AtomicU64::new(highest_commit),
        segments: Mutex::new(infos(&used, &tail)),
        resumes: Mutex::default(),
    });
    shared.prepared.fill()?;
    let writer = Writer {
        shared: Arc::clone(&shared),
        keys: Arc::clone(&keys),
        active: tail.active,
        torn: tail.torn,
        previous: tail.previous,
        sequence: tail.sequence,
        waiting: Waiting::default(),
        group: Vec::new(),
    };
    let preparer = Preparer(Arc::clone(&shared));
    let threads = Threads {
        writer: disk.spawn("skms-journal-write", writer)?,
        preparer: disk.spawn("skms-journal-prepare", preparer)?,
        lock: held,
    };
    let journal = FileJournal {
        shared,
        keys,
        threads: Mutex::new(Some(threads)),
    };
    Ok((journal, report))
}

fn infos(used: &[Loaded], tail: &Tail) -> Vec<SegmentInfo> {
    used.iter()
        .enumerate()
        .map(|(position, loaded)| SegmentInfo {
            header: loaded.header,
            end: if position + 1 == used.len() {
                tail.end
            } else {
                loaded.len
            },
        })
        .collect()
}

fn file(disk: &Disk, directory: &Path, number: u64) -> Result<DiskFile> {
    let path = path_of(directory, number);
    disk.open(&path)
        .map_err(|error| Error::io(format!("journal {}", path.display()), error))
}

/// Numbers of the segment files, which must run from 1 without a gap.
fn list(disk: &Disk, directory: &Path) -> Result<Vec<u64>> {
    let failed = |error| Error::io(format!("journal {}", directory.display()), error);
    let mut numbers: Vec<u64> = disk
        .names(directory)
        .map_err(failed)?
        .iter()
        .filter_map(|name| number_of(name))
        .collect();
    numbers.sort_unstable();
    for (expected, number) in (1..).zip(&numbers) {
        if *number != expected {
            return Err(Error::JournalCorrupt {
                segment: expected,
                offset: 0,
                what: "the segment is missing",
            });
        }
    }
    Ok(numbers)
}

/// Removes what a crash left of a segment that was being made: a last file
/// of nothing but zeros, shorter than it was to become.
fn discard_unfinished(
    disk: &Disk,
    directory: &Path,
    bytes: u64,
    numbers: &mut Vec<u64>,
) -> Result<()> {
    while let Some(last) = numbers.last().copied() {
        let path = path_of(directory, last);
        let failed = |error| Error::io(format!("journal {}", path.display()), error);
        let short = disk.len(&path).map_err(failed)? < bytes;
        if !short
            || read::contents(disk, directory, last)?
                .iter()
                .any(|byte| *byte != 0)
        {
            return Ok(());
        }
        disk.remove(&path).map_err(failed)?;
        numbers.pop();
    }
    Ok(())
}

/// A segment's checked header; `None` for one that was made ahead of need.
fn load(
    disk: &Disk,
    directory: &Path,
    number: u64,
    keys: &dyn SegmentKeys,
    report: &mut OpenReport,
) -> Result<Option<Loaded>> {
    match read::load_header(disk, directory, number, keys) {
        Ok(loaded) => Ok(loaded),
        Err(
            error @ (Error::JournalCorrupt { .. }
            | Error::Malformed(_)
            | Error::OtherInstall { .. }),
        ) => {
            // A header is durable before the first frame: without a frame, it
            // is what a crash, or a write that failed, left of it.
            let bytes = read::contents(disk, directory, number)?;
            let body = bytes.get(SEGMENT_HEADER_LEN..).unwrap_or_default();
            if find_magic(body, 0).is_some() || bytes.len() < SEGMENT_HEADER_LEN {
                return Err(error);
            }
            report.truncated_bytes += SEGMENT_HEADER_LEN as u64;
            zero(disk, directory, number, 0, bytes.len())?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Overwrites part of a segment with zeros, durably.
fn zero(disk: &Disk, directory: &Path, number: u64, from: usize, to: usize) -> Result<()> {
    let failed = |error| Error::io("journal segment", error);
    let file = file(disk, directory, number)?;
    file.write_all_at(&vec![0; to.saturating_sub(from)], from as u64)
        .map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Reads every segment from the one that holds `ids_from`, the last in any
/// case, and gets the last one ready for appending.
fn scan_tail(
    directory: &Path,
    keys: &dyn SegmentKeys,
    used: &[Loaded],
    options: &Options,
    ids: &mut Ids,
    highest_commit: &mut u64,
    report: &mut OpenReport,
) -> Result<Tail> {
    let (disk, ids_from) = (&options.disk, options.ids_from);
    let mut tail = Tail {
        active: None,
        torn: None,
        end: 0,
        previous: [0; 32],
        sequence: 0,
    };
    // The last but one as well, so that the newest link is always checked.
    let start = used
        .iter()
        .rposition(|loaded| loaded.header.first_sequence <= ids_from)
        .unwrap_or(0)
        .min(used.len().saturating_sub(2));
    for (position, loaded) in used.iter().enumerate().skip(start) {
        let number = loaded.header.number;
        let bytes = read::contents(disk, directory, number)?;
        let key = keys.segment_key(loaded.header.term, number, &loaded.header.salt)?;
        let cipher = FrameCipher {
            key,
            segment: number,
        };
        let first = loaded.header.first_sequence;
        let (end, how, hasher) = super::segment::scan(&bytes, &cipher, first, |stored| {
            if stored.sequence >= ids_from {
                ids.add(stored.entry.id);
            }
            *highest_commit = stored.entry.commit.unwrap_or(0).max(*highest_commit);
        });
        let corrupt = |what| Error::JournalCorrupt {
            segment: number,
            offset: end.offset as u64,
            what,
        };
        if how == End::Corrupt {
            return Err(corrupt("it does not open, and durable entries follow"));
        }
        if let Some(next) = used.get(position + 1) {
            let digest = digest(hasher);
            read::check_link(loaded, &end, &digest, next)?;
            if how == End::Torn {
                // The next one is linked to where it ends: it was begun
                // because of this, and a crash came before this was removed.
                zero(disk, directory, number, end.offset, bytes.len())?;
            }
            continue;
        }
        tail.sequence = end.sequence;
        let torn = how == End::Torn;
        let file = file(disk, directory, number)?;
        // What a crash left unsynced becomes durable before it counts. It is
        // written once more: after a sync that failed, the system takes for
        // written what never reached the disk, and syncs it no more.
        let whole = bytes.get(..end.offset).unwrap_or_default();
        file.write_all_at(whole, 0)
            .and_then(|()| file.sync_all())
            .map_err(|error| Error::io("journal segment", error))?;
        tail.end = end.offset;
        if torn {
            report.truncated_bytes += (bytes.len() - end.offset) as u64;
            // The indexes of what was cut off must not be used again under
            // this segment's key: the next entry begins a new segment. Until
            // that one's header is durable, the torn part stays where it is:
            // without it, a crash would make this segment look whole.
            tail.previous = digest(hasher);
            tail.torn = Some(Torn {
                file,
                from: end.offset,
                to: bytes.len(),
            });
        } else if end.offset == bytes.len() {
            // Without room for anything more, as a restore leaves it: it is
            // finished, and the next entry begins a new one.
            tail.previous = digest(hasher);
        } else {
            tail.active = Some(Active {
                file,
                cipher,
                term: loaded.header.term,
                capacity: bytes.len(),
                offset: end.offset,
                index: end.index,
                hasher,
            });
        }
    }
    Ok(tail)
}
