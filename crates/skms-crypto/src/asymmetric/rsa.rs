//! RSA (RFC 8017, FIPS 186-5): OAEP, PSS and PKCS#1 v1.5 signatures.
//!
//! PKCS#1 v1.5 decryption is not here, and not anywhere: its padding oracle
//! has come back too often (Bleichenbacher 1998, ROBOT 2017, Marvin 2023).

use super::hashed;
use crate::algorithm::Algorithm;
use crate::awslc::bignum::Bn;
use crate::awslc::md::Digest;
use crate::awslc::oaep::Oaep;
use crate::awslc::pkey::{PKey, Padding};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::open::{EncryptOptions, Message, SignOptions, SignatureScheme};
use crate::secret::SecretBytes;

/// The registry's row for a modulus of so many bits.
pub(crate) fn algorithm_for(bits: usize) -> Result<Algorithm> {
    match bits {
        2048 => Ok(Algorithm::Rsa2048),
        3072 => Ok(Algorithm::Rsa3072),
        4096 => Ok(Algorithm::Rsa4096),
        0..2048 => Err(Error::WeakKey("RSA modulus under 2048 bits")),
        _ => Err(Error::InvalidKey(
            "RSA modulus must have 2048, 3072 or 4096 bits",
        )),
    }
}

fn bits(algorithm: Algorithm) -> Result<u16> {
    match algorithm {
        Algorithm::Rsa2048 => Ok(2048),
        Algorithm::Rsa3072 => Ok(3072),
        Algorithm::Rsa4096 => Ok(4096),
        _ => Err(Error::InvalidKey("not an RSA algorithm")),
    }
}

/// A fresh key with e = 65537.
pub(crate) fn generate(algorithm: Algorithm) -> Result<PKey> {
    PKey::generate_rsa(bits(algorithm)?)
}

/// Checks a public key: its size and its exponent.
pub(crate) fn check_public(key: &PKey) -> Result<Algorithm> {
    let (n, e) = key
        .rsa_public_parts()
        .ok_or(Error::InvalidKey("not an RSA key"))?;
    let (n, e) = (Bn::from_bytes(&n)?, Bn::from_bytes(&e)?);
    let algorithm = algorithm_for(n.bits())?;
    if !n.is_odd() {
        return Err(Error::InvalidKey("even RSA modulus"));
    }
    if !e.is_odd() {
        return Err(Error::InvalidKey("even RSA exponent"));
    }
    //= https://doi.org/10.6028/NIST.FIPS.186-5#appendix-A.1.1
    //# The exponent e shall be an odd, positive integer such that
    //# 2^16 < e < 2^256
    if e.bits() < 17 {
        return Err(Error::WeakKey("RSA exponent under 65537"));
    }
    if is_roca(&n) {
        return Err(Error::WeakKey("RSA key from a flawed generator (ROCA)"));
    }
    Ok(algorithm)
}

/// Whether the modulus bears the mark of CVE-2017-15361 (ROCA): primes of the
/// form k·M + 65537^a mod M, so that modulo every small prime the modulus is a
/// power of 65537. An honest one passes by accident once in 2^27 or more.
fn is_roca(n: &Bn) -> bool {
    const PRIMES: [u16; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|&prime| {
        let Some(rest) = n.remainder(prime) else {
            return false;
        };
        let generator = 65537 % u32::from(prime);
        let mut power = 1u32;
        (0..prime).any(|_| {
            let hit = power == u32::from(rest);
            power = power * generator % u32::from(prime);
            hit
        })
    })
}

/// Checks an imported private key. AWS-LC has checked when it parsed the
/// numbers that n = p·q, that e·d = 1, and that the CRT values agree; what is
/// left is whether p and q are prime at all, and not too near each other.
pub(crate) fn check_private(key: &PKey) -> Result<Algorithm> {
    let algorithm = check_public(key)?;
    let numbers = key
        .rsa_numbers()
        .ok_or(Error::InvalidKey("RSA key without its CRT values"))?;
    let size = usize::from(bits(algorithm)?);
    let p = Bn::from_bytes(numbers.p.expose())?;
    let q = Bn::from_bytes(numbers.q.expose())?;
    if p.bits() != size / 2 || q.bits() != size / 2 {
        return Err(Error::WeakKey("RSA primes of unequal size"));
    }
    //= https://doi.org/10.6028/NIST.FIPS.186-5#appendix-A.1.3
    //# |p - q| > 2^(nlen/2 - 100)
    if p.distance_bits(&q)? <= size / 2 - 100 {
        return Err(Error::WeakKey("RSA primes too near each other"));
    }
    // SP 800-56B rev. 2, section 6.2.1: d > 2^(nlen/2), against Wiener's attack.
    if Bn::from_bytes(numbers.d.expose())?.bits() <= size / 2 {
        return Err(Error::WeakKey("RSA private exponent too small"));
    }
    if !p.is_prime()? || !q.is_prime()? {
        return Err(Error::InvalidKey("an RSA factor is not prime"));
    }
    Ok(algorithm)
}

