//! The library under test, as the vector files name things.

use skms_crypto::symmetric::SymmetricKey;
use skms_crypto::{
    Algorithm, EncryptOptions, Error, Format, Hash, KeyMaterial, OpenKey, PublicKey,
};

use super::case::{Attempt, Expect, Refusal, not_offered};
use super::text::{der_integer, der_wrap};

/// The hash of a name as FIPS 180-4, JCA, OpenSSL or ACVP write it.
pub fn hash(name: &str) -> Result<Hash, Refusal> {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    match plain.as_str() {
        "sha1" | "sha" => Err(Refusal::Policy("SHA-1 is not used".to_owned())),
        "sha2256" => Ok(Hash::Sha256),
        "sha2384" => Ok(Hash::Sha384),
        "sha2512" => Ok(Hash::Sha512),
        "sha2512256" => Ok(Hash::Sha512_256),
        _ => name.parse().or_else(|_| not_offered(name)),
    }
}

/// The AES algorithm for a key of that length: `aes("GCM", 16)`.
pub fn aes(mode: &str, key_len: usize) -> Result<Algorithm, Refusal> {
    let name = format!("AES-{}-{mode}", key_len * 8);
    name.parse().or_else(|_| not_offered(name))
}

/// Makes a symmetric key ready for use.
pub fn symmetric(algorithm: Algorithm, key: &[u8]) -> Result<OpenKey, Refusal> {
    let material = KeyMaterial::import(key, Format::Raw, Some(algorithm), None)?;
    Ok(OpenKey::open(&material)?)
}

/// One AEAD case.
pub struct Aead {
    pub algorithm: Algorithm,
    pub key: Vec<u8>,
    pub nonce: Vec<u8>,
    pub aad: Vec<u8>,
    pub message: Vec<u8>,
    /// Ciphertext and tag.
    pub sealed: Vec<u8>,
    pub expect: Expect,
}

impl Aead {
    /// The product opens nonce, ciphertext and tag in one piece. It chooses
    /// nonces itself; that it seals to these bytes under this one is tried
    /// where known answers may give it.
    pub fn run(&self) -> Attempt {
        let below = SymmetricKey::new(self.algorithm, &self.key)?;
        let again = below.encrypt_with_known_nonce(&self.nonce, &self.message, &self.aad);
        // GCM itself takes nonces of any length but none (SP 800-38D, section
        // 5.2.1.1), so that refusing one shows nothing; elsewhere it is a must.
        let gcm = self.algorithm.name().ends_with("GCM") && !self.nonce.is_empty();
        let again = match again {
            Err(Error::InvalidLength { .. }) if gcm || self.expect != Expect::Invalid => {
                return not_offered(format!("{} with another nonce length", self.algorithm));
            }
            other => other?,
        };
        let whole = [self.nonce.as_slice(), &self.sealed].concat();
        let open = symmetric(self.algorithm, &self.key)?;
        let opened = open.decrypt(&whole, &self.aad, &EncryptOptions::default())?;
        Ok(opened.expose() == self.message && again == whole)
    }
}

/// Tries a key of a length that nothing has with every AES algorithm of the
/// mode: all must refuse it.
pub fn refused_by_all(mode: &str, key: &[u8]) -> Attempt {
    for &algorithm in Algorithm::all() {
        let name = algorithm.name();
        let of_mode = name.starts_with("AES-") && name.ends_with(mode);
        if of_mode && symmetric(algorithm, key).is_ok() {
            return Ok(false);
        }
    }
    Err(Refusal::Refused("no algorithm takes such a key".to_owned()))
}

/// Makes a private key ready for use.
pub fn private(
    bytes: &[u8],
    format: Format,
    expect: Option<Algorithm>,
) -> Result<OpenKey, Refusal> {
    let material = KeyMaterial::import(bytes, format, expect, None)?;
    Ok(OpenKey::open(&material)?)
}

/// Imports a public key.
pub fn public(
    bytes: &[u8],
    format: Format,
    expect: Option<Algorithm>,
) -> Result<PublicKey, Refusal> {
    Ok(PublicKey::import(bytes, format, expect)?)
}

/// A curve's algorithm, and the length of its scalars.
pub fn curve(name: &str) -> Result<(Algorithm, usize), Refusal> {
    match name.to_ascii_lowercase().as_str() {
        "secp256r1" | "p-256" | "prime256v1" => Ok((Algorithm::EcP256, 32)),
        "secp384r1" | "p-384" => Ok((Algorithm::EcP384, 48)),
        "secp521r1" | "p-521" => Ok((Algorithm::EcP521, 66)),
        "secp256k1" | "k-256" => Ok((Algorithm::EcSecp256k1, 32)),
        _ => not_offered(format!("curve {name}")),
    }
}

fn curve_oid(algorithm: Algorithm) -> &'static [u8] {
    match algorithm {
        Algorithm::EcP256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        Algorithm::EcP384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
        Algorithm::EcP521 => &[0x2b, 0x81, 0x04, 0x00, 0x23],
        _ => &[0x2b, 0x81, 0x04, 0x00, 0x0a],
    }
}

/// A private scalar as SEC 1 `ECPrivateKey`, without the public point.
pub fn sec1(algorithm: Algorithm, scalar: &[u8]) -> Vec<u8> {
    let mut body = der_integer(&[1]);
    body.extend(der_wrap(0x04, scalar));
    body.extend(der_wrap(0xa0, &der_wrap(0x06, curve_oid(algorithm))));
    der_wrap(0x30, &body)
}

/// A point as `SubjectPublicKeyInfo`.
pub fn ec_spki(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Vec<u8> {
    const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let mut identifier = der_wrap(0x06, EC_PUBLIC_KEY);
    identifier.extend(der_wrap(0x06, curve_oid(algorithm)));
    let mut bits = vec![0, 4];
    bits.extend_from_slice(x);
    bits.extend_from_slice(y);
    let mut body = der_wrap(0x30, &identifier);
    body.extend(der_wrap(0x03, &bits));
    der_wrap(0x30, &body)
}

/// Moduli over 2048 bits come in two lengths only; what is said of shorter
/// ones is the library's to say.
pub fn rsa_length(bits: usize) -> Result<(), Refusal> {
    match bits {
        0..=2048 | 3072 | 4096 => Ok(()),
        _ => not_offered(format!("RSA with {bits} bits")),
    }
}

/// An RSA public key as PKCS#1.
pub fn rsa_pkcs1(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let mut body = der_integer(modulus);
    body.extend(der_integer(exponent));
    der_wrap(0x30, &body)
}
