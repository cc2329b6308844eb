//! Which signatures count, and checking them (RFC 3279, 4055, 5758, 8410, 8692,
//! 9881, 9909). The checking itself is `skms-crypto`'s.

use skms_crypto::verifying::Scheme;
use skms_crypto::{Algorithm, Hash, VerifyingKey};

use crate::certificate::{AlgorithmId, PublicKeyInfo, Signed};
use crate::error::Parse;
use crate::oid;
use crate::parse::cursor::{Cursor, small, tag};

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// Made with MD5, SHA-1 or SHA-224, whatever the key.
    #[error("made with a weak hash")]
    WeakAlgorithm,
    /// An algorithm that is not known, or parameters that it does not have.
    #[error("made with an unknown algorithm or odd parameters")]
    UnknownAlgorithm,
    /// The key is no key: off the curve, even, too long.
    #[error("to be checked with a key that is none")]
    BadKey,
    /// It is not this key's over this message.
    #[error("not this key's over these bytes")]
    Mismatch,
}

impl SignatureFault {
    /// Why, in words.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::WeakAlgorithm => "made with a weak hash",
            Self::UnknownAlgorithm => "made with an unknown algorithm or odd parameters",
            Self::BadKey => "to be checked with a key that is none",
            Self::Mismatch => "not this key's over these bytes",
        }
    }
}

/// Checks signatures for a validation. A caller may bring its own, to cache
/// results or (for old corpora) to allow an algorithm that is refused here.
pub trait Verify: Sync {
    /// Checks one signature.
    ///
    /// # Errors
    /// Why it does not count.
    fn verify(&self, key: &PublicKeyInfo<'_>, signed: &Signed<'_>) -> Result<(), SignatureFault>;

