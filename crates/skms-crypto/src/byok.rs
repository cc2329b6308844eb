//! Keys brought from elsewhere under the protection of one of ours.
//!
//! - RSA-OAEP for short keys, or RSA-OAEP and AES-KWP (PKCS#11's
//!   CKM_RSA_AES_KEY_WRAP, what cloud key services take) for any;
//! - HPKE (RFC 9180) to an X25519, EC or X-Wing key: see [`crate::hpke`].

use crate::algorithm::Algorithm;
use crate::asymmetric::Private;
use crate::error::{Error, Result};
use crate::hpke::Suite;
use crate::open::{EncryptOptions, OpenKey, WrapMode};
use crate::public::PublicKey;
use crate::secret::{SecretArray, SecretBytes};
use crate::symmetric::SymmetricKey;

/// Longest key that is wrapped, in bytes: more than any private key has.
pub const LONGEST_KEY: usize = 64 * 1024;

/// Wraps with an RSA public key.
pub(crate) fn rsa_wrap(to: &PublicKey, key: &[u8], options: &EncryptOptions) -> Result<Vec<u8>> {
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(Error::TooLong {
            what: "key to wrap (or it is empty)",
            limit: LONGEST_KEY as u64,
        });
    }
    if options.wrap_mode == WrapMode::Direct {
        return to.encrypt(key, &[], options);
    }
    let kek = SecretArray::<32>::random()?;
    let mut out = to.encrypt(kek.expose(), &[], options)?;
    out.extend_from_slice(&kwp(kek.expose())?.wrap(key)?);
    Ok(out)
}

/// Unwraps with an RSA private key; every failure is [`Error::Unwrap`].
pub(crate) fn rsa_unwrap(
    own: &Private,
    wrapped: &[u8],
    options: &EncryptOptions,
) -> Result<SecretBytes> {
    let opaque = |error| match error {
        Error::Decrypt => Error::Unwrap,
        other => other,
    };
    if options.wrap_mode == WrapMode::Direct {
        return own.decrypt(wrapped, &[], options).map_err(opaque);
    }
    let modulus_bytes = own
        .as_held()
        .and_then(|key| key.rsa_bits())
        .ok_or(Error::Unsupported {
            algorithm: own.algorithm(),
            what: "unwrapping",
        })?
        / 8;
    if wrapped.len() > modulus_bytes + LONGEST_KEY + 16 {
        return Err(Error::Unwrap);
    }
    let (head, tail) = wrapped
        .split_at_checked(modulus_bytes)
        .ok_or(Error::Unwrap)?;
    let kek = own.decrypt(head, &[], options).map_err(opaque)?;
    kwp(kek.expose())?.unwrap(tail)
}

/// AES-KWP with a key of any AES length, as other systems may choose.
fn kwp(kek: &[u8]) -> Result<SymmetricKey> {
    let algorithm = match kek.len() {
        16 => Algorithm::Aes128Kwp,
        24 => Algorithm::Aes192Kwp,
        32 => Algorithm::Aes256Kwp,
        _ => return Err(Error::Unwrap),
    };
    SymmetricKey::new(algorithm, kek)
}

/// Wraps a key with HPKE to an EC, X25519 or X-Wing key, in the suite that
/// goes with it: encapsulated key ‖ ciphertext. `info` binds the purpose.
///
/// # Errors
/// [`Error::Unsupported`] for a key of another algorithm, [`Error::TooLong`].
pub fn hpke_wrap(to: &PublicKey, key: &[u8], info: &[u8]) -> Result<Vec<u8>> {
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(Error::TooLong {
            what: "key to wrap (or it is empty)",
            limit: LONGEST_KEY as u64,
        });
    }
    crate::hpke::seal(to, Suite::for_key(to.algorithm())?, info, &[], key)
}

