//! Making a backup, while everything goes on.

use skms_crypto::Hasher;

use super::format::{
    CHUNK_FULL, FORMAT, MAGIC, Manifest, Part, Sort, Summary, finish, hasher, keyed_digest, put_row,
};
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::sealed::check::Sums;
use crate::sealed::header::{self, Header};
use crate::sealed::heads::{self, Head, PARTITIONS, Sealing, TOP_ID, TopHead};
use crate::sealed::keyring::Keyring;
use crate::sealed::{SealedStore, View, place};
use crate::store::{BoxFuture, Kind, RecordId, Row, Snapshot, Write};

/// Rows fetched at a time: some hundred KiB, so that memory stays the same
/// whatever the store holds.
const PAGE: usize = 256;

/// Where a backup goes, piece by piece.
pub trait Sink: Send {
    /// Takes the next bytes; waits when the receiver is slow.
    fn put(&mut self, bytes: Vec<u8>) -> BoxFuture<'_, Result<()>>;
}

/// What the maker of a backup adds.
pub struct Notes<'a> {
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
    /// The program's version.
    pub server_version: &'a str,
    /// When an event was, in milliseconds since 1970, from its bytes.
    pub time_of: &'a (dyn Fn(&[u8]) -> Option<i64> + Sync),
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// What the backup says at its end.
    pub summary: Summary,
    /// Bytes written.
    pub bytes: u64,
}

struct Out<'a> {
    sink: &'a mut dyn Sink,
    hasher: Hasher,
    bytes: u64,
}

impl Out<'_> {
    async fn put(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.hasher.update(&bytes);
        self.bytes += bytes.len() as u64;
        self.sink.put(bytes).await
    }

    async fn chunk(&mut self, sort: Sort, payload: &[u8]) -> Result<()> {
        let len = u32::try_from(payload.len())
            .ok()
            .filter(|_| payload.len() <= super::format::CHUNK_MAX)
            .ok_or(Error::Invalid("a chunk of a backup has more than 8 MiB"))?;
        let mut bytes = Vec::with_capacity(super::format::CHUNK_HEAD + payload.len());
        bytes.push(sort as u8);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.put(bytes).await
    }

    async fn json<T: serde::Serialize>(&mut self, sort: Sort, value: &T) -> Result<()> {
        let payload = serde_json::to_vec(value).map_err(|_| Error::Malformed("backup"))?;
        self.chunk(sort, &payload).await
    }
}

/// Rows on their way into chunks.
#[derive(Default)]
struct Rows {
    pending: Vec<u8>,
    summary: Summary,
}

impl Rows {
    async fn put(&mut self, out: &mut Out<'_>, row: &Row) -> Result<()> {
        put_row(&mut self.pending, row)?;
        *self
            .summary
            .rows
            .entry(row.kind.name().to_owned())
            .or_default() += 1;
        if self.pending.len() >= CHUNK_FULL {
            self.flush(out).await?;
        }
        Ok(())
    }

    async fn flush(&mut self, out: &mut Out<'_>) -> Result<()> {
        if !self.pending.is_empty() {
            out.chunk(Sort::Rows, &std::mem::take(&mut self.pending))
                .await?;
        }
        Ok(())
    }
}

impl SealedStore {
    /// Streams a backup of one consistent view while writing goes on. Every
    /// row is compared with the heads on the way, so that a damaged database
    /// is not copied in silence.
    ///
    /// Everything that was durable when this was called is in it.
    ///
    /// # Errors
    /// [`Error::HeadMismatch`], [`Error::HeadReplayed`], [`Error::Altered`]
    /// for what is wrong with the store; the sink's and both sides' own.
    pub async fn backup(
        &self,
        journal: &dyn Journal,
        notes: &Notes<'_>,
        sink: &mut dyn Sink,
    ) -> Result<Copied> {
        self.backup_without(super::EXCLUDED, journal, notes, sink)
            .await
    }

