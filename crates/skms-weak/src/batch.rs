//! Factors that many moduli share, found for all of them at once (Bernstein:
//! How to find smooth parts of integers; Heninger, Durumeric, Wustrow,
//! Halderman: Mining your Ps and Qs, 2012).
//!
//! Not modulo the squares of the moduli, as it is usually told: up the tree go
//! the product P of all moduli and the sum S of all P/n, down again S modulo
//! the products below. What arrives at a modulus is the product of all others,
//! modulo it; and the numbers that are divided are half as long.

use std::collections::HashMap;
use std::ops::Range;

use dashu_int::UBig;
use dashu_int::ops::Gcd;

use crate::moduli::is_proper;
use crate::number::bits;

/// So many bits of moduli are taken at once: some 130,000 of 2048. In memory is
/// then a tree over them of twelve levels, each as large as the moduli, and while
/// the top is worked on some three times that again. Of more moduli every half of
/// such a batch meets every other.
pub const MOST_BITS: usize = 1 << 28;

/// Moduli below the lowest level of the tree.
const LEAF: usize = 32;

/// Whether to go on; asked before every step.
pub type GoOn<'a> = &'a (dyn Fn() -> bool + Sync);

/// For each modulus, whether a proper divisor of it divides another one. None if
/// it was told to stop.
///
/// That a modulus divides another one whole says nothing about its factors:
/// anybody can multiply it by something.
#[must_use]
pub fn shared_factors(moduli: &[UBig], go_on: GoOn<'_>) -> Option<Vec<bool>> {
    shared_among(moduli, MOST_BITS, go_on)
}

fn shared_among(moduli: &[UBig], most_bits: usize, go_on: GoOn<'_>) -> Option<Vec<bool>> {
    let mut places: HashMap<&UBig, usize> = HashMap::with_capacity(moduli.len());
    let mut different = Vec::with_capacity(moduli.len());
    let place: Vec<Option<usize>> = moduli
        .iter()
        .map(|n| {
            if *n <= UBig::ONE {
                // It has no factor, or all.
                return None;
            }
            Some(*places.entry(n).or_insert_with(|| {
                different.push(n);
                different.len() - 1
            }))
        })
        .collect();
    let mut shares = vec![false; different.len()];
    let groups = groups(&different, most_bits);
    match &groups[..] {
        [] => {}
        [one] => among(&different, one.clone(), 0..0, &mut shares, go_on)?,
        more => {
            for (at, first) in more.iter().enumerate() {
                for second in &more[at + 1..] {
                    among(
                        &different,
                        first.clone(),
                        second.clone(),
                        &mut shares,
                        go_on,
                    )?;
                }
            }
        }
    }
    let of = |at: &Option<usize>| at.is_some_and(|at| shares[at]);
    Some(place.iter().map(of).collect())
}

/// All in one group if they are few; otherwise groups of half as many bits.
fn groups(moduli: &[&UBig], most_bits: usize) -> Vec<Range<usize>> {
    let all: usize = moduli.iter().map(|n| bits(n)).sum();
    let most = match all <= most_bits {
        true => most_bits,
        false => most_bits / 2,
    };
    let mut groups = Vec::new();
    let (mut begin, mut filled) = (0, 0);
    for (at, n) in moduli.iter().enumerate() {
        if filled > 0 && filled + bits(n) > most {
            groups.push(begin..at);
            (begin, filled) = (at, 0);
        }
        filled += bits(n);
    }
    if begin < moduli.len() {
        groups.push(begin..moduli.len());
    }
    groups
}

/// Marks those of two groups that share a factor within them.
fn among(
    moduli: &[&UBig],
    first: Range<usize>,
    second: Range<usize>,
    shares: &mut [bool],
    go_on: GoOn<'_>,
) -> Option<()> {
    let members: Vec<usize> = first.chain(second).collect();
    let chosen: Vec<&UBig> = members.iter().map(|at| moduli[*at]).collect();
    let mut found = vec![Common::Nothing; chosen.len()];
    let mut tree = Tree::over(&chosen, go_on)?;
    // The sum is below the product times the number of moduli.
    let others = std::mem::take(&mut tree.sum);
    tree.down(others, &mut found, go_on)?;
    for ((at, n), found) in members.into_iter().zip(&chosen).zip(found) {
        shares[at] |= match found {
            Common::Nothing => false,
            Common::Part => true,
            Common::All if shares[at] => true,
            Common::All => by_parts(n, &chosen, go_on)?,
        };
    }
    Some(())
}

/// What a modulus has in common with the product of all others.
#[derive(Clone, Copy)]
enum Common {
    Nothing,
    /// A proper divisor.
    Part,
    /// All of it: there is a multiple of it, or its factors are in several.
    All,
}

/// Whether a proper divisor of a modulus divides one of the others. Rarely asked.
fn by_parts(n: &UBig, others: &[&UBig], go_on: GoOn<'_>) -> Option<bool> {
    for some in others.chunks(LEAF) {
        if !go_on() {
            return None;
        }
        if some.iter().any(|other| is_proper(&(*other).gcd(n), n)) {
            return Some(true);
        }
    }
    Some(false)
}

