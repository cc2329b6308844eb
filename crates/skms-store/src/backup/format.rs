//! The file's layout: chunks, each with its sort and length in front.
//!
//! ```text
//! "SKMSBAK" ‖ format (1)
//! chunks: sort (1) ‖ length (4) ‖ payload
//!   1 manifest   JSON, first
//!   2 header     the store's header as it lies
//!   3 rows       each: kind (1) ‖ parts present (1) ‖ id (16) ‖ revision (8)
//!                ‖ index (32)? ‖ scope (32)? ‖ length (4) ‖ sealed bytes
//!   4 segment    number (8) ‖ offset (8) ‖ bytes of a journal segment
//!   5 summary    JSON
//!   6 digest     HMAC-SHA-256 over the SHA-256 of all bytes before
//!   7 checksum   SHA-256 of all bytes before; the file ends with it
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skms_crypto::rest::{hkdf_sha256, prf};
use skms_crypto::{Hash, SecretArray};

use crate::error::{Error, Result};
use crate::sealed::codec::{Reader, put_prefixed};
use crate::sealed::slot::Slot;
use crate::store::{Kind, RecordId, Row};

pub(super) const MAGIC: &[u8; 7] = b"SKMSBAK";
pub(super) const FORMAT: u8 = 1;
/// Length of a chunk's sort and length, in bytes.
pub(super) const CHUNK_HEAD: usize = 5;
/// The longest chunk, in bytes: the longest row and its frame fit.
pub(super) const CHUNK_MAX: usize = 8 << 20;
/// At about how many bytes a chunk of rows or of a segment is written.
pub(super) const CHUNK_FULL: usize = 1 << 20;

/// What a chunk is. The numbers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Sort {
    Manifest = 1,
    Header = 2,
    Rows = 3,
    Segment = 4,
    Summary = 5,
    Digest = 6,
    Checksum = 7,
}

impl Sort {
    pub(super) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Manifest,
            2 => Self::Header,
            3 => Self::Rows,
            4 => Self::Segment,
            5 => Self::Summary,
            6 => Self::Digest,
            7 => Self::Checksum,
            _ => return None,
        })
    }

    /// Whether a chunk of this sort may stand after one of that sort.
    pub(super) const fn may_follow(self, before: Option<Self>) -> bool {
        matches!(
            (before, self),
            (None, Self::Manifest)
                | (Some(Self::Manifest), Self::Header)
                | (Some(Self::Header | Self::Rows), Self::Rows)
                | (Some(Self::Rows | Self::Segment), Self::Segment)
                | (
                    Some(Self::Header | Self::Rows | Self::Segment),
                    Self::Summary
                )
                | (Some(Self::Summary), Self::Digest)
                | (Some(Self::Digest), Self::Checksum)
        )
    }
}

/// What a backup says before anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The install, 32 hexadecimal digits.
    pub install: String,
    /// When it was begun, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// The version of the program that wrote it.
    pub server_version: String,
    /// The kinds of records that are left out, by their names.
    pub excluded: Vec<String>,
}

/// What a backup says at its end about what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Batches that the database had committed.
    pub commits: u64,
    /// Events in the journal.
    pub events: u64,
    /// When the last of them was, in milliseconds since 1970.
    pub last_event_at_ms: Option<i64>,
    /// Segments of the journal.
    pub segments: u64,
    /// Rows, by the names of their kinds.
    pub rows: BTreeMap<String, u64>,
}

impl Summary {
    /// Rows of all kinds.
    #[must_use]
    pub fn total_rows(&self) -> u64 {
        self.rows
            .values()
            .fold(0, |sum, rows| sum.saturating_add(*rows))
    }
}

/// A backup's beginning and end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// Its beginning.
    pub manifest: Manifest,
    /// Its end.
    pub summary: Summary,
    /// Its length, in bytes.
    pub bytes: u64,
}

/// Appends a row.
pub(super) fn put_row(out: &mut Vec<u8>, row: &Row) -> Result<()> {
    out.push(row.kind.number());
    out.push(u8::from(row.index.is_some()) | u8::from(row.scope.is_some()) << 1);
    out.extend_from_slice(&row.id.0);
    out.extend_from_slice(&row.revision.to_be_bytes());
    for part in [&row.index, &row.scope].into_iter().flatten() {
        out.extend_from_slice(part);
    }
    put_prefixed(out, &row.sealed)
}

