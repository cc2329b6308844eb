//! A segment's file: its header, and what a scan of its frames finds.
//!
//! ```text
//! "SKMSJNL" format (1) ‖ install (16) ‖ number (8) ‖ first sequence (8) ‖
//! term (4) ‖ salt (32) ‖ sealed: digest of the segment before (32) ‖
//! highest commit so far (8) ‖ tag (16)
//! frames ‖ zeros
//! ```
//!
//! A segment's digest is SHA-256 over its header and frames. Each header
//! seals the digest of the one before, so none can be left out, replayed or
//! brought in from elsewhere. The file is written full of zeros first.

use skms_crypto::rest::RecordKey;
use skms_crypto::{Hash, Hasher};

use super::frame::{FrameCipher, FrameHeader, HEADER_LEN, MAGIC};
use crate::error::{Error, Result};
use crate::journal::Stored;
use crate::sealed::TermNumber;
use crate::sealed::codec::Reader;

/// Length of a segment's header, in bytes: where its frames begin.
pub(crate) const SEGMENT_HEADER_LEN: usize = PLAIN_LEN + 32 + 8 + 16;

const PLAIN_LEN: usize = 8 + 16 + 8 + 8 + 4 + 32;
const FILE_MAGIC: [u8; 7] = *b"SKMSJNL";
const FORMAT: u8 = 1;
/// The header's nonce; frames count up from 0 and never get here.
const HEADER_COUNTER: u64 = u64::MAX;

/// What a segment's header says in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) install: [u8; 16],
    pub(crate) number: u64,
    pub(crate) first_sequence: u64,
    pub(crate) term: TermNumber,
    pub(crate) salt: [u8; 32],
}

/// What it seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) previous: [u8; 32],
    pub(crate) highest_commit: u64,
}

impl SegmentHeader {
    fn plain(&self) -> [u8; PLAIN_LEN] {
        let mut out = [0; PLAIN_LEN];
        out[..7].copy_from_slice(&FILE_MAGIC);
        out[7] = FORMAT;
        out[8..24].copy_from_slice(&self.install);
        out[24..32].copy_from_slice(&self.number.to_be_bytes());
        out[32..40].copy_from_slice(&self.first_sequence.to_be_bytes());
        out[40..44].copy_from_slice(&self.term.to_be_bytes());
        out[44..].copy_from_slice(&self.salt);
        out
    }

    /// The bytes at the start of the file.
    pub(crate) fn encode(&self, key: &RecordKey, link: &Link) -> Result<Vec<u8>> {
        let plain = self.plain();
        let mut body = [0; 40];
        body[..32].copy_from_slice(&link.previous);
        body[32..].copy_from_slice(&link.highest_commit.to_be_bytes());
        let mut out = plain.to_vec();
        out.extend(key.seal_with_counter(HEADER_COUNTER, &[&plain], &body)?);
        Ok(out)
    }

    /// Reads the clear part; nothing in it is vouched for until
    /// [`SegmentHeader::link`] opens.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        const BAD: Error = Error::Malformed("journal segment header");
        let mut reader = Reader::new(bytes, "journal segment header");
        if reader.array()? != FILE_MAGIC {
            return Err(BAD);
        }
        let format = reader.u8()?;
        if format > FORMAT {
            return Err(Error::Newer {
                what: "the journal",
                found: format.into(),
                supported: FORMAT.into(),
            });
        }
        if format != FORMAT {
            return Err(BAD);
        }
        Ok(Self {
            install: reader.array()?,
            number: reader.u64()?,
            first_sequence: reader.u64()?,
            term: reader.u32()?,
            salt: reader.array()?,
        })
    }

    /// Opens the sealed part, which vouches for the rest; `None` when it
    /// does not open.
    pub(crate) fn link(&self, key: &RecordKey, bytes: &[u8]) -> Option<Link> {
        let sealed = bytes.get(PLAIN_LEN..SEGMENT_HEADER_LEN)?;
        let body = key
            .open_with_counter(HEADER_COUNTER, &[&self.plain()], sealed)
            .ok()?;
        let mut reader = Reader::new(body.expose(), "link");
        Some(Link {
            previous: reader.array().ok()?,
            highest_commit: reader.u64().ok()?,
        })
    }
}

/// How a segment's frames end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With zeros.
    Clean,
    /// With a write that a crash cut short; nothing after it was durable.
    Torn,
    /// With damage: durable frames come after it.
    Corrupt,
}

/// Where a scan stands in a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    /// Offset in the file, in bytes.
    pub(crate) offset: usize,
    /// Index of the next frame.
    pub(crate) index: u64,
    /// Sequence of the next entry.
    pub(crate) sequence: u64,
}

