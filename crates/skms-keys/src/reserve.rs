//! Counting uses and bytes: in blocks that are recorded before they are spent.
//!
//! A version's record says how many uses have been handed out in blocks, and
//! a [`UseReserve`] in memory spends them. A block is recorded durably before
//! the first use of it; whoever crashes loses the rest of the block and never
//! counts a use too few. So the record is an upper bound, and a limit that it
//! keeps is kept.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::key::{Key, KeyParts};
use crate::state::KeyState;
use crate::version::VersionNumber;

/// The most uses in one block. At a limit of 2^32 uses, a version survives
/// tens of thousands of crashes.
pub const MAX_BLOCK: u64 = 1 << 16;
/// The most bytes in one block: at a limit of 2^38, a crash loses a thousandth.
pub const MAX_BYTE_BLOCK: u64 = 1 << 28;
/// Bytes of one block of a block cipher; texts are counted in whole ones.
const CIPHER_BLOCK: u64 = 16;
/// A block is at most this part of the limit it counts towards, so that few
/// uses are lost in a crash where the limit is small.
const BLOCKS_PER_LIMIT: u64 = 64;

impl Key {
    /// The most uses a version may have; `None` if its algorithm sets none.
    #[must_use]
    pub fn use_limit(&self, number: VersionNumber) -> Option<u64> {
        self.parts().use_limit(number)
    }

    /// The uses of a version at which a new one is wanted: the rule's number,
    /// and in any case three quarters of the limit, so that there is time
    /// before the limit itself stops the version.
    #[must_use]
    pub fn rotation_uses(&self, number: VersionNumber) -> Option<u64> {
        let forced = self.use_limit(number).map(|limit| limit - limit / 4);
        let wanted = self.rules.rotate_after_uses;
        match (forced, wanted) {
            (Some(forced), Some(wanted)) => Some(forced.min(wanted)),
            (forced, wanted) => forced.or(wanted),
        }
    }

    /// The bytes encrypted with a version at which a new one is wanted: the
    /// rule's number, and in any case three quarters of what its algorithm
    /// encrypts safely.
    #[must_use]
    pub fn rotation_bytes(&self, number: VersionNumber) -> Option<u64> {
        let safe = self.algorithm_of(number).row().max_bytes;
        let forced = safe.map(|limit| limit - limit / 4);
        let wanted = self.rules.rotate_after_bytes;
        match (forced, wanted) {
            (Some(forced), Some(wanted)) => Some(forced.min(wanted)),
            (forced, wanted) => forced.or(wanted),
        }
    }

    /// Whether what a version encrypts is counted in bytes.
    #[must_use]
    pub fn counts_bytes(&self, number: VersionNumber) -> bool {
        self.rotation_bytes(number).is_some()
    }

    /// How many bytes of a version to reserve at a time.
    #[must_use]
    pub fn byte_block(&self, number: VersionNumber) -> u64 {
        self.rotation_bytes(number).map_or(MAX_BYTE_BLOCK, |bytes| {
            (bytes / BLOCKS_PER_LIMIT).clamp(1, MAX_BYTE_BLOCK)
        })
    }

    /// Reserves `wanted` bytes of a version. They are counted and not limited:
    /// past what the rules say a rotation is due. Store the key durably before
    /// spending any.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`].
    pub fn reserve_bytes(&self, number: VersionNumber, wanted: u64) -> Result<(Key, u64)> {
        let mut parts = self.parts().clone();
        let key = parts.id;
        let version = parts
            .versions
            .iter_mut()
            .find(|version| version.number == number)
            .ok_or(Error::UnknownVersion {
                key,
                version: number,
            })?;
        version.bytes_reserved = version.bytes_reserved.saturating_add(wanted);
        Ok((Key::from_parts(parts)?, wanted))
    }

    /// Whether protecting uses of a version are counted at all.
    #[must_use]
    pub fn counts_uses(&self, number: VersionNumber) -> bool {
        self.rotation_uses(number).is_some()
    }

    /// How many uses of a version to reserve at a time.
    #[must_use]
    pub fn use_block(&self, number: VersionNumber) -> u64 {
        self.rotation_uses(number).map_or(MAX_BLOCK, |uses| {
            (uses / BLOCKS_PER_LIMIT).clamp(1, MAX_BLOCK)
        })
    }

    /// Reserves up to `wanted` uses of a version, and says how many it got:
    /// at least one, and fewer than wanted only at the limit. Store the key
    /// durably before spending any.
    ///
    /// # Errors
    /// [`Error::UseLimit`] when none are left: rotate the key.
    /// [`Error::UnknownVersion`].
    pub fn reserve_uses(&self, number: VersionNumber, wanted: u64) -> Result<(Key, u64)> {
        let mut parts = self.parts().clone();
        let limit = parts.use_limit(number);
        let (key, id) = (parts.id, number);
        let version = parts
            .versions
            .iter_mut()
            .find(|version| version.number == number)
            .ok_or(Error::UnknownVersion { key, version: id })?;
        let ceiling = limit.unwrap_or(u64::MAX);
        let granted = wanted
            .max(1)
            .min(ceiling - version.uses_reserved.min(ceiling));
        if granted == 0 {
            return Err(Error::UseLimit {
                key,
                version: id,
                limit: ceiling,
            });
        }
        version.uses_reserved += granted;
        Ok((Key::from_parts(parts)?, granted))
    }
}

