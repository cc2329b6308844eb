//! SLH-DSA (FIPS 205), all twelve parameter sets, over the crate `slh-dsa`.
//!
//! That crate is a pre-release and pinned exactly; nothing outside this file
//! knows it.

use slh_dsa::{Signature, SigningKey, VerifyingKey};

use crate::algorithm::Algorithm;
use crate::error::{Error, Result};
use crate::open::{Message, SignOptions, SignatureScheme};
use crate::secret::SecretBytes;

use super::prehash::{Input, input};

/// Runs an expression with `$set` naming the parameter set's type.
macro_rules! with_set {
    ($algorithm:expr, $set:ident => $body:expr) => {
        with_set!(@arms $algorithm, $set, $body,
            SlhDsaSha2_128s Sha2_128s, SlhDsaSha2_128f Sha2_128f,
            SlhDsaSha2_192s Sha2_192s, SlhDsaSha2_192f Sha2_192f,
            SlhDsaSha2_256s Sha2_256s, SlhDsaSha2_256f Sha2_256f,
            SlhDsaShake128s Shake128s, SlhDsaShake128f Shake128f,
            SlhDsaShake192s Shake192s, SlhDsaShake192f Shake192f,
            SlhDsaShake256s Shake256s, SlhDsaShake256f Shake256f)
    };
    (@arms $algorithm:expr, $set:ident, $body:expr, $($ours:ident $theirs:ident),*) => {
        match $algorithm {
            $(Algorithm::$ours => {
                type $set = slh_dsa::$theirs;
                $body
            })*
            _ => Err(Error::InvalidKey("not an SLH-DSA algorithm")),
        }
    };
}

/// The security parameter n in bytes: 16, 24 or 32.
pub(crate) fn n_bytes(algorithm: Algorithm) -> Result<usize> {
    if algorithm.family() != crate::algorithm::Family::SlhDsa {
        return Err(Error::InvalidKey("not an SLH-DSA algorithm"));
    }
    Ok(usize::from(algorithm.row().strength_bits) / 8)
}

/// Expands SK.seed, SK.prf and PK.seed (n bytes each) to a private key of 4n
/// bytes (FIPS 205, algorithm 18).
pub(crate) fn from_seeds(
    algorithm: Algorithm,
    sk_seed: &[u8],
    sk_prf: &[u8],
    pk_seed: &[u8],
) -> Result<SecretBytes> {
    let n = n_bytes(algorithm)?;
    if [sk_seed, sk_prf, pk_seed]
        .iter()
        .any(|seed| seed.len() != n)
    {
        return Err(Error::InvalidKey("SLH-DSA seeds of the wrong length"));
    }
    with_set!(algorithm, Set => {
        let key = SigningKey::<Set>::slh_keygen_internal(sk_seed, sk_prf, pk_seed);
        Ok(SecretBytes::new(key.to_vec()))
    })
}

/// A fresh private key, 4n bytes.
pub(crate) fn generate(algorithm: Algorithm) -> Result<SecretBytes> {
    let n = n_bytes(algorithm)?;
    let seeds = crate::rand::secret(3 * n)?;
    let (sk_seed, rest) = seeds.expose().split_at(n);
    let (sk_prf, pk_seed) = rest.split_at(n);
    from_seeds(algorithm, sk_seed, sk_prf, pk_seed)
}

/// A private key of 4n bytes (RFC 9909, section 5), its root recomputed.
pub(crate) fn private(algorithm: Algorithm, bytes: &[u8]) -> Result<SecretBytes> {
    let n = n_bytes(algorithm)?;
    if bytes.len() != 4 * n {
        return Err(Error::InvalidKey("SLH-DSA private key of the wrong length"));
    }
    let (sk_seed, rest) = bytes.split_at(n);
    let (sk_prf, rest) = rest.split_at(n);
    let (pk_seed, _) = rest.split_at(n);
    let computed = from_seeds(algorithm, sk_seed, sk_prf, pk_seed)?;
    if computed.ct_eq(bytes) {
        Ok(computed)
    } else {
        Err(Error::InvalidKey("SLH-DSA root is not the seed's"))
    }
}

