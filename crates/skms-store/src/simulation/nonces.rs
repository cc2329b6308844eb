//! Which nonces reached the disk: a journal segment's key is told by its
//! salt, and a frame's nonce is its index.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::ops::Range;

use super::file::SECTOR;
use crate::file_journal::frame::{FrameHeader, HEADER_LEN};
use crate::file_journal::segment::{SEGMENT_HEADER_LEN, SegmentHeader};

/// The salt of a segment's key, and the nonce.
type Nonce = ([u8; 32], u64);

/// A sealed piece that was written and is not synced.
#[derive(Clone)]
struct Written {
    file: u64,
    place: Range<usize>,
    nonce: Nonce,
    digest: u64,
}

/// Every nonce that reached the disk, and what was sealed under it.
#[derive(Clone, Default)]
pub(super) struct Nonces {
    salts: HashMap<u64, [u8; 32]>,
    pending: Vec<Written>,
    seen: HashMap<Nonce, u64>,
    reused: Vec<String>,
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

impl Nonces {
    /// Something was written to a segment's file.
    pub(super) fn wrote(&mut self, file: u64, bytes: &[u8], offset: usize) {
        if offset == 0 {
            if let Ok(header) = SegmentHeader::parse(bytes) {
                self.salts.insert(file, header.salt);
                let sealed = bytes.get(..SEGMENT_HEADER_LEN).unwrap_or_default();
                self.note(file, sealed, 0, u64::MAX);
            }
            return;
        }
        let (mut rest, mut at) = (bytes, offset);
        while let Some(header) = FrameHeader::parse(rest) {
            let len = HEADER_LEN + header.len;
            let Some((frame, after)) = rest.split_at_checked(len) else {
                break;
            };
            self.note(file, frame, at, header.index);
            (rest, at) = (after, at + len);
        }
    }

    fn note(&mut self, file: u64, sealed: &[u8], at: usize, counter: u64) {
        if let Some(salt) = self.salts.get(&file) {
            self.pending.push(Written {
                file,
                place: at..at + sealed.len(),
                nonce: (*salt, counter),
                digest: digest(sealed),
            });
        }
    }

    /// A file was synced with these contents: what was written and is still
    /// there reached the disk, and what was overwritten never will.
    pub(super) fn synced(&mut self, file: u64, contents: &[u8]) {
        let (mine, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|written| written.file == file);
        self.pending = others;
        self.see(mine.into_iter().filter(|written| {
            contents.get(written.place.clone()).map(digest) == Some(written.digest)
        }));
    }

    /// These sectors of a file reached the disk.
    pub(super) fn reached(&mut self, file: u64, sectors: &[usize]) {
        let (reached, pending): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|written| {
                let place = written.place.start / SECTOR..written.place.end.div_ceil(SECTOR);
                written.file == file && sectors.iter().any(|sector| place.contains(sector))
            });
        self.pending = pending;
        self.see(reached.into_iter());
    }

    fn see(&mut self, reached: impl Iterator<Item = Written>) {
        for written in reached {
            let before = self.seen.insert(written.nonce, written.digest);
            if before.is_some_and(|before| before != written.digest) {
                self.reused.push(format!(
                    "nonce {} of a segment's key was used twice",
                    written.nonce.1
                ));
            }
        }
    }

    /// What was pending is gone.
    pub(super) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    pub(super) fn reused(&self) -> &[String] {
        &self.reused
    }
}