    pub(crate) async fn backup_without(
        &self,
        excluded: &[Kind],
        journal: &dyn Journal,
        notes: &Notes<'_>,
        sink: &mut dyn Sink,
    ) -> Result<Copied> {
        // What is durable in the journal now is to be in the backup, so the
        // database has to know of it.
        self.note_journal(journal.durable_sequence()).await?;
        let View {
            keyring,
            roots,
            mut snapshot,
        } = self.unchanged_view().await?;
        let header = snapshot
            .meta(header::NAME)
            .await?
            .ok_or(Error::HeaderAltered)?;
        let parsed = Header::parse(&header.bytes)?;
        let root = roots
            .iter()
            .rev()
            .find(|root| parsed.open(root).is_ok())
            .ok_or(Error::HeaderAltered)?;

        let mut out = Out {
            sink,
            hasher: hasher(),
            bytes: 0,
        };
        let mut start = MAGIC.to_vec();
        start.push(FORMAT);
        out.put(start).await?;
        out.json(
            Sort::Manifest,
            &Manifest {
                install: crate::hex::encode(&keyring.install),
                created_at_ms: notes.now_ms,
                server_version: notes.server_version.to_owned(),
                excluded: excluded.iter().map(|kind| kind.name().to_owned()).collect(),
            },
        )
        .await?;
        out.chunk(Sort::Header, &header.bytes).await?;

        let mut rows = Rows::default();
        let top = copy_rows(&keyring, excluded, snapshot.as_mut(), &mut rows, &mut out).await?;
        drop(snapshot);
        if top.header != header::hash(&header.bytes) {
            return Err(Error::HeaderAltered);
        }
        let mut summary = rows.summary;
        summary.commits = top.commits;
        summary.events = top.journal_durable;
        summary.segments = copy_journal(journal, top.journal_durable, &mut out).await?;
        if let Some(last) = top.journal_durable.checked_sub(1) {
            let read = journal.read(last, 1).await?;
            summary.last_event_at_ms = read
                .first()
                .and_then(|stored| (notes.time_of)(&stored.entry.bytes));
        }
        out.json(Sort::Summary, &summary).await?;
        let digest = finish(out.hasher.clone());
        let keyed = keyed_digest(root, &keyring.install, &digest)?;
        out.chunk(Sort::Digest, &keyed).await?;
        let checksum = finish(out.hasher.clone());
        out.chunk(Sort::Checksum, &checksum).await?;
        Ok(Copied {
            summary,
            bytes: out.bytes,
        })
    }
}

/// Copies every row that is not excluded, heads last, and compares them with
/// their heads. Where rows are left out the heads are made to agree.
async fn copy_rows(
    keyring: &Keyring,
    excluded: &[Kind],
    snapshot: &mut dyn Snapshot,
    rows: &mut Rows,
    out: &mut Out<'_>,
) -> Result<TopHead> {
    let mut sums = Sums::default();
    let mut left_out: Vec<(Kind, RecordId, heads::Contribution)> = Vec::new();
    loop {
        let page = snapshot.next(PAGE).await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            if excluded.contains(&row.kind) {
                left_out.push((row.kind, row.id, heads::contribution(keyring, &row)?));
            } else if row.kind != Kind::Head {
                rows.put(out, &row).await?;
            }
            sums.take(keyring, row)?;
        }
    }
    let (mut top, _) = sums.settle(keyring)?;
    for row in heads_without(keyring, &sums, &left_out, &mut top)? {
        rows.put(out, &row).await?;
    }
    rows.flush(out).await?;
    Ok(top)
}

/// The rows of the heads, for a store that lacks the rows that are left out.
fn heads_without(
    keyring: &Keyring,
    sums: &Sums,
    left_out: &[(Kind, RecordId, heads::Contribution)],
    top: &mut TopHead,
) -> Result<Vec<Row>> {
    let top_row = sums.heads.get(&TOP_ID);
    let term = top_row.and_then(place::term).unwrap_or_default();
    let sealing = Sealing { keyring, term };
    let mut rows = Vec::with_capacity(usize::from(PARTITIONS) + 1);
    for partition in 0..PARTITIONS {
        let before = sums.heads.get(&heads::head_id(partition));
        let mut head: Head = heads::open_head(keyring, partition, before)?;
        let mut changed = false;
        for (kind, id, contribution) in left_out {
            if heads::partition(*kind, *id) == partition {
                changed = true;
                if !head.remove(*contribution) {
                    return Err(Error::Altered {
                        kind: *kind,
                        id: *id,
                    });
                }
            }
        }
        match before {
            Some(row) if !changed => rows.push(row.clone()),
            _ => rows.extend(put_of(sealing.head(partition, &head, before, top)?)),
        }
    }
    match top_row {
        Some(row) if left_out.is_empty() => rows.push(row.clone()),
        _ => rows.extend(put_of(sealing.top(top, top_row)?)),
    }
    Ok(rows)
}

fn put_of(write: Write) -> Option<Row> {
    match write {
        Write::Put { row, .. } => Some(row),
        Write::Delete { .. } => None,
    }
}

/// Copies the pieces of the journal that hold its first `entries` entries.
async fn copy_journal(journal: &dyn Journal, entries: u64, out: &mut Out<'_>) -> Result<u64> {
    let mut number = 0;
    while let Some(piece) = journal.piece(number + 1, entries).await? {
        number += 1;
        let mut offset = 0;
        for part in piece.chunks(CHUNK_FULL) {
            out.chunk(Sort::Segment, &Part::put(number, offset, part))
                .await?;
            offset += part.len() as u64;
        }
    }
    Ok(number)
}
