//! Account keys: read from JWKs, named by thumbprints, checking signatures.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use skms_crypto::hash::sha256;
use skms_crypto::options::EcdsaEncoding;
use skms_crypto::{
    Algorithm, Family, Format, Hash, Message, PublicKey, SignOptions, SignatureScheme,
};

use crate::error::{Error, Parse, Result};
use crate::parse::cursor::{Cursor, tag};

/// How a request is signed (RFC 7518, section 3.1; RFC 8037). Neither `none`
/// nor a MAC is among them, so that neither can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl SignatureAlgorithm {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Es256, Self::Es384, Self::EdDsa, Self::Rs256];

    /// Its name in JOSE.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The one that a key of this algorithm signs by.
    #[must_use]
    pub fn of(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::EcP256 => Some(Self::Es256),
            Algorithm::EcP384 => Some(Self::Es384),
            Algorithm::Ed25519 => Some(Self::EdDsa),
            _ if algorithm.family() == Family::Rsa => Some(Self::Rs256),
            _ => None,
        }
    }
}

/// The public key of an account, or of a certificate that is to be revoked.
#[derive(Clone)]
pub struct AccountKey {
    key: PublicKey,
    algorithm: SignatureAlgorithm,
    thumbprint: String,
}

fn unusable(why: &'static str) -> Error {
    Error::Malformed {
        what: "account key",
        why,
    }
}

impl AccountKey {
    /// Reads a JWK (RFC 7517). One with a private part is refused: whoever
    /// sends it has given the key away.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what is no key, a weak one, or one of another
    /// kind than the four that sign here.
    pub fn from_jwk(json: &[u8]) -> Result<Self> {
        let key = PublicKey::import(json, Format::Jwk, None)
            .map_err(|_| unusable("not a public JWK of a key that is good enough"))?;
        Self::new(key)
    }

    /// Reads a SubjectPublicKeyInfo (DER).
    ///
    /// # Errors
    /// As [`AccountKey::from_jwk`].
    pub fn from_spki(der: &[u8]) -> Result<Self> {
        let key = PublicKey::import(der, Format::SpkiDer, None)
            .map_err(|_| unusable("not a public key that is good enough"))?;
        Self::new(key)
    }

    fn new(key: PublicKey) -> Result<Self> {
        let algorithm = SignatureAlgorithm::of(key.algorithm())
            .ok_or(unusable("keys are P-256, P-384, Ed25519 or RSA"))?;
        let raw = key.to_raw().map_err(|_| unusable("it cannot be written"))?;
        let members = members(algorithm, &raw).map_err(unusable)?;
        let thumbprint = URL_SAFE_NO_PAD.encode(sha256(&[members.as_bytes()]));
        Ok(Self {
            key,
            algorithm,
            thumbprint,
        })
    }

    /// SHA-256 of its required members (RFC 7638), in base64url.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Its SubjectPublicKeyInfo (DER).
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        self.key.spki_der()
    }

    /// Whether `signature` is this key's over `input`, by `algorithm`; `false`
    /// as well for an algorithm that is not this key's.
    #[must_use]
    pub fn verifies(&self, algorithm: SignatureAlgorithm, input: &[u8], signature: &[u8]) -> bool {
        if algorithm != self.algorithm {
            return false;
        }
        let mut options = SignOptions::default();
        match algorithm {
            SignatureAlgorithm::Es256 => options.hash = Some(Hash::Sha256),
            SignatureAlgorithm::Es384 => options.hash = Some(Hash::Sha384),
            SignatureAlgorithm::EdDsa => {}
            SignatureAlgorithm::Rs256 => {
                options.scheme = Some(SignatureScheme::RsaPkcs1v15);
                options.hash = Some(Hash::Sha256);
            }
        }
        if matches!(
            algorithm,
            SignatureAlgorithm::Es256 | SignatureAlgorithm::Es384
        ) {
            options.encoding = EcdsaEncoding::P1363;
        }
        self.key
            .verify(Message::Raw(input), signature, &options)
            .unwrap_or(false)
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", self.thumbprint)
    }
}

/// The required members of a JWK in the order and form of RFC 7638, section 3.
fn members(algorithm: SignatureAlgorithm, raw: &[u8]) -> Parse<String> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let ec = |curve: &str, half: usize| {
        let (x, y) = raw
            .split_first()
            .filter(|(form, _)| **form == 4)
            .and_then(|(_, point)| point.split_at_checked(half))
            .ok_or("a point of another length")?;
        Ok(format!(
            r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#,
            text(x),
            text(y)
        ))
    };
    match algorithm {
        SignatureAlgorithm::Es256 => ec("P-256", 32),
        SignatureAlgorithm::Es384 => ec("P-384", 48),
        SignatureAlgorithm::EdDsa => Ok(format!(
            r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
            text(raw)
        )),
        SignatureAlgorithm::Rs256 => {
            let mut numbers = Cursor::only(raw, tag::SEQUENCE)?;
            let n = unsigned(numbers.take(tag::INTEGER)?.value);
            let e = unsigned(numbers.take(tag::INTEGER)?.value);
            numbers.end()?;
            Ok(format!(
                r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                text(e),
                text(n)
            ))
        }
    }
}

/// The octets of a positive INTEGER without the sign's.
fn unsigned(contents: &[u8]) -> &[u8] {
    match contents {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skms_crypto::{KeyMaterial, OpenKey};

    /// RFC 7638, section 3.1.
    const RFC7638: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;

    #[test]
    fn thumbprints_are_those_of_the_standards() {
        let key = AccountKey::from_jwk(RFC7638.as_bytes()).unwrap();
        assert_eq!(
            key.thumbprint(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        // RFC 8037, appendix A.3.
        let ed =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let key = AccountKey::from_jwk(ed.as_bytes()).unwrap();
        assert_eq!(
            key.thumbprint(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn private_secret_and_weak_keys_are_refused() {
        for bad in [
            // RFC 8037, appendix A.1: with its private half.
            r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
            r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            "{}",
            "",
        ] {
            assert!(AccountKey::from_jwk(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_signature_holds_for_its_key_its_text_and_its_algorithm() {
        for (algorithm, name) in [
            (Algorithm::EcP256, SignatureAlgorithm::Es256),
            (Algorithm::EcP384, SignatureAlgorithm::Es384),
            (Algorithm::Ed25519, SignatureAlgorithm::EdDsa),
            (Algorithm::Rsa2048, SignatureAlgorithm::Rs256),
        ] {
            let open = OpenKey::open(&KeyMaterial::generate(algorithm).unwrap()).unwrap();
            let mut options = SignOptions::default();
            if algorithm.family() == Family::Ec {
                options.encoding = EcdsaEncoding::P1363;
            }
            if algorithm.family() == Family::Rsa {
                options.scheme = Some(SignatureScheme::RsaPkcs1v15);
            }
            let signature = open.sign(Message::Raw(b"text"), &options).unwrap();
            let spki = open.public_key().unwrap().spki_der().to_vec();
            let key = AccountKey::from_spki(&spki).unwrap();
            assert!(key.verifies(name, b"text", &signature), "{algorithm}");
            assert!(!key.verifies(name, b"test", &signature), "{algorithm}");
            assert!(!key.verifies(name, b"text", &signature[1..]), "{algorithm}");
            for other in SignatureAlgorithm::ALL {
                assert_eq!(key.verifies(other, b"text", &signature), other == name);
            }
        }
        assert_eq!(SignatureAlgorithm::by_name("none"), None);
        assert_eq!(SignatureAlgorithm::by_name("HS256"), None);
    }
}
