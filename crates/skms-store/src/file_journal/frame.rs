//! One entry in a segment's file.
//!
//! ```text
//! magic (4) ‖ length of the rest after this header (4) ‖ index (8) ‖ group (8)
//! ciphertext ‖ tag (16)
//! ```
//!
//! The index counts a segment's frames from 0 and is the nonce; the header is
//! associated data, so that no frame opens in another's place. The group is
//! the index of the first frame that was written and synced together with
//! this one: a frame of a later group proves that everything before its group
//! was durable. Sealed inside an entry: id (16) ‖ salt (32) ‖ 1 when a commit
//! number follows, else 0 ‖ commit (8) ‖ the event. A mark seals nothing; one
//! ends a clean stop.

use skms_crypto::rest::RecordKey;

use super::waiting::Queued;
use crate::error::{Error, Result};
use crate::journal::{ENTRY_MAX, Entry};
use crate::sealed::codec::Reader;

/// Length of a frame's header, in bytes.
pub(crate) const HEADER_LEN: usize = 24;

const TAG_LEN: usize = 16;
const ENTRY_FIXED: usize = 16 + 32 + 1 + 8;
/// The longest frame body, in bytes.
const BODY_MAX: usize = ENTRY_FIXED + ENTRY_MAX + TAG_LEN;

/// How every frame begins; the fourth byte tells entry from mark.
pub(crate) const MAGIC: [u8; 3] = *b"SKF";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Entry,
    Mark,
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) sort: Sort,
    /// Length of the body, in bytes.
    pub(crate) len: usize,
    pub(crate) index: u64,
    pub(crate) group: u64,
}

/// Length in the file of an entry with so many bytes.
pub(crate) const fn framed_len(bytes: usize) -> usize {
    HEADER_LEN + ENTRY_FIXED + bytes + TAG_LEN
}

/// Length in the file of a mark.
pub(crate) const MARK_LEN: usize = HEADER_LEN + TAG_LEN;

impl FrameHeader {
    fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[..3].copy_from_slice(&MAGIC);
        out[3] = match self.sort {
            Sort::Entry => b'E',
            Sort::Mark => b'M',
        };
        // At most BODY_MAX.
        let len = u32::try_from(self.len).unwrap_or(u32::MAX);
        out[4..8].copy_from_slice(&len.to_be_bytes());
        out[8..16].copy_from_slice(&self.index.to_be_bytes());
        out[16..].copy_from_slice(&self.group.to_be_bytes());
        out
    }

    /// Reads a header; `None` when these bytes are none.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, "frame");
        let magic: [u8; 4] = reader.array().ok()?;
        let (start, sort) = magic.split_first_chunk::<3>()?;
        let sort = match sort {
            [b'E'] => Sort::Entry,
            [b'M'] => Sort::Mark,
            _ => return None,
        };
        let len = usize::try_from(reader.u32().ok()?).ok()?;
        let (index, group) = (reader.u64().ok()?, reader.u64().ok()?);
        let fits = match sort {
            Sort::Entry => (ENTRY_FIXED + TAG_LEN..=BODY_MAX).contains(&len),
            Sort::Mark => len == TAG_LEN,
        };
        (*start == MAGIC && fits && group <= index).then_some(Self {
            sort,
            len,
            index,
            group,
        })
    }
}

/// The key and place of a segment's frames.
pub(crate) struct FrameCipher {
    pub(crate) key: RecordKey,
    pub(crate) segment: u64,
}