/// The public half, PK.seed ‖ PK.root, 2n bytes.
pub(crate) fn public_of(algorithm: Algorithm, private: &[u8]) -> Result<Vec<u8>> {
    private
        .get(2 * n_bytes(algorithm)?..)
        .map(<[u8]>::to_vec)
        .ok_or(Error::InvalidKey("SLH-DSA private key of the wrong length"))
}

/// Checks the length of a public key.
pub(crate) fn public(algorithm: Algorithm, bytes: &[u8]) -> Result<Vec<u8>> {
    if bytes.len() == 2 * n_bytes(algorithm)? {
        Ok(bytes.to_vec())
    } else {
        Err(Error::InvalidKey("SLH-DSA public key of the wrong length"))
    }
}

/// FIPS 205, algorithm 19, over the concatenation of `parts`; without
/// `opt_rand` (n bytes) the deterministic variant.
pub(crate) fn sign_internal(
    algorithm: Algorithm,
    private: &[u8],
    parts: &[&[u8]],
    opt_rand: Option<&[u8]>,
) -> Result<Vec<u8>> {
    let n = n_bytes(algorithm)?;
    if opt_rand.is_some_and(|rand| rand.len() != n) {
        return Err(Error::InvalidOption("SLH-DSA randomness of n bytes"));
    }
    with_set!(algorithm, Set => {
        let key = SigningKey::<Set>::try_from(private)
            .map_err(|_| Error::InvalidKey("SLH-DSA private key of the wrong length"))?;
        Ok(key.slh_sign_internal(parts, opt_rand).to_vec())
    })
}

/// FIPS 205, algorithm 20, over the concatenation of `parts`.
pub(crate) fn verify_internal(
    algorithm: Algorithm,
    public: &[u8],
    parts: &[&[u8]],
    signature: &[u8],
) -> Result<bool> {
    with_set!(algorithm, Set => {
        let key = VerifyingKey::<Set>::try_from(public)
            .map_err(|_| Error::InvalidKey("SLH-DSA public key of the wrong length"))?;
        let Ok(signature) = Signature::<Set>::try_from(signature) else {
            return Ok(false);
        };
        Ok(key.slh_verify_internal(parts, &signature).is_ok())
    })
}

/// `0 ‖ |ctx|`, which goes before a pure message (FIPS 205, algorithm 22).
fn pure_prefix(context: &[u8]) -> Result<[u8; 2]> {
    u8::try_from(context.len())
        .map(|length| [0, length])
        .map_err(|_| Error::TooLong {
            what: "context string",
            limit: 255,
        })
}

/// Signs, hedged with fresh randomness.
pub(crate) fn sign(
    private: &[u8],
    algorithm: Algorithm,
    message: Message<'_>,
    options: &SignOptions,
) -> Result<Vec<u8>> {
    let rand = crate::rand::secret(n_bytes(algorithm)?)?;
    let rand = Some(rand.expose());
    match input(algorithm, SignatureScheme::SlhDsa, message, options)? {
        Input::Whole(bytes) => {
            let prefix = pure_prefix(&options.context)?;
            sign_internal(
                algorithm,
                private,
                &[&prefix, &options.context, bytes],
                rand,
            )
        }
        Input::Prehashed(encoded) => sign_internal(algorithm, private, &[&encoded], rand),
    }
}

/// Verifies.
pub(crate) fn verify(
    public: &[u8],
    algorithm: Algorithm,
    message: Message<'_>,
    signature: &[u8],
    options: &SignOptions,
) -> Result<bool> {
    match input(algorithm, SignatureScheme::SlhDsa, message, options)? {
        Input::Whole(bytes) => {
            let prefix = pure_prefix(&options.context)?;
            verify_internal(
                algorithm,
                public,
                &[&prefix, &options.context, bytes],
                signature,
            )
        }
        Input::Prehashed(encoded) => verify_internal(algorithm, public, &[&encoded], signature),
    }
}
