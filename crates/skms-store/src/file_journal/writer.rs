//! The one thread that appends: seals what waits, writes it at once, syncs,
//! publishes; what arrives meanwhile waits for the next round.

use std::sync::Arc;

use skms_crypto::{Hash, Hasher};

use super::frame::{FrameCipher, MARK_LEN, framed_len};
use super::segment::{Link, SEGMENT_HEADER_LEN, SegmentHeader};
use super::waiting::Waiting;
use super::{SegmentInfo, SegmentKeys, Shared, Taken};
use crate::disk::{Background, DiskFile, Patience, Turn};
use crate::error::{Error, Result};
use crate::sealed::TermNumber;

/// The most bytes written between two syncs, so that the first of a long
/// queue need not wait for the last.
const GROUP_BYTES: usize = 1 << 20;

/// The segment being written.
pub(super) struct Active {
    pub(super) file: DiskFile,
    pub(super) cipher: FrameCipher,
    pub(super) term: TermNumber,
    /// Bytes the file has.
    pub(super) capacity: usize,
    /// Where the next frame goes.
    pub(super) offset: usize,
    pub(super) index: u64,
    pub(super) hasher: Hasher,
}

/// What a crash left behind the frames of the last segment.
pub(super) struct Torn {
    pub(super) file: DiskFile,
    pub(super) from: usize,
    pub(super) to: usize,
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) keys: Arc<dyn SegmentKeys>,
    pub(super) active: Option<Active>,
    /// Removed once the next segment has begun.
    pub(super) torn: Option<Torn>,
    /// Digest of the last finished segment; zeros before the first.
    pub(super) previous: [u8; 32],
    /// Sequence of the next entry to write.
    pub(super) sequence: u64,
    /// What was taken from the queue, and the frames made of it: buffers that
    /// are used again.
    pub(super) waiting: Waiting,
    pub(super) group: Vec<u8>,
}

impl Background for Writer {
    fn turn(&mut self, patience: Patience) -> Turn {
        let (did, turn) = match self.shared.take(&mut self.waiting, patience) {
            Taken::Entries => (self.append_waiting(), Turn::Done),
            Taken::Closed => (self.finish(), Turn::Ended),
            #[cfg(feature = "simulation")]
            Taken::Nothing => (Ok(()), Turn::Idle),
        };
        match did {
            Ok(()) => turn,
            Err(error) => {
                self.fail(&error);
                Turn::Ended
            }
        }
    }
}

impl Writer {
    fn fail(&self, error: &Error) {
        let why = error.to_string();
        self.shared.refuse(&why);
        self.shared.durability.fail(&why);
    }

    fn append_waiting(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut group = std::mem::take(&mut self.group);
        let appended = self.append(&waiting, &mut group);
        (self.waiting, self.group) = (waiting, group);
        appended
    }

    fn append(&mut self, entries: &Waiting, group: &mut Vec<u8>) -> Result<()> {
        let mut first = self.active.as_ref().map_or(0, |active| active.index);
        let mut pending = 0;
        for entry in entries.iter() {
            let len = framed_len(entry.bytes.len());
            if !self.fits(group.len() + len) {
                self.flush(group, &mut pending)?;
                self.roll()?;
                first = 0;
            } else if !group.is_empty() && group.len() + len > GROUP_BYTES {
                self.flush(group, &mut pending)?;
                first = self.active.as_ref().map_or(0, |active| active.index);
            }
            let active = self.active.as_mut().ok_or(Error::Closed)?;
            active.cipher.put_entry(group, active.index, first, entry)?;
            active.index += 1;
            pending += 1;
        }
        self.flush(group, &mut pending)
    }

    /// Room for so many bytes, and always for the mark of a clean stop; and
    /// the term is still the current one.
    fn fits(&self, bytes: usize) -> bool {
        let Some(active) = &self.active else {
            return false;
        };
        // While sealed, the segment's own key is still here.
        let current = self.keys.current_term().unwrap_or(active.term);
        let last = active.offset.saturating_add(bytes).saturating_add(MARK_LEN);
        active.term == current && last <= active.capacity
    }

    fn flush(&mut self, group: &mut Vec<u8>, pending: &mut u64) -> Result<()> {
        if group.is_empty() {
            return Ok(());
        }
        let active = self.active.as_mut().ok_or(Error::Closed)?;
        let failed = |error| Error::io("journal segment", error);
        active
            .file
            .write_all_at(group, active.offset as u64)
            .map_err(failed)?;
        active.file.sync_data().map_err(failed)?;
        active.offset += group.len();
        self.sequence += *pending;
        self.shared
            .written(group.len(), active.offset, active.capacity, self.sequence);
        // Nobody waits for this.
        active.hasher.update(group);
        group.clear();
        *pending = 0;
        Ok(())
    }

    /// Ends the segment and begins the next, whose header is durable before
    /// any of its frames.
    fn roll(&mut self) -> Result<()> {
        if let Some(active) = self.active.take() {
            self.previous = digest(active.hasher);
        }
        let (number, file) = self.shared.prepared.take()?;
        let term = self.keys.current_term()?;
        let header = SegmentHeader {
            install: self.keys.install(),
            number,
            first_sequence: self.sequence,
            term,
            salt: skms_crypto::rand::array()?,
        };
        let key = self.keys.segment_key(term, number, &header.salt)?;
        let bytes = header.encode(
            &key,
            &Link {
                previous: self.previous,
                highest_commit: self.shared.highest_commit(),
            },
        )?;
        let failed = |error| Error::io("journal segment", error);
        file.write_all_at(&bytes, 0).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        let capacity = usize::try_from(file.len().map_err(failed)?)
            .map_err(|_| Error::Invalid("a segment is longer than memory"))?;
        if let Some(torn) = self.torn.take() {
            let zeros = vec![0; torn.to.saturating_sub(torn.from)];
            torn.file
                .write_all_at(&zeros, torn.from as u64)
                .and_then(|()| torn.file.sync_data())
                .map_err(failed)?;
        }
        let mut hasher = Hasher::new(Hash::Sha256);
        hasher.update(&bytes);
        self.shared.begun(SegmentInfo {
            header,
            end: SEGMENT_HEADER_LEN,
        });
        self.active = Some(Active {
            file,
            cipher: FrameCipher {
                key,
                segment: number,
            },
            term,
            capacity,
            offset: SEGMENT_HEADER_LEN,
            index: 0,
            hasher,
        });
        self.shared
            .written(0, SEGMENT_HEADER_LEN, capacity, self.sequence);
        Ok(())
    }

    /// A mark in a group of its own: damage before it is then known for what
    /// it is, and not taken for a crash's.
    fn finish(&mut self) -> Result<()> {
        let Some(active) = self.active.as_mut() else {
            return Ok(());
        };
        if active.index == 0 {
            return Ok(());
        }
        let mut group = Vec::new();
        active
            .cipher
            .put_mark(&mut group, active.index, active.index)?;
        active.index += 1;
        self.flush(&mut group, &mut 0)
    }
}

/// The digest as an array.
pub(super) fn digest(hasher: Hasher) -> [u8; 32] {
    hasher.finish().try_into().unwrap_or_default()
}