impl Key {
    /// The key with every use that is left counted as used: for a record that
    /// is older than the key's last use, such as one from a backup. Versions
    /// whose uses are limited protect nothing any more; those that are only
    /// to be rotated after so many uses are due for it. `None` when nothing
    /// is left or nothing is counted.
    ///
    /// # Errors
    /// [`Error::InvalidParts`], which no key gives.
    pub fn burn_uses(&self) -> Result<Option<Key>> {
        let mut parts = self.parts().clone();
        let mut changed = false;
        for version in &mut parts.versions {
            if version.state == KeyState::Destroyed {
                continue;
            }
            let number = version.number;
            let uses = self
                .use_limit(number)
                .or_else(|| self.rotation_uses(number));
            let bytes = self.rotation_bytes(number);
            for (counted, all) in [
                (&mut version.uses_reserved, uses),
                (&mut version.bytes_reserved, bytes),
            ] {
                if let Some(all) = all
                    && *counted < all
                {
                    *counted = all;
                    changed = true;
                }
            }
        }
        changed.then(|| Key::from_parts(parts)).transpose()
    }
}

/// What a text of so many bytes counts as: whole blocks of the cipher.
#[must_use]
pub fn counted_bytes(len: usize) -> u64 {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    len.div_ceil(CIPHER_BLOCK).saturating_mul(CIPHER_BLOCK)
}

impl KeyParts {
    pub(crate) fn use_limit(&self, number: VersionNumber) -> Option<u64> {
        self.algorithm_of(number).row().max_random_nonce_uses
    }
}

/// What asking a reserve for uses gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Taken {
    /// They are the caller's. `refill` asks the caller to see to the next
    /// block; it is said once a block, to one caller.
    Taken {
        /// Whether the block is half spent.
        refill: bool,
    },
    /// Too few are left: reserve a block, add it and ask again.
    NeedsBlock,
}

/// The uses of one version that have been reserved and not spent. Lock-free;
/// one per version and process, shared by all who use it.
///
/// It starts empty: what was reserved before a start counts as spent.
#[derive(Debug)]
pub struct UseReserve {
    left: AtomicU64,
    /// At or below this many, the next block is wanted.
    low: AtomicU64,
    refilling: AtomicBool,
    counted: bool,
}

impl UseReserve {
    /// A reserve for a version whose uses count.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            left: AtomicU64::new(0),
            low: AtomicU64::new(0),
            refilling: AtomicBool::new(false),
            counted: true,
        }
    }

    /// A reserve for a version whose uses do not count.
    #[must_use]
    pub const fn uncounted() -> Self {
        Self {
            left: AtomicU64::new(0),
            low: AtomicU64::new(0),
            refilling: AtomicBool::new(false),
            counted: false,
        }
    }

    /// The right one for the uses of a version.
    #[must_use]
    pub fn for_uses(key: &Key, number: VersionNumber) -> Self {
        Self::counting(key.counts_uses(number))
    }

    /// The right one for the bytes that a version encrypts.
    #[must_use]
    pub fn for_bytes(key: &Key, number: VersionNumber) -> Self {
        Self::counting(key.counts_bytes(number))
    }

    const fn counting(counted: bool) -> Self {
        if counted {
            Self::empty()
        } else {
            Self::uncounted()
        }
    }

    /// Takes `uses` uses, all or none.
    pub fn take(&self, uses: u64) -> Taken {
        if !self.counted {
            return Taken::Taken { refill: false };
        }
        // Relaxed is enough: the count guards itself and nothing else.
        let before = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(uses)
            });
        match before {
            Ok(before) => {
                let low = self.low.load(Ordering::Relaxed);
                Taken::Taken {
                    refill: before > low && before - uses <= low,
                }
            }
            Err(_) => Taken::NeedsBlock,
        }
    }

    /// Adds a block, once its reservation is durable.
    pub fn add(&self, block: u64) {
        self.low.store(block / 2, Ordering::Relaxed);
        self.left.fetch_add(block, Ordering::Relaxed);
    }

    /// How many uses are left in it.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Claims the errand of fetching the next block; `None` if somebody else
    /// is on it. It ends when the claim is dropped.
    #[must_use]
    pub fn claim_refill(&self) -> Option<Refill<'_>> {
        self.refilling
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| Refill(self))
    }
}

/// The errand of fetching a block; one at a time for a reserve.
#[derive(Debug)]
pub struct Refill<'a>(&'a UseReserve);

impl Drop for Refill<'_> {
    fn drop(&mut self) {
        self.0.refilling.store(false, Ordering::Release);
    }
}
