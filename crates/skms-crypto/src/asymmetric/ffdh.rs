//! Finite-field Diffie-Hellman in the groups of RFC 7919
//! (SP 800-56A rev. 3, section 5.7.1.1).

use crate::algorithm::Algorithm;
use crate::awslc::dh::Dh;
use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::ffdh_primes::{FFDHE2048, FFDHE3072, FFDHE4096};

/// The groups on offer.
pub(crate) const GROUPS: [Algorithm; 3] = [
    Algorithm::Ffdhe2048,
    Algorithm::Ffdhe3072,
    Algorithm::Ffdhe4096,
];

/// The prime of a group, big-endian.
pub(crate) fn prime(algorithm: Algorithm) -> Result<&'static [u8]> {
    match algorithm {
        Algorithm::Ffdhe2048 => Ok(&FFDHE2048),
        Algorithm::Ffdhe3072 => Ok(&FFDHE3072),
        Algorithm::Ffdhe4096 => Ok(&FFDHE4096),
        _ => Err(Error::InvalidKey("not a finite-field group")),
    }
}

/// A fresh key.
pub(crate) fn generate(algorithm: Algorithm) -> Result<Dh> {
    Dh::generate(prime(algorithm)?)
}

/// Raw encodings have the prime's length, so that a cut one is noticed.
pub(crate) fn check_raw_length(algorithm: Algorithm, bytes: &[u8]) -> Result<()> {
    let expected = prime(algorithm)?.len();
    if bytes.len() == expected {
        Ok(())
    } else {
        Err(Error::InvalidLength {
            what: "raw finite-field key",
            expected,
            found: bytes.len(),
        })
    }
}

/// From an exponent in 1..q.
pub(crate) fn private(algorithm: Algorithm, exponent: &[u8]) -> Result<Dh> {
    let prime = prime(algorithm)?;
    if exponent.len() > prime.len() {
        return Err(Error::InvalidKey("exponent out of range"));
    }
    Dh::from_exponent(prime, exponent)
}

/// A public value: 1 < y < p - 1 and y^q = 1; returned padded to p's length.
pub(crate) fn public(algorithm: Algorithm, y: &[u8]) -> Result<Vec<u8>> {
    let prime = prime(algorithm)?;
    if y.len() > prime.len() || !Dh::check_public(prime, y)? {
        return Err(Error::InvalidKey("public value not in the group"));
    }
    let mut padded = vec![0; prime.len() - y.len()];
    padded.extend_from_slice(y);
    Ok(padded)
}

/// The shared secret, as long as the prime (leading zeros kept).
pub(crate) fn agree(key: &Dh, y: &[u8]) -> Result<SecretBytes> {
    key.agree(y)
        .ok_or(Error::InvalidKey("no agreement with this public value"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::awslc::bignum::Bn;
    use crate::awslc::dh::{builtin_prime, half};

    #[test]
    fn the_primes_are_safe_primes_and_aws_lcs_own() {
        for algorithm in GROUPS {
            let p = prime(algorithm).unwrap();
            assert!(Bn::from_bytes(p).unwrap().is_prime().unwrap());
            assert!(Bn::from_bytes(&half(p)).unwrap().is_prime().unwrap());
        }
        assert_eq!(builtin_prime(2048).unwrap(), FFDHE2048);
        assert_eq!(builtin_prime(4096).unwrap(), FFDHE4096);
    }

    #[test]
    fn bad_public_values_are_refused() {
        let p = prime(Algorithm::Ffdhe2048).unwrap();
        let mut minus_one = p.to_vec();
        *minus_one.last_mut().unwrap() -= 1;
        for bad in [&[0u8][..], &[1], p, &minus_one] {
            assert!(public(Algorithm::Ffdhe2048, bad).is_err());
        }
        // A quadratic non-residue has y^q = -1: -y of any good y.
        let key = generate(Algorithm::Ffdhe2048).unwrap();
        let good = key.public().unwrap();
        public(Algorithm::Ffdhe2048, &good).unwrap();
        let negative = Bn::from_bytes(&good)
            .unwrap()
            .sub_from(&Bn::from_bytes(p).unwrap())
            .unwrap()
            .to_padded(256)
            .unwrap()
            .into_public();
        assert!(public(Algorithm::Ffdhe2048, &negative).is_err());
        assert!(agree(&key, &negative).is_err());
    }

    #[test]
    fn both_sides_agree_on_a_secret_of_fixed_length() {
        for algorithm in GROUPS {
            let (a, b) = (generate(algorithm).unwrap(), generate(algorithm).unwrap());
            let one = agree(&a, &b.public().unwrap()).unwrap();
            let two = agree(&b, &a.public().unwrap()).unwrap();
            assert!(one.ct_eq(two.expose()));
            assert_eq!(one.len(), prime(algorithm).unwrap().len());
        }
    }
}
