//! Sets of serial numbers as runs: a list may name all numbers in a few bytes,
//! and what is read from it must not grow beyond what was sent.

use std::collections::BTreeMap;

/// Serial numbers, as disjoint runs that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serials(BTreeMap<u64, u64>);

impl Serials {
    /// Adds one number.
    pub fn insert(&mut self, serial: u64) {
        self.insert_run(serial, serial);
    }

    /// Adds every number from `first` to `last`; none if they are reversed.
    pub fn insert_run(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        // Every run that overlaps or touches becomes part of the new one. They
        // are gone afterwards, so that reading costs no more than was sent.
        while let Some((&from, &to)) = self.0.range(..=last.saturating_add(1)).next_back() {
            if to.saturating_add(1) < first {
                break;
            }
            self.0.remove(&from);
            first = first.min(from);
            last = last.max(to);
        }
        self.0.insert(first, last);
    }

    /// Whether it has the number.
    #[must_use]
    pub fn contains(&self, serial: u64) -> bool {
        let before = self.0.range(..=serial).next_back();
        before.is_some_and(|(_, last)| *last >= serial)
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its runs, first and last number of each, in order.
    pub fn runs(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(first, last)| (*first, *last))
    }
}

impl FromIterator<u64> for Serials {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut all = Self::default();
        numbers.into_iter().for_each(|one| all.insert(one));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn runs(all: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut serials = Serials::default();
        for (first, last) in all {
            serials.insert_run(*first, *last);
        }
        serials.runs().collect()
    }

    #[test]
    fn runs_that_touch_become_one() {
        assert_eq!(runs(&[(1, 2), (4, 5)]), [(1, 2), (4, 5)]);
        assert_eq!(runs(&[(1, 2), (4, 5), (3, 3)]), [(1, 5)]);
        assert_eq!(runs(&[(5, 9), (1, 6), (20, 30), (8, 19)]), [(1, 30)]);
        assert_eq!(runs(&[(1, 9), (3, 4)]), [(1, 9)]);
        assert_eq!(runs(&[(4, 3)]), []);
        let most = u64::MAX;
        assert_eq!(runs(&[(most, most), (0, 0)]), [(0, 0), (most, most)]);
        assert_eq!(runs(&[(most, most), (0, most - 1)]), [(0, most)]);
    }

    proptest! {
        #[test]
        fn they_are_the_set_of_their_numbers(
            all in prop::collection::vec((0u64..60, 0u64..12), 0..24),
        ) {
            let mut serials = Serials::default();
            let mut plain = BTreeSet::new();
            for (first, length) in all {
                serials.insert_run(first, first + length);
                plain.extend(first..=first + length);
            }
            let named: BTreeSet<u64> = (0..80).filter(|one| serials.contains(*one)).collect();
            prop_assert_eq!(&named, &plain);
            let whole: Vec<_> = serials.runs().collect();
            for pair in whole.windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0);
            }
        }
    }
}
