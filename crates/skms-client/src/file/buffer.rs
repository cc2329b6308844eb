//! Room for one chunk, used again and again and wiped at the end.

use std::io::{self, Read};

use zeroize::Zeroizing;

use super::stream::{CHUNK, TAG};

/// Up to one encrypted chunk.
pub(super) struct Buffer {
    room: Zeroizing<Box<[u8]>>,
    length: usize,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self {
            room: Zeroizing::new(vec![0; CHUNK + TAG].into_boxed_slice()),
            length: 0,
        }
    }

    /// What is in it.
    pub(super) fn bytes(&self) -> &[u8] {
        self.room.get(..self.length).unwrap_or_default()
    }

    /// The same, to be changed.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.room.get_mut(..self.length).unwrap_or_default()
    }

    /// Reads until `size` bytes are there or no more come.
    pub(super) fn fill(&mut self, input: &mut dyn Read, size: usize) -> io::Result<()> {
        self.length = 0;
        while let Some(room) = self.room.get_mut(self.length..size) {
            if room.is_empty() {
                break;
            }
            match input.read(room) {
                Ok(0) => break,
                Ok(count) => self.length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Adds a chunk's tag; there is room for it after at most a whole chunk.
    pub(super) fn append(&mut self, tag: &[u8]) {
        let end = self.length + tag.len();
        if let Some(room) = self.room.get_mut(self.length..end) {
            room.copy_from_slice(tag);
            self.length = end;
        }
    }

    /// Room for that many bytes, at most a whole chunk, to be written over.
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        self.length = length.min(self.room.len());
        self.bytes_mut()
    }

    /// Forgets what is in it.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }
}
