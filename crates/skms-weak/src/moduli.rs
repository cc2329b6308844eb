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

    /// The numbers of those that share a factor with this one and are not the
    /// same.
    #[must_use]
    pub fn sharing(&self, n: &UBig) -> Vec<u64> {
        if *n <= UBig::ONE {
            return Vec::new();
        }
        let mut sharing = Vec::new();
        for block in &self.blocks {
            if (&block.product % n).gcd(n).is_one() {
                continue;
            }
            // Rarely: the modulus itself is in this block, or a relative of it.
            for (modulus, number) in &block.moduli {
                let modulus = UBig::from_be_bytes(modulus);
                if modulus != *n && !(&modulus).gcd(n).is_one() {
                    sharing.push(*number);
                }
            }
        }
        sharing
    }
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
        assert_eq!(moduli.sharing(&related), [3, 9_999]);
        let stranger = UBig::from(7_919_u32) * UBig::from(7_907_u32);
        assert_eq!(moduli.sharing(&stranger), [0_u64; 0]);
        // Known already: no relative of itself.
        let own = &primes[6] * &primes[7];
        assert_eq!(moduli.find(&own), Some(3));
        assert_eq!(moduli.sharing(&own), [0_u64; 0]);
        moduli.insert(&own, 77);
        assert_eq!((moduli.len(), moduli.find(&own)), (10_000, Some(3)));
        moduli.insert(&related, 10_000);
        assert_eq!(moduli.sharing(&own), [10_000]);
        for nothing in [UBig::ZERO, UBig::ONE] {
            moduli.insert(&nothing, 1);
            assert!(moduli.sharing(&nothing).is_empty());
        }
        assert!(!moduli.is_empty());
    }
}