fn modulus_bytes(key: &PKey) -> Result<usize> {
    key.rsa_bits()
        .map(|bits| bits.div_ceil(8))
        .ok_or(Error::InvalidKey("not an RSA key"))
}

/// Hash and padding that these options ask for.
fn padding(
    key: &PKey,
    algorithm: Algorithm,
    message: Message<'_>,
    options: &SignOptions,
) -> Result<(Hash, Padding)> {
    let scheme = options.scheme.unwrap_or(SignatureScheme::RsaPss);
    if !matches!(
        scheme,
        SignatureScheme::RsaPss | SignatureScheme::RsaPkcs1v15
    ) {
        return Err(Error::Unsupported {
            algorithm,
            what: "this signature scheme",
        });
    }
    options.check(algorithm, scheme)?;
    let hash = options.hash_of(message, Hash::Sha256)?;
    let md = Digest::from(hash);
    if scheme == SignatureScheme::RsaPkcs1v15 {
        return Ok((hash, Padding::Pkcs1(md)));
    }
    let salt_length = options.salt_length.unwrap_or(hash.output_len());
    // RFC 8017, section 9.1.1: emLen >= hLen + sLen + 2.
    if salt_length + hash.output_len() + 2 > modulus_bytes(key)? {
        return Err(Error::InvalidOption("salt too long for this modulus"));
    }
    let pss = Padding::Pss {
        digest: md,
        mgf: md,
        salt_length,
    };
    Ok((hash, pss))
}

/// Signs; the signature has the modulus's length.
pub(crate) fn sign(
    key: &PKey,
    algorithm: Algorithm,
    message: Message<'_>,
    options: &SignOptions,
) -> Result<Vec<u8>> {
    let (hash, padding) = padding(key, algorithm, message, options)?;
    hashed::sign(key, algorithm, message, hash, padding)
}

/// Verifies; `false` for anything but this key's signature over this message.
pub(crate) fn verify(
    key: &PKey,
    algorithm: Algorithm,
    message: Message<'_>,
    signature: &[u8],
    options: &SignOptions,
) -> Result<bool> {
    let (hash, padding) = padding(key, algorithm, message, options)?;
    hashed::verify(key, algorithm, message, hash, signature, padding)
}

fn oaep<'a>(label: &'a [u8], options: &EncryptOptions) -> (Oaep<'a>, usize) {
    let hash = options.oaep_hash.unwrap_or(Hash::Sha256);
    let mgf = options.oaep_mgf_hash.unwrap_or(hash);
    let oaep = Oaep {
        digest: hash.into(),
        mgf: mgf.into(),
        label,
    };
    (oaep, hash.output_len())
}

/// RSAES-OAEP; at most k - 2·hLen - 2 bytes.
pub(crate) fn encrypt(
    key: &PKey,
    plaintext: &[u8],
    label: &[u8],
    options: &EncryptOptions,
) -> Result<Vec<u8>> {
    let (oaep, hash_bytes) = oaep(label, options);
    let limit = modulus_bytes(key)?.saturating_sub(2 * hash_bytes + 2);
    if plaintext.len() > limit {
        return Err(Error::TooLong {
            what: "plaintext",
            limit: limit as u64,
        });
    }
    key.oaep_encrypt(&oaep, plaintext)
}

/// RSAES-OAEP; every failure is [`Error::Decrypt`].
pub(crate) fn decrypt(
    key: &PKey,
    ciphertext: &[u8],
    label: &[u8],
    options: &EncryptOptions,
) -> Result<SecretBytes> {
    let (oaep, _) = oaep(label, options);
    if ciphertext.len() != modulus_bytes(key)? {
        return Err(Error::Decrypt);
    }
    key.oaep_decrypt(&oaep, ciphertext)
}
