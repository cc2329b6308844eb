//! A backup with a seal's secret: everything in it opens, and agrees.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use skms_crypto::ct_eq;
use skms_crypto::rest::RecordKey;

use super::format::{Part, keyed_digest};
use super::read::{self, Inspected, Item, inspect, walk};
use crate::error::{Error, Result};
use crate::file_journal::SegmentKeys;
use crate::file_journal::survey::Chain;
use crate::sealed::check::Sums;
use crate::sealed::header::{self, Header};
use crate::sealed::heads;
use crate::sealed::keyring::{Keyring, TermNumber};
use crate::sealed::place;
use crate::sealed::slot::Slot;
use crate::sealed::unseal::{Ceremony, Waiting};
use crate::sealed::{SealInfo, SealInput};
use crate::store::{Kind, Store};

/// A backup that waits for a seal's secret.
pub struct Opening {
    path: PathBuf,
    inspected: Inspected,
    header: Header,
    ceremony: Ceremony,
}

/// What giving a secret led to.
#[must_use]
pub enum BackupProgress {
    /// More shares are needed.
    Waiting {
        /// Shares given so far.
        have: u8,
        /// Shares needed.
        need: u8,
    },
    /// The secret was right.
    Open(BackupKeys),
}

/// The keys of a backup.
#[derive(Clone)]
pub struct BackupKeys {
    keyring: Keyring,
    root: Arc<Slot>,
}

/// What a verification with keys went through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Records opened.
    pub records: u64,
    /// Events opened.
    pub events: u64,
    /// Whether every record and event agreed; what did not is the error.
    pub commits: u64,
}

impl Opening {
    /// Checks the file without a secret, and reads its seals.
    ///
    /// # Errors
    /// As [`inspect`].
    pub fn of(path: &Path) -> Result<Self> {
        let inspected = inspect(path)?;
        let mut found = None;
        let mut reader = read::open(path)?;
        while found.is_none() {
            if let Item::Header(bytes) = reader.next()? {
                found = Some(Header::parse(&bytes)?);
            }
        }
        Ok(Self {
            path: path.to_owned(),
            inspected,
            header: found.ok_or(Error::HeaderAltered)?,
            ceremony: Ceremony::default(),
        })
    }

    /// What the file says about itself.
    #[must_use]
    pub const fn inspected(&self) -> &Inspected {
        &self.inspected
    }

    /// The seals that open it.
    #[must_use]
    pub fn seals(&self) -> &[SealInfo] {
        &self.inspected.seals
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tries a secret.
    ///
    /// # Errors
    /// As [`crate::Sealed::submit`].
    pub async fn submit(&self, input: SealInput) -> Result<BackupProgress> {
        Ok(match self.ceremony.submit(&self.header, input).await? {
            Err(Waiting { have, need }) => BackupProgress::Waiting { have, need },
            Ok(root) => BackupProgress::Open(BackupKeys {
                keyring: self.header.open(&root)?,
                root: Arc::new(root),
            }),
        })
    }
}

impl std::fmt::Debug for BackupKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackupKeys(<redacted>)")
    }
}

impl SegmentKeys for BackupKeys {
    fn install(&self) -> [u8; 16] {
        self.keyring.install
    }

    fn current_term(&self) -> Result<TermNumber> {
        Ok(self.keyring.current)
    }

    fn segment_key(&self, term: TermNumber, segment: u64, salt: &[u8; 32]) -> Result<RecordKey> {
        self.keyring
            .segment_key(term, &[b"skms segment", &segment.to_be_bytes(), salt])
            .ok_or(Error::StaleKeys)?
    }
}

impl BackupKeys {
    /// The number of the last commit in another copy of the same install;
    /// `None` where these keys do not open its head.
    ///
    /// # Errors
    /// The backend's.
    pub async fn commits_of(&self, store: &dyn Store) -> Result<Option<u64>> {
        let row = store.get(Kind::Head, heads::TOP_ID).await?;
        Ok(heads::open_top(&self.keyring, row.as_ref())
            .ok()
            .map(|top| top.commits))
    }

    /// Checks everything: the keyed digest, every row, every head, every
    /// event and link of the journal, and that the two belong together.
    ///
    /// # Errors
    /// What is wrong: [`Error::BackupForged`], [`Error::BackupDamaged`],
    /// [`Error::Altered`], [`Error::HeadMismatch`], [`Error::HeadReplayed`],
    /// [`Error::HeaderAltered`], [`Error::JournalCorrupt`].
    pub fn verify(&self, path: &Path) -> Result<Verified> {
        let mut sums = Sums::default();
        let mut chain = Chain::new(self);
        let mut segment: Option<Part> = None;
        let mut header_hash = None;
        let mut genuine = false;
        let mut events = 0;
        let mut highest = 0;
        let mut count = |stored: crate::journal::Stored| {
            events += 1;
            highest = stored.entry.commit.unwrap_or(0).max(highest);
        };
        let inspected = walk(read::open(path)?, |item| {
            match item {
                Item::Header(bytes) => {
                    header_hash = Some(header::hash(&bytes));
                }
                Item::Rows(rows) => {
                    for row in rows {
                        if row.kind != Kind::Head {
                            place::open_any(&self.keyring, &row)?;
                        }
                        sums.take(&self.keyring, row)?;
                    }
                }
                Item::Segment(part) => match &mut segment {
                    Some(whole) if whole.number == part.number => {
                        whole.bytes.extend_from_slice(&part.bytes);
                    }
                    _ => {
                        if let Some(whole) = segment.replace(part) {
                            chain.segment(whole.number, &whole.bytes, &mut count)?;
                        }
                    }
                },
                Item::Digest { keyed, over } => {
                    let ours = keyed_digest(&self.root, &self.keyring.install, &over)?;
                    genuine = ct_eq(&ours, &keyed);
                }
                Item::Manifest(_) | Item::Summary(_) | Item::End { .. } => {}
            }
            Ok(())
        })?;
        if let Some(whole) = segment {
            chain.segment(whole.number, &whole.bytes, &mut count)?;
        }
        if !genuine {
            return Err(Error::BackupForged);
        }
        let (top, _) = sums.settle(&self.keyring)?;
        if Some(top.header) != header_hash {
            return Err(Error::HeaderAltered);
        }
        let summary = inspected.report.summary;
        if top.commits != summary.commits
            || top.journal_durable != events
            || events != summary.events
        {
            return Err(Error::JournalCut {
                journal: events,
                database: top.journal_durable,
            });
        }
        if highest > top.commits {
            return Err(Error::RolledBack {
                journal: highest,
                database: top.commits,
            });
        }
        Ok(Verified {
            records: summary.total_rows(),
            events,
            commits: top.commits,
        })
    }
}
