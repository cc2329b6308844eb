//! A private key and its certificates in one file that other systems read:
//! PKCS #12 (RFC 7292), written.
//!
//! The key is an EncryptedPrivateKeyInfo as [`KeyMaterial::export`] makes it
//! (PBES2: PBKDF2 with HMAC-SHA-256, AES-256-CBC). The certificates stand in
//! the open, since they are public. A MAC over both is made with SHA-256, by
//! one of two derivations. The older schemes (RC2, 3DES, SHA-1) are not here.

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::awslc::kdf::pbkdf2;
use crate::awslc::md::Digest;
use crate::error::{Error, Result};
use crate::fips;
use crate::formats::Format;
use crate::formats::der::{INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, integer, tlv};
use crate::hash::sha256;
use crate::material::KeyMaterial;
use crate::secret::SecretBytes;

/// How the MAC's key comes from the passphrase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mac {
    /// PKCS #12's own derivation (RFC 7292, appendix B), with SHA-256: what
    /// every program of the last ten years reads.
    #[default]
    Classic,
    /// PBMAC1 (RFC 9579): PBKDF2 and HMAC-SHA-256, all of it approved; read by
    /// OpenSSL from 3.4 on.
    Pbmac1,
}

/// As for encrypted keys.
const ITERATIONS: u32 = 600_000;

const SET: u8 = 0x31;
const BMP_STRING: u8 = 0x1e;
/// `[0]`, constructed.
const FIRST: u8 = 0xa0;

const DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const KEY_BAG: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 2];
const CERT_BAG: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 3];
const X509_CERTIFICATE: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
const FRIENDLY_NAME: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20];
const LOCAL_KEY_ID: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];
const SHA256: [u8; 9] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const PBMAC1: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 14];
const PBKDF2: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
const HMAC_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];

/// Writes a key, its certificates in DER (its own first) and a name to show
/// into one file under a passphrase.
///
/// # Errors
/// [`Error::InvalidOption`] for an empty passphrase, no certificate, or a
/// passphrase or name outside Unicode's basic plane, which the file cannot
/// hold; [`Error::Unsupported`] for a key without PKCS#8;
/// [`Error::OutsideModule`] for [`Mac::Classic`] in a build on the validated
/// module, which does not cover it.
pub fn bundle(
    key: &KeyMaterial,
    certificates: &[&[u8]],
    name: &str,
    passphrase: &str,
    mac: Mac,
) -> Result<SecretBytes> {
    let own = certificates
        .first()
        .ok_or(Error::InvalidOption("no certificate to go with the key"))?;
    if passphrase.is_empty() {
        return Err(Error::InvalidOption("empty passphrase"));
    }
    fips::ensure(
        key.algorithm(),
        !cfg!(feature = "fips") || mac == Mac::Pbmac1,
        "PKCS #12's own key derivation",
    )?;
    let encrypted = key.export(Format::Pkcs8Der, Some(passphrase.as_bytes()))?;
    let id = sha256(&[own]);
    let attributes = tlv(
        SET,
        &[
            &attribute(&FRIENDLY_NAME, &tlv(BMP_STRING, &[&wide(name)?])),
            &attribute(&LOCAL_KEY_ID, &tlv(OCTET_STRING, &[&id])),
        ],
    );
    let mut bags = Zeroizing::new(Vec::new());
    for (index, certificate) in certificates.iter().enumerate() {
        let value = tlv(
            SEQUENCE,
            &[
                &tlv(OID, &[&X509_CERTIFICATE]),
                &tlv(FIRST, &[&tlv(OCTET_STRING, &[certificate])]),
            ],
        );
        let attributes: &[u8] = if index == 0 { &attributes } else { &[] };
        bags.extend_from_slice(&bag(&CERT_BAG, &value, attributes));
    }
    let key = bag(&KEY_BAG, encrypted.expose(), &attributes);
    let contents = tlv(
        SEQUENCE,
        &[
            &data(&tlv(SEQUENCE, &[&bags])),
            &data(&tlv(SEQUENCE, &[&key])),
        ],
    );
    let mac = mac.over(&contents, passphrase)?;
    let file = tlv(SEQUENCE, &[&tlv(INTEGER, &[&[3]]), &data(&contents), &mac]);
    Ok(SecretBytes::new(file.to_vec()))
}

/// A SafeBag (RFC 7292, section 4.2).
fn bag(kind: &[u8], value: &[u8], attributes: &[u8]) -> Zeroizing<Vec<u8>> {
    tlv(
        SEQUENCE,
        &[&tlv(OID, &[kind]), &tlv(FIRST, &[value]), attributes],
    )
}

fn attribute(kind: &[u8], value: &[u8]) -> Zeroizing<Vec<u8>> {
    tlv(SEQUENCE, &[&tlv(OID, &[kind]), &tlv(SET, &[value])])
}

