//! Moduli whose bits look like nobody's: as badkeys looks at them, with its
//! thresholds.

use dashu_int::UBig;

use crate::finding::{Detector, Finding};
use crate::number::{bits, bytes};

/// How many times one byte has to follow itself.
const REPEATED: usize = 16;

/// All that can be said about the bits; `few` when there are small factors, by
/// which damaged moduli are told already.
pub(super) fn check(n: &UBig, few: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(pattern(n));
    findings.extend(xz(n));
    if !few {
        findings.extend(poly(n).or_else(|| bias(n)));
    }
    findings
}

/// Ones among a hundred bits, rounded down.
fn percent(value: &UBig) -> usize {
    match bits(value) {
        0 => 0,
        all => value.count_ones() * 100 / all,
    }
}

/// Its lower half.
fn lower(n: &UBig) -> UBig {
    let mut lower = n.clone();
    lower.clear_high_bits(bits(n) / 2);
    lower
}

fn pattern(n: &UBig) -> Option<Finding> {
    let bytes = bytes(n);
    let repeated = bytes
        .windows(REPEATED)
        .any(|window| window.iter().all(|byte| *byte == window[0]));
    repeated.then(|| {
        Finding::weak(
            Detector::Pattern,
            "one byte follows itself 16 times in the modulus: its primes were not drawn at random",
        )
    })
}

/// The numbers by which the backdoored xz 5.6.0 and 5.6.1 (CVE-2024-3094) tell
/// a message of its makers.
fn xz(n: &UBig) -> Option<Finding> {
    let mut encoded = bytes(n).into_vec();
    if encoded.first().is_some_and(|first| first & 0x80 != 0) {
        encoded.insert(0, 0);
    }
    let word = |at: usize| {
        let four = encoded.get(at..at + 4)?;
        Some(u64::from(u32::from_le_bytes(four.try_into().ok()?)))
    };
    let (a, b) = (word(0)?, word(4)?);
    let c = u64::from_le_bytes(encoded.get(8..16)?.try_into().ok()?);
    let command = (a * b).wrapping_add(c);
    (command <= 3).then(|| {
        Finding::weak(
            Detector::XzBackdoor,
            "the modulus has the form by which the backdoor in xz (CVE-2024-3094) is addressed",
        )
    })
}

/// Primes with the same long run of zeros: the modulus is a polynomial in a
/// power of two with small coefficients, and is factored as such.
fn poly(n: &UBig) -> Option<Finding> {
    if bits(n) < 500 || percent(n) >= 40 || percent(&lower(n)) >= 40 {
        return None;
    }
    let mut regular = [(128, 16..64, "nautilus"), (32, 20..30, "CompleteFTP")].into_iter();
    let kind = regular.find(|(width, gap, _)| has_gaps(n, *width, gap.clone()));
    Some(match kind {
        Some((_, _, kind)) => Finding::compromised(
            Detector::RsaPoly,
            format!("zeros at regular places in the modulus: it can be factored ({kind})"),
        ),
        None => Finding::compromised(
            Detector::RsaPoly,
            "most bits of the modulus are zeros: it can probably be factored",
        ),
    })
}

/// Whether these bits are zeros in every chunk of `width` bits above the first.
fn has_gaps(n: &UBig, width: usize, gap: std::ops::Range<usize>) -> bool {
    let mut rest = n >> width;
    let mut zeros = 0;
    while !rest.is_zero() {
        let (chunk, above) = rest.split_bits(width);
        let mut in_gap = chunk >> gap.start;
        in_gap.clear_high_bits(gap.len());
        if !in_gap.is_zero() {
            return false;
        }
        rest = above;
        let mut next = rest.clone();
        next.clear_high_bits(width);
        zeros += usize::from(next.is_zero());
    }
    // Past the highest chunk there is one of zeros; more mean another shape.
    zeros < 2
}

fn bias(n: &UBig) -> Option<Finding> {
    let threshold = match bits(n) {
        2001.. => 10,
        1001.. => 12,
        _ => 17,
    };
    let usual = |percent: usize| 50 - threshold < percent && percent <= 50 + threshold;
    let (all, half) = (percent(n), percent(&lower(n)));
    if usual(all) {
        return None;
    }
    let words = match usual(half) {
        true => format!(
            "{all} % of the modulus' bits are ones, but not in its lower half: it was made to \
             begin so"
        ),
        false => format!("{all} % of the modulus' bits are ones: its primes are not random"),
    };
    Some(Finding::weak(Detector::RsaBias, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_numbers_are_no_trouble() {
        for n in 0..70_u32 {
            let _ = check(&UBig::from(n), false);
        }
    }

    #[test]
    fn a_run_of_bytes_is_seen_and_a_shorter_one_is_not() {
        let mut bytes: Vec<u8> = (1..=200).collect();
        bytes[60..75].fill(7);
        assert_eq!(pattern(&UBig::from_be_bytes(&bytes)), None);
        bytes[60..76].fill(7);
        assert!(pattern(&UBig::from_be_bytes(&bytes)).is_some());
    }

    #[test]
    fn a_payload_for_xz_is_seen() {
        let mut bytes = vec![0x11_u8; 256];
        bytes[..4].copy_from_slice(&5_u32.to_le_bytes());
        bytes[0] = 5;
        bytes[4..8].copy_from_slice(&7_u32.to_le_bytes());
        bytes[8..16].copy_from_slice(&2_u64.wrapping_sub(35).to_le_bytes());
        assert!(xz(&UBig::from_be_bytes(&bytes)).is_some());
        bytes[8..16].copy_from_slice(&9_u64.wrapping_sub(35).to_le_bytes());
        assert_eq!(xz(&UBig::from_be_bytes(&bytes)), None);
    }

    #[test]
    fn ones_and_zeros_are_out_of_balance() {
        let ones = UBig::ones(2048);
        assert_eq!(percent(&ones), 100);
        assert!(bias(&ones).is_some());
        let balanced = UBig::from_be_bytes(&[0xaa; 256]);
        assert_eq!(bias(&balanced), None);
    }
}