    /// Whether a key is strong enough to be in a path: RSA from 2048 bits,
    /// P-256, P-384, P-521, Ed25519, ML-DSA, SLH-DSA. `strict` adds what the
    /// CA/Browser Forum asks of RSA keys.
    ///
    /// # Errors
    /// Why not, in words.
    fn accept_key(&self, key: &PublicKeyInfo<'_>, strict: bool) -> Result<(), &'static str> {
        judge_key(key, strict)
    }
}

/// What a product uses: SHA-2 and SHA-3 from 256 bits, RSA (PKCS #1 v1.5 and
/// PSS), ECDSA, Ed25519, ML-DSA and SLH-DSA.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standard;

impl Verify for Standard {
    fn verify(&self, key: &PublicKeyInfo<'_>, signed: &Signed<'_>) -> Result<(), SignatureFault> {
        let scheme = scheme(&signed.algorithm)?;
        let key = VerifyingKey::from_spki(key.der).map_err(|_| SignatureFault::BadKey)?;
        if key.verify(scheme, signed.message, signed.signature) {
            Ok(())
        } else {
            Err(SignatureFault::Mismatch)
        }
    }
}

/// ML-DSA and SLH-DSA by the last number of their identifiers, from 17.
const POST_QUANTUM: [Algorithm; 15] = {
    use Algorithm as A;
    [
        A::MlDsa44,
        A::MlDsa65,
        A::MlDsa87,
        A::SlhDsaSha2_128s,
        A::SlhDsaSha2_128f,
        A::SlhDsaSha2_192s,
        A::SlhDsaSha2_192f,
        A::SlhDsaSha2_256s,
        A::SlhDsaSha2_256f,
        A::SlhDsaShake128s,
        A::SlhDsaShake128f,
        A::SlhDsaShake192s,
        A::SlhDsaShake192f,
        A::SlhDsaShake256s,
        A::SlhDsaShake256f,
    ]
};

/// The identifier's contents of a post-quantum algorithm (RFC 9881, section 2;
/// RFC 9909, section 3): keys and signatures share it.
pub(crate) fn post_quantum_identifier(algorithm: Algorithm) -> Option<[u8; 9]> {
    let index = POST_QUANTUM.iter().position(|one| *one == algorithm)?;
    let number = u8::try_from(index + 17).ok()?;
    let mut contents = [0; 9];
    let (arc, last) = contents.split_at_mut(8);
    arc.copy_from_slice(&oid::NIST_SIGNATURES);
    last.fill(number);
    Some(contents)
}

/// The post-quantum algorithm of an identifier.
pub(crate) fn post_quantum_algorithm(id: oid::Oid<'_>) -> Option<Algorithm> {
    let index = usize::from(oid::nist_signature(id)?).checked_sub(17)?;
    POST_QUANTUM.get(index).copied()
}

/// The scheme that an AlgorithmIdentifier names.
pub(crate) fn scheme(id: &AlgorithmId<'_>) -> Result<Scheme, SignatureFault> {
    use SignatureFault::{UnknownAlgorithm, WeakAlgorithm};
    let rsa = |hash| match id.parameters {
        //= https://www.rfc-editor.org/rfc/rfc4055#section-5
        //# the parameters MUST be NULL. Implementations MUST accept the
        //# parameters being absent as well as present.
        None | Some([tag::NULL, 0]) => Ok(Scheme::RsaPkcs1v15(hash)),
        Some(_) => Err(UnknownAlgorithm),
    };
    let bare = |scheme| match id.parameters {
        None => Ok(scheme),
        Some(_) => Err(UnknownAlgorithm),
    };
    match id.oid {
        oid::RSA_SHA256 => rsa(Hash::Sha256),
        oid::RSA_SHA384 => rsa(Hash::Sha384),
        oid::RSA_SHA512 => rsa(Hash::Sha512),
        oid::ECDSA_SHA256 => bare(Scheme::Ecdsa(Hash::Sha256)),
        oid::ECDSA_SHA384 => bare(Scheme::Ecdsa(Hash::Sha384)),
        oid::ECDSA_SHA512 => bare(Scheme::Ecdsa(Hash::Sha512)),
        oid::ED25519 => bare(Scheme::Pure(Algorithm::Ed25519)),
        oid::RSA_PSS => match pss(id.parameters) {
            Ok(Some(scheme)) => Ok(scheme),
            Ok(None) => Err(WeakAlgorithm),
            Err(_) => Err(UnknownAlgorithm),
        },
        oid::RSA_MD5 | oid::RSA_SHA1 | oid::RSA_SHA224 | oid::ECDSA_SHA1 | oid::ECDSA_SHA224 => {
            Err(WeakAlgorithm)
        }
        other => match oid::nist_signature(other).ok_or(UnknownAlgorithm)? {
            // RFC 8692 and NIST's registry: SHA-3 with ECDSA and with RSA.
            10 => bare(Scheme::Ecdsa(Hash::Sha3_256)),
            11 => bare(Scheme::Ecdsa(Hash::Sha3_384)),
            12 => bare(Scheme::Ecdsa(Hash::Sha3_512)),
            14 => rsa(Hash::Sha3_256),
            15 => rsa(Hash::Sha3_384),
            16 => rsa(Hash::Sha3_512),
            number => {
                let index = usize::from(number)
                    .checked_sub(17)
                    .ok_or(UnknownAlgorithm)?;
                let algorithm = POST_QUANTUM.get(index).ok_or(UnknownAlgorithm)?;
                bare(Scheme::Pure(*algorithm))
            }
        },
    }
}

/// RSASSA-PSS-params (RFC 4055, section 3.1); `None` for SHA-1, which is also
/// what the defaults mean.
fn pss(parameters: Option<&[u8]>) -> Parse<Option<Scheme>> {
    let parameters = parameters.ok_or("no parameters")?;
    let mut body = Cursor::only(parameters, tag::SEQUENCE)?;
    let hash = body.optional(tag::constructed(0))?;
    let mask = body.optional(tag::constructed(1))?;
    let salt = body.optional(tag::constructed(2))?;
    let trailer = body.optional(tag::constructed(3))?;
    body.end()?;
    if trailer.is_some() {
        return Err("a trailer that is the default, or none that is known");
    }
    let (Some(hash), Some(mask), Some(salt)) = (hash, mask, salt) else {
        return Ok(None);
    };
    let mut inner = Cursor::new(hash.value);
    let hash = AlgorithmId::read(&mut inner)?;
    inner.end()?;
    let mut inner = Cursor::new(mask.value);
    let mask = AlgorithmId::read(&mut inner)?;
    inner.end()?;
    let mut of_mask = Cursor::new(mask.parameters.unwrap_or_default());
    let mask_hash = AlgorithmId::read(&mut of_mask)?;
    of_mask.end()?;
    if mask.oid != oid::MGF1 || mask_hash.oid != hash.oid {
        return Err("another mask than MGF1 over the same hash");
    }
    for id in [&hash, &mask_hash] {
        if !matches!(id.parameters, None | Some([tag::NULL, 0])) {
            return Err("a hash with parameters");
        }
    }
    let mut inner = Cursor::new(salt.value);
    let salt_length = usize::try_from(small(inner.integer()?)?).map_err(|_| "a long salt")?;
    inner.end()?;
    let hash = match hash.oid {
        oid::SHA256 => Hash::Sha256,
        oid::SHA384 => Hash::Sha384,
        oid::SHA512 => Hash::Sha512,
        oid::SHA3_256 => Hash::Sha3_256,
        oid::SHA3_384 => Hash::Sha3_384,
        oid::SHA3_512 => Hash::Sha3_512,
        oid::SHA1 => return Ok(None),
        _ => return Err("an unknown hash"),
    };
    if salt_length > 512 {
        return Err("a long salt");
    }
    Ok(Some(Scheme::RsaPss { hash, salt_length }))
}

/// Whether a key is one of the post-quantum signature algorithms', which can do
/// nothing but sign.
pub(crate) fn is_post_quantum(key: &PublicKeyInfo<'_>) -> bool {
    matches!(oid::nist_signature(key.algorithm.oid), Some(17..=31))
}

fn judge_key(key: &PublicKeyInfo<'_>, strict: bool) -> Result<(), &'static str> {
    match key.algorithm.oid {
        oid::RSA_ENCRYPTION => {
            if key.algorithm.parameters != Some(&[tag::NULL, 0]) {
                return Err("an RSA key with odd parameters");
            }
            judge_rsa(key.key, strict)
        }
        oid::EC_PUBLIC_KEY => {
            let curve = key.algorithm.parameters.unwrap_or_default();
            let mut cursor = Cursor::new(curve);
            match cursor.oid() {
                Ok(oid::P256 | oid::P384 | oid::P521) if cursor.is_empty() => Ok(()),
                Ok(_) => Err("a curve other than P-256, P-384 and P-521"),
                Err(_) => Err("a curve described by its parameters"),
            }
        }
        oid::ED25519 if key.algorithm.parameters.is_none() => Ok(()),
        _ if is_post_quantum(key) && key.algorithm.parameters.is_none() => Ok(()),
        _ => Err("a key of an unknown kind"),
    }
}

/// How many bits the modulus of an RSAPublicKey has.
pub(crate) fn rsa_bits(key: &[u8]) -> Parse<usize> {
    let modulus = match Cursor::only(key, tag::SEQUENCE)?.integer()? {
        [0, rest @ ..] => rest,
        [top, ..] if top & 0x80 != 0 => return Err("a negative RSA modulus"),
        all => all,
    };
    let leading = modulus.first().map_or(8, |top| top.leading_zeros()) as usize;
    Ok(8 * modulus.len() - leading.min(8 * modulus.len()))
}

fn judge_rsa(key: &[u8], strict: bool) -> Parse<()> {
    let bits = rsa_bits(key)?;
    let mut body = Cursor::only(key, tag::SEQUENCE)?;
    body.integer()?;
    let exponent = small(body.integer()?)?;
    body.end()?;
    if bits < 2048 {
        return Err("an RSA key under 2048 bits");
    }
    if bits > 8192 {
        return Err("an RSA key over 8192 bits");
    }
    //= https://cabforum.org/working-groups/server/baseline-requirements/documents/ section 6.1.5
    //# The CA SHALL ensure that the modulus size in bits is evenly divisible by 8
    if strict && !bits.is_multiple_of(8) {
        return Err("an RSA key whose bits are not a multiple of 8");
    }
    if exponent < 3 || exponent % 2 == 0 {
        return Err("an RSA exponent that is even or 1");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id<'a>(oid: oid::Oid<'a>, parameters: Option<&'a [u8]>) -> AlgorithmId<'a> {
        AlgorithmId { oid, parameters }
    }

    #[test]
    fn weak_and_odd_algorithms_are_told_apart() {
        let null = Some(&[5u8, 0][..]);
        assert!(scheme(&id(oid::RSA_SHA256, null)).is_ok());
        assert!(scheme(&id(oid::RSA_SHA256, None)).is_ok());
        let weak = [
            scheme(&id(oid::RSA_SHA1, null)),
            scheme(&id(oid::RSA_MD5, null)),
            scheme(&id(oid::ECDSA_SHA1, None)),
            // Every field at its default: SHA-1.
            scheme(&id(oid::RSA_PSS, Some(&[0x30, 0]))),
        ];
        assert!(
            weak.iter()
                .all(|found| *found == Err(SignatureFault::WeakAlgorithm))
        );
        let unknown = [
            scheme(&id(oid::ECDSA_SHA256, null)),
            scheme(&id(oid::RSA_SHA256, Some(&[0x30, 0]))),
            scheme(&id(oid::RSA_PSS, None)),
            scheme(&id(oid::COMMON_NAME, None)),
        ];
        assert!(
            unknown
                .iter()
                .all(|found| *found == Err(SignatureFault::UnknownAlgorithm))
        );
    }

    #[test]
    fn every_post_quantum_identifier_is_its_own_algorithms() {
        for (index, algorithm) in POST_QUANTUM.iter().enumerate() {
            let mut bytes = vec![0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3];
            bytes.push(17 + u8::try_from(index).unwrap());
            let found = scheme(&id(oid::Oid::from_contents(&bytes).unwrap(), None));
            assert_eq!(found, Ok(Scheme::Pure(*algorithm)));
        }
    }
}
