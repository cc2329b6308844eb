//! What all the rows must add up to.
//!
//! Every row contributes HMAC(kind, id, revision, index, scope, tag) to the
//! digest of its partition: a sum modulo 2^256 of values nobody without the
//! key can compute (an additive multiset hash, Clarke et al., "Incremental
//! Multiset Hash Functions", ASIACRYPT 2003), with a count by storage term.
//! The partitions' heads are rows too and contribute to the top head in the
//! same way, beside the number of commits, the header's hash and how far the
//! journal had got. So no row, and no head with its rows, can be removed,
//! replayed or moved alone; the whole database can, and then the journal
//! knows a higher commit.

use std::collections::BTreeMap;

use super::codec::Reader;
use super::keyring::{Keyring, TermNumber};
use super::place::{self, Place, SYSTEM};
use crate::error::{Error, Result};
use crate::store::{Kind, RecordId, Row, Write};

/// How many partitions.
pub(crate) const PARTITIONS: u8 = 64;

/// The partition of a row.
pub(crate) const fn partition(kind: Kind, id: RecordId) -> u8 {
    let [first, ..] = id.0;
    (first ^ kind.number()) % PARTITIONS
}

/// The id of a partition's head.
pub(crate) const fn head_id(partition: u8) -> RecordId {
    let mut id = [0; 16];
    id[15] = partition;
    RecordId(id)
}

/// The id of the top head.
pub(crate) const TOP_ID: RecordId = RecordId([0xff; 16]);

/// A number modulo 2^256, as four little-endian limbs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest([u64; 4]);

impl Digest {
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        }
        Self(limbs)
    }

    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn add(&mut self, other: Self) {
        let mut carry = false;
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            let (sum, first) = limb.overflowing_add(other);
            let (sum, second) = sum.overflowing_add(carry.into());
            (*limb, carry) = (sum, first || second);
        }
    }

    pub(crate) fn subtract(&mut self, other: Self) {
        let mut borrow = false;
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            let (rest, first) = limb.overflowing_sub(other);
            let (rest, second) = rest.overflowing_sub(borrow.into());
            (*limb, borrow) = (rest, first || second);
        }
    }
}

/// What one row adds: its term and its keyed digest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contribution {
    pub(crate) term: TermNumber,
    pub(crate) digest: Digest,
}

/// The contribution of a row. One fixed-length part, so that nothing needs
/// lengths between.
pub(crate) fn contribution(keyring: &Keyring, row: &Row) -> Result<Contribution> {
    let altered = || Error::Altered {
        kind: row.kind,
        id: row.id,
    };
    let term = place::term(row).ok_or_else(altered)?;
    let tag = place::tag(row).ok_or_else(altered)?;
    let mut part = [0; 106];
    part[0] = row.kind.number();
    part[1] = u8::from(row.index.is_some()) | u8::from(row.scope.is_some()) << 1;
    part[2..18].copy_from_slice(&row.id.0);
    part[18..26].copy_from_slice(&row.revision.to_be_bytes());
    part[26..58].copy_from_slice(&row.index.unwrap_or_default());
    part[58..90].copy_from_slice(&row.scope.unwrap_or_default());
    part[90..106].copy_from_slice(&tag);
    Ok(Contribution {
        term,
        digest: Digest::from_bytes(&keyring.head_prf().compute(&[&part])),
    })
}

/// One partition's head, or what its rows add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) digest: Digest,
    /// Rows by storage term; no zero counts.
    pub(crate) rows: BTreeMap<TermNumber, u64>,
}

impl Head {
    pub(crate) fn add(&mut self, contribution: Contribution) {
        self.digest.add(contribution.digest);
        *self.rows.entry(contribution.term).or_default() += 1;
    }

    /// Takes a row out; false when the head counts none of its term.
    #[must_use]
    pub(crate) fn remove(&mut self, contribution: Contribution) -> bool {
        self.digest.subtract(contribution.digest);
        match self.rows.get_mut(&contribution.term) {
            Some(1) => self.rows.remove(&contribution.term).is_some(),
            Some(count) => {
                *count -= 1;
                true
            }
            None => false,
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.rows
            .values()
            .fold(0, |sum, rows| sum.saturating_add(*rows))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + self.rows.len() * 12);
        out.extend_from_slice(&self.digest.to_bytes());
        for (term, rows) in &self.rows {
            out.extend_from_slice(&term.to_be_bytes());
            out.extend_from_slice(&rows.to_be_bytes());
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, "head");
        let digest = Digest::from_bytes(&reader.array()?);
        let mut rows = BTreeMap::new();
        for chunk in reader.rest().chunks(12) {
            let mut pair = Reader::new(chunk, "head");
            rows.insert(pair.u32()?, pair.u64()?);
            pair.end()?;
        }
        Ok(Self { digest, rows })
    }
}

/// The head of the heads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopHead {
    /// Batches committed since the install was made.
    pub(crate) commits: u64,
    /// What the partitions' heads add up to.
    pub(crate) digest: Digest,
    /// SHA-256 of the header as stored.
    pub(crate) header: [u8; 32],
    /// Rows under older terms are refused: their keys are gone or going.
    pub(crate) oldest_term: TermNumber,
    /// Every outbox event that is not marked done is in the journal after
    /// this place, if it is there at all.
    pub(crate) journal_floor: u64,
    /// How many durable entries the journal was known to have.
    pub(crate) journal_durable: u64,
}

