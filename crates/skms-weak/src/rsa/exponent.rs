//! Exponents, public and private, and the length of moduli.

use dashu_int::UBig;
use dashu_int::ops::DivRem;

use crate::finding::{Detector, Finding};
use crate::number::{bits, exact_root};

/// Numbers that no RSA key has.
pub(super) fn invalid(n: &UBig, e: &UBig) -> Option<Finding> {
    let words = if *n <= UBig::from(5_u8) {
        "the modulus is no product of two primes"
    } else if *e < UBig::from(3_u8) {
        "the public exponent is below 3: there is no private key, or everybody has it"
    } else if e.trailing_zeros() != Some(0) {
        "the public exponent is even: there is no private key"
    } else if e >= n {
        "the public exponent is not below the modulus"
    } else {
        return None;
    };
    Some(Finding::compromised(Detector::RsaInvalid, words))
}

/// What is unwise or unusual: the gravest of it, as badkeys has it.
pub(super) fn warnings(n: &UBig, e: &UBig) -> Option<Finding> {
    let found = |finding: fn(Detector, String) -> Finding, words: String| {
        Some(finding(Detector::RsaWarnings, words))
    };
    let low = UBig::from(65_537_u32);
    match bits(n) {
        length @ ..768 => found(
            Finding::weak,
            format!("the modulus has {length} bits: it is factored with little effort"),
        ),
        length @ ..2048 => found(
            Finding::weak,
            format!("the modulus has {length} bits; 2048 is the least"),
        ),
        _ if *e == UBig::from(3_u8) => found(
            Finding::weak,
            "the public exponent is 3: mistakes in padding are forgeries".into(),
        ),
        _ if *e < low => found(
            Finding::weak,
            format!("the public exponent is {e}; 65537 is the least (FIPS 186-5)"),
        ),
        length if length % 8 != 0 => found(
            Finding::unusual,
            format!("the modulus has {length} bits, no multiple of 8"),
        ),
        length if ![2048, 3072, 4096].contains(&length) => found(
            Finding::unusual,
            format!("the modulus has {length} bits, which is unusual"),
        ),
        _ if *e != low => found(
            Finding::unusual,
            "the public exponent is not 65537, which is unusual".into(),
        ),
        _ => None,
    }
}

/// Wiener's attack: a convergent of e/n has the private exponent, if that is
/// below about the fourth root of n (Wiener: Cryptanalysis of Short RSA Secret
/// Exponents, 1990).
pub(super) fn small_private(n: &UBig, e: &UBig) -> Option<Finding> {
    if bits(e) <= 32 {
        // With a small e the private exponent is large.
        return None;
    }
    let (mut x, mut y) = (e.clone(), n.clone());
    let (mut n0, mut d0) = (UBig::ZERO, UBig::ONE);
    let (mut n1, mut d1) = (UBig::ONE, UBig::ZERO);
    let mut even = true;
    while !y.is_zero() {
        let (quotient, rest) = (&x).div_rem(&y);
        let (next_n, next_d) = (&quotient * &n1 + &n0, &quotient * &d1 + &d0);
        // A guess at k/dg, from above in turn.
        let (k, dg) = match even {
            true => (&next_n + &n1, &next_d + &d1),
            false => (next_n.clone(), next_d.clone()),
        };
        if !k.is_zero() && gives_factors(n, e, &k, &dg) {
            return Some(Finding::compromised(
                Detector::SmallD,
                "the private exponent is small: it is computed from the public key (Wiener's \
                 attack)",
            ));
        }
        if bits(&k) > bits(n) / 2 {
            // Past the private exponents that the attack finds.
            return None;
        }
        (n0, d0) = (n1, d1);
        (n1, d1) = (next_n, next_d);
        (x, y) = (y, rest);
        even = !even;
    }
    None
}

/// Whether phi(n) = e·dg / k gives the two factors.
fn gives_factors(n: &UBig, e: &UBig, k: &UBig, dg: &UBig) -> bool {
    let phi = e * dg / k;
    let above = n + UBig::ONE;
    if phi > above {
        return false;
    }
    let sum = above - phi;
    if sum.trailing_zeros() == Some(0) {
        return false;
    }
    let half = sum >> 1;
    let square = &half * &half;
    square >= *n && exact_root(&(square - n)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_that_are_none_are_told_from_low_ones() {
        let n = UBig::ones(2048);
        let at = |e: u32| invalid(&n, &UBig::from(e)).is_some();
        assert_eq!([0, 1, 2, 4, 65_536].map(at), [true; 5]);
        assert_eq!([3, 5, 65_537].map(at), [false; 3]);
        assert!(invalid(&n, &n).is_some());
        let gravity = |e: u32| warnings(&n, &UBig::from(e)).map(|one| one.gravity.name());
        assert_eq!(gravity(3), Some("weak"));
        assert_eq!(gravity(17), Some("weak"));
        assert_eq!(gravity(65_537), None);
        assert_eq!(gravity(65_539), Some("unusual"));
    }

    #[test]
    fn lengths_are_judged() {
        let e = UBig::from(65_537_u32);
        let gravity = |bits: usize| warnings(&UBig::ones(bits), &e).map(|one| one.gravity.name());
        assert_eq!(gravity(512), Some("weak"));
        assert_eq!(gravity(1024), Some("weak"));
        assert_eq!(gravity(2047), Some("weak"));
        assert_eq!(gravity(2048), None);
        assert_eq!(gravity(2049), Some("unusual"));
        assert_eq!(gravity(2056), Some("unusual"));
        assert_eq!(gravity(4096), None);
    }

    #[test]
    fn a_small_private_exponent_is_found() {
        // p = 2^89 - 1, q = 2^107 - 1, d = 65537.
        let (p, q) = (UBig::ones(89), UBig::ones(107));
        let n = &p * &q;
        let phi = (&p - UBig::ONE) * (&q - UBig::ONE);
        let d = UBig::from(65_537_u32);
        let e = crate::number::inverse(&d, &phi).unwrap();
        assert!(bits(&e) > 32);
        assert!(small_private(&n, &e).is_some());
        assert!(small_private(&n, &(e + UBig::from(2_u8))).is_none());
    }
}
