//! The key to be certified, and identifiers of keys.

use skms_crypto::{Algorithm, Hash, VerifyingKey};

use crate::certificate::PublicKeyInfo;
use crate::error::Parse;
use crate::oid;
use crate::parse::cursor::Cursor;
use crate::signature::{Standard, Verify, post_quantum_algorithm, rsa_bits};

/// A key identifier (RFC 7093, section 2, method 1): the leftmost 160 bits of
/// the SHA-256 hash of the key's BIT STRING. No SHA-1, and as long as one.
///
/// # Errors
/// [`crate::Error::Malformed`] for what is no SubjectPublicKeyInfo.
pub fn key_identifier(spki: &[u8]) -> crate::Result<[u8; 20]> {
    use crate::error::In;
    let key = read(spki).within("SubjectPublicKeyInfo")?;
    let digest = Hash::Sha256.digest(key.key);
    let mut out = [0; 20];
    for (to, from) in out.iter_mut().zip(digest) {
        *to = from;
    }
    Ok(out)
}

/// Reads a whole SubjectPublicKeyInfo.
pub(crate) fn read(spki: &[u8]) -> Parse<PublicKeyInfo<'_>> {
    let mut cursor = Cursor::new(spki);
    let key = PublicKeyInfo::read(&mut cursor)?;
    cursor.end()?;
    Ok(key)
}

/// A key that could be certified: read, on its curve, of a kind that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubjectKey {
    /// For RSA the row of the nearest size below.
    pub(crate) algorithm: Algorithm,
    pub(crate) strength_bits: u16,
}

impl SubjectKey {
    /// Judges a key; `strict` adds what the CA/Browser Forum asks of RSA keys.
    pub(crate) fn judge(spki: &[u8], strict: bool) -> Result<Self, String> {
        let key = read(spki).map_err(str::to_owned)?;
        Standard
            .accept_key(&key, strict)
            .map_err(|why| why.to_owned())?;
        VerifyingKey::from_spki(spki).map_err(|why| why.to_string())?;
        let algorithm = kind(&key).ok_or("a key of an unknown kind")?;
        Ok(Self {
            algorithm,
            strength_bits: algorithm.row().strength_bits,
        })
    }
}

fn kind(key: &PublicKeyInfo<'_>) -> Option<Algorithm> {
    match key.algorithm.oid {
        oid::RSA_ENCRYPTION => Some(match rsa_bits(key.key).ok()? {
            ..3072 => Algorithm::Rsa2048,
            3072..4096 => Algorithm::Rsa3072,
            _ => Algorithm::Rsa4096,
        }),
        oid::EC_PUBLIC_KEY => match Cursor::new(key.algorithm.parameters?).oid().ok()? {
            oid::P256 => Some(Algorithm::EcP256),
            oid::P384 => Some(Algorithm::EcP384),
            oid::P521 => Some(Algorithm::EcP521),
            _ => None,
        },
        oid::ED25519 => Some(Algorithm::Ed25519),
        other => post_quantum_algorithm(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skms_crypto::KeyMaterial;

    #[test]
    fn kinds_are_told_apart() {
        for algorithm in [
            Algorithm::EcP256,
            Algorithm::EcP384,
            Algorithm::EcP521,
            Algorithm::Ed25519,
            Algorithm::MlDsa65,
            Algorithm::Rsa2048,
        ] {
            let material = KeyMaterial::generate(algorithm).unwrap();
            let public = material.public_key().unwrap().unwrap();
            let found = SubjectKey::judge(public.spki_der(), true).unwrap();
            assert_eq!(found.algorithm, algorithm);
        }
        for algorithm in [Algorithm::X25519, Algorithm::EcSecp256k1] {
            let material = KeyMaterial::generate(algorithm).unwrap();
            let public = material.public_key().unwrap().unwrap();
            assert!(SubjectKey::judge(public.spki_der(), false).is_err());
        }
    }

    #[test]
    fn identifiers_are_of_the_key_alone() {
        // RFC 7093, section 2: the BIT STRING's bytes, here those of RFC 8410's
        // example key, without tag, length and unused bits.
        let mut spki = vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
        spki.extend([7; 32]);
        let expected = Hash::Sha256.digest(&[7; 32]);
        assert_eq!(key_identifier(&spki).unwrap(), expected[..20]);
        assert!(key_identifier(&spki[..20]).is_err());
        spki.push(0);
        assert!(key_identifier(&spki).is_err());
    }
}
