//! ML-KEM (FIPS 203) with all its input checks.

use core::ffi::c_int;

use crate::algorithm::Algorithm;
use crate::awslc::pkey::PKey;
use crate::awslc::sys::{NID_MLKEM512, NID_MLKEM768, NID_MLKEM1024};
use crate::error::{Error, Result};
use crate::secret::SecretBytes;

/// Bytes of the seed d ‖ z (FIPS 203, algorithm 19).
pub(crate) const SEED_BYTES: usize = 64;

/// A parameter set's numbers (FIPS 203, tables 2 and 3).
pub(crate) struct Sizes {
    nid: c_int,
    /// Bytes of the encapsulation key.
    pub(crate) public: usize,
    /// Bytes of the decapsulation key.
    pub(crate) secret: usize,
    /// Bytes of the ciphertext.
    pub(crate) ciphertext: usize,
}

/// The sizes of a parameter set.
pub(crate) fn sizes(algorithm: Algorithm) -> Result<Sizes> {
    let (nid, k, ciphertext) = match algorithm {
        Algorithm::MlKem512 => (NID_MLKEM512, 2, 768),
        Algorithm::MlKem768 => (NID_MLKEM768, 3, 1088),
        Algorithm::MlKem1024 => (NID_MLKEM1024, 4, 1568),
        _ => return Err(Error::InvalidKey("not an ML-KEM algorithm")),
    };
    Ok(Sizes {
        nid,
        public: 384 * k + 32,
        secret: 768 * k + 96,
        ciphertext,
    })
}

/// A fresh key, its seed kept.
pub(crate) fn generate(algorithm: Algorithm) -> Result<PKey> {
    PKey::generate_mlkem(sizes(algorithm)?.nid).ok_or(Error::Library("ML-KEM key generation"))
}

/// From the 64-byte seed d ‖ z. AWS-LC expands a seed when it reads one in the
/// form of RFC 9935, so that form is written around it; the validated module
/// has a call of its own.
pub(crate) fn from_seed(algorithm: Algorithm, seed: &[u8]) -> Result<PKey> {
    if seed.len() != SEED_BYTES {
        return Err(Error::InvalidKey("ML-KEM seed of 64 bytes"));
    }
    #[cfg(feature = "fips")]
    return PKey::mlkem_from_seed(sizes(algorithm)?.nid, seed)
        .ok_or(Error::InvalidKey("ML-KEM seed"));
    #[cfg(not(feature = "fips"))]
    from_wrapped_seed(algorithm, seed)
}

/// By way of the form of RFC 9935.
#[cfg(not(feature = "fips"))]
fn from_wrapped_seed(algorithm: Algorithm, seed: &[u8]) -> Result<PKey> {
    // Last arc of id-alg-ml-kem-* (2.16.840.1.101.3.4.4.x).
    let arc = match algorithm {
        Algorithm::MlKem512 => 1,
        Algorithm::MlKem768 => 2,
        Algorithm::MlKem1024 => 3,
        _ => return Err(Error::InvalidKey("not an ML-KEM algorithm")),
    };
    let wrapped = SecretBytes::with_len(22 + SEED_BYTES, |out| {
        // SEQUENCE { 0, SEQUENCE { OID }, OCTET STRING { [0] seed } }
        let head = [
            0x30, 84, 0x02, 1, 0, 0x30, 11, 0x06, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
            0x04, arc, 0x04, 66, 0x80, 64,
        ];
        let (start, end) = out.split_at_mut(head.len());
        start.copy_from_slice(&head);
        end.copy_from_slice(seed);
    });
    PKey::from_pkcs8(wrapped.expose()).ok_or(Error::InvalidKey("ML-KEM seed"))
}

