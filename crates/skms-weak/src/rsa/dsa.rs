//! DSA and finite-field Diffie-Hellman: numbers like RSA's.

use dashu_int::UBig;

use crate::finding::{Detector, Finding};
use crate::number::bits;

/// The shortest prime of a group that is not called small.
const LEAST_BITS: usize = 2048;

/// Looks at the prime of a DSA group.
pub(crate) fn check(p: &UBig) -> Vec<Finding> {
    let mut findings = Vec::new();
    if is_sparse(p) {
        findings.push(Finding::compromised(
            Detector::DsaSparse,
            "the prime has zeros at regular places: logarithms are easy to compute in its group",
        ));
    }
    findings.extend(short(p));
    findings
}

/// Looks at a Diffie-Hellman key, whose group may be known by its name alone.
pub(crate) fn check_dh(p: Option<&UBig>, y: &UBig) -> Vec<Finding> {
    let mut findings: Vec<Finding> = p.and_then(short).into_iter().collect();
    let last = p.map(|p| match p.is_zero() {
        true => UBig::ZERO,
        false => p - UBig::ONE,
    });
    if *y <= UBig::ONE || last.is_some_and(|last| *y >= last) {
        findings.push(Finding::compromised(
            Detector::DhInvalid,
            "the public value is not between 1 and p - 1: everybody knows what it agrees on",
        ));
    }
    findings
}

fn short(p: &UBig) -> Option<Finding> {
    let length = bits(p);
    (length < LEAST_BITS).then(|| {
        Finding::weak(
            Detector::DhInvalid,
            format!("the group's prime has {length} bits; {LEAST_BITS} is the least"),
        )
    })
}

/// As badkeys has it: 1024 bits that begin with 0x800000 and whose words of 32
/// bits above the lowest 168 bits have no bit in the middle.
fn is_sparse(p: &UBig) -> bool {
    if bits(p) != 1024 || p >> 1000 != UBig::from(0x0080_0000_u32) {
        return false;
    }
    let mut rest = p >> 168;
    rest.clear_bit(855);
    while !rest.is_zero() {
        let (low, above) = rest.split_bits(32);
        if !((low >> 4) % UBig::from(0x10_0000_u32)).is_zero() {
            return false;
        }
        rest = above;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_prime_is_told_from_others() {
        let mut p = UBig::ZERO;
        p.set_bit(1023);
        p.set_bit(0);
        assert!(is_sparse(&p));
        p.set_bit(168 + 3 * 32 + 2);
        assert!(is_sparse(&p));
        p.set_bit(168 + 3 * 32 + 10);
        assert!(!is_sparse(&p));
        assert!(!is_sparse(&UBig::ones(1024)));
        assert!(!is_sparse(&UBig::ZERO));
    }

    #[test]
    fn public_values_at_the_ends_are_nobodys() {
        let p = UBig::ones(2048);
        let bad = |y: UBig| {
            let found = check_dh(Some(&p), &y);
            found.iter().any(|one| one.detector == Detector::DhInvalid)
        };
        assert!(bad(UBig::ZERO) && bad(UBig::ONE) && bad(&p - UBig::ONE) && bad(p.clone()));
        assert!(!bad(UBig::from(2_u8)));
        assert!(check_dh(None, &UBig::from(2_u8)).is_empty());
    }
}
