//! What an operator may know about seals and keys.

use super::header::{Protection, Public};
use super::keyring::TermNumber;
use super::rotate::SealId;
use super::slot;
use super::{SealedStore, lock};
use crate::error::Result;
use crate::store::RecordId;

/// How a seal is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealKind {
    /// By a passphrase, at this Argon2id cost.
    Passphrase {
        /// Memory, in KiB.
        memory_kib: u32,
        /// Passes over it.
        iterations: u32,
    },
    /// By some of several holders.
    Shamir {
        /// Shares needed.
        threshold: u8,
        /// Shares made.
        shares: u8,
    },
    /// By a key file.
    KeyFile,
}

impl SealKind {
    /// The kind's name in messages and on the command line.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passphrase { .. } => "passphrase",
            Self::Shamir { .. } => "shamir",
            Self::KeyFile => "key-file",
        }
    }

    /// How weak it is: the lowest is the weakest.
    const fn rank(&self) -> u8 {
        match self {
            Self::Passphrase { .. } => 0,
            Self::KeyFile => 1,
            Self::Shamir { .. } => 2,
        }
    }

    /// What whoever attacks a stolen database has to get.
    #[must_use]
    pub fn strength(&self) -> String {
        match self {
            Self::Passphrase {
                memory_kib,
                iterations,
            } => format!(
                "as hard to guess as its passphrase; each guess costs Argon2id with {} MiB and {iterations} passes",
                memory_kib / 1024
            ),
            Self::Shamir { threshold, shares } => {
                format!("256 bits, held by {threshold} of {shares} holders together")
            }
            Self::KeyFile => "256 bits, held by whoever can read the key file".to_owned(),
        }
    }
}

/// One seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealInfo {
    /// Its id.
    pub id: SealId,
    /// Its name.
    pub name: String,
    /// How it is opened.
    pub kind: SealKind,
}

/// One storage key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermStatus {
    /// Its generation.
    pub term: TermNumber,
    /// Whether new records are sealed under it.
    pub current: bool,
    /// How many records are.
    pub records: u64,
}

/// The state of an open store's protection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The install.
    pub install: RecordId,
    /// The seals.
    pub seals: Vec<SealInfo>,
    /// The strength of the whole: that of the weakest seal, in words.
    pub strength: String,
    /// Generation of the root key.
    pub root_version: u64,
    /// The storage keys.
    pub terms: Vec<TermStatus>,
    /// Terms whose keys are kept for journal segments only.
    pub journal_only_terms: Vec<TermNumber>,
    /// Batches committed.
    pub commits: u64,
    /// Events on their way to the journal.
    pub waiting_events: usize,
    /// Whether the root and storage keys are locked in memory.
    pub keys_locked: bool,
    /// What is not protected as one might think.
    pub notes: Vec<String>,
}

pub(crate) fn seal_infos(public: &Public) -> Vec<SealInfo> {
    public
        .seals
        .iter()
        .map(|entry| SealInfo {
            id: RecordId(entry.id.0.as_slice().try_into().unwrap_or_default()),
            name: entry.name.clone(),
            kind: match &entry.protection {
                Protection::Passphrase {
                    memory_kib,
                    iterations,
                    ..
                } => SealKind::Passphrase {
                    memory_kib: *memory_kib,
                    iterations: *iterations,
                },
                Protection::Shamir {
                    threshold, shares, ..
                } => SealKind::Shamir {
                    threshold: *threshold,
                    shares: *shares,
                },
                Protection::KeyFile => SealKind::KeyFile,
            },
        })
        .collect()
}

impl SealedStore {
    /// The seals.
    #[must_use]
    pub fn seals(&self) -> Vec<SealInfo> {
        seal_infos(&self.0.public())
    }

    /// How the store is protected.
    ///
    /// # Errors
    /// [`crate::Error::Sealed`], and the backend's.
    pub async fn status(&self) -> Result<Status> {
        let keyring = self.0.keyring()?;
        let by_term = self.records_by_term().await?;
        let public = self.0.public();
        let seals = seal_infos(&public);
        let strength = seals
            .iter()
            .min_by_key(|seal| seal.kind.rank())
            .map(|seal| {
                format!(
                    "that of its weakest seal, {} “{}”: {}",
                    seal.kind.name(),
                    seal.name,
                    seal.kind.strength()
                )
            })
            .unwrap_or_default();
        let terms = keyring
            .terms()
            .map(|term| TermStatus {
                term,
                current: term == keyring.current,
                records: by_term
                    .iter()
                    .find(|(number, _)| *number == term)
                    .map_or(0, |(_, records)| *records),
            })
            .collect();
        let keys_locked = slot::all_locked();
        let mut notes = Vec::new();
        if !keys_locked {
            notes.push(
                "root and storage keys are not locked in memory and could be swapped to disk: raise RLIMIT_MEMLOCK"
                    .to_owned(),
            );
        }
        notes.push(
            "keys expanded for use lie on the crypto library's own heap, which is locked only when the whole process is"
                .to_owned(),
        );
        Ok(Status {
            install: RecordId(self.install()),
            seals,
            strength,
            root_version: public.root_version,
            terms,
            journal_only_terms: keyring
                .journal_terms()
                .filter(|term| !keyring.knows(*term))
                .collect(),
            commits: lock(&self.0.seen).commits,
            waiting_events: self.waiting_events(),
            keys_locked,
            notes,
        })
    }
}
