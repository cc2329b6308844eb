//! Entries on their way to the writer, their bytes end to end in one buffer
//! that is used again: what one thread allocates is not freed by another.

use crate::journal::Entry;

/// Entries in the order they were queued.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) heads: Vec<Head>,
    bytes: Vec<u8>,
}

/// An entry without its bytes.
pub(super) struct Head {
    pub(super) id: [u8; 16],
    pub(super) salt: [u8; 32],
    pub(super) commit: Option<u64>,
    end: usize,
}

/// An entry with its bytes, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Queued<'a> {
    pub(crate) id: &'a [u8; 16],
    pub(crate) salt: &'a [u8; 32],
    pub(crate) commit: Option<u64>,
    pub(crate) bytes: &'a [u8],
}

/// A buffer that once held more than this many bytes is not kept.
const KEPT: usize = 1 << 20;

impl Waiting {
    pub(super) const fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.heads.len()
    }

    pub(super) fn push(&mut self, entry: &Entry) {
        self.bytes.extend_from_slice(&entry.bytes);
        self.heads.push(Head {
            id: entry.id,
            salt: entry.salt,
            commit: entry.commit,
            end: self.bytes.len(),
        });
    }

    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Queued<'_>> {
        let starts = std::iter::once(0).chain(self.heads.iter().map(|head| head.end));
        self.heads.iter().zip(starts).map(|(head, start)| Queued {
            id: &head.id,
            salt: &head.salt,
            commit: head.commit,
            bytes: self.bytes.get(start..head.end).unwrap_or_default(),
        })
    }
}

impl<'a> From<&'a Entry> for Queued<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            id: &entry.id,
            salt: &entry.salt,
            commit: entry.commit,
            bytes: &entry.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_in_order_with_their_own_bytes() {
        let entries: Vec<Entry> = (0..5_u8)
            .map(|number| Entry {
                id: [number; 16],
                salt: [number + 1; 32],
                bytes: vec![number; usize::from(number)],
                commit: (number % 2 == 0).then_some(u64::from(number)),
            })
            .collect();
        let mut waiting = Waiting::default();
        for _round in 0..2 {
            assert!(waiting.is_empty());
            for entry in &entries {
                waiting.push(entry);
            }
            let back: Vec<Entry> = waiting
                .iter()
                .map(|queued| Entry {
                    id: *queued.id,
                    salt: *queued.salt,
                    bytes: queued.bytes.to_vec(),
                    commit: queued.commit,
                })
                .collect();
            assert_eq!(back, entries);
            waiting.clear();
        }
    }
}
