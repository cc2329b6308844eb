//! Numbers of any size, all of them public.

use dashu_int::UBig;
use dashu_int::fast_div::ConstDivisor;
use dashu_int::ops::{BitTest, SquareRootRem};

/// `base` to the power of `exponent`, modulo `modulus`, which is not zero.
pub(crate) fn power(base: &UBig, exponent: &UBig, modulus: &UBig) -> UBig {
    let ring = ConstDivisor::new(modulus.clone());
    ring.reduce(base % modulus).pow(exponent).residue()
}

/// The inverse modulo a prime; zero has none.
pub(crate) fn inverse(value: &UBig, prime: &UBig) -> Option<UBig> {
    let ring = ConstDivisor::new(prime.clone());
    ring.reduce(value % prime)
        .inv()
        .map(|found| found.residue())
}

/// `a - b` modulo `modulus`, both below it.
pub(crate) fn minus(a: &UBig, b: &UBig, modulus: &UBig) -> UBig {
    match a >= b {
        true => a - b,
        false => modulus - (b - a),
    }
}

/// The square root, if it is a whole number.
pub(crate) fn exact_root(value: &UBig) -> Option<UBig> {
    // Of 64 residues only 12 are squares': most numbers need no root.
    let low = value.to_le_bytes().first().copied().unwrap_or(0) & 63;
    if !matches!(low, 0 | 1 | 4 | 9 | 16 | 17 | 25 | 33 | 36 | 41 | 49 | 57) {
        return None;
    }
    let (root, rest) = value.sqrt_rem();
    rest.is_zero().then_some(root)
}

/// Whether it is very probably a prime: none of a few bases says otherwise.
/// Nobody gains by a composite that passes, since nothing is trusted for it.
pub(crate) fn is_prime(value: &UBig) -> bool {
    let one = UBig::ONE;
    if *value <= one {
        return false;
    }
    for small in [2_u8, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37] {
        let small = UBig::from(small);
        if *value == small {
            return true;
        }
        if (value % &small).is_zero() {
            return false;
        }
    }
    let less = value - &one;
    let twos = less.trailing_zeros().unwrap_or(0);
    let odd = &less >> twos;
    [2_u8, 3, 5].into_iter().all(|base| {
        let mut at = power(&UBig::from(base), &odd, value);
        if at == one || at == less {
            return true;
        }
        for _ in 1..twos {
            at = &at * &at % value;
            if at == less {
                return true;
            }
        }
        false
    })
}

/// Bits up to the highest that is set.
pub(crate) fn bits(value: &UBig) -> usize {
    value.bit_len()
}

/// Big-endian bytes without leading zeros; none for zero.
pub(crate) fn bytes(value: &UBig) -> Box<[u8]> {
    value.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes_are_told_from_composites() {
        let primes: Vec<u32> = (0..200).filter(|n| is_prime(&UBig::from(*n))).collect();
        let sieve: Vec<u32> = (2..200).filter(|n| (2..*n).all(|d| n % d != 0)).collect();
        assert_eq!(primes, sieve);
        // Strong pseudoprimes to base 2, and Carmichael numbers.
        for composite in [2047_u32, 3277, 4033, 1_373_653, 561, 41041, 825_265] {
            assert!(!is_prime(&UBig::from(composite)), "{composite}");
        }
    }

    #[test]
    fn roots_are_exact_or_none() {
        for n in 0..5000_u32 {
            let root = (0..=n).find(|r| r * r == n);
            assert_eq!(exact_root(&UBig::from(n)), root.map(UBig::from), "{n}");
        }
    }

    #[test]
    fn inverses_and_differences_wrap() {
        let seven = UBig::from(7_u8);
        assert_eq!(inverse(&UBig::from(3_u8), &seven), Some(UBig::from(5_u8)));
        assert_eq!(inverse(&UBig::ZERO, &seven), None);
        assert_eq!(
            minus(&UBig::from(2_u8), &UBig::from(5_u8), &seven),
            UBig::from(4_u8)
        );
        assert!(bytes(&UBig::ZERO).is_empty());
        assert_eq!(bits(&UBig::from(256_u32)), 9);
    }
}
