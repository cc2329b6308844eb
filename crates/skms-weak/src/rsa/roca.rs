//! Return of Coppersmith's attack: moduli of the form that the library of the
//! Infineon chips made, found by their residues (Nemec, Sys, Svenda, Klinec,
//! Matyas: The Return of Coppersmith's Attack, CCS 2017; the test is that of the
//! authors' tool, which badkeys has too).

use std::sync::LazyLock;

use dashu_int::UBig;

use crate::finding::{Detector, Finding};
use crate::number::power;

/// The order of 65537 modulo [`PRIMORIAL`].
const ORDER: u64 = 2_454_106_387_091_158_800;

/// The prime powers that the order is the product of.
const POWERS: [u64; 13] = [16, 81, 25, 7, 11, 13, 17, 23, 29, 37, 41, 53, 83];

/// The product of the primes from 2 to 167.
static PRIMORIAL: LazyLock<UBig> = LazyLock::new(|| {
    UBig::from_be_bytes(&[
        0x09, 0x24, 0xcb, 0xa6, 0xae, 0x99, 0xdf, 0xa0, 0x84, 0x53, 0x7f, 0xac, 0xc5, 0x49, 0x48,
        0xdf, 0x0c, 0x23, 0xda, 0x04, 0x4d, 0x8c, 0xab, 0xe0, 0xed, 0xd7, 0x5b, 0xc6,
    ])
});

/// Whether `n` is a power of 65537 modulo the primorial.
pub(super) fn check(n: &UBig) -> Option<Finding> {
    let modulus = &*PRIMORIAL;
    if !power(n, &UBig::from(ORDER), modulus).is_one() {
        return None;
    }
    let generator = UBig::from(65_537_u32);
    let is_power = POWERS.into_iter().all(|prime_power| {
        let exponent = UBig::from(ORDER / prime_power);
        let step = power(&generator, &exponent, modulus);
        let wanted = power(n, &exponent, modulus);
        let mut at = UBig::ONE;
        (0..prime_power).any(|_| {
            let here = at == wanted;
            at = &at * &step % modulus;
            here
        })
    });
    is_power.then(|| {
        Finding::compromised(
            Detector::Roca,
            "the modulus was made by a library whose primes have little randomness (ROCA, \
             CVE-2017-15361): it can be factored",
        )
    })
}