impl TopHead {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(92);
        out.extend_from_slice(&self.commits.to_be_bytes());
        out.extend_from_slice(&self.digest.to_bytes());
        out.extend_from_slice(&self.header);
        out.extend_from_slice(&self.oldest_term.to_be_bytes());
        out.extend_from_slice(&self.journal_floor.to_be_bytes());
        out.extend_from_slice(&self.journal_durable.to_be_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, "top head");
        let head = Self {
            commits: reader.u64()?,
            digest: Digest::from_bytes(&reader.array()?),
            header: reader.array()?,
            oldest_term: reader.u32()?,
            journal_floor: reader.u64()?,
            journal_durable: reader.u64()?,
        };
        reader.end()?;
        Ok(head)
    }
}

const fn place_of(id: RecordId, revision: u64) -> Place {
    Place {
        namespace: SYSTEM,
        kind: Kind::Head,
        id,
        revision,
    }
}

/// Opens a head's row. A term this process does not know means that the keys
/// were rotated elsewhere, not that the row was altered.
fn open(keyring: &Keyring, id: RecordId, row: Option<&Row>) -> Result<skms_crypto::SecretBytes> {
    let row = row.ok_or(Error::Altered {
        kind: Kind::Head,
        id,
    })?;
    if place::term(row).is_some_and(|term| !keyring.knows(term) && term > keyring.current) {
        return Err(Error::StaleKeys);
    }
    Ok(place_of(id, row.revision).open(keyring, row)?.plaintext)
}

pub(crate) fn open_head(keyring: &Keyring, partition: u8, row: Option<&Row>) -> Result<Head> {
    Head::decode(open(keyring, head_id(partition), row)?.expose())
}

pub(crate) fn open_top(keyring: &Keyring, row: Option<&Row>) -> Result<TopHead> {
    TopHead::decode(open(keyring, TOP_ID, row)?.expose())
}

/// Seals heads for a batch, in the term the top head has at that point of
/// the order: the one truth about which term is current.
pub(crate) struct Sealing<'a> {
    pub(crate) keyring: &'a Keyring,
    pub(crate) term: TermNumber,
}

impl Sealing<'_> {
    /// The write that puts `head` in place of `before`, and its effect on
    /// the top head.
    pub(crate) fn head(
        &self,
        partition: u8,
        head: &Head,
        before: Option<&Row>,
        top: &mut TopHead,
    ) -> Result<Write> {
        if let Some(before) = before {
            top.digest
                .subtract(contribution(self.keyring, before)?.digest);
        }
        let write = self.write(head_id(partition), &head.encode(), before)?;
        if let Write::Put { row, .. } = &write {
            top.digest.add(contribution(self.keyring, row)?.digest);
        }
        Ok(write)
    }

    /// The write that puts the top head in place of `before`.
    pub(crate) fn top(&self, top: &TopHead, before: Option<&Row>) -> Result<Write> {
        self.write(TOP_ID, &top.encode(), before)
    }

    fn write(&self, id: RecordId, plaintext: &[u8], before: Option<&Row>) -> Result<Write> {
        let expected = before.map(|row| row.revision);
        let revision = expected.map_or(1, |revision| revision.saturating_add(1));
        Ok(Write::Put {
            row: place_of(id, revision).seal(self.keyring, self.term, None, plaintext)?,
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads_survive_their_encoding() {
        let head = Head {
            digest: Digest([1, u64::MAX, 3, 4]),
            rows: [(1, 7), (3, 1)].into(),
        };
        assert_eq!(Head::decode(&head.encode()).unwrap(), head);
        assert!(Head::decode(&head.encode()[..40]).is_err());
        let top = TopHead {
            commits: 5,
            digest: Digest([9; 4]),
            header: [8; 32],
            oldest_term: 2,
            journal_floor: 3,
            journal_durable: 4,
        };
        assert_eq!(TopHead::decode(&top.encode()).unwrap(), top);
        assert!(TopHead::decode(&top.encode()[1..]).is_err());
    }

    #[test]
    fn carries_run_through_all_limbs() {
        let mut digest = Digest([u64::MAX; 4]);
        digest.add(Digest([1, 0, 0, 0]));
        assert_eq!(digest, Digest::default());
        digest.subtract(Digest([1, 0, 0, 0]));
        assert_eq!(digest, Digest([u64::MAX; 4]));
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_removal_undoes(values: Vec<[u64; 4]>, probe: [u64; 4]) {
            let mut forward = Digest::default();
            let mut backward = Digest::default();
            for value in &values {
                forward.add(Digest(*value));
            }
            for value in values.iter().rev() {
                backward.add(Digest(*value));
            }
            prop_assert_eq!(forward, backward);
            forward.add(Digest(probe));
            forward.subtract(Digest(probe));
            prop_assert_eq!(forward, backward);
            prop_assert_eq!(Digest::from_bytes(&forward.to_bytes()), forward);
        }
    }
}
