//! RSA keys, one file for each kind of trouble.

pub(crate) mod dsa;
mod exponent;
mod factors;
mod roca;
mod shape;

use dashu_int::UBig;

use crate::finding::{Detector, Finding};
use crate::number::bits;

/// Moduli over this many bits are not looked into: it would take too long, and
/// nobody needs them.
const LARGEST: usize = 16_384;

/// Looks at modulus and exponent.
pub(crate) fn check(n: &UBig, e: &UBig) -> Vec<Finding> {
    let mut findings = Vec::new();
    if bits(n) > LARGEST || bits(e) > LARGEST {
        findings.push(Finding::weak(
            Detector::RsaWarnings,
            format!(
                "the modulus or the exponent is over {LARGEST} bits long: it is not looked into"
            ),
        ));
        return findings;
    }
    let invalid = exponent::invalid(n, e);
    let valid = invalid.is_none();
    findings.extend(invalid);
    if *n > UBig::from(5_u8) {
        let small = factors::small(n);
        let few = small.is_some();
        findings.extend(small);
        findings.extend(factors::fermat(n));
        findings.extend(roca::check(n));
        findings.extend(factors::shared(n));
        findings.extend(exponent::small_private(n, e));
        findings.extend(shape::check(n, few));
        if findings.is_empty() {
            // A modpow of the modulus' length: only for what looks well so far.
            findings.extend(factors::prime(n));
        }
    }
    if valid {
        findings.extend(exponent::warnings(n, e));
    }
    findings
}
