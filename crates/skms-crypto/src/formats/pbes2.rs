//! EncryptedPrivateKeyInfo (RFC 5958, section 3) with PBES2 (RFC 8018, section 6.2).
//!
//! Read: PBKDF2 with HMAC-SHA-1 or SHA-2, or scrypt (RFC 7914), and AES-CBC.
//! Written: PBKDF2 with HMAC-SHA-256 and AES-256-CBC, which every tool reads.
//! The older schemes (PBES1, 3DES, RC2) are refused.

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::EncryptionScheme as Scheme;
use pkcs8::pkcs5::pbes2::{EncryptionScheme, Kdf, Pbkdf2Prf};

use crate::awslc::kdf;
use crate::awslc::md::Digest;
use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::der::{INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, integer, tlv};

/// What new files use; OWASP's figure for PBKDF2-HMAC-SHA-256 (2023).
const ITERATIONS: u32 = 600_000;

/// Files that ask for more than this are refused: they would only stall us.
const MOST_ITERATIONS: u32 = 2_000_000;

/// 1.2.840.113549.1.5.13, .12 and hmacWithSHA256; aes256-CBC-PAD.
const PBES2: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
const HMAC_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];
const AES256_CBC: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 3, 4, 1, 42];

/// Whether the bytes have the shape of an EncryptedPrivateKeyInfo:
/// SEQUENCE { SEQUENCE { OID, .. }, OCTET STRING }.
pub(super) fn looks_like(der: &[u8]) -> bool {
    use der::{Decode, Reader};
    der::asn1::AnyRef::from_der(der).is_ok_and(|any| {
        any.sequence(|reader| {
            let _: spki::AlgorithmIdentifierRef<'_> = reader.decode()?;
            let _: &der::asn1::OctetStringRef = reader.decode()?;
            Ok::<_, der::Error>(())
        })
        .is_ok()
    })
}

/// Decrypts to a PrivateKeyInfo. A wrong passphrase and altered bytes look alike.
///
/// # Errors
/// [`Error::Decrypt`]; [`Error::RefusedByPolicy`] for the older schemes.
pub(super) fn decrypt(der: &[u8], passphrase: &[u8]) -> Result<SecretBytes> {
    let refused = Error::RefusedByPolicy(
        "this key encryption is obsolete or unknown; use PBES2 with PBKDF2 or scrypt and AES-CBC",
    );
    let Ok(info) = EncryptedPrivateKeyInfoRef::try_from(der) else {
        return Err(if looks_like(der) {
            refused
        } else {
            Error::Malformed("EncryptedPrivateKeyInfo")
        });
    };
    let Scheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(refused);
    };
    let (cipher, iv) = match &parameters.encryption {
        EncryptionScheme::Aes128Cbc { iv } => (&AES_128, *iv),
        EncryptionScheme::Aes192Cbc { iv } => (&AES_192, *iv),
        EncryptionScheme::Aes256Cbc { iv } => (&AES_256, *iv),
        _ => return Err(refused),
    };
    let length = parameters.encryption.key_size();
    if parameters
        .kdf
        .key_length()
        .is_some_and(|stated| usize::from(stated) != length)
    {
        return Err(Error::Malformed("EncryptedPrivateKeyInfo"));
    }
    let key = derive(&parameters.kdf, passphrase, length)?;
    let key = UnboundCipherKey::new(cipher, key.expose()).map_err(|_| Error::Decrypt)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| Error::Decrypt)?;
    let mut buffer = SecretBytes::new(info.encrypted_data.as_bytes().to_vec());
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let length = key
        .decrypt(buffer.expose_mut(), context)
        .map_err(|_| Error::Decrypt)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

fn derive(kdf: &Kdf, passphrase: &[u8], length: usize) -> Result<SecretBytes> {
    let malformed = Error::Malformed("EncryptedPrivateKeyInfo");
    match kdf {
        Kdf::Pbkdf2(parameters) => {
            let digest = match parameters.prf {
                Pbkdf2Prf::HmacWithSha1 => Digest::Sha1,
                Pbkdf2Prf::HmacWithSha224 => Digest::Sha224,
                Pbkdf2Prf::HmacWithSha256 => Digest::Sha256,
                Pbkdf2Prf::HmacWithSha384 => Digest::Sha384,
                Pbkdf2Prf::HmacWithSha512 => Digest::Sha512,
                _ => return Err(malformed),
            };
            if parameters.iteration_count == 0 {
                return Err(malformed);
            }
            if parameters.iteration_count > MOST_ITERATIONS {
                return Err(Error::InvalidOption("PBKDF2 iterations over two million"));
            }
            kdf::pbkdf2(
                digest,
                passphrase,
                parameters.salt.as_bytes(),
                parameters.iteration_count,
                length,
            )
        }
        Kdf::Scrypt(parameters) => kdf::scrypt(
            passphrase,
            parameters.salt.as_bytes(),
            (
                parameters.cost_parameter,
                u64::from(parameters.block_size),
                u64::from(parameters.parallelization),
            ),
            length,
        ),
        _ => Err(malformed),
    }
}

/// Encrypts a PrivateKeyInfo.
///
/// # Errors
/// [`Error::InvalidOption`] for an empty passphrase.
pub(super) fn encrypt(pkcs8: &[u8], passphrase: &[u8]) -> Result<Vec<u8>> {
    if passphrase.is_empty() {
        return Err(Error::InvalidOption("empty passphrase"));
    }
    let failed = |_| Error::Library("AES-CBC");
    let (salt, iv) = (crate::rand::array::<16>()?, crate::rand::array::<16>()?);
    let key = kdf::pbkdf2(Digest::Sha256, passphrase, &salt, ITERATIONS, 32)?;
    let key = UnboundCipherKey::new(&AES_256, key.expose()).map_err(failed)?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(failed)?;
    // Room for the padding, so that the buffer does not move and leave a copy.
    let mut buffer = zeroize::Zeroizing::new(Vec::with_capacity(pkcs8.len() + 16));
    buffer.extend_from_slice(pkcs8);
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(&mut *buffer, context)
        .map_err(failed)?;
    let prf = tlv(SEQUENCE, &[&tlv(OID, &[&HMAC_SHA256]), &tlv(NULL, &[])]);
    let kdf = tlv(
        SEQUENCE,
        &[
            &tlv(OID, &[&PBKDF2]),
            &tlv(
                SEQUENCE,
                &[
                    &tlv(OCTET_STRING, &[&salt]),
                    &integer(&ITERATIONS.to_be_bytes()),
                    &tlv(INTEGER, &[&[32]]),
                    &prf,
                ],
            ),
        ],
    );
    let cipher = tlv(
        SEQUENCE,
        &[&tlv(OID, &[&AES256_CBC]), &tlv(OCTET_STRING, &[&iv])],
    );
    let scheme = tlv(
        SEQUENCE,
        &[&tlv(OID, &[&PBES2]), &tlv(SEQUENCE, &[&kdf, &cipher])],
    );
    Ok(tlv(SEQUENCE, &[&scheme, &tlv(OCTET_STRING, &[&buffer])]).to_vec())
}