impl FrameCipher {
    fn aad<'a>(segment: &'a [u8; 8], header: &'a [u8; HEADER_LEN]) -> [&'a [u8]; 2] {
        [segment, header]
    }

    /// Appends an entry's frame. Whatever fails, no plaintext stays in `out`.
    pub(crate) fn put_entry(
        &self,
        out: &mut Vec<u8>,
        index: u64,
        group: u64,
        entry: Queued<'_>,
    ) -> Result<()> {
        let len = ENTRY_FIXED + entry.bytes.len();
        // Sealed where it lies: room first, so that nothing is moved and left.
        out.reserve(HEADER_LEN + len + TAG_LEN);
        let header = put_header(out, Sort::Entry, len, index, group);
        let start = out.len();
        out.extend_from_slice(entry.id);
        out.extend_from_slice(entry.salt);
        out.push(u8::from(entry.commit.is_some()));
        out.extend_from_slice(&entry.commit.unwrap_or(0).to_be_bytes());
        out.extend_from_slice(entry.bytes);
        self.seal(out, index, &header, start)
    }

    /// Appends a mark's frame.
    pub(crate) fn put_mark(&self, out: &mut Vec<u8>, index: u64, group: u64) -> Result<()> {
        let header = put_header(out, Sort::Mark, 0, index, group);
        let start = out.len();
        self.seal(out, index, &header, start)
    }

    fn seal(
        &self,
        out: &mut Vec<u8>,
        index: u64,
        header: &[u8; HEADER_LEN],
        start: usize,
    ) -> Result<()> {
        let segment = self.segment.to_be_bytes();
        self.key
            .seal_tail_with_counter(index, &Self::aad(&segment, header), out, start)?;
        Ok(())
    }

    /// Opens the frame at the start of `bytes`; `None` when it does not open
    /// there. A mark gives no entry.
    pub(crate) fn open(&self, bytes: &[u8]) -> Option<(FrameHeader, Option<Entry>)> {
        let header = FrameHeader::parse(bytes)?;
        let raw = bytes.first_chunk::<HEADER_LEN>()?;
        let body = bytes.get(HEADER_LEN..HEADER_LEN.checked_add(header.len)?)?;
        let segment = self.segment.to_be_bytes();
        let plain = self
            .key
            .open_with_counter(header.index, &Self::aad(&segment, raw), body)
            .ok()?;
        match header.sort {
            Sort::Mark => Some((header, None)),
            Sort::Entry => Some((header, Some(decode(plain.expose()).ok()?))),
        }
    }
}

fn put_header(
    out: &mut Vec<u8>,
    sort: Sort,
    plain_len: usize,
    index: u64,
    group: u64,
) -> [u8; HEADER_LEN] {
    let header = FrameHeader {
        sort,
        len: plain_len + TAG_LEN,
        index,
        group,
    }
    .encode();
    out.extend_from_slice(&header);
    header
}

fn decode(plain: &[u8]) -> Result<Entry> {
    let mut reader = Reader::new(plain, "journal entry");
    let (id, salt) = (reader.array()?, reader.array()?);
    let (has_commit, commit) = (reader.u8()?, reader.u64()?);
    let commit = match has_commit {
        0 => None,
        1 => Some(commit),
        _ => return Err(Error::Malformed("journal entry")),
    };
    Ok(Entry {
        id,
        salt,
        bytes: reader.rest().to_vec(),
        commit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher(segment: u64) -> FrameCipher {
        FrameCipher {
            key: RecordKey::derive(&[1; 32], b"", &[]).unwrap(),
            segment,
        }
    }

    fn entry() -> Entry {
        Entry {
            id: [1; 16],
            salt: [2; 32],
            bytes: b"event".to_vec(),
            commit: Some(7),
        }
    }

    #[test]
    fn frames_open_in_their_place_only() {
        let mut bytes = Vec::new();
        cipher(3)
            .put_entry(&mut bytes, 5, 4, Queued::from(&entry()))
            .unwrap();
        assert_eq!(bytes.len(), framed_len(5));
        let (header, opened) = cipher(3).open(&bytes).unwrap();
        assert_eq!((header.index, header.group), (5, 4));
        assert_eq!(opened.unwrap(), entry());
        assert!(cipher(4).open(&bytes).is_none());
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(cipher(3).open(&bad).is_none(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(cipher(3).open(&bytes[..len]).is_none());
        }
    }

    #[test]
    fn marks_carry_nothing() {
        let mut bytes = Vec::new();
        cipher(3).put_mark(&mut bytes, 0, 0).unwrap();
        assert_eq!(bytes.len(), MARK_LEN);
        assert!(cipher(3).open(&bytes).unwrap().1.is_none());
        bytes[3] = b'E';
        assert!(cipher(3).open(&bytes).is_none());
    }

    #[test]
    fn headers_out_of_range_are_none() {
        let good = FrameHeader {
            sort: Sort::Entry,
            len: 100,
            index: 2,
            group: 1,
        };
        assert_eq!(FrameHeader::parse(&good.encode()), Some(good));
        for bad in [
            FrameHeader { len: 10, ..good },
            FrameHeader {
                len: BODY_MAX + 1,
                ..good
            },
            FrameHeader { group: 3, ..good },
        ] {
            assert_eq!(FrameHeader::parse(&bad.encode()), None);
        }
        assert_eq!(FrameHeader::parse(&[0; HEADER_LEN]), None);
    }
}
