//! All moduli that are known, ready to be held against a new one.

use std::collections::HashMap;
use std::sync::Arc;

use dashu_int::UBig;
use dashu_int::ops::Gcd;

use crate::number::{bits, bytes};

/// Bits of a block's product: it stays in the processor's cache while it is
/// divided.
const BLOCK_BITS: usize = 1 << 18;

/// Moduli whose products are kept too: a new one takes a division of all
/// products by it. In memory is each modulus twice (100,000 of 2048 bits: 51 MB
/// and some 10 MB to find them again).
#[derive(Default)]
pub struct Moduli {
    blocks: Vec<Block>,
    known: HashMap<Arc<[u8]>, u64>,
}

struct Block {
    product: UBig,
    moduli: Vec<(Arc<[u8]>, u64)>,
}

impl Moduli {
    /// How many different ones there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Under which number a modulus is known.
    #[must_use]
    pub fn find(&self, n: &UBig) -> Option<u64> {
        self.known.get(&*bytes(n)).copied()
    }

    /// Adds one under a number by which it is found again; nothing happens to
    /// one that is known.
    pub fn insert(&mut self, n: &UBig, number: u64) {
        let own: Arc<[u8]> = bytes(n).into();
        if *n <= UBig::ONE || self.known.contains_key(&own) {
            return;
        }
        self.known.insert(Arc::clone(&own), number);
        match self.blocks.last_mut() {
            Some(block) if bits(&block.product) + bits(n) <= BLOCK_BITS => {
                block.product *= n;
                block.moduli.push((own, number));
            }
            _ => self.blocks.push(Block {
                product: n.clone(),
                moduli: vec![(own, number)],
            }),
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (UBig, u64)> + '_ {
        let members = self.blocks.iter().flat_map(|block| &block.moduli);
        members.map(|(modulus, number)| (UBig::from_be_bytes(modulus), *number))
    }

    /// What this one has in common with those that are known, itself aside.
    ///
    /// Only a *proper* divisor gives a modulus away. Whoever brings a multiple of
    /// a modulus shows that they can multiply: nothing follows for the modulus,
    /// and all the more for the multiple.
    #[must_use]
    pub fn sharing(&self, n: &UBig) -> Sharing {
        let mut sharing = Sharing::default();
        if *n <= UBig::ONE {
            return sharing;
        }
        for block in &self.blocks {
            if (&block.product % n).gcd(n).is_one() {
                continue;
            }
            // Rarely: the modulus itself is in this block, or a relative of it.
            for (modulus, number) in &block.moduli {
                let modulus = UBig::from_be_bytes(modulus);
                if modulus == *n {
                    continue;
                }
                let common = (&modulus).gcd(n);
                sharing.itself |= is_proper(&common, n);
                if is_proper(&common, &modulus) {
                    sharing.others.push(*number);
                }
            }
        }
        sharing
    }
}

/// What a modulus has in common with those that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// A proper divisor of it divides another one.
    pub itself: bool,
    /// The numbers of those of which a proper divisor divides it.
    pub others: Vec<u64>,
}

/// Whether a divisor of a number says anything about its factors.
pub(crate) fn is_proper(divisor: &UBig, of: &UBig) -> bool {
    !divisor.is_one() && divisor != of
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::is_prime;

    #[test]
    fn a_new_one_is_held_against_all() {
        let primes: Vec<UBig> = (1_u32 << 20..)
            .map(UBig::from)
            .filter(is_prime)
            .take(20_000)
            .collect();
        let mut moduli = Moduli::default();
        for (number, two) in (0..).zip(primes.chunks(2)) {
            moduli.insert(&(&two[0] * &two[1]), number);
        }
        assert_eq!(moduli.len(), 10_000);
        assert!(moduli.blocks.len() > 1);
        let related = &primes[6] * &primes[19_999];
        let shares = |itself, others: &[u64]| Sharing {
            itself,
            others: others.to_vec(),
        };
        assert_eq!(moduli.sharing(&related), shares(true, &[3, 9_999]));
        let stranger = UBig::from(7_919_u32) * UBig::from(7_907_u32);
        assert_eq!(moduli.sharing(&stranger), shares(false, &[]));
        // A multiple says nothing of what it is a multiple of, nor a divisor of
        // itself.
        let known = &primes[6] * &primes[7];
        let multiple = &known * &stranger;
        assert_eq!(moduli.sharing(&multiple), shares(true, &[]));
        assert_eq!(moduli.sharing(&primes[6]), shares(false, &[3]));
        let both = &multiple * &primes[9];
        assert_eq!(moduli.sharing(&both), shares(true, &[4]));
        // Known already: no relative of itself.
        let own = &primes[6] * &primes[7];
        assert_eq!(moduli.find(&own), Some(3));
        assert_eq!(moduli.sharing(&own), shares(false, &[]));
        moduli.insert(&own, 77);
        assert_eq!((moduli.len(), moduli.find(&own)), (10_000, Some(3)));
        moduli.insert(&related, 10_000);
        assert_eq!(moduli.sharing(&own), shares(true, &[10_000]));
        assert_eq!(moduli.all().count(), 10_001);
        assert!(moduli.all().any(|one| one == (related.clone(), 10_000)));
        for nothing in [UBig::ZERO, UBig::ONE] {
            moduli.insert(&nothing, 1);
            assert_eq!(moduli.sharing(&nothing), Sharing::default());
        }
        assert!(!moduli.is_empty());
    }
}
