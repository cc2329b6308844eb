//! Key files that other tools read and write.
//!
//! Reading is strict: one encoding, nothing left over, every number checked
//! before the key is believed.

pub(crate) mod der;
mod jwk;
mod oids;
mod pbes2;
mod pem;
mod pkcs1;
mod pkcs8;
mod refused;
mod sec1;
pub(crate) mod spki;

use crate::algorithm::{Algorithm, Family};
use crate::asymmetric::{Private, ffdh};
use crate::error::{Error, Result};
use crate::public::PublicKey;
use crate::secret::SecretBytes;

pub(crate) use refused::rsa_public as rsa_public_of_refused;

/// An encoding of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The algorithm's own bytes: symmetric keys; scalars and seeds; points and
    /// public encodings (FIPS 203–205). RSA has none for private keys.
    Raw,
    /// PKCS#8 (RFC 5958), DER; encrypted if there is a passphrase.
    Pkcs8Der,
    /// PKCS#8, PEM; encrypted if there is a passphrase.
    Pkcs8Pem,
    /// ECPrivateKey (RFC 5915), DER.
    Sec1Der,
    /// ECPrivateKey, PEM.
    Sec1Pem,
    /// RSAPrivateKey or RSAPublicKey (RFC 8017), DER.
    Pkcs1Der,
    /// RSAPrivateKey or RSAPublicKey, PEM.
    Pkcs1Pem,
    /// SubjectPublicKeyInfo (RFC 5280), DER; public keys only.
    SpkiDer,
    /// SubjectPublicKeyInfo, PEM; public keys only.
    SpkiPem,
    /// JSON Web Key (RFC 7517).
    Jwk,
    /// Whatever it turns out to be; import only.
    Auto,
}

impl Format {
    /// Every format there is.
    #[must_use]
    pub const fn all() -> &'static [Format] {
        &[
            Format::Raw,
            Format::Pkcs8Der,
            Format::Pkcs8Pem,
            Format::Sec1Der,
            Format::Sec1Pem,
            Format::Pkcs1Der,
            Format::Pkcs1Pem,
            Format::SpkiDer,
            Format::SpkiPem,
            Format::Jwk,
            Format::Auto,
        ]
    }

    /// Its name: "pkcs8" is DER, "pkcs8-pem" PEM, and so on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Pkcs8Der => "pkcs8",
            Format::Pkcs8Pem => "pkcs8-pem",
            Format::Sec1Der => "sec1",
            Format::Sec1Pem => "sec1-pem",
            Format::Pkcs1Der => "pkcs1",
            Format::Pkcs1Pem => "pkcs1-pem",
            Format::SpkiDer => "spki",
            Format::SpkiPem => "spki-pem",
            Format::Jwk => "jwk",
            Format::Auto => "auto",
        }
    }
}

impl core::fmt::Display for Format {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for Format {
    type Err = Error;

