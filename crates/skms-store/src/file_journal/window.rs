//! A segment's frames, a piece of the file at a time: what a page of events
//! takes in memory is a page, and not a segment.

use super::frame::{FrameHeader, HEADER_LEN};
use crate::disk::DiskFile;

/// Bytes that are read at once; a longer frame is read by itself.
const WINDOW: usize = 128 << 10;

/// A part of a file up to `end`, of which some bytes are in memory.
pub(super) struct Window {
    file: DiskFile,
    end: usize,
    bytes: Vec<u8>,
    /// Where they are in the file.
    start: usize,
}

impl Window {
    pub(super) fn new(file: DiskFile, end: usize) -> Self {
        Self {
            file,
            end,
            bytes: Vec::new(),
            start: 0,
        }
    }

    /// The bytes from `offset` on, at least `len` of them or as many as there
    /// are before the end.
    fn bytes_from(&mut self, offset: usize, len: usize) -> std::io::Result<&[u8]> {
        let left = self.end.saturating_sub(offset);
        let wanted = len.min(left);
        let held = self.start + self.bytes.len();
        if offset < self.start || held < offset + wanted {
            self.bytes.clear();
            self.bytes.resize(wanted.max(WINDOW.min(left)), 0);
            self.start = offset;
            let read = self.file.read_exact_at(&mut self.bytes, offset as u64);
            if read.is_err() {
                self.bytes.clear();
            }
            read?;
        }
        Ok(self.bytes.get(offset - self.start..).unwrap_or_default())
    }

    /// The frame at `offset`: its header, and bytes that begin with all of it
    /// as far as the file has it. `None` where there is no frame.
    pub(super) fn frame(&mut self, offset: usize) -> std::io::Result<Option<(FrameHeader, &[u8])>> {
        let Some(header) = FrameHeader::parse(self.bytes_from(offset, HEADER_LEN)?) else {
            return Ok(None);
        };
        let bytes = self.bytes_from(offset, HEADER_LEN + header.len)?;
        Ok(Some((header, bytes)))
    }

    /// Whether there are only zeros from `offset` on.
    pub(super) fn is_zero_from(&mut self, mut offset: usize) -> std::io::Result<bool> {
        while offset < self.end {
            let bytes = self.bytes_from(offset, 1)?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            offset += bytes.len();
        }
        Ok(true)
    }
}
