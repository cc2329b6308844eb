//! The payload: STREAM (Hoang, Reyhanitabar, Rogaway, Vizár) with
//! ChaCha20-Poly1305 in chunks of 64 KiB. A chunk's nonce is its number, in 11
//! bytes, and a byte that marks the last one.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use super::buffer::Buffer;
use super::lanes::{Stop, Work};
use super::{FileError, FileKey, Result};

/// The length of a chunk's plaintext in bytes; the last may be shorter.
pub(super) const CHUNK: usize = 64 * 1024;
/// The length of a chunk's tag in bytes.
pub(super) const TAG: usize = 16;
/// The length in bytes of the nonce that begins the payload.
pub(super) const NONCE: usize = 16;

fn key(file_key: &FileKey, nonce: &[u8]) -> Result<LessSafeKey> {
    let key = file_key.payload_key(nonce)?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).map_err(|_| FileError::Library)?;
    Ok(LessSafeKey::new(key))
}

/// Each number and mark occurs once under a key that is drawn for one file.
fn nonce(number: u64, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}

/// Encrypts chunks.
pub(super) struct Sealing(LessSafeKey);

impl Sealing {
    pub(super) fn new(file_key: &FileKey, nonce: &[u8]) -> Result<Self> {
        key(file_key, nonce).map(Self)
    }
}

impl Work for Sealing {
    const SIZE: usize = CHUNK;

    fn apply(
        &self,
        number: u64,
        last: bool,
        chunk: &mut Buffer,
        _: &mut Buffer,
    ) -> Result<(), Stop> {
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(number, last), Aad::empty(), chunk.bytes_mut())
            .map_err(|_| FileError::Library)?;
        chunk.append(tag.as_ref());
        Ok(())
    }
}

/// Decrypts chunks.
pub(super) struct Opening(LessSafeKey);

impl Opening {
    pub(super) fn new(file_key: &FileKey, nonce: &[u8]) -> Result<Self> {
        key(file_key, nonce).map(Self)
    }

    /// Decrypts into `plain`; the ciphertext stays as it was.
    fn open(&self, number: u64, last: bool, chunk: &Buffer, plain: &mut Buffer) -> bool {
        let Some((body, tag)) = chunk.bytes().split_last_chunk::<TAG>() else {
            return false;
        };
        let aad = Aad::empty();
        let room = plain.room(body.len());
        self.0
            .open_separate_gather(nonce(number, last), aad, body, tag, room)
            .is_ok()
    }
}

impl Work for Opening {
    const SIZE: usize = CHUNK + TAG;

    fn apply(
        &self,
        number: u64,
        last: bool,
        chunk: &mut Buffer,
        spare: &mut Buffer,
    ) -> Result<(), Stop> {
        if !self.open(number, last, chunk, spare) {
            // The other mark tells what happened to a file of which this
            // chunk is as it was. A chunk within must be a whole one.
            let whole = chunk.bytes().len() == Self::SIZE;
            if (last && !whole) || !self.open(number, !last, chunk, spare) {
                return Err(FileError::Altered { chunk: number + 1 }.into());
            }
            std::mem::swap(chunk, spare);
            return Err(Stop::after(match last {
                true => FileError::CutShort,
                false => FileError::Lengthened,
            }));
        }
        // Only an empty file ends in an empty chunk: one spelling for each.
        if last && number > 0 && spare.bytes().is_empty() {
            return Err(FileError::Altered { chunk: number + 1 }.into());
        }
        std::mem::swap(chunk, spare);
        Ok(())
    }
}