/// From the expanded key dk = dk_PKE ‖ ek ‖ H(ek) ‖ z, with the checks of
/// FIPS 203, section 7.3, and a trial encapsulation.
pub(crate) fn from_expanded(algorithm: Algorithm, expanded: &[u8]) -> Result<PKey> {
    let sizes = sizes(algorithm)?;
    if expanded.len() != sizes.secret {
        return Err(Error::InvalidKey("ML-KEM private key of the wrong length"));
    }
    let start = sizes.secret - 64 - sizes.public;
    let ek = expanded
        .get(start..start + sizes.public)
        .ok_or(Error::InvalidKey("ML-KEM private key of the wrong length"))?;
    check_modulus(ek)?;
    PKey::mlkem_pair(sizes.nid, ek, expanded)
        .filter(PKey::mlkem_check)
        .ok_or(Error::InvalidKey("ML-KEM private key is inconsistent"))
}

/// From an expanded key with nothing checked but its length: for vectors that
/// decapsulate with keys no import would let in.
pub(crate) fn from_expanded_unchecked(algorithm: Algorithm, expanded: &[u8]) -> Result<PKey> {
    let sizes = sizes(algorithm)?;
    let start = sizes.secret.saturating_sub(64 + sizes.public);
    let ek = expanded.get(start..start + sizes.public);
    ek.and_then(|ek| PKey::mlkem_pair(sizes.nid, ek, expanded))
        .ok_or(Error::InvalidKey("ML-KEM private key of the wrong length"))
}

/// From both forms, which must be the same key (RFC 9935, section 8).
pub(crate) fn from_both(algorithm: Algorithm, seed: &[u8], expanded: &[u8]) -> Result<PKey> {
    let key = from_seed(algorithm, seed)?;
    let agree = key
        .raw_private()
        .is_some_and(|computed| computed.ct_eq(expanded));
    if agree {
        Ok(key)
    } else {
        Err(Error::InvalidKey("ML-KEM seed and expanded key disagree"))
    }
}

/// An encapsulation key, with the type and modulus checks of FIPS 203, section 7.2.
pub(crate) fn public(algorithm: Algorithm, bytes: &[u8]) -> Result<PKey> {
    let sizes = sizes(algorithm)?;
    if bytes.len() != sizes.public {
        return Err(Error::InvalidKey("ML-KEM public key of the wrong length"));
    }
    check_modulus(bytes)?;
    PKey::mlkem_public(sizes.nid, bytes).ok_or(Error::InvalidKey("ML-KEM public key"))
}

/// Every coefficient under q = 3329. Two 12-bit coefficients lie in three
/// bytes; the last 32 bytes are the seed of the matrix.
fn check_modulus(ek: &[u8]) -> Result<()> {
    const Q: u16 = 3329;
    let coefficients = ek.get(..ek.len().saturating_sub(32)).unwrap_or_default();
    let sound = coefficients.chunks_exact(3).all(|three| {
        let [a, b, c] = [0, 1, 2].map(|at| u16::from(three.get(at).copied().unwrap_or(0xff)));
        (a | (b & 0x0f) << 8) < Q && (b >> 4 | c << 4) < Q
    });
    if sound {
        Ok(())
    } else {
        Err(Error::InvalidKey("ML-KEM coefficient not under q"))
    }
}

/// What the record holds: the seed when it is known, else the expanded key.
pub(crate) fn record(key: &PKey) -> Result<SecretBytes> {
    key.private_seed()
        .or_else(|| key.raw_private())
        .ok_or(Error::Library("ML-KEM private key"))
}

/// Ciphertext and 32-byte shared secret.
pub(crate) fn encapsulate(key: &PKey) -> Result<(Vec<u8>, SecretBytes)> {
    key.encapsulate(None)
        .ok_or(Error::InvalidKey("ML-KEM public key"))
}

/// The 32-byte shared secret. An altered ciphertext gives another secret, not
/// an error (implicit rejection); one of the wrong length is refused.
pub(crate) fn decapsulate(
    key: &PKey,
    algorithm: Algorithm,
    ciphertext: &[u8],
) -> Result<SecretBytes> {
    let expected = sizes(algorithm)?.ciphertext;
    if ciphertext.len() != expected {
        return Err(Error::InvalidLength {
            what: "ML-KEM ciphertext",
            expected,
            found: ciphertext.len(),
        });
    }
    key.decapsulate(ciphertext).ok_or(Error::Decrypt)
}