/// Reads all frames of a segment's bytes, giving each entry to `each`.
/// Returns where they end, how, and the digest up to there.
pub(crate) fn scan(
    bytes: &[u8],
    cipher: &FrameCipher,
    first_sequence: u64,
    mut each: impl FnMut(Stored),
) -> (Position, End, Hasher) {
    let mut hasher = Hasher::new(Hash::Sha256);
    hasher.update(bytes.get(..SEGMENT_HEADER_LEN).unwrap_or_default());
    let mut position = Position {
        offset: SEGMENT_HEADER_LEN,
        index: 0,
        sequence: first_sequence,
    };
    loop {
        let rest = bytes.get(position.offset..).unwrap_or_default();
        let opened = cipher
            .open(rest)
            .filter(|(header, _)| header.index == position.index);
        let Some((header, entry)) = opened else {
            let end = how_it_ends(rest, cipher, position.index);
            return (position, end, hasher);
        };
        let len = HEADER_LEN + header.len;
        hasher.update(rest.get(..len).unwrap_or_default());
        position.offset += len;
        position.index += 1;
        if let Some(entry) = entry {
            each(Stored {
                sequence: position.sequence,
                entry,
            });
            position.sequence += 1;
        }
    }
}

/// Tells a cut-short write from damage: a frame of a group that began after
/// `missing` was written only once `missing` was durable.
fn how_it_ends(rest: &[u8], cipher: &FrameCipher, missing: u64) -> End {
    let mut from = 0;
    while let Some(at) = find_magic(rest, from) {
        let candidate = rest.get(at..).unwrap_or_default();
        let later = FrameHeader::parse(candidate).is_some_and(|header| header.group > missing);
        if later && cipher.open(candidate).is_some() {
            return End::Corrupt;
        }
        from = at + 1;
    }
    if rest.iter().all(|byte| *byte == 0) {
        End::Clean
    } else {
        End::Torn
    }
}

pub(crate) fn find_magic(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let mut start = 0;
    loop {
        let at = start
            + rest
                .get(start..)?
                .iter()
                .position(|byte| *byte == MAGIC[0])?;
        if rest.get(at..)?.starts_with(&MAGIC) {
            return Some(from + at);
        }
        start = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Entry;

    fn key() -> RecordKey {
        RecordKey::derive(&[1; 32], b"", &[]).unwrap()
    }

    fn cipher() -> FrameCipher {
        FrameCipher {
            key: key(),
            segment: 1,
        }
    }

    fn header() -> SegmentHeader {
        SegmentHeader {
            install: [5; 16],
            number: 1,
            first_sequence: 10,
            term: 2,
            salt: [6; 32],
        }
    }

    /// Two groups of two entries each, then zeros.
    fn sample() -> (Vec<u8>, Vec<usize>) {
        let link = Link {
            previous: [0; 32],
            highest_commit: 3,
        };
        let mut bytes = header().encode(&key(), &link).unwrap();
        let mut ends = vec![bytes.len()];
        for index in 0..4 {
            let entry = Entry {
                id: [index as u8; 16],
                salt: [0; 32],
                bytes: b"SKFE in the event".to_vec(),
                commit: None,
            };
            cipher()
                .put_entry(&mut bytes, index, index / 2 * 2, (&entry).into())
                .unwrap();
            ends.push(bytes.len());
        }
        bytes.resize(bytes.len() + 200, 0);
        (bytes, ends)
    }

    fn run(bytes: &[u8]) -> (usize, End) {
        let mut entries = 0;
        let (position, end, _) = scan(bytes, &cipher(), 10, |stored| {
            assert_eq!(stored.sequence, 10 + entries as u64);
            entries += 1;
        });
        assert_eq!(position.index, entries as u64);
        (entries, end)
    }

    #[test]
    fn headers_open_under_their_key_and_no_bit_may_change() {
        let (bytes, _) = sample();
        let parsed = SegmentHeader::parse(&bytes).unwrap();
        assert_eq!(parsed, header());
        assert_eq!(parsed.link(&key(), &bytes).unwrap().highest_commit, 3);
        for bit in 0..SEGMENT_HEADER_LEN * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let link = SegmentHeader::parse(&bad)
                .ok()
                .and_then(|parsed| parsed.link(&key(), &bad));
            assert!(link.is_none(), "bit {bit}");
        }
        let mut newer = bytes;
        newer[7] = 2;
        assert!(matches!(
            SegmentHeader::parse(&newer),
            Err(Error::Newer { .. })
        ));
    }

    #[test]
    fn cut_at_every_byte_is_torn_never_corrupt() {
        let (bytes, ends) = sample();
        assert_eq!(run(&bytes), (4, End::Clean));
        for cut in SEGMENT_HEADER_LEN..bytes.len() {
            let expected = ends.iter().filter(|end| **end <= cut).count() - 1;
            let mut zeroed = bytes.clone();
            zeroed[cut..].fill(0);
            for cut_bytes in [&bytes[..cut], &zeroed] {
                let (entries, end) = run(cut_bytes);
                assert_eq!(entries, expected.min(4), "cut at {cut}");
                assert_ne!(end, End::Corrupt, "cut at {cut}");
            }
        }
    }

    #[test]
    fn damage_before_a_later_group_is_corrupt() {
        let (bytes, ends) = sample();
        for at in SEGMENT_HEADER_LEN..ends[2] {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert_eq!(run(&bad).1, End::Corrupt, "byte {at}");
        }
        let mut zeroed = bytes.clone();
        zeroed[SEGMENT_HEADER_LEN..ends[2]].fill(0);
        assert_eq!(run(&zeroed), (0, End::Corrupt));
        // Within the last group it cannot be told from a cut-short write.
        for at in ends[2]..ends[4] {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert_eq!(run(&bad).1, End::Torn, "byte {at}");
        }
    }
}