/// Product and sum of a part of the moduli, and the two halves of the part.
struct Tree<'a> {
    product: UBig,
    sum: UBig,
    below: Below<'a>,
}

enum Below<'a> {
    Halves(Box<(Tree<'a>, Tree<'a>)>),
    Leaf(&'a [&'a UBig]),
}

/// Product and sum of a few.
fn few(moduli: &[&UBig]) -> (UBig, UBig) {
    match moduli {
        [] => (UBig::ONE, UBig::ZERO),
        [one] => ((*one).clone(), UBig::ONE),
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            let (left, right) = (few(left), few(right));
            let sum = &left.1 * &right.0 + &right.1 * &left.0;
            (left.0 * right.0, sum)
        }
    }
}

impl<'a> Tree<'a> {
    fn over(moduli: &'a [&'a UBig], go_on: GoOn<'_>) -> Option<Self> {
        if !go_on() {
            return None;
        }
        if moduli.len() <= LEAF {
            let (product, sum) = few(moduli);
            return Some(Self {
                product,
                sum,
                below: Below::Leaf(moduli),
            });
        }
        let (left, right) = moduli.split_at(moduli.len() / 2);
        let mut left = Self::over(left, go_on)?;
        let mut right = Self::over(right, go_on)?;
        // Needed once, here.
        let sum = std::mem::take(&mut left.sum) * &right.product
            + std::mem::take(&mut right.sum) * &left.product;
        Some(Self {
            product: &left.product * &right.product,
            sum,
            below: Below::Halves(Box::new((left, right))),
        })
    }

    /// `others` is the sum of the whole tree modulo this part's product.
    fn down(self, others: UBig, shares: &mut [Common], go_on: GoOn<'_>) -> Option<()> {
        if !go_on() {
            return None;
        }
        match self.below {
            Below::Leaf(moduli) => {
                for (n, shares) in moduli.iter().zip(shares) {
                    let common = (&others % *n).gcd(*n);
                    *shares = match () {
                        () if common.is_one() => Common::Nothing,
                        () if common == **n => Common::All,
                        () => Common::Part,
                    };
                }
            }
            Below::Halves(halves) => {
                let (left, right) = *halves;
                let (first, second) = shares.split_at_mut(shares.len() / 2);
                drop(self.product);
                let for_left = &others % &left.product;
                let for_right = others % &right.product;
                left.down(for_left, first, go_on)?;
                right.down(for_right, second, go_on)?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::is_prime;

    fn primes(count: usize, from: u32) -> Vec<UBig> {
        (from..)
            .map(UBig::from)
            .filter(is_prime)
            .take(count)
            .collect()
    }

    #[test]
    fn what_is_shared_is_found_and_nothing_else() {
        for count in [1_usize, 2, 3, 5, 8, 33, 100] {
            let primes = primes(2 * count, 1 << 20);
            let mut moduli: Vec<UBig> = primes.chunks(2).map(|two| &two[0] * &two[1]).collect();
            let none = shared_factors(&moduli, &|| true).unwrap();
            assert_eq!(none, vec![false; count]);
            if count < 3 {
                continue;
            }
            // The first and the last share; one is there twice, which is no
            // factor; one is nothing.
            let last = count - 1;
            moduli[last] = &primes[0] * &primes[2 * last];
            moduli.push(moduli[1].clone());
            moduli.push(UBig::ZERO);
            moduli.push(UBig::ONE);
            let found = shared_factors(&moduli, &|| true).unwrap();
            let wanted: Vec<bool> = (0..moduli.len()).map(|at| at == 0 || at == last).collect();
            assert_eq!(found, wanted, "{count}");
            // In groups that are far too small.
            for most in [1, 100, 500] {
                let found = shared_among(&moduli, most, &|| true).unwrap();
                assert_eq!(found, wanted, "{count} by {most} bits");
            }
        }
        assert_eq!(shared_factors(&[], &|| true), Some(Vec::new()));
    }

    #[test]
    fn both_factors_may_be_shared() {
        let p = primes(4, 1 << 16);
        let moduli = [&p[0] * &p[1], &p[1] * &p[2], &p[2] * &p[0], &p[3] * &p[3]];
        let found = shared_factors(&moduli, &|| true).unwrap();
        assert_eq!(found, [true, true, true, false]);
    }

    #[test]
    fn a_multiple_says_nothing_of_what_it_is_a_multiple_of() {
        let p = primes(8, 1 << 16);
        let victim = &p[0] * &p[1];
        let multiple = &victim * &p[2];
        let mut moduli = vec![victim.clone(), multiple, &p[3] * &p[4]];
        let found = shared_factors(&moduli, &|| true).unwrap();
        assert_eq!(found, [false, true, false]);
        // With a relative as well, it does share.
        moduli.push(&p[1] * &p[5]);
        for most in [1, MOST_BITS] {
            let found = shared_among(&moduli, most, &|| true).unwrap();
            assert_eq!(found, [true, true, false, true]);
        }
    }

    #[test]
    fn it_stops_when_told() {
        let moduli = primes(10, 1 << 10);
        assert_eq!(shared_factors(&moduli, &|| false), None);
        let left = std::sync::atomic::AtomicUsize::new(12);
        let some = || left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) > 11;
        assert_eq!(shared_factors(&moduli, &some), None);
    }
}