/// Reads all rows of a chunk.
pub(super) fn rows(payload: &[u8]) -> Result<Vec<Row>> {
    const BAD: Error = Error::Malformed("backup row");
    let mut rows = Vec::new();
    let mut rest = payload;
    while !rest.is_empty() {
        let mut reader = Reader::new(rest, "backup row");
        let kind = Kind::from_number(reader.u8()?)?;
        let parts = reader.u8()?;
        if parts > 3 {
            return Err(BAD);
        }
        let (id, revision) = (RecordId(reader.array()?), reader.u64()?);
        let index = (parts & 1 != 0).then(|| reader.array()).transpose()?;
        let scope = (parts & 2 != 0).then(|| reader.array()).transpose()?;
        let sealed = reader.prefixed()?.to_vec();
        rest = reader.rest();
        rows.push(Row {
            kind,
            id,
            revision,
            index,
            scope,
            sealed,
        });
    }
    Ok(rows)
}

/// A part of a journal segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

impl Part {
    pub(super) fn put(number: u64, offset: u64, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + bytes.len());
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&offset.to_be_bytes());
        out.extend_from_slice(bytes);
        out
    }

    pub(super) fn parse(payload: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(payload, "backup segment");
        Ok(Self {
            number: reader.u64()?,
            offset: reader.u64()?,
            bytes: reader.rest().to_vec(),
        })
    }
}

/// The keyed digest of a backup: what only a holder of the root key can make.
pub(super) fn keyed_digest(root: &Slot, install: &[u8; 16], digest: &[u8]) -> Result<[u8; 32]> {
    let key = root.with(|root| {
        SecretArray::<32>::try_init_with(|out| hkdf_sha256(root, install, &[b"skms backup"], out))
    })?;
    Ok(prf(key.expose(), &[&[FORMAT], digest]))
}

/// SHA-256, as an array.
pub(super) fn finish(hasher: skms_crypto::Hasher) -> [u8; 32] {
    hasher.finish().try_into().unwrap_or_default()
}

pub(super) fn hasher() -> skms_crypto::Hasher {
    skms_crypto::Hasher::new(Hash::Sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            kind: Kind::Key,
            id: RecordId([7; 16]),
            revision: 9,
            index: Some([1; 32]),
            scope: None,
            sealed: b"sealed".to_vec(),
        }
    }

    #[test]
    fn rows_survive_their_encoding_and_cut_ones_are_refused() {
        let several = [
            row(),
            Row {
                index: None,
                scope: Some([2; 32]),
                ..row()
            },
            Row {
                sealed: Vec::new(),
                ..row()
            },
        ];
        let mut payload = Vec::new();
        let mut ends = vec![0];
        for row in &several {
            put_row(&mut payload, row).unwrap();
            ends.push(payload.len());
        }
        assert_eq!(rows(&payload).unwrap(), several);
        for len in 0..payload.len() {
            let cut = rows(payload.get(..len).unwrap());
            assert_eq!(cut.is_ok(), ends.contains(&len), "{len}");
        }
        payload[1] = 4;
        assert!(rows(&payload).is_err());
    }

    #[test]
    fn chunks_come_in_one_order() {
        let all = [
            Sort::Manifest,
            Sort::Header,
            Sort::Rows,
            Sort::Segment,
            Sort::Summary,
            Sort::Digest,
            Sort::Checksum,
        ];
        for (at, sort) in all.into_iter().enumerate() {
            assert_eq!(Sort::from_number(sort as u8), Some(sort));
            let before = at.checked_sub(1).and_then(|before| all.get(before));
            assert!(sort.may_follow(before.copied()));
            for later in all.iter().skip(at + 1) {
                assert!(!sort.may_follow(Some(*later)), "{sort:?} after {later:?}");
            }
        }
        assert_eq!(Sort::from_number(8), None);
        assert!(!Sort::Header.may_follow(None));
    }
}