    /// By [`Format::name`], in any case.
    fn from_str(name: &str) -> Result<Self> {
        Format::all()
            .iter()
            .copied()
            .find(|format| format.name().eq_ignore_ascii_case(name))
            .ok_or(Error::UnknownName("key format"))
    }
}

/// A key that was read.
pub(crate) enum Imported {
    /// An asymmetric private key, checked.
    Private(Private),
    /// A symmetric key; its length is still to be checked.
    Symmetric(Algorithm, SecretBytes),
}

const PRIVATE_KEY: &str = "PRIVATE KEY";
const ENCRYPTED_PRIVATE_KEY: &str = "ENCRYPTED PRIVATE KEY";
const EC_PRIVATE_KEY: &str = "EC PRIVATE KEY";
const RSA_PRIVATE_KEY: &str = "RSA PRIVATE KEY";
const PUBLIC_KEY: &str = "PUBLIC KEY";
const RSA_PUBLIC_KEY: &str = "RSA PUBLIC KEY";

fn unknown() -> Error {
    Error::Malformed("key: no format that is known here")
}

/// Reads a private or symmetric key.
pub(crate) fn import_private(
    bytes: &[u8],
    format: Format,
    expect: Option<Algorithm>,
    passphrase: Option<&[u8]>,
) -> Result<Imported> {
    match format {
        Format::Raw => raw(bytes, expect),
        Format::Pkcs8Der => read_pkcs8(bytes, passphrase),
        Format::Sec1Der => sec1::decode(bytes, None),
        Format::Pkcs1Der => pkcs1::decode(bytes, true),
        Format::Pkcs8Pem | Format::Sec1Pem | Format::Pkcs1Pem => {
            return private_pem(bytes, Some(format), passphrase);
        }
        Format::SpkiDer | Format::SpkiPem => {
            return Err(Error::InvalidKey(
                "a public key where a private one is needed",
            ));
        }
        Format::Jwk => return jwk::read_private(bytes, expect),
        Format::Auto => return auto_private(bytes, expect, passphrase),
    }
    .map(Imported::Private)
    .or_else(|error| match (format, expect) {
        (Format::Raw, Some(algorithm)) if algorithm.is_symmetric() => Ok(Imported::Symmetric(
            algorithm,
            SecretBytes::new(bytes.to_vec()),
        )),
        _ => Err(error),
    })
}

fn raw(bytes: &[u8], expect: Option<Algorithm>) -> Result<Private> {
    let algorithm = expect.ok_or(Error::InvalidOption(
        "raw keys do not name their algorithm: say which",
    ))?;
    if algorithm.family() == Family::FiniteField {
        ffdh::check_raw_length(algorithm, bytes)?;
    }
    Private::from_raw(algorithm, bytes, true)
}

fn read_pkcs8(der: &[u8], passphrase: Option<&[u8]>) -> Result<Private> {
    if pkcs8::looks_like(der) || !pbes2::looks_like(der) {
        return pkcs8::decode(der, true);
    }
    let passphrase = passphrase.ok_or(Error::InvalidOption(
        "the key is encrypted: a passphrase is needed",
    ))?;
    let plain = pbes2::decrypt(der, passphrase)?;
    // A wrong passphrase survives the padding check once in 256 times; that
    // the plaintext is then no key is the same failure.
    if !pkcs8::looks_like(plain.expose()) {
        return Err(Error::Decrypt);
    }
    pkcs8::decode(plain.expose(), true)
}

fn private_pem(text: &[u8], format: Option<Format>, passphrase: Option<&[u8]>) -> Result<Imported> {
    let block = pem::decode(text)?;
    let (found, key) = match block.label.as_str() {
        PRIVATE_KEY => (Format::Pkcs8Pem, pkcs8::decode(&block.der, true)),
        ENCRYPTED_PRIVATE_KEY => (Format::Pkcs8Pem, {
            if pbes2::looks_like(&block.der) {
                read_pkcs8(&block.der, passphrase)
            } else {
                Err(Error::Malformed("EncryptedPrivateKeyInfo"))
            }
        }),
        EC_PRIVATE_KEY => (Format::Sec1Pem, sec1::decode(&block.der, None)),
        RSA_PRIVATE_KEY => (Format::Pkcs1Pem, pkcs1::decode(&block.der, true)),
        PUBLIC_KEY | RSA_PUBLIC_KEY => {
            return Err(Error::InvalidKey(
                "a public key where a private one is needed",
            ));
        }
        "DSA PRIVATE KEY" | "OPENSSH PRIVATE KEY" => return Err(Error::UnknownAlgorithm),
        _ => return Err(Error::Malformed("PEM label")),
    };
    if format.is_some_and(|asked| asked != found) {
        return Err(Error::Malformed("PEM label: another format than asked for"));
    }
    key.map(Imported::Private)
}

fn auto_private(
    bytes: &[u8],
    expect: Option<Algorithm>,
    passphrase: Option<&[u8]>,
) -> Result<Imported> {
    // Symmetric keys are random: their length alone decides, so that one which
    // happens to begin like a container is not mistaken for it.
    if let Some(algorithm) = expect.filter(|algorithm| algorithm.is_symmetric()) {
        if jwk::looks_like(bytes) {
            return jwk::read_private(bytes, expect);
        }
        return Ok(Imported::Symmetric(
            algorithm,
            SecretBytes::new(bytes.to_vec()),
        ));
    }
    if jwk::looks_like(bytes) {
        return jwk::read_private(bytes, expect);
    }
    if pem::looks_like(bytes) {
        return private_pem(bytes, None, passphrase);
    }
    let key = if pkcs8::looks_like(bytes) || pbes2::looks_like(bytes) {
        read_pkcs8(bytes, passphrase)?
    } else if sec1::looks_like(bytes) {
        sec1::decode(bytes, None)?
    } else if pkcs1::looks_like(bytes) {
        pkcs1::decode(bytes, true)?
    } else if expect.is_some_and(|algorithm| algorithm.family() != Family::Rsa) {
        raw(bytes, expect)?
    } else {
        return Err(unknown());
    };
    Ok(Imported::Private(key))
}

/// Reads a public key.
pub(crate) fn import_public(
    bytes: &[u8],
    format: Format,
    expect: Option<Algorithm>,
) -> Result<PublicKey> {
    let raw = || {
        let algorithm = expect.ok_or(Error::InvalidOption(
            "raw keys do not name their algorithm: say which",
        ))?;
        if algorithm.family() == Family::FiniteField {
            ffdh::check_raw_length(algorithm, bytes)?;
        }
        PublicKey::from_raw(algorithm, bytes)
    };
    match format {
        Format::Raw => raw(),
        Format::SpkiDer => spki::decode(bytes),
        Format::Pkcs1Der => spki::rsa_public(bytes),
        Format::SpkiPem | Format::Pkcs1Pem => public_pem(bytes, Some(format)),
        Format::Jwk => jwk::read_public(bytes),
        Format::Pkcs8Der | Format::Pkcs8Pem | Format::Sec1Der | Format::Sec1Pem => Err(
            Error::InvalidKey("a private key where a public one is needed"),
        ),
        Format::Auto if jwk::looks_like(bytes) => jwk::read_public(bytes),
        Format::Auto if pem::looks_like(bytes) => public_pem(bytes, None),
        Format::Auto => {
            if bytes.first() == Some(&der::SEQUENCE) {
                match spki::decode(bytes) {
                    Err(Error::Malformed("SubjectPublicKeyInfo")) => {}
                    result => return result,
                }
                match spki::rsa_public(bytes) {
                    Err(Error::Malformed(_)) => {}
                    result => return result,
                }
            }
            if expect.is_some_and(|algorithm| algorithm.family() != Family::Rsa) {
                raw()
            } else {
                Err(unknown())
            }
        }
    }
}

fn public_pem(text: &[u8], format: Option<Format>) -> Result<PublicKey> {
    let block = pem::decode(text)?;
    let (found, key) = match block.label.as_str() {
        PUBLIC_KEY => (Format::SpkiPem, spki::decode(&block.der)),
        RSA_PUBLIC_KEY => (Format::Pkcs1Pem, spki::rsa_public(&block.der)),
        label if label.ends_with(PRIVATE_KEY) => {
            return Err(Error::InvalidKey(
                "a private key where a public one is needed",
            ));
        }
        _ => return Err(Error::Malformed("PEM label")),
    };
    if format.is_some_and(|asked| asked != found) {
        return Err(Error::Malformed("PEM label: another format than asked for"));
    }
    key
}

/// Writes an asymmetric private key.
pub(crate) fn export_private(
    key: &Private,
    format: Format,
    passphrase: Option<&[u8]>,
) -> Result<SecretBytes> {
    let unsupported = |what| Error::Unsupported {
        algorithm: key.algorithm(),
        what,
    };
    if passphrase.is_some() && !matches!(format, Format::Pkcs8Der | Format::Pkcs8Pem) {
        return Err(Error::InvalidOption("only PKCS#8 can be encrypted"));
    }
    let family = key.algorithm().family();
    let armour = |label, der: &[u8]| SecretBytes::new(pem::encode(label, der).to_vec());
    match (format, passphrase) {
        (Format::Raw, _) => key.to_raw(),
        (Format::Pkcs8Der, None) => pkcs8::encode(key),
        (Format::Pkcs8Pem, None) => Ok(armour(PRIVATE_KEY, pkcs8::encode(key)?.expose())),
        (Format::Pkcs8Der, Some(passphrase)) => {
            pbes2::encrypt(pkcs8::encode(key)?.expose(), passphrase).map(SecretBytes::new)
        }
        (Format::Pkcs8Pem, Some(passphrase)) => Ok(armour(
            ENCRYPTED_PRIVATE_KEY,
            &pbes2::encrypt(pkcs8::encode(key)?.expose(), passphrase)?,
        )),
        (Format::Sec1Der | Format::Sec1Pem, _) if family != Family::Ec => Err(unsupported("SEC 1")),
        (Format::Sec1Der, _) => Ok(SecretBytes::new(sec1::encode(key, true)?.to_vec())),
        (Format::Sec1Pem, _) => Ok(armour(EC_PRIVATE_KEY, &sec1::encode(key, true)?)),
        (Format::Pkcs1Der | Format::Pkcs1Pem, _) if family != Family::Rsa => {
            Err(unsupported("PKCS#1"))
        }
        (Format::Pkcs1Der, _) => Ok(SecretBytes::new(pkcs1::encode(key)?.to_vec())),
        (Format::Pkcs1Pem, _) => Ok(armour(RSA_PRIVATE_KEY, &pkcs1::encode(key)?)),
        (Format::Jwk, _) => jwk::write_private(key),
        (Format::SpkiDer | Format::SpkiPem, _) => Err(Error::InvalidOption(
            "SPKI holds public keys: export the public key",
        )),
        (Format::Auto, _) => Err(Error::InvalidOption("say which format to export")),
    }
}

/// Writes a symmetric key.
pub(crate) fn export_symmetric(
    algorithm: Algorithm,
    key: &SecretBytes,
    format: Format,
    passphrase: Option<&[u8]>,
) -> Result<SecretBytes> {
    if passphrase.is_some() {
        return Err(Error::InvalidOption("only PKCS#8 can be encrypted"));
    }
    match format {
        Format::Raw => Ok(key.duplicate()),
        Format::Jwk => jwk::write_symmetric(algorithm, key.expose()),
        _ => Err(Error::Unsupported {
            algorithm,
            what: "this key format",
        }),
    }
}

/// Writes a public key.
pub(crate) fn export_public(key: &PublicKey, format: Format) -> Result<Vec<u8>> {
    let rsa = key.algorithm().family() == Family::Rsa;
    match format {
        Format::Raw => key.to_raw(),
        Format::SpkiDer => Ok(key.spki_der().to_vec()),
        Format::SpkiPem => Ok(pem::encode(PUBLIC_KEY, key.spki_der()).to_vec()),
        Format::Pkcs1Der if rsa => key.to_raw(),
        Format::Pkcs1Pem if rsa => Ok(pem::encode(RSA_PUBLIC_KEY, &key.to_raw()?).to_vec()),
        Format::Jwk => jwk::write_public(key),
        Format::Pkcs1Der | Format::Pkcs1Pem => Err(Error::Unsupported {
            algorithm: key.algorithm(),
            what: "PKCS#1",
        }),
        Format::Pkcs8Der | Format::Pkcs8Pem | Format::Sec1Der | Format::Sec1Pem => {
            Err(Error::InvalidOption("this format holds private keys"))
        }
        Format::Auto => Err(Error::InvalidOption("say which format to export")),
    }
}

/// What a record of an asymmetric key holds.
pub(crate) fn to_record(key: &Private) -> Result<SecretBytes> {
    match key.algorithm().family() {
        Family::Rsa | Family::Ec | Family::EdDsa | Family::Montgomery => pkcs8::encode(key),
        _ => key.to_raw(),
    }
}

/// Reads what [`to_record`] wrote. The slow checks of an import are not
/// repeated: records are sealed.
pub(crate) fn from_record(algorithm: Algorithm, record: &[u8]) -> Result<Private> {
    let key = match algorithm.family() {
        Family::Rsa | Family::Ec | Family::EdDsa | Family::Montgomery => {
            pkcs8::decode(record, false)?
        }
        _ => Private::from_raw(algorithm, record, false)?,
    };
    if key.algorithm() == algorithm {
        Ok(key)
    } else {
        Err(Error::WrongAlgorithm {
            expected: algorithm,
            found: key.algorithm(),
        })
    }
}
