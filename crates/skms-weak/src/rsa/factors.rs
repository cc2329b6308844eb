//! Moduli whose factors are found.

use std::sync::LazyLock;

use dashu_int::UBig;
use dashu_int::ops::{Gcd, SquareRoot};

use crate::finding::{Detector, Finding};
use crate::number::{bits, exact_root, is_prime};

/// The largest prime that is tried by itself.
const SMALL: usize = 65_537;

/// Steps of Fermat's method, as badkeys has them.
const STEPS: usize = 100;

/// The product of all primes up to [`SMALL`].
static SMALL_PRIMES: LazyLock<UBig> = LazyLock::new(|| {
    let mut composite = vec![false; SMALL + 1];
    let mut primes = Vec::new();
    for number in 2..=SMALL {
        if composite[number] {
            continue;
        }
        primes.push(UBig::from(number));
        for multiple in (number * number..=SMALL).step_by(number) {
            composite[multiple] = true;
        }
    }
    product(&primes)
});

/// Primes that keys in the wild share, by the length of the modulus.
static KNOWN_PRIMES: LazyLock<[(usize, UBig); 5]> = LazyLock::new(|| {
    // gmpy2 writes two bytes before the number.
    let read = |file: &[u8]| UBig::from_le_bytes(file.get(2..).unwrap_or_default());
    [
        (512, read(include_bytes!("../../data/primes512.dat"))),
        (768, read(include_bytes!("../../data/primes768.dat"))),
        (1024, read(include_bytes!("../../data/primes1024.dat"))),
        (2048, read(include_bytes!("../../data/primes2048.dat"))),
        (4096, read(include_bytes!("../../data/primes4096.dat"))),
    ]
});

/// The product by halves: both factors of a multiplication are as long.
pub(super) fn product(all: &[UBig]) -> UBig {
    match all {
        [] => UBig::ONE,
        [one] => one.clone(),
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            product(left) * product(right)
        }
    }
}

/// Factors up to 65537.
pub(super) fn small(n: &UBig) -> Option<Finding> {
    let found = (&*SMALL_PRIMES % n).gcd(n);
    if found.is_one() {
        return None;
    }
    let rest = n / &found;
    let words = match is_prime(&found) && is_prime(&rest) {
        true => "the modulus has a small prime factor: the private key is computed at once",
        false => {
            "the modulus has small factors: it is damaged or was never an RSA modulus, and can be \
             factored in part"
        }
    };
    Some(Finding::compromised(Detector::SmallFactors, words))
}

/// Factors that are close to each other.
pub(super) fn fermat(n: &UBig) -> Option<Finding> {
    let mut a = n.sqrt();
    let mut square = &a * &a;
    for _ in 0..=STEPS {
        if square >= *n
            && let Some(b) = exact_root(&(&square - n))
        {
            let words = match b.is_zero() {
                true => "the modulus is a square: the private key is computed at once",
                false => {
                    "the two prime factors are close to each other: Fermat's method finds them \
                     (CVE-2022-26320)"
                }
            };
            return Some(Finding::compromised(Detector::Fermat, words));
        }
        square += (&a << 1) + UBig::ONE;
        a += UBig::ONE;
    }
    None
}

/// Primes that keys in the wild share.
pub(super) fn shared(n: &UBig) -> Option<Finding> {
    let length = bits(n);
    let (_, known) = KNOWN_PRIMES.iter().find(|(bits, _)| *bits == length)?;
    let common = (known % n).gcd(n);
    // All of it is zero modulo n only if n divides the product.
    (!common.is_one()).then(|| {
        Finding::compromised(
            Detector::SharedPrimes,
            "a prime factor of the modulus is known: other keys in the wild have it too",
        )
    })
}

/// A modulus that is a prime itself.
pub(super) fn prime(n: &UBig) -> Option<Finding> {
    is_prime(n).then(|| {
        Finding::compromised(
            Detector::RsaInvalid,
            "the modulus is a prime: the private key is computed at once",
        )
    })
}
