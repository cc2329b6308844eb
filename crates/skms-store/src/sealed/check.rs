//! The whole store in one consistent view, against its heads.

use std::collections::BTreeMap;

use super::header::{self, Header, Public};
use super::heads::{self, Head, PARTITIONS, TOP_ID, TopHead};
use super::keyring::Keyring;
use super::known::Collected;
use super::place;
use super::slot::Slot;
use crate::error::{Error, Result};
use crate::store::{Batch, Kind, Row, Snapshot, Store};

/// Rows fetched at a time.
const PAGE: usize = 4096;

/// What unsealing learns while checking.
pub(crate) struct Checked {
    pub(crate) public: Public,
    pub(crate) keyring: Keyring,
    pub(crate) top: TopHead,
    /// Revisions of the partitions' heads.
    pub(crate) revisions: Vec<u64>,
    /// Events the journal may lack.
    pub(crate) outbox: Vec<[u8; 16]>,
    /// The rows, where this process has the store to itself.
    pub(crate) known: Option<Collected>,
}

/// The heads found, and what the rows add up to.
#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) heads: BTreeMap<crate::store::RecordId, Row>,
    pub(crate) rows: BTreeMap<u8, Head>,
    pub(crate) by_kind: BTreeMap<Kind, u64>,
    pub(crate) outbox: Vec<[u8; 16]>,
}

impl Sums {
    pub(crate) fn take(&mut self, keyring: &Keyring, row: Row) -> Result<()> {
        *self.by_kind.entry(row.kind).or_default() += 1;
        match row.kind {
            Kind::Head => {
                self.heads.insert(row.id, row);
            }
            kind => {
                if kind == Kind::Outbox {
                    self.outbox.push(row.id.0);
                }
                let contribution = heads::contribution(keyring, &row)?;
                self.rows
                    .entry(heads::partition(kind, row.id))
                    .or_default()
                    .add(contribution);
            }
        }
        Ok(())
    }

    /// Compares with the heads: the top head and the heads' revisions, or the
    /// first partition that disagrees.
    pub(crate) fn settle(&self, keyring: &Keyring) -> Result<(TopHead, Vec<u64>)> {
        let top = heads::open_top(keyring, self.heads.get(&TOP_ID))?;
        let mut digest = heads::Digest::default();
        let mut revisions = Vec::with_capacity(PARTITIONS.into());
        for partition in 0..PARTITIONS {
            let row = self.heads.get(&heads::head_id(partition));
            let head = heads::open_head(keyring, partition, row)?;
            let found = self.rows.get(&partition).cloned().unwrap_or_default();
            if head != found {
                return Err(Error::HeadMismatch {
                    partition,
                    expected: head.total(),
                    found: found.total(),
                });
            }
            if let Some(row) = row {
                digest.add(heads::contribution(keyring, row)?.digest);
                revisions.push(row.revision);
            }
        }
        if digest != top.digest || self.heads.len() != usize::from(PARTITIONS) + 1 {
            return Err(Error::HeadReplayed);
        }
        Ok((top, revisions))
    }
}

/// Hands every row of a view to `each`, fetching the next page meanwhile.
pub(crate) async fn walk(
    snapshot: &mut dyn Snapshot,
    mut each: impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    let mut page = snapshot.next(PAGE).await?;
    while !page.is_empty() {
        let next = snapshot.next(PAGE);
        for row in page {
            each(row)?;
        }
        page = next.await?;
    }
    Ok(())
}

/// Opens the header with the root key and checks all rows by their tags.
/// `alone`: no other process writes to the store.
pub(crate) async fn check(store: &dyn Store, root: &Slot, alone: bool) -> Result<Checked> {
    if alone {
        // Whatever was submitted before the store was sealed has ended when
        // this empty batch has, also when it fails; nothing lands later.
        let _ = store.commit(Batch::default()).await;
    }
    let mut snapshot = store.snapshot().await?;
    let meta = snapshot
        .meta(header::NAME)
        .await?
        .ok_or(Error::HeaderAltered)?;
    let header = Header::parse(&meta.bytes)?;
    let keyring = header.open(root)?;
    let mut sums = Sums::default();
    let mut known = alone.then(Collected::default);
    walk(snapshot.as_mut(), |row| {
        if let Some(known) = &mut known {
            known.take(&row);
        }
        sums.take(&keyring, row)
    })
    .await?;
    let (top, revisions) = sums.settle(&keyring)?;
    if top.header != header::hash(&meta.bytes) {
        return Err(Error::HeaderAltered);
    }
    Ok(Checked {
        public: header.public,
        keyring,
        top,
        revisions,
        outbox: sums.outbox,
        known,
    })
}

/// What [`super::SealedStore::verify`] found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Records opened, by kind.
    pub records: BTreeMap<Kind, u64>,
    /// Batches committed so far.
    pub commits: u64,
    /// What is wrong, at most 1,000 of it.
    pub faults: Vec<Error>,
}

impl Report {
    /// The most faults that are listed.
    pub const FAULTS_MAX: usize = 1000;

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// How many records were read.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.records.values().sum()
    }

    fn fault(&mut self, error: Error) {
        if self.faults.len() < Self::FAULTS_MAX {
            self.faults.push(error);
        }
    }
}

/// Opens every row of a view and compares it with the heads.
pub(crate) async fn verify(snapshot: &mut dyn Snapshot, keyring: &Keyring) -> Result<Report> {
    let mut report = Report::default();
    let mut sums = Sums::default();
    let mut faults = Vec::new();
    let mut page = snapshot.next(PAGE).await?;
    while !page.is_empty() {
        let next = snapshot.next(PAGE);
        for row in page {
            if let Err(error) = place::open_any(keyring, &row) {
                faults.push(error);
            }
            if let Err(error) = sums.take(keyring, row) {
                faults.push(error);
            }
        }
        page = next.await?;
    }
    for fault in faults {
        report.fault(fault);
    }
    match sums.settle(keyring) {
        Ok((top, _)) => {
            report.commits = top.commits;
            let meta = snapshot.meta(header::NAME).await?;
            if meta.is_none_or(|meta| header::hash(&meta.bytes) != top.header) {
                report.fault(Error::HeaderAltered);
            }
        }
        Err(error) => report.fault(error),
    }
    report.records = sums.by_kind;
    Ok(report)
}