/// A ContentInfo of the type data.
fn data(contents: &[u8]) -> Zeroizing<Vec<u8>> {
    let octets = tlv(OCTET_STRING, &[contents]);
    tlv(SEQUENCE, &[&tlv(OID, &[&DATA]), &tlv(FIRST, &[&octets])])
}

/// A BMPString's contents.
fn wide(text: &str) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::with_capacity(2 * text.len() + 2));
    for letter in text.chars() {
        let unit = u16::try_from(u32::from(letter)).map_err(|_| {
            Error::InvalidOption("letters outside the basic plane, which PKCS #12 cannot hold")
        })?;
        out.extend_from_slice(&unit.to_be_bytes());
    }
    Ok(out)
}

impl Mac {
    /// MacData over the authenticated safe (RFC 7292, section 4).
    fn over(self, contents: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>> {
        let salt = crate::rand::array::<16>()?;
        let iterations = integer(&ITERATIONS.to_be_bytes());
        let (algorithm, key, salt_written, count) = match self {
            Self::Classic => {
                let key = derive(&wide(passphrase)?, &salt, ITERATIONS);
                let id = tlv(SEQUENCE, &[&tlv(OID, &[&SHA256]), &tlv(NULL, &[])]);
                (id, key, &salt[..], iterations)
            }
            Self::Pbmac1 => {
                let derived = pbkdf2(Digest::Sha256, passphrase.as_bytes(), &salt, ITERATIONS, 32)?;
                let mut key = Zeroizing::new([0; 32]);
                key.copy_from_slice(derived.expose());
                // RFC 9579, section 5: salt and iterations outside the
                // parameters are not used.
                (pbmac1(&salt), key, &b"NOT USED"[..], integer(&[1]))
            }
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*key);
        let tag = hmac::sign(&key, contents);
        let digest = tlv(SEQUENCE, &[&algorithm, &tlv(OCTET_STRING, &[tag.as_ref()])]);
        let salt = tlv(OCTET_STRING, &[salt_written]);
        Ok(tlv(SEQUENCE, &[&digest, &salt, &count]))
    }
}

/// PBMAC1's AlgorithmIdentifier (RFC 9579, section 4; RFC 8018, appendix A.5).
fn pbmac1(salt: &[u8]) -> Zeroizing<Vec<u8>> {
    let prf = tlv(SEQUENCE, &[&tlv(OID, &[&HMAC_SHA256]), &tlv(NULL, &[])]);
    let parameters = tlv(
        SEQUENCE,
        &[
            &tlv(OCTET_STRING, &[salt]),
            &integer(&ITERATIONS.to_be_bytes()),
            &tlv(INTEGER, &[&[32]]),
            &prf,
        ],
    );
    let kdf = tlv(SEQUENCE, &[&tlv(OID, &[&PBKDF2]), &parameters]);
    tlv(
        SEQUENCE,
        &[&tlv(OID, &[&PBMAC1]), &tlv(SEQUENCE, &[&kdf, &prf])],
    )
}

/// RFC 7292, appendix B.2, with SHA-256, for a MAC key of its length: one
/// block, so that its last two steps fall away. `password` is a BMPString's
/// contents, without the zero at its end that the standard adds.
fn derive(password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<[u8; 32]> {
    /// SHA-256's block, in bytes: the standard's v.
    const BLOCK: usize = 64;
    /// The standard's ID for MAC keys.
    const FOR_MACS: u8 = 3;
    let filled = |bytes: &[u8]| {
        let length = bytes.len().div_ceil(BLOCK) * BLOCK;
        Zeroizing::new(
            bytes
                .iter()
                .copied()
                .cycle()
                .take(length)
                .collect::<Vec<u8>>(),
        )
    };
    let terminated = Zeroizing::new([password, &[0, 0]].concat());
    let (salt, password) = (filled(salt), filled(&terminated));
    let mut key = Zeroizing::new(sha256(&[&[FOR_MACS; BLOCK], &salt, &password]));
    for _ in 1..iterations {
        *key = sha256(&[&*key]);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;

    #[test]
    fn what_the_file_cannot_hold_is_refused() {
        let key = KeyMaterial::generate(Algorithm::EcP256).unwrap();
        let mac = Mac::Pbmac1;
        let certificate: &[u8] = &[0x30, 0];
        let make = |certificates: &[&[u8]], name, passphrase| {
            bundle(&key, certificates, name, passphrase, mac)
        };
        assert!(make(&[certificate], "a", "secret").is_ok());
        assert!(make(&[], "a", "secret").is_err());
        assert!(make(&[certificate], "a", "").is_err());
        assert!(make(&[certificate], "🔑", "secret").is_err());
        let classic = |passphrase| bundle(&key, &[certificate], "a", passphrase, Mac::Classic);
        assert_eq!(classic("secret").is_ok(), !cfg!(feature = "fips"));
        assert!(classic("🔑").is_err());
    }
}