/// Unwraps what [`hpke_wrap`] gave.
///
/// # Errors
/// [`Error::Unwrap`]; [`Error::Unsupported`] for a key of another algorithm.
pub fn hpke_unwrap(own: &OpenKey, wrapped: &[u8], info: &[u8]) -> Result<SecretBytes> {
    let suite = Suite::for_key(own.algorithm())?;
    crate::hpke::open(own, suite, info, &[], wrapped).map_err(|error| match error {
        Error::Decrypt => Error::Unwrap,
        other => other,
    })
}

/// Unwraps an imported key: `wrapped` under `with`, an RSA key of ours.
///
/// # Errors
/// [`Error::Unwrap`]; [`Error::Unsupported`] for a key that cannot unwrap.
pub fn unwrap_import(
    with: &OpenKey,
    wrapped: &[u8],
    options: &EncryptOptions,
) -> Result<SecretBytes> {
    with.unwrap(wrapped, options)
}

// A build on the validated module refuses both ways: see `fips/tests.rs`.
#[cfg(test)]
#[cfg(not(feature = "fips"))]
mod tests {
    use super::*;
    use crate::hash::Hash;
    use crate::material::KeyMaterial;

    #[test]
    fn a_wrapped_private_key_comes_back_and_altered_ones_do_not() {
        let rsa = OpenKey::open(&KeyMaterial::generate(Algorithm::Rsa2048).unwrap()).unwrap();
        let key = KeyMaterial::generate(Algorithm::MlDsa87).unwrap();
        let secret = key.to_record();
        for hash in [None, Some(Hash::Sha512)] {
            let options = EncryptOptions {
                wrap_mode: WrapMode::RsaAesKwp,
                oaep_hash: hash,
                ..EncryptOptions::default()
            };
            let long = vec![7; 5000];
            for plain in [secret.expose(), &long, &[1]] {
                let wrapped = rsa.wrap(plain, &options).unwrap();
                assert!(
                    unwrap_import(&rsa, &wrapped, &options)
                        .unwrap()
                        .ct_eq(plain)
                );
                for at in [0, 255, 256, wrapped.len() - 1] {
                    let mut bad = wrapped.clone();
                    bad[at] ^= 1;
                    assert!(matches!(rsa.unwrap(&bad, &options), Err(Error::Unwrap)));
                }
                for cut in [0, 10, 256, wrapped.len() - 1] {
                    assert!(matches!(
                        rsa.unwrap(&wrapped[..cut], &options),
                        Err(Error::Unwrap)
                    ));
                }
            }
            assert!(rsa.wrap(&[], &options).is_err());
        }
        let direct = EncryptOptions::default();
        let wrapped = rsa.wrap(&[9; 32], &direct).unwrap();
        assert!(rsa.unwrap(&wrapped, &direct).unwrap().ct_eq(&[9; 32]));
        assert!(rsa.wrap(&[0; 300], &direct).is_err());
    }

    #[test]
    fn a_key_sealed_with_hpke_comes_back_for_its_purpose_only() {
        for algorithm in [Algorithm::XWing, Algorithm::X25519, Algorithm::EcP384] {
            let own = OpenKey::open(&KeyMaterial::generate(algorithm).unwrap()).unwrap();
            let to = own.public_key().unwrap();
            let wrapped = hpke_wrap(to, &[7; 32], b"import").unwrap();
            assert!(
                hpke_unwrap(&own, &wrapped, b"import")
                    .unwrap()
                    .ct_eq(&[7; 32])
            );
            assert!(matches!(
                hpke_unwrap(&own, &wrapped, b"export"),
                Err(Error::Unwrap)
            ));
            assert!(matches!(
                hpke_unwrap(&own, &wrapped[1..], b"import"),
                Err(Error::Unwrap)
            ));
        }
        let signer = OpenKey::open(&KeyMaterial::generate(Algorithm::Ed25519).unwrap()).unwrap();
        assert!(hpke_wrap(signer.public_key().unwrap(), &[7; 32], b"").is_err());
    }
}
