//! What a caller may choose about a signature, an encryption or a wrapping.

use crate::algorithm::Algorithm;
use crate::error::{Error, Result};
use crate::hash::Hash;

/// What is signed or verified.
#[derive(Clone, Copy)]
pub enum Message<'a> {
    /// The whole message; the scheme hashes it.
    Raw(&'a [u8]),
    /// A digest the caller computed, and with what. RSA and ECDSA sign it as
    /// they would the message; ML-DSA and SLH-DSA use their pre-hash forms
    /// (HashML-DSA, FIPS 204, section 5.4; HashSLH-DSA, FIPS 205, section
    /// 10.2.2), whose signatures differ from those over the message itself.
    Digest(&'a [u8], Hash),
}

/// A signature scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureScheme {
    /// RSASSA-PSS (RFC 8017, section 8.1): what RSA keys use by default.
    RsaPss,
    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
    RsaPkcs1v15,
    /// ECDSA (FIPS 186-5, section 6).
    Ecdsa,
    /// Ed25519 (RFC 8032, section 5.1).
    Ed25519,
    /// ML-DSA (FIPS 204).
    MlDsa,
    /// SLH-DSA (FIPS 205).
    SlhDsa,
}

impl SignatureScheme {
    /// Every scheme there is.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        &[
            Self::RsaPss,
            Self::RsaPkcs1v15,
            Self::Ecdsa,
            Self::Ed25519,
            Self::MlDsa,
            Self::SlhDsa,
        ]
    }

    /// Its name: "RSA-PSS", "RSA-PKCS1v15", "ECDSA", "Ed25519", "ML-DSA", "SLH-DSA".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaPss => "RSA-PSS",
            Self::RsaPkcs1v15 => "RSA-PKCS1v15",
            Self::Ecdsa => "ECDSA",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa => "ML-DSA",
            Self::SlhDsa => "SLH-DSA",
        }
    }
}

impl core::fmt::Display for SignatureScheme {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for SignatureScheme {
    type Err = Error;

    /// By [`SignatureScheme::name`], in any case.
    fn from_str(name: &str) -> Result<Self> {
        Self::all()
            .iter()
            .copied()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(name))
            .ok_or(Error::UnknownName("signature scheme"))
    }
}

/// How an ECDSA signature is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EcdsaEncoding {
    /// DER `ECDSA-Sig-Value` (RFC 3279, section 2.2.3): X.509, TLS, OpenSSL.
    #[default]
    Der,
    /// `r ‖ s` of fixed length (IEEE P1363; RFC 7518, section 3.4): JOSE, WebCrypto.
    P1363,
}

impl EcdsaEncoding {
    /// Its name: "der" or "p1363".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Der => "der",
            Self::P1363 => "p1363",
        }
    }
}

impl core::str::FromStr for EcdsaEncoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::Der, Self::P1363]
            .into_iter()
            .find(|encoding| encoding.name().eq_ignore_ascii_case(name))
            .ok_or(Error::UnknownName("signature encoding"))
    }
}

/// Options of a signature. What does not apply to the key's algorithm is
/// refused, not ignored.
#[derive(Clone, Debug, Default)]
pub struct SignOptions {
    /// The scheme; by default the key's own (RSA-PSS for RSA).
    pub scheme: Option<SignatureScheme>,
    /// The hash; by default SHA-256, or for P-384 SHA-384 and P-521 SHA-512.
    pub hash: Option<Hash>,
    /// ML-DSA's or SLH-DSA's context string, at most 255 bytes.
    pub context: Vec<u8>,
    /// ECDSA only.
    pub encoding: EcdsaEncoding,
    /// RSA-PSS only, in bytes; by default the length of the hash.
    pub salt_length: Option<usize>,
}

impl SignOptions {
    /// Checks that everything set belongs to `scheme`.
    pub(crate) fn check(&self, algorithm: Algorithm, scheme: SignatureScheme) -> Result<()> {
        if self.scheme.is_some_and(|asked| asked != scheme) {
            return Err(Error::Unsupported {
                algorithm,
                what: "this signature scheme",
            });
        }
        let takes_context = matches!(scheme, SignatureScheme::MlDsa | SignatureScheme::SlhDsa);
        if !self.context.is_empty() && !takes_context {
            return Err(Error::InvalidOption("this scheme takes no context string"));
        }
        if self.context.len() > 255 {
            return Err(Error::TooLong {
                what: "context string",
                limit: 255,
            });
        }
        if self.salt_length.is_some() && scheme != SignatureScheme::RsaPss {
            return Err(Error::InvalidOption("only RSA-PSS takes a salt length"));
        }
        if self.encoding != EcdsaEncoding::Der && scheme != SignatureScheme::Ecdsa {
            return Err(Error::InvalidOption("only ECDSA has a choice of encoding"));
        }
        Ok(())
    }

    /// The hash of this signature; a digest must be one of it.
    pub(crate) fn hash_of(&self, message: Message<'_>, default: Hash) -> Result<Hash> {
        match message {
            Message::Raw(_) => Ok(self.hash.unwrap_or(default)),
            Message::Digest(digest, hash) => {
                check_digest(digest, hash, self.hash)?;
                Ok(hash)
            }
        }
    }
}

/// A digest must have its hash's length, and the hash must be the one asked for.
pub(crate) fn check_digest(digest: &[u8], hash: Hash, asked: Option<Hash>) -> Result<()> {
    if asked.is_some_and(|asked| asked != hash) {
        return Err(Error::InvalidOption(
            "the digest was made with another hash than the one asked for",
        ));
    }
    if digest.len() != hash.output_len() {
        return Err(Error::InvalidLength {
            what: "digest",
            expected: hash.output_len(),
            found: digest.len(),
        });
    }
    Ok(())
}

/// How an RSA key wraps another key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WrapMode {
    /// The key's own way: AES-KW or AES-KWP for those keys, RSA-OAEP for RSA.
    #[default]
    Direct,
    /// RSA only: a fresh AES-256 key wraps with AES-KWP and is itself wrapped
    /// with RSA-OAEP, `OAEP(kek) ‖ KWP(kek, key)` (PKCS#11's
    /// CKM_RSA_AES_KEY_WRAP), so that keys of any length fit.
    RsaAesKwp,
}

impl WrapMode {
    /// Its name: "direct" or "rsa-aes-kwp".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::RsaAesKwp => "rsa-aes-kwp",
        }
    }
}

impl core::str::FromStr for WrapMode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::Direct, Self::RsaAesKwp]
            .into_iter()
            .find(|mode| mode.name().eq_ignore_ascii_case(name))
            .ok_or(Error::UnknownName("wrap mode"))
    }
}

/// Options of an encryption or wrapping. Nonces are never the caller's to choose.
#[derive(Clone, Debug, Default)]
pub struct EncryptOptions {
    /// RSA-OAEP's hash; by default SHA-256.
    pub oaep_hash: Option<Hash>,
    /// The hash inside OAEP's MGF1; by default the same as [`Self::oaep_hash`].
    pub oaep_mgf_hash: Option<Hash>,
    /// How an RSA key wraps; ignored when encrypting data.
    pub wrap_mode: WrapMode,
}

impl EncryptOptions {
    /// OAEP options make no sense for anything but RSA.
    pub(crate) fn refuse_rsa_options(&self) -> Result<()> {
        if self.oaep_hash.is_some()
            || self.oaep_mgf_hash.is_some()
            || self.wrap_mode != WrapMode::Direct
        {
            return Err(Error::InvalidOption("only RSA keys take OAEP options"));
        }
        Ok(())
    }
}
